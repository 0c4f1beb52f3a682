"""Zarr in folders that hold what they should not: links, pipes, sockets, devices, odd names, chunks that lie."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path

import numcodecs

from vizschema.conformance.corpus.hostile.case import Build, Case, broken, damaged, refused
from vizschema.conformance.corpus.hostile.zarr_base import (
    ARRAY,
    GROUP,
    LAYER,
    VALUES,
    ZARRAY,
    Change,
    content,
    put,
    v2,
    v3,
    write_v3,
)

V2, V3 = "zarr-v2", "zarr-v3"
_BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
_CHUNK = f"{LAYER}/c/0/0"
_BOMB = 256 << 20


def _link(name: str, target: str) -> Change:
    """Puts a symbolic link at `name`; OUTSIDE instead of the folder beside the archive, ARCHIVE for the archive."""

    def change(archive: Path) -> None:
        outside = archive.parent / "outside"
        put(outside, "zarr.json", ARRAY)
        put(outside, "c/0/0", VALUES)
        place = archive / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        found = target
        beside = {"OUTSIDE": outside, "ARCHIVE": archive}
        for word, path in beside.items():  # relative to the link, so that the whole can be moved
            target_of = os.path.relpath(path, place.parent)
            found = found.replace(word, target_of)
        place.symlink_to(found)

    return change


def _special(name: str, make: Callable[[str], object]) -> Change:
    def change(archive: Path) -> None:
        place = archive / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        make(str(place))

    return change


def _socket(path: str) -> None:
    # The path of a socket may be no longer than some hundred bytes.
    here = os.getcwd()  # noqa: PTH109  (as `chdir` wants it)
    os.chdir(Path(path).parent)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(Path(path).name)
    finally:
        os.chdir(here)


def _device(path: str) -> None:
    """A device, or where the system lets nobody make one, a link to one."""
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        os.mkfifo(path)


def named(*names: bytes) -> Change:
    """Puts groups of these names below `/extra`."""

    def change(archive: Path) -> None:
        for name in names:
            folder = os.fsencode(archive / "extra") + b"/" + name
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103  (of bytes)
            with open(folder + b"/zarr.json", "wb") as file:  # noqa: PTH123
                file.write(b'{"zarr_format": 3, "node_type": "group", "attributes": {"a": 1}}')
            array = folder + b"/x"
            os.makedirs(array, exist_ok=True)  # noqa: PTH103
            with open(array + b"/zarr.json", "wb") as file:  # noqa: PTH123
                file.write(_ONE)

    return change


_ONE = json.dumps(ARRAY).encode()


def deep(levels: int) -> Change:
    """Puts an array so many levels below `/extra`."""

    def change(archive: Path) -> None:
        for level in range(1, levels):
            put(archive, "/".join(["extra", *["x"] * level, "zarr.json"]), GROUP)
        put(archive, "/".join(["extra", *["x"] * levels, "zarr.json"]), ARRAY)

    return change


def _wide(folder: Path) -> Path:
    """Two thousand arrays without a chunk."""
    archive: Path = write_v3(folder)
    for number in range(2_000):
        place = archive / "extra" / f"x_{number}"
        place.mkdir()
        (place / "zarr.json").write_bytes(_ONE)
    return archive


def _chunk3(data: bytes, *codecs: object) -> Build:
    """Builds version 3 with this chunk, encoded by these codecs."""
    array = {**ARRAY, "codecs": [_BYTES, *codecs], "dimension_names": ["token", "hidden"]}
    return v3(content(f"{LAYER}/zarr.json", array), content(_CHUNK, data))


def _chunk2(data: bytes, compressor: object) -> Build:
    """Builds version 2 with this chunk, compressed by this codec."""
    return v2(content(f"{LAYER}/.zarray", {**ZARRAY, "compressor": compressor}), content(f"{LAYER}/0.0", data))


def _moved(chunk: str, to: str) -> Change:
    """Moves the chunk of the layer to another key."""

    def change(archive: Path) -> None:
        data = (archive / LAYER / chunk).read_bytes()
        top = archive / LAYER / chunk.split("/")[0]
        shutil.rmtree(top) if top.is_dir() else top.unlink()
        content(f"{LAYER}/{to}", data)(archive)

    return change


def _shard(offset: int, length: int) -> Build:
    """Builds version 3 with one shard, whose index says this of its only chunk, and has no checksum."""
    configuration = {"chunk_shape": [2, 3], "codecs": [_BYTES], "index_codecs": [_BYTES]}
    codec = {"name": "sharding_indexed", "configuration": configuration}
    array = {**ARRAY, "codecs": [codec], "dimension_names": ["token", "hidden"]}
    return v3(content(f"{LAYER}/zarr.json", array), content(_CHUNK, VALUES + struct.pack("<QQ", offset, length)))


def _blosc_claims(nbytes: int) -> bytes:
    """A Blosc frame that claims to hold `nbytes` bytes."""
    frame = bytearray(numcodecs.Blosc(cname="zstd").encode(VALUES))
    frame[4:8] = struct.pack("<I", nbytes)
    return bytes(frame)


def _blosc_cut() -> bytes:
    """A Blosc frame that says it is longer than it is: a decoder that believes it reads past the buffer."""
    frame = bytearray(numcodecs.Blosc(cname="lz4").encode(bytes(1 << 16)))
    frame[12:16] = struct.pack("<I", 1 << 20)
    return bytes(frame)


_BLOSC = {
    "name": "blosc",
    "configuration": {"cname": "zstd", "clevel": 5, "shuffle": "shuffle", "typesize": 4, "blocksize": 0},
}
_ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
_GZIP = {"name": "gzip", "configuration": {"level": 5}}

CASES: tuple[Case, ...] = (
    broken(V3, "link-out-node", "external-link", "a node that is a link to a folder outside", v3(_link("extra/x", "OUTSIDE"))),
    broken(V3, "link-out-relative", "external-link", "a node that is a link upwards", v3(_link("extra/x", "../../outside"))),
    broken(V3, "link-out-document", "external-link", "a document that is a link outside", v3(_link("extra/x/zarr.json", "OUTSIDE/zarr.json"))),
    broken(V3, "link-out-root", "external-link", "a root document that is a link outside", v3(_link("zarr.json", "OUTSIDE/zarr.json"))),
    broken(V3, "link-secret", "external-link", "a document that is a link to a file of the system", v3(_link("extra/x/zarr.json", "/etc/passwd"))),
    broken(V3, "link-proc", "external-link", "a folder that is the whole file system", v3(_link("extra/x", "/proc/self/root"))),
    broken(V3, "link-inside", "internal-link", "a node that is a link to another", v3(_link("extra/x", "../activations"))),
    broken(V3, "link-to-itself", "internal-link", "a link to itself", v3(_link("extra/x", "x"))),
    broken(V3, "link-to-root", "internal-link", "a link to the archive: a tree without end", v3(_link("extra/x", "ARCHIVE"))),
    broken(V3, "link-dangling", "internal-link", "a link to nothing", v3(_link("extra/x", "nothing"))),
    broken(V3, "pipe", "special-file", "a FIFO, which blocks its reader", v3(_special("extra/x", os.mkfifo))),
    broken(V3, "pipe-document", "special-file", "a document that is a FIFO", v3(_special("extra/x/zarr.json", os.mkfifo))),
    broken(V3, "pipe-root", "special-file", "a root document that is a FIFO", v3(_special("zarr.json", os.mkfifo))),
    broken(V2, "pipe-attributes", "special-file", "attributes that are a FIFO", v2(_special(f"{LAYER}/.zattrs", os.mkfifo))),
    broken(V3, "socket", "special-file", "a socket", v3(_special("extra/x", _socket))),
    broken(V3, "device", "special-file", "a device without end", v3(_special("extra/x/zarr.json", _device))),
    broken(V3, "document-is-folder", "metadata-invalid", "a document that is a folder", v3(content("extra/x/zarr.json/x", b""))),
    broken(V3, "document-1-tib", "over-limit", "a document of 1 TiB that takes no room on the disk", v3(lambda archive: os.truncate(archive / "extra/zarr.json", 1 << 40))),
    broken(V3, "deep-tree", "over-limit", "groups a hundred levels deep", v3(deep(100))),
    broken(V3, "no-metadata", "metadata-missing", "chunks whose documents got lost", v3(lambda archive: (archive / LAYER / "zarr.json").unlink())),
    broken(V3, "name-escape", "printable-text", "a name that would repaint the terminal", v3(named(b"a\x1b[2Jb"))),
    broken(V3, "name-lines", "printable-text", "a name of several lines, with an annotation for a CI", v3(named(b"a\n::error::all is lost"))),
    broken(V3, "name-override", "printable-text", "a name that is shown from right to left", v3(named("a\u202etxt.exe".encode()))),
    broken(V3, "name-no-text", "printable-text", "a name that is not UTF-8", v3(named(b"a\xff\xfeb"))),
    broken(V3, "name-backslash", "printable-text", "a name that is a path on some systems", v3(named(b"..\\..\\x"))),
    broken(V3, "name-byte-order-mark", "printable-text", "a name that begins with what is not seen", v3(named("\ufeffx".encode()))),
    broken(V3, "names-case", "distinct-names", "names that are one on macOS and Windows", v3(named(b"Layer", b"layer"))),
    broken(V3, "names-normal-form", "distinct-names", "names that differ in normal form only", v3(named("é".encode(), "e\u0301".encode()))),
    broken(V3, "name-not-normal", "distinct-names", "a name that is not in normal form C", v3(named("e\u0301".encode()))),
    refused(V3, "empty-folder", "a folder of nothing", lambda folder: _empty(folder)),
    refused(V3, "pipe-as-archive", "a FIFO in the place of an archive", lambda folder: _pipe(folder)),
    Case(f"{V3}-wide", V3, _wide, frozenset(), "2,000 arrays: many, and not too many"),
    damaged(V3, "chunk-link", "a chunk that is a link outside", v3(_link(_CHUNK, "OUTSIDE/c/0/0"))),
    damaged(V3, "chunk-pipe", "a chunk that is a FIFO", v3(_special(_CHUNK, os.mkfifo))),
    damaged(V3, "chunk-folder", "a chunk that is a folder", v3(lambda archive: (archive / _CHUNK).unlink(), content(f"{_CHUNK}/0", VALUES))),
    damaged(V3, "chunk-link-inside", "a chunk that is a link to another chunk", v3(content(f"{LAYER}/c/0/1", VALUES), _link(_CHUNK, "1"))),
    damaged(V3, "chunks-file", "the folder of the chunks is a file", v3(lambda archive: shutil.rmtree(archive / LAYER / "c"), content(f"{LAYER}/c", VALUES))),
    damaged(V3, "chunks-link", "the folder of the chunks is that of the open files of the process", v3(lambda archive: shutil.rmtree(archive / LAYER / "c"), _link(f"{LAYER}/c", "/proc/self/fd"))),
    damaged(V3, "chunks-dotted", "chunks under keys of another separator: fill values to every reader", v3(_moved("c/0/0", "c.0.0")), "chunk-keys"),
    damaged(V3, "chunks-of-v2", "chunks under the keys of version 2: fill values to every reader", v3(_moved("c/0/0", "0.0")), "chunk-keys"),
    damaged(V2, "chunks-nested", "a copy that cut the keys of chunks at dots: fill values to every reader", v2(_moved("0.0", "0/0")), "chunk-keys"),
    damaged(V3, "chunk-1-tib", "a chunk of 1 TiB that takes no room on the disk", v3(lambda archive: os.truncate(archive / _CHUNK, 1 << 40))),
    damaged(V3, "shard-wraps", "an index whose offset and length add up to a small number in 64 bits", _shard((1 << 64) - 8, 24)),
    damaged(V3, "shard-overlaps", "a chunk of a shard that shares bytes with the index", _shard(8, 24)),
    damaged(V3, "shard-beyond", "an index that points behind the shard", _shard(1 << 40, 24)),
    damaged(V3, "chunk-cut", "a chunk that was not written to its end", v3(content(_CHUNK, VALUES[:9]))),
    damaged(V3, "chunk-long", "a chunk that is longer than declared", v3(content(_CHUNK, VALUES + b"more"))),
    damaged(V3, "chunk-empty", "a chunk of no bytes", v3(content(_CHUNK, b""))),
    damaged(V3, "chunk-bomb-gzip", "256 MiB of zeros, compressed, for 24 bytes declared", _chunk3(gzip.compress(bytes(_BOMB), 1, mtime=0), _GZIP)),
    damaged(V3, "chunk-bomb-zstd", "256 MiB of zeros, compressed, for 24 bytes declared", _chunk3(numcodecs.Zstd(1).encode(bytes(_BOMB)), _ZSTD)),
    damaged(V3, "chunk-zstd-claims", "a zstd frame that claims 2^62 bytes", _chunk3(b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 62) + b"\x01\x00\x00", _ZSTD)),
    damaged(V3, "chunk-blosc-claims", "a Blosc frame that claims 2 GiB", _chunk3(_blosc_claims((1 << 31) - 1), _BLOSC)),
    damaged(V3, "chunk-blosc-cut", "a Blosc frame shorter than it claims", _chunk3(_blosc_cut(), _BLOSC)),
    damaged(V3, "chunk-blosc-short", "a Blosc frame of five bytes", _chunk3(b"\x02\x01\x21\x04\x18", _BLOSC)),
    damaged(V3, "chunk-noise", "a chunk of noise", _chunk3(bytes(range(7, 107)), _ZSTD)),
    damaged(V2, "chunk-lz4-claims", "an lz4 chunk that claims 2 GiB", _chunk2(struct.pack("<I", (1 << 31) - 1) + b"\x10x", {"id": "lz4", "acceleration": 1})),
    damaged(V2, "chunk-lzma-bomb", "64 MiB of zeros, compressed, for 24 bytes declared", _chunk2(numcodecs.LZMA(preset=0).encode(bytes(_BOMB >> 2)), {"id": "lzma", "format": 1, "check": -1, "preset": 0, "filters": None})),
    damaged(V2, "chunk-bz2-bomb", "64 MiB of zeros, compressed, for 24 bytes declared", _chunk2(numcodecs.BZ2(1).encode(bytes(_BOMB >> 2)), {"id": "bz2", "level": 1})),
)  # fmt: skip


def _empty(folder: Path) -> Path:
    (folder / "archive.zarr").mkdir()
    return folder / "archive.zarr"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "archive.zarr")
    return folder / "archive.zarr"
