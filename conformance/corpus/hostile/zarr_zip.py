"""Zarr in zip files that are hostile, damaged or odd."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.hostile.case import Build, Case, broken, control, damaged, refused
from vizschema.conformance.corpus.hostile.zarr_base import ARRAY, LAYER, VALUES, put, v2, v3, write_v3
from vizschema.conformance.corpus.hostile.zarr_consolidated import c3
from vizschema.conformance.corpus.hostile.zip_base import Entry, descriptor, renamed, zipped

Z, R = "zarr-zip", "container-readings"


def packed(build: Build, *members: Entry, below: str = "", method: int = 0, without: str = "", **options: Any) -> Build:
    """Builds a zip file of the archive that `build` writes, with these members besides, its root in the folder `below`."""

    def build_zip(folder: Path) -> Path:
        (folder / "plain").mkdir()
        root: Path = build(folder / "plain")
        names = {member.name for member in members}
        found = (path for path in sorted(root.rglob("*")) if path.is_file())
        entries = [
            Entry(f"{below}{path.relative_to(root)}", path.read_bytes(), method)
            for path in found
            if f"{below}{path.relative_to(root)}" not in names and path.relative_to(root).as_posix() != without
        ]
        (folder / "archive.zip").write_bytes(zipped([*entries, *members], **options))
        return folder / "archive.zip"

    return build_zip


def _cut(folder: Path) -> Path:
    path: Path = packed(write_v3)(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return path


_X = "extra/x/zarr.json"
_CHUNK = f"{LAYER}/c/0/0"
_DOCUMENT = b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'

CASES: tuple[Case, ...] = (
    broken(Z, "twice", "metadata-conflict", "two documents of one name: readers take the first or the last", packed(write_v3, Entry(_X, _DOCUMENT), Entry(_X, b"{}"))),
    broken(Z, "link", "internal-link", "a symbolic link in the zip file", packed(write_v3, Entry("extra/x", b"/etc/passwd", mode=stat.S_IFLNK | 0o777))),
    broken(Z, "device", "special-file", "a device in the zip file", packed(write_v3, Entry("extra/x", b"", mode=stat.S_IFCHR | 0o666))),
    broken(Z, "dots", "metadata-invalid node-name", "a member that would lie outside", packed(write_v3, Entry("../outside/zarr.json", _DOCUMENT))),
    broken(Z, "absolute", "metadata-invalid node-name", "a member of an absolute path", packed(write_v3, Entry("/etc/zarr.json", _DOCUMENT))),
    broken(Z, "backslash", "metadata-invalid printable-text", "a member whose path only readers on Windows see", packed(write_v3, Entry("extra\\x\\zarr.json", _DOCUMENT))),
    broken(Z, "drive", "metadata-invalid metadata-missing node-name", "a member that would lie on another disk", packed(write_v3, Entry("C:/x/zarr.json", _DOCUMENT))),
    broken(Z, "document-bomb", "over-limit", "a document of 100 MB, deflated", packed(write_v3, Entry(_X, b'{"a":"' + b"x" * 100_000_000 + b'"}', 8))),
    broken(Z, "document-claims", "damaged", "a document of a few bytes that claims 4 GB", packed(write_v3, Entry(_X, _DOCUMENT, 8, size=0xFFFFFFF0))),
    broken(Z, "document-cut", "metadata-malformed", "a document of half its length", packed(write_v3, Entry(_X, _DOCUMENT[:20]))),
    broken(Z, "document-checksum", "damaged", "a document that is not the one that was written", packed(write_v3, Entry(_X, _DOCUMENT, crc=1))),
    broken(Z, "encrypted", "unsupported", "a document that is encrypted", packed(write_v3, Entry(_X, _DOCUMENT, flags=0x801))),
    broken(Z, "local-name", R, "a document that is called differently in its own header", packed(write_v3, Entry(_X, _DOCUMENT, local_name=b"extra/y/zarr.json"))),
    broken(Z, "chunk-local-name", R, "a chunk that is called differently in its own header", packed(write_v3, Entry(_CHUNK, VALUES, local_name=_CHUNK.encode()[:-1] + b"1"))),
    broken(Z, "chunk-unicode-path", R, "an extra field by which some readers rename a chunk", packed(write_v3, Entry(_CHUNK, VALUES, extra=renamed(_CHUNK, "x")))),
    broken(Z, "hidden-member", R, "a member that the directory does not list", packed(write_v3, Entry(_X, _DOCUMENT, behind=zipped([Entry("extra/y/zarr.json", _DOCUMENT)]).partition(b"PK\1\2")[0]))),
    broken(Z, "bytes-behind", R, "bytes behind the end", packed(write_v3, behind=b"<script>")),
    broken(Z, "end-in-comment", R, "a comment in which readers find another end record", packed(write_v3, comment=b"PK\5\6 is only text here")),
    broken(Z, "wide-end-other", R, "a zip64 end record of another number of members", packed(write_v3, wide=(0, 0, 0), count=1)),
    broken(Z, "lost-document", "metadata-missing", "chunks without their document", packed(write_v3, without=f"{LAYER}/zarr.json")),
    broken(Z, "pickle", "pickle", "pickles in a zip file", packed(v2(lambda archive: put(archive, "extra/x/.zarray", {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "fill_value": None, "order": "C", "filters": [{"id": "pickle"}]})))),
    broken(Z, "name-escape", "printable-text", "a name that would repaint the terminal", packed(write_v3, Entry("extra/a\x1b[2J/zarr.json", _DOCUMENT), Entry("extra/a\x1b[2J/x/zarr.json", _DOCUMENT))),
    broken(Z, "names-case", "distinct-names", "names that are one on other systems", packed(write_v3, Entry("extra/X/zarr.json", _DOCUMENT), Entry("extra/x/zarr.json", _DOCUMENT))),
    broken(Z, "deep-tree", "over-limit", "a node a hundred levels deep", packed(write_v3, *(Entry("/".join(["extra", *["x"] * level, "zarr.json"]), _DOCUMENT) for level in range(1, 100)))),
    refused(Z, "cut", "a zip file that was never finished", _cut),
    damaged(Z, "chunk-checksum", "a chunk that is not the one that was written", packed(write_v3, Entry(_CHUNK, VALUES, crc=1))),
    damaged(Z, "chunk-bomb", "64 MiB of zeros, deflated, for 24 bytes declared", packed(write_v3, Entry(_CHUNK, bytes(64 << 20), 8))),
    damaged(Z, "chunk-cut", "a chunk that was not written to its end", packed(write_v3, Entry(_CHUNK, VALUES[:9]))),
    control(Z, "plain", "an archive in a zip file", packed(write_v3)),
    control(Z, "deflated", "members that are deflated", packed(write_v3, method=8)),
    control(Z, "one-down", "the root one folder down", packed(write_v3, below="run.zarr/")),
    control(Z, "version-2", "an archive of version 2", packed(v2())),
    control(Z, "copy", "a consolidated copy", packed(c3())),
    control(Z, "absent-chunk", "a chunk that was never written", packed(v3(lambda archive: put(archive, _X, ARRAY)))),
    control(Z, "wide-end", "a zip64 end record that is not needed", packed(write_v3, wide=(0, 0, 0))),
    control(Z, "descriptors", "a chunk with a data descriptor, as a pipe is given", packed(write_v3, Entry(_CHUNK, VALUES, flags=0x808, local_crc=0, local_size=0, behind=descriptor(VALUES)))),
    control(Z, "zeros-behind", "zeros behind the end", packed(write_v3, behind=bytes(999))),
    control(Z, "folders", "entries for folders", packed(write_v3, Entry("extra/", b""))),
)  # fmt: skip
