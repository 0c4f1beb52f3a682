"""NPZ that is hostile, damaged or odd: zip directories, `.npy` headers, pickles, the member `vizschema.json`."""

from __future__ import annotations

import io
import json
import pickle
import stat
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.hostile.case import (
    ATTRIBUTES,
    Build,
    Case,
    Payload,
    broken,
    control,
    damaged,
    refused,
)
from vizschema.conformance.corpus.hostile.zip_base import Entry, descriptor, renamed, zipped

N, R = "npz", "container-readings"
_LAYER = "activations/layer_00.npy"
_PLAIN = {"descr": "<f4", "fortran_order": False, "shape": (2, 3)}
_BOMB = 64 << 20


def npy(values: Any, *, order: str = "C") -> bytes:
    """A `.npy` file of these values."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(values, order="F" if order == "F" else "C"), allow_pickle=False)
    return file.getvalue()


def headed(header: str, data: bytes = b"", version: bytes = b"\1\0", length: int | None = None) -> bytes:
    """A `.npy` file with this header, whatever it says."""
    raw = header.encode("latin-1")
    size = struct.pack("<H" if version[0] == 1 else "<I", len(raw) if length is None else length)
    return b"\x93NUMPY" + version + size + raw + data


def told(**extra: Mapping[str, Any]) -> Entry:
    """`vizschema.json` of the harmless archive, with accounts of nodes below `/extra`."""
    nodes: dict[str, Any] = {path: {"kind": "group", "attributes": dict(found)} for path, found in ATTRIBUTES.items()}
    nodes["/activations/layer_00"] = {"kind": "array", "axes": ["token", "hidden"]}
    nodes.update({f"/extra/{name}": dict(account) for name, account in extra.items()})
    return Entry("vizschema.json", json.dumps({"nodes": nodes}).encode())


def harmless() -> list[Entry]:
    """The members of the harmless archive."""
    return [told(), Entry(_LAYER, npy(np.arange(6, dtype=np.float32).reshape(2, 3)))]


def npz(*members: Entry, **options: Any) -> Build:
    """Builds the harmless archive with these members besides; one of a name that is there replaces it."""

    def build(folder: Path) -> Path:
        names = {member.name for member in members}
        kept = [member for member in harmless() if member.name not in names]
        (folder / "archive.npz").write_bytes(zipped([*kept, *members], **options))
        return folder / "archive.npz"

    return build


def x(data: bytes, **changes: Any) -> Build:
    """Builds the archive with a member `/extra/x`."""
    return npz(Entry("extra/x.npy", data, **changes))


def _header(**fields: Any) -> bytes:
    return headed(repr({**_PLAIN, **fields}), bytes(24))


def _pickled(folder: Path) -> Path:
    raw = headed("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", pickle.dumps([Payload()]))
    path: Path = x(raw)(folder)
    return path


def _pickled_member(folder: Path) -> Path:
    path: Path = npz(Entry("extra/x.npy", pickle.dumps(Payload())))(folder)
    return path


def _edited(change: Callable[[bytes], bytes]) -> Build:
    def build(folder: Path) -> Path:
        path: Path = npz()(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return build


def _many(folder: Path) -> Path:
    groups = {f"x{number}": {"kind": "group"} for number in range(20_000)}
    path: Path = npz(told(**groups))(folder)
    return path


def _nested(folder: Path) -> Path:
    inner: Path = npz()(folder)
    path: Path = npz(Entry("extra/x.npy", inner.read_bytes()))(folder)
    return path


def _two_ends(raw: bytes) -> bytes:
    """The zip file `raw` with a second directory and end record within its comment."""
    directory = raw[raw.index(b"PK\1\2") : -22]
    count = raw[-14:-12]
    end = b"PK\5\6" + bytes(4) + count + count + struct.pack("<IIH", len(directory), len(raw), 9)
    return raw[:-2] + struct.pack("<H", len(directory) + len(end)) + directory + end


def _wide_end() -> bytes:
    """The end of a zip file, whose zip64 records lie."""
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 1 << 63, 45, 45, 0, 0, 1 << 62, 1 << 62, 1 << 62, 1 << 62)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, (1 << 64) - 1, 1)
    return record + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


_SIX = npy(np.arange(6, dtype=np.float32).reshape(2, 3))
_DEEP = "/".join(["extra", *["x"] * 100])

CASES: tuple[Case, ...] = (
    broken(N, "pickle", "pickle", "an object array: NumPy would unpickle it", _pickled),
    broken(N, "pickle-bare", "metadata-malformed", "a pickle under the name of an array", _pickled_member),
    broken(N, "header-code", "metadata-malformed", "a header that is a call", x(headed("__import__('os').system('touch executed')"))),
    broken(N, "header-shape", "metadata-invalid", "a shape that needs more bytes than there are", x(_header(shape=(1 << 20, 3)))),
    broken(N, "header-shape-2-62", "metadata-invalid", "a size of 2^62", x(_header(shape=(1 << 62, 3)))),
    broken(N, "header-shape-negative", "metadata-invalid", "a negative size", x(_header(shape=(-2, 3)))),
    broken(N, "header-shape-fraction", "metadata-malformed", "a size of two and a half", x(_header(shape=(2.5, 3)))),
    broken(N, "header-shape-text", "metadata-invalid", "a size that is text", x(_header(shape=("2", 3)))),
    broken(N, "header-shape-boolean", "metadata-invalid", "True is 1 in Python", x(_header(shape=(True, 3)))),
    broken(N, "header-shape-digits", "metadata-malformed", "a size of ten thousand digits", x(headed(repr(_PLAIN).replace("(2", "(" + "9" * 10_000), bytes(24)))),
    broken(N, "header-order", "metadata-invalid", "an order that is text", x(_header(fortran_order="no"))),
    broken(N, "header-type", "metadata-invalid", "an invalid type", x(_header(descr="<f4; import os"))),
    broken(N, "header-type-huge", "metadata-invalid", "text of 2^63 bytes an entry", x(_header(descr="|S9223372036854775807"))),
    broken(N, "header-field", "metadata-invalid", "a field that NumPy does not know", x(headed(repr({**_PLAIN, "more": 1}), bytes(24)))),
    broken(N, "header-deep", "over-limit", "a header nested ten thousand times", x(headed("[" * 10_000))),
    broken(N, "header-long", "over-limit", "a header of 100 MB", x(headed("{" + " " * 100_000_000, version=b"\2\0"), method=8)),
    broken(N, "header-length", "over-limit", "a header that claims 4 GiB", x(headed(repr(_PLAIN), version=b"\2\0", length=0xFFFFFFFF))),
    broken(N, "header-cut", "metadata-malformed", "a member that ends within its header", x(_SIX[:40])),
    broken(N, "version", "unsupported", "a version of .npy to come", x(headed(repr(_PLAIN), bytes(24), b"\x09\0"))),
    broken(N, "structure", "portable-dtype", "records", x(npy(np.zeros(2, [("a", "f4"), ("b", "i4")])))),
    broken(N, "values-short", "metadata-invalid", "fewer values than the shape says", x(_SIX[:-4])),
    broken(N, "values-long", "metadata-invalid", "more values than the shape says", x(_SIX + b"more")),
    broken(N, "bomb", "metadata-invalid", "64 MiB of zeros behind a header for 24 bytes", x(_header() + bytes(_BOMB), method=8)),
    broken(N, "bomb-claims", "damaged", "a member of 100 bytes that claims 4 GB", x(_SIX, method=8, size=0xFFFFFFF0)),
    broken(N, "zip-in-zip", "metadata-malformed", "an archive within the archive", _nested),
    broken(N, "dots", "metadata-invalid", "a member that would lie outside", npz(Entry("../outside.npy", _SIX))),
    broken(N, "dots-inside", "metadata-invalid", "a member that goes up and down", npz(Entry("extra/../../etc/passwd.npy", _SIX))),
    broken(N, "absolute", "metadata-invalid", "a member of an absolute path", npz(Entry("/etc/passwd.npy", _SIX))),
    broken(N, "drive", "metadata-invalid node-name", "a member that would lie on another disk", npz(Entry("C:/x.npy", _SIX))),
    broken(N, "twice-named", "metadata-conflict", "one name with and without the suffix: readers take either", npz(Entry("extra/x.npy", _SIX), Entry("extra/x", _SIX))),
    broken(N, "header-key-twice", "metadata-malformed", "two types in one header: Python takes the last", x(headed("{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", bytes(24)))),
    broken(N, "header-power", "metadata-malformed", "a size that takes for ever to compute", x(headed(repr(_PLAIN).replace("(2", "(9**9**9**9"), bytes(24)))),
    broken(N, "header-zero-huge", "metadata-invalid", "no values, by a shape that overflows", x(_header(shape=(0, 1 << 62, 1 << 62)))),
    broken(N, "twice", "metadata-conflict", "two members of one name: readers take the first or the last", npz(Entry("extra/x.npy", _SIX), Entry("extra/x.npy", npy([9])))),
    broken(N, "array-and-group", "metadata-conflict", "an array that is a group too", npz(Entry("extra/x.npy", _SIX), Entry("extra/x/y.npy", _SIX))),
    broken(N, "overlap", "axes-named damaged", "two members that share their bytes", npz(Entry("extra/x.npy", _SIX), Entry("extra/y.npy", _SIX, offset=0))),
    broken(N, "local-name", R, "a member that is called differently in its own header", npz(Entry("extra/x.npy", _SIX, local_name=b"extra/y.npy"))),
    broken(N, "local-method", R, "a member that is packed in its own header only", npz(Entry("extra/x.npy", _SIX, local_method=8))),
    broken(N, "local-checksum", R, "a member of another checksum in its own header", npz(Entry("extra/x.npy", _SIX, local_crc=1))),
    broken(N, "local-size", R, "a member that is shorter in its own header", npz(Entry("extra/x.npy", _SIX, local_size=99))),
    broken(N, "two-ends", R, "a second directory in the comment of the first: readers take either", _edited(_two_ends)),
    broken(N, "end-in-comment", R, "a comment in which readers find another end record", npz(comment=b"PK\5\6 is only text here")),
    broken(N, "wide-end-other", R, "a zip64 end record of another number of members", npz(wide=(0, 0, 0), count=1)),
    broken(N, "unicode-path", R, "an extra field by which some readers rename a member", x(_SIX, extra=renamed("extra/x.npy", "extra/y.npy"))),
    broken(N, "name-null", R, "a name with a NUL, at which some readers end it", npz(Entry("extra/x.npy", _SIX), Entry("extra/x.npy\0", npy([9.0])))),
    broken(N, "hidden-member", R, "a member that the directory does not list", x(_SIX, behind=zipped([Entry("extra/y.npy", _SIX)]).partition(b"PK\1\2")[0])),
    broken(N, "bytes-behind", R, "bytes behind the end", npz(behind=b"<script>")),
    broken(N, "descriptor", R, "a data descriptor that is not there", x(_SIX, flags=0x808)),
    broken(N, "version-99", R, "a member that asks for a version of zip to come", x(_SIX, need=99)),
    broken(N, "header-zero-led", "metadata-malformed", "sizes with leading zeros, which NumPy refuses", x(headed(repr(_PLAIN).replace("(2, 3)", "(02, 03)"), bytes(24)))),
    broken(N, "header-null", "metadata-malformed", "a header padded with NUL, which NumPy refuses", x(headed(repr(_PLAIN) + "\0\0", bytes(24)))),
    broken(N, "header-10000", "metadata-malformed", "a header longer than NumPy reads", x(headed(repr(_PLAIN) + " " * 10_000, bytes(24)))),
    broken(N, "header-type-machine", "metadata-invalid", "a type that has another size on other machines", x(_header(descr="<l"))),
    broken(N, "encrypted", "unsupported", "a member that is encrypted", npz(Entry("extra/x.npy", _SIX, flags=0x801))),
    broken(N, "method", "unsupported", "a member that is packed with LZMA", npz(Entry("extra/x.npy", _SIX, method=14))),
    broken(N, "link", "internal-link", "a symbolic link in the zip file", npz(Entry("extra/x.npy", b"/etc/passwd", mode=stat.S_IFLNK | 0o777))),
    broken(N, "device", "special-file", "a device in the zip file", npz(Entry("extra/x.npy", b"", mode=stat.S_IFCHR | 0o666))),
    broken(N, "offset", "damaged", "a member beyond the end of the file", npz(Entry("extra/x.npy", _SIX, offset=1 << 30))),
    broken(N, "document-twice-key", "axes-named metadata-malformed", "two accounts of one node in vizschema.json", npz(Entry("vizschema.json", b'{"nodes": {"/": {"kind": "group"}, "/": {"kind": "array"}}}'))),
    broken(N, "document-no-json", "axes-named metadata-malformed", "an invalid vizschema.json", npz(Entry("vizschema.json", b"{nodes: 1}"))),
    broken(N, "document-deep", "axes-named over-limit", "a vizschema.json nested a million times", npz(Entry("vizschema.json", b"[" * 1_000_000))),
    broken(N, "document-100-mb", "axes-named over-limit", "a vizschema.json of 100 MB", npz(Entry("vizschema.json", b'{"a":"' + b"x" * 100_000_000 + b'"}', method=8))),
    broken(N, "document-ghost", "metadata-conflict", "an array in vizschema.json that is not there", npz(told(ghost={"kind": "array"}))),
    broken(N, "document-field", "unsupported", "a field of vizschema.json that is unknown", npz(told(x={"kind": "array", "novelty": 1}), Entry("extra/x.npy", _SIX))),
    broken(N, "document-escape", "printable-text", "an attribute that would repaint the terminal", npz(told(x={"kind": "array", "attributes": {"title": "\x1b[2J"}}), Entry("extra/x.npy", _SIX))),
    broken(N, "name-escape", "printable-text", "a name that would repaint the terminal", npz(Entry("extra/a\x1b[2Jb.npy", _SIX))),
    broken(N, "name-lines", "printable-text", "a name of several lines", npz(Entry("extra/a\n::error::lost.npy", _SIX))),
    broken(N, "name-no-text", "printable-text", "a name that says it is UTF-8 and is not", npz(Entry(b"extra/a\xff.npy", _SIX))),
    broken(N, "name-backslash", "printable-text", "a name that is a path on Windows", npz(Entry("extra/..\\..\\x.npy", _SIX))),
    broken(N, "names-case", "distinct-names", "names that are one on other systems", npz(Entry("extra/Layer.npy", _SIX), Entry("extra/layer.npy", _SIX))),
    broken(N, "deep-tree", "over-limit", "a member a hundred levels deep", npz(Entry(f"{_DEEP}.npy", _SIX))),
    refused(N, "no-end", "a zip file that was never finished", _edited(lambda raw: raw[:-30])),
    refused(N, "count", "a directory that counts more members than it lists", npz(count=9)),
    refused(N, "directory", "a directory that is not where the file says", npz(shift=-50)),
    refused(N, "wide-lies", "zip64 records of 2^62 members", _edited(lambda raw: raw[:-22] + _wide_end())),
    refused(N, "two-files", "two zip files one behind the other: readers take the first or the last", _edited(lambda raw: raw + raw)),
    refused(N, "empty", "a zip file of nothing", lambda folder: _written(folder, zipped([]))),
    refused(N, "other", "a zip file of something else", lambda folder: _written(folder, zipped([Entry("readme.txt", b"hello")]))),
    damaged(N, "checksum", "values that are not those that were written", x(_SIX, crc=1)),
    damaged(N, "checksum-first", "the only activations, changed since they were written", npz(Entry(_LAYER, _SIX, crc=7))),
    control(N, "plain", "the archive that all others are made from", npz()),
    control(N, "deflated", "members that are deflated", x(_SIX, method=8)),
    control(N, "fortran-order", "the first index runs fastest", x(npy(np.arange(6.0).reshape(2, 3), order="F"))),
    control(N, "big-endian", "the other byte order", x(npy(np.arange(6, dtype=">f8")))),
    control(N, "scalar", "an array without dimensions", x(npy(1.5))),
    control(N, "size-zero", "an array without values", x(npy(np.zeros((0, 3))))),
    control(N, "version-3", "a header in UTF-8", x(headed(repr(_PLAIN), bytes(24), b"\3\0"))),
    control(N, "comment", "a comment behind the directory", npz(comment=b"PK is only text here")),
    control(N, "boolean-cnpy", "booleans as the library cnpy writes them", x(headed(repr({**_PLAIN, "descr": "<b1"}), bytes(6)))),
    control(N, "type-name", "a type by its name", x(_header(descr="float32"))),
    control(N, "descriptors", "a member with a data descriptor, as a pipe is given", x(_SIX, flags=0x808, local_crc=0, local_size=0, behind=descriptor(_SIX))),
    control(N, "wide-end", "a zip64 end record that is not needed", npz(wide=(0, 0, 0))),
    control(N, "aligned", "members that are aligned by zeros", x(_SIX, local_extra=bytes(7), behind=bytes(500))),
    control(N, "zeros-behind", "zeros behind the end", npz(behind=bytes(999))),
    control(N, "nodes-20000", "20,000 groups", _many),
    control(N, "names-of-scripts", "names in many scripts, in normal form C", npz(*(Entry(f"extra/{name}.npy", _SIX) for name in ("größe", "слой", "層", "طبقة")))),
    control(N, "names-odd", "spaces, quotes and brackets", npz(*(Entry(f"extra/{name}.npy", _SIX) for name in ("a b", "it's \"so\"", "[0]", "...", "x" * 200)))),
    control(N, "folders", "entries for folders", npz(Entry("extra/", b""), Entry("extra/x.npy", _SIX))),
)  # fmt: skip


def _written(folder: Path, raw: bytes) -> Path:
    (folder / "archive.npz").write_bytes(raw)
    return folder / "archive.npz"
