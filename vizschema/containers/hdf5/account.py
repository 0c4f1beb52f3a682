"""The whole account of an HDF5 file: what stands before its superblock, and behind the end that this declares.

The bytes between are those of the library: free space within a file belongs to it. Source: HDF5 File Format 3.0, II.A.
"""

from __future__ import annotations

from collections.abc import Mapping

from vizschema.containers.base import Limits
from vizschema.containers.bytes.packed import STEP
from vizschema.containers.bytes.ranges import FileRanges, Ranges
from vizschema.containers.hdf5.file import Hdf5, open_hdf5
from vizschema.containers.hdf5.opening import SIGNATURE

PADDING = 64 << 20
"""The most zeros behind the end that are padding."""

_HEAD = 160
_FORMATS: Mapping[bytes, str] = {
    b"PK\3\4": "a zip file",
    b"PK\5\6": "a zip file",
    b"#ASDF": "an ASDF file",
    b"\x93NUMPY": "a .npy file",
    b"CDF": "a netCDF file",
    b"SIMPLE  =": "a FITS file",
    b"MZ": "a program of Windows",
    b"\x7fELF": "a program of Linux",
    b"\xcf\xfa\xed\xfe": "a program of macOS",
    b"\xca\xfe\xba\xbe": "a program of macOS or Java",
    b"#!": "a script",
    b"<": "a page of HTML or XML",
    b"%PDF": "a PDF file",
    b"%!PS": "a PostScript file",
    b"{\\rtf": "a text in RTF",
    b"GIF8": "a picture",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"II*\0": "a picture",
    b"MM\0*": "a picture",
    b"RIFF": "a picture, sound or film",
    b"\x1f\x8b": "a gzip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"7z\xbc\xaf": "a 7z file",
    b"Rar!": "a RAR file",
    b"SQLite format 3": "a database of SQLite",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"GGUF": "a GGUF file",
    b"\x80\2": "a pickle",
    b"\x80\3": "a pickle",
    b"\x80\4": "a pickle",
    b"\x80\5": "a pickle",
}
"""How files of other formats begin."""

_TAR = (257, b"ustar")


def open_accounted(path: str, limits: Limits = Limits()) -> Hdf5:  # noqa: B008  (frozen)
    """The HDF5 file at `path`, accounted for; raises `NotAnArchive`."""
    opened = open_hdf5(path, limits)
    file = FileRanges(path)
    try:
        opened.readings = hdf5_readings(file)
    finally:
        file.close()
    return opened


def hdf5_readings(file: Ranges) -> list[str]:
    """Where other readers could take an HDF5 file for something else, in words."""
    place = _superblock(file)
    if place is None:
        return []
    readings = []
    block = file.read(0, min(place, 512))
    form = next((form for signature, form in _FORMATS.items() if block.startswith(signature)), None)
    if form is None and block[_TAR[0] :].startswith(_TAR[1]):
        form = "a tar file"
    if form is not None:
        readings.append(f"the user block, bytes 0 to {place}, begins like {form}")
    end = _end(file.read(place, _HEAD), place)
    if end is not None and end < file.size:
        zeros = _zeros(file, end)
        if end + zeros < file.size:
            readings.append(f"{file.size - end} bytes follow the end that the superblock declares, from byte {end}")
    return readings


def _superblock(file: Ranges) -> int | None:
    """Where the signature is: at 0, 512, 1024, 2048, …"""
    place = 0
    while place < file.size:
        if file.read(place, len(SIGNATURE)) == SIGNATURE:
            return place
        place = max(512, 2 * place)
    return None


def _end(head: bytes, place: int) -> int | None:
    """Where the file ends by its superblock, of which `head` is the beginning; None where it does not say."""
    if len(head) < _HEAD // 2:
        return None
    version = head[8]
    width, at = (head[13], 28 if version == 1 else 24) if version < 2 else (head[9], 12)
    base, end = (int.from_bytes(head[start : start + width], "little") for start in (at, at + 2 * width))
    # The base is where the signature was when the file was written: a user block may have been put before it since.
    return None if width not in (2, 4, 8) or end == (1 << 8 * width) - 1 else place + end - base


def _zeros(file: Ranges, start: int) -> int:
    """How many zeros there are from `start` on, to the end of the file; 0 where they are more than padding."""
    end = min(file.size, start + PADDING + 1)
    place = start
    while place < end:
        part = file.read(place, min(STEP, end - place))
        rest = part.lstrip(b"\0")
        if rest or not part:
            return place + len(part) - len(rest) - start
        place += len(part)
    return end - start if end == file.size and end - start <= PADDING else 0
