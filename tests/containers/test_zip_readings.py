"""Every byte of a zip file belongs to one thing, and every reader finds the same members: NPZ and zipped Zarr alike."""

from __future__ import annotations

import io
import struct
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from support.needed import installed
from support.zip_files import npy

import vizschema
from vizschema import validate
from vizschema.conformance.corpus.hostile.zip_base import Entry, descriptor, field, renamed, zipped
from vizschema.describing import describe
from vizschema.errors import NotAnArchive

ONES = npy(np.ones((2, 3), np.float32))
GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'
FORMS = {
    "npz": [Entry("x.npy", ONES), Entry("g/y.npy", ONES), Entry("g/z.npy", ONES)],
    "zarr": [Entry("zarr.json", GROUP), Entry("g/zarr.json", GROUP), Entry("h/zarr.json", GROUP)],
}
EACH_FORM = pytest.mark.parametrize("form", FORMS)


def readings(folder: Path, raw: bytes) -> list[str]:
    path = folder / "a.zip"
    path.write_bytes(raw)
    found: list[str] = describe(path)["container"].get("readings", [])
    return found


def changed(form: str, number: int = 1, **changes: Any) -> list[Entry]:
    entries = list(FORMS[form])
    entries[number] = replace(entries[number], **changes)
    return entries


def two_ends(entries: list[Entry]) -> bytes:
    """A zip file whose comment holds a second directory of other members, and its end record."""
    plain = zipped(entries)
    at = plain.index(b"PK\1\2")
    directory = plain[at:-22]
    other = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 3, 3, len(directory), len(plain), 9)
    return bytes(plain[:-2] + struct.pack("<H", len(directory) + 25) + directory + other + b"end")


def with_(place: int, junk: bytes, entries: list[Entry]) -> bytes:
    """A zip file with `junk` behind the member of this number."""
    entries = list(entries)
    entries[place] = replace(entries[place], behind=junk)
    return bytes(zipped(entries))


def behind_the_name(entries: list[Entry]) -> bytes:
    """A zip file whose directory ends with a zip64 locator, in an extra field of its last member."""
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
    return bytes(zipped([*entries[:-1], replace(entries[-1], extra=field(0x1234, locator), local_extra=b"")]))


BROKEN: dict[str, tuple[Callable[[str], bytes], str]] = {
    "second-end-in-comment": (lambda form: two_ends(FORMS[form]), "holds another end record, at byte"),
    "zip64-end-in-comment": (lambda form: zipped(FORMS[form], comment=b"PK\6\6"), "holds another zip64 end record"),
    "zip64-locator-in-comment": (lambda form: zipped(FORMS[form], comment=b"PK\6\7"), "holds another zip64 locator"),
    "bytes-behind": (lambda form: zipped(FORMS[form]) + b"\n" * 7, "7 bytes follow the end of the zip file, from byte"),
    "comment-cut": (lambda form: zipped(FORMS[form], comment=b"words")[:-2], "lacks 2 of its bytes"),
    "zip64-other-count": (lambda form: zipped(FORMS[form], wide=(0, 0, 0), count=2), "zip64 end record disagree: 2 m"),
    "zip64-locator-in-directory": (lambda form: behind_the_name(FORMS[form]), "leads to byte 0, and no zip64 end"),
    "bytes-between": (lambda form: with_(0, b"hidden", FORMS[form]), "6 bytes from byte"),
    "bytes-before-directory": (lambda form: with_(2, b"<script>", FORMS[form]), "8 bytes from byte"),
    "member-of-no-directory": (
        lambda form: with_(2, zipped(FORMS[form][:1]).partition(b"PK\1\2")[0], FORMS[form]),
        "belong to no member",
    ),
    "too-much-padding": (lambda form: with_(1, bytes((1 << 20) + 1), FORMS[form]), "1048577 bytes from byte"),
    "other-name": (
        lambda form: zipped(changed(form, local_name=str(FORMS[form][1].name).upper().encode())),
        "has the name G/",
    ),
    "other-method": (lambda form: zipped(changed(form, local_method=8)), "has the method 8, the directory 0"),
    "other-crc": (lambda form: zipped(changed(form, local_crc=1)), "has the CRC-32 1, the directory"),
    "other-size": (lambda form: zipped(changed(form, local_size=3)), "has the size 3, the directory"),
    "nul-in-name": (lambda form: zipped([*FORMS[form], Entry("x.npy\0", ONES)]), "a NUL in its name"),
    "unicode-path": (lambda form: zipped(changed(form, extra=renamed("x", "other"))), "names it other, which some"),
    "unicode-path-of-local-header": (
        lambda form: zipped(changed(form, local_extra=renamed("x", "other"))),
        "names it other, which some",
    ),
    "unicode-comment": (lambda form: zipped(changed(form, extra=field(0x6375, bytes(5) + b"hi"))), "the comment hi"),
    "extra-beyond": (lambda form: zipped(changed(form, extra=b"\1\2\xff\xff")), "reaches beyond its header"),
    "zip64-twice": (lambda form: zipped(changed(form, extra=field(1, b"") * 2)), "2 zip64 fields"),
    "zip64-unneeded": (lambda form: zipped(changed(form, extra=field(1, b"\7" + bytes(7)))), "its zip64 field says 7"),
    "version-to-come": (lambda form: zipped(changed(form, need=99)), "asks for version 9.9"),
    "no-descriptor": (lambda form: zipped(changed(form, flags=0x808)), "no data descriptor follows it"),
    "descriptor-of-others": (
        lambda form: zipped(changed(form, flags=0x808, behind=descriptor(b"others"))),
        "no data descriptor follows it",
    ),
}


@EACH_FORM
@pytest.mark.parametrize("name", BROKEN)
def test_what_readers_read_otherwise_is_named_with_its_place(name: str, form: str, tmp_path: Path) -> None:
    build, words = BROKEN[name]
    found = readings(tmp_path, build(form))
    assert any(words in each for each in found), found
    finding = next(each for each in validate(tmp_path / "a.zip").findings if each.rule == "container-readings")
    assert (finding.path, finding.severity) == ("/", "error")
    assert words in finding.found
    assert finding.expected == "every byte to belong to one thing that all readers find"


@EACH_FORM
@pytest.mark.parametrize("name", BROKEN)
def test_nothing_but_the_place_is_found(name: str, form: str, tmp_path: Path) -> None:
    found = readings(tmp_path, BROKEN[name][0](form))
    assert 1 <= len(found) <= 3
    assert describe(tmp_path / "a.zip")["nodes"]["/"]["kind"] == "group"


def padded(form: str) -> bytes:
    """Zeros between members, in extra fields and behind the end, as tools that align members write them."""
    first, second, third = FORMS[form]
    aligned = field(0xD935, struct.pack("<H", 4) + bytes(3))
    raw: bytes = zipped(
        [replace(first, local_extra=bytes(7)), replace(second, local_extra=aligned), replace(third, behind=bytes(500))],
        behind=bytes(1000),
    )
    return raw


DESCRIPTORS = ("<4sIII", "<III", "<4sIQQ", "<IQQ")
LEGAL: dict[str, Callable[[str], bytes]] = {
    "plain": lambda form: zipped(FORMS[form]),
    "padded": padded,
    "comment": lambda form: zipped(FORMS[form], comment=b"made by hand, PK\1\2 and all"),
    "unneeded-zip64": lambda form: zipped(FORMS[form], wide=(0, 0, 0)),
    "unneeded-zip64-field": lambda form: zipped(changed(form, local_extra=field(1, bytes(16)))),
    "same-unicode-path": lambda form: zipped(
        changed(form, extra=renamed(str(FORMS[form][1].name), str(FORMS[form][1].name)))
    ),
    **{
        f"descriptor-{number}": lambda form, each=each: zipped(  # type: ignore[misc]
            changed(form, flags=0x808, local_crc=0, local_size=0, behind=descriptor(FORMS[form][1].data, each))
        )
        for number, each in enumerate(DESCRIPTORS)
    },
}


@EACH_FORM
@pytest.mark.parametrize("name", LEGAL)
def test_what_all_readers_read_alike_has_no_finding(name: str, form: str, tmp_path: Path) -> None:
    assert readings(tmp_path, LEGAL[name](form)) == []


class Pipe(io.RawIOBase):
    """A stream that cannot seek."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += bytes(data)
        return len(data)


ARRAYS = {"x": np.arange(6.0), "g/y": np.ones((300, 3), np.float32)}


def saved(**options: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, values in ARRAYS.items():
            archive.writestr(f"{name}.npy", npy(values))
    return file.getvalue()


def streamed(method: int, *, wide: bool) -> bytes:
    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", method) as archive:
        for name, values in ARRAYS.items():
            with archive.open(f"{name}.npy", "w", force_zip64=wide) as member:
                member.write(npy(values))
    return pipe.written


def by_numpy(save: Callable[..., Any], target: Any) -> bytes:
    save(target, **ARRAYS)
    return bytes(target.written if isinstance(target, Pipe) else target.getvalue())


def appended() -> bytes:
    file = io.BytesIO(saved())
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("z.npy", ONES)
        archive.comment = b"a comment"
    return file.getvalue()


WRITERS: dict[str, Callable[[], bytes]] = {
    "savez": lambda: by_numpy(np.savez, io.BytesIO()),
    "savez-compressed": lambda: by_numpy(np.savez_compressed, io.BytesIO()),
    "savez-to-a-pipe": lambda: by_numpy(np.savez, Pipe()),
    "zipfile": saved,
    "zipfile-deflated": lambda: saved(compression=zipfile.ZIP_DEFLATED),
    "zipfile-appended": appended,
    **{
        f"zipfile-to-a-pipe-{method}-{wide}": lambda method=method, wide=wide: streamed(method, wide=wide)  # type: ignore[misc]
        for method in (0, 8)
        for wide in (False, True)
    },
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_numpy_and_python_write_has_no_finding_and_is_read_as_numpy_reads_it(name: str, tmp_path: Path) -> None:
    assert readings(tmp_path, WRITERS[name]()) == []
    with vizschema.open(tmp_path / "a.zip") as archive, np.load(tmp_path / "a.zip") as expected:
        for key in expected:
            stored: Any = archive[f"/{key}"]
            assert np.array_equal(stored[...], expected[key])


@pytest.mark.parametrize("version", [2, 3])
def test_what_zarr_writes_into_a_zip_file_has_no_finding(version: Any, tmp_path: Path) -> None:
    store = zarr.storage.ZipStore(tmp_path / "a.zip", mode="w")
    zarr.create_group(store, zarr_format=version).create_array("x", data=np.arange(100.0), chunks=(10,))
    store.close()
    assert "readings" not in describe(tmp_path / "a.zip")["container"]


@pytest.mark.parametrize(
    "command",
    ["zip -qr ../a.zip .", "zip -qr - . > ../a.zip", "zip -qr - . | cat > ../a.zip", "zip -qr -fz ../a.zip ."],
)
def test_what_info_zip_writes_has_no_finding(command: str, tmp_path: Path) -> None:
    """From files and into a pipe, where it writes data descriptors and zip64 records that nobody needs."""
    installed("zip")
    for name, values in ARRAYS.items():
        path = tmp_path / "files" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(npy(values))
    subprocess.run(command, shell=True, cwd=tmp_path / "files", check=True)  # noqa: S602  (ours)
    assert readings(tmp_path, (tmp_path / "a.zip").read_bytes()) == []


@pytest.mark.parametrize("zeros", [1, 65_535])
def test_zeros_may_follow_the_end_as_far_as_other_readers_look_back(zeros: int, tmp_path: Path) -> None:
    assert readings(tmp_path, zipped(FORMS["npz"], behind=bytes(zeros))) == []
    with np.load(tmp_path / "a.zip") as archive:
        assert archive["x"].shape == (2, 3)


def test_a_chunk_whose_header_disagrees_is_found_without_reading_values(tmp_path: Path) -> None:
    document = (
        b'{"zarr_format": 3, "node_type": "array", "shape": [4], "data_type": "uint8", "fill_value": 0,'
        b' "attributes": {}, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},'
        b' "codecs": [{"name": "bytes"}], "chunk_key_encoding": {"name": "default"}}'
    )
    entries = [Entry("zarr.json", GROUP), Entry("x/zarr.json", document), Entry("x/c/0", b"1234", local_name=b"x/c/1")]
    assert readings(tmp_path, zipped(entries)) == [
        f"x/c/0 at byte {30 * 2 + len(GROUP + document) + 20}: its local header has the name x/c/1, the directory x/c/0"
    ]


def test_no_more_than_sixteen_places_are_listed(tmp_path: Path) -> None:
    entries = [Entry(f"x{number}.npy", ONES, behind=b"!") for number in range(40)]
    assert len(readings(tmp_path, zipped(entries))) == 16
    finding = next(each for each in validate(tmp_path / "a.zip").findings if each.rule == "container-readings")
    assert "; and 13 more" in finding.found


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(zipped(FORMS["npz"], wide=(0, 0, 0)).replace(b"PK\6\6", b"PK\0\0"), id="no-zip64-record"),
        pytest.param(zipped(FORMS["npz"], wide=(0, 0, 1)), id="zip64-record-of-another-place"),
        pytest.param(b"PK\3\4" + zipped(FORMS["npz"]), id="bytes-before"),
        pytest.param(zipped(FORMS["npz"], behind=bytes(70_000)), id="zeros-further-than-readers-look-back"),
    ],
)
def test_a_directory_that_is_not_where_the_end_says_is_no_archive(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(raw)
    with pytest.raises(NotAnArchive, match="directory"):
        describe(path)
