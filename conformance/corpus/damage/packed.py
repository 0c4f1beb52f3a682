"""Damage to archives that are one file: Zarr in a zip file as the folder in it, members of NPZ, the text of ASDF."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped
from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.corpus.raw.npz import npy_header

Damage = Callable[[Path, Mapping[str, Any]], None]
Told = Mapping[str, Any]


def unpacked(damage: Damage) -> Damage:
    """The damage that is done to a folder, done to a zip file: links and special files become members of their kind."""

    def apply(archive: Path, told: Told) -> None:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            root = Path(folder) / "root"
            with zipfile.ZipFile(archive) as file:
                file.extractall(root)
            damage(root, told)
            paths = sorted(path for path in root.rglob("*") if path.is_symlink() or not path.is_dir())
            archive.write_bytes(zipped(_entry(path, root) for path in paths))

    return apply


def _entry(path: Path, root: Path) -> Entry:
    name = path.relative_to(root).as_posix()
    if path.is_symlink():
        return Entry(name, os.fsencode(path.readlink()), mode=stat.S_IFLNK | 0o777)
    mode = path.stat().st_mode
    return Entry(name, path.read_bytes()) if stat.S_ISREG(mode) else Entry(name, b"", mode=stat.S_IFMT(mode) | 0o644)


def followed(behind: bytes) -> Damage:
    """The damage that puts bytes behind the end of a file."""

    def apply(archive: Path, _: Told) -> None:
        archive.write_bytes(archive.read_bytes() + behind)

    return apply


AROUND: Mapping[str, Damage] = {"bytes-behind": followed(b"more"), "zeros-behind": followed(bytes(100))}
"""What any archive that is one file can suffer."""


def zip_document(**headers: int) -> Damage:
    """The damage that changes the headers of the document of a node: `crc`, `flags`, …"""

    def apply(archive: Path, told: Told) -> None:
        start = told["at"].strip("/")
        names = [f"{start}/{name}".lstrip("/") for name in ("zarr.json", ".zarray", ".zgroup")]
        _members(archive, lambda entry: replace(entry, **headers) if entry.name in names else entry)

    return apply


def _members(archive: Path, change: Callable[[Entry], Entry], *more: Entry) -> None:
    with zipfile.ZipFile(archive) as file:
        entries = [change(Entry(info.filename, file.read(info))) for info in file.infolist()]
    archive.write_bytes(zipped([*entries, *more]))


def _npy(change: Callable[[Entry], Entry]) -> Damage:
    """The damage that changes the member of an array."""

    def apply(archive: Path, told: Told) -> None:
        member = f"{told['at'][1:]}.npy"
        with zipfile.ZipFile(archive) as file:
            file.getinfo(member)
        _members(archive, lambda entry: change(entry) if entry.name == member else entry)

    return apply


def _more(suffix: str, data: bytes, mode: int = 0) -> Damage:
    """The damage that adds a member."""
    return lambda archive, told: _members(
        archive, lambda entry: entry, Entry(f"{told['at'][1:]}{suffix}", data, mode=mode)
    )


_SIX = npy_header({"descr": "<f4", "fortran_order": False, "shape": (6,)}) + bytes(24)
_NEGATIVE = npy_header({"descr": "<f4", "fortran_order": False, "shape": (-1, 3)}) + bytes(24)
_OBJECTS = npy_header({"descr": "|O", "fortran_order": False, "shape": (1,)}) + b"\x80\x05N."

NPZ: Mapping[str, Damage] = {
    "deep-tree": _more("/x" * 100 + ".npy", _SIX),
    "document-cut": _npy(lambda entry: replace(entry, data=entry.data[:40])),
    "negative-shape": _npy(lambda entry: replace(entry, data=_NEGATIVE)),
    "other-account": _more(".npy", _SIX),
    "unknown-extension": _npy(lambda entry: replace(entry, data=entry.data[:6] + b"\x09" + entry.data[7:])),
    "stray-file": _more("/README.txt", b"a note"),
    "link-inside": _more(".npy", b"layer_00.npy", stat.S_IFLNK | 0o777),
    "special-file": _more(".npy", b"", stat.S_IFIFO | 0o644),
    "pickled": _npy(lambda entry: replace(entry, data=_OBJECTS)),
    "header-overwritten": _npy(lambda entry: replace(entry, offset=1 << 30)),
    "second-reading": _npy(lambda entry: replace(entry, local_name=b"_" + str(entry.name)[1:].encode())),
    **AROUND,
    "chunk-cut": _npy(lambda entry: replace(entry, crc=1)),
}
"""What an NPZ file can suffer."""


def _text(change: Callable[[str, int, Told], str]) -> Damage:
    """The damage that changes the text of the tree, given where the node, or the group above it, begins."""

    def apply(archive: Path, told: Told) -> None:
        raw = archive.read_bytes()
        end = raw.index(b"\n...\n")
        tree = raw[:end].decode()
        archive.write_bytes(change(tree, _place(tree, told["at"]), told).encode() + raw[end:])

    return apply


def _place(tree: str, path: str) -> int:
    """Where the mapping of the deepest node on the way to `path` that is there begins."""
    place = tree.index("{", tree.index("---"))
    for name in path.strip("/").split("/"):
        found = tree.find(f"{json.dumps(name)}: {{", place)
        if found < 0:
            break
        place = tree.index("{", found + len(json.dumps(name)))
    return place


def _end(tree: str, place: int) -> int:
    """Behind the mapping that begins at `place`."""
    depth = 0
    for match in re.finditer(r'"(?:\\.|[^"\\])*"|[{}]', tree[place:]):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if not depth:
            return place + match.end()
    raise KeyError(place)


def _inserted(text: str) -> Damage:
    """The damage that adds an entry to a group, whose name is the last of the path."""

    def change(tree: str, place: int, told: Told) -> str:
        entry = text.replace("NAME", json.dumps(told["at"].rpartition("/")[2]))
        return f"{tree[: place + 1]}{entry}, {tree[place + 1 :]}"

    return _text(change)


def _field(name: str, value: str) -> Damage:
    """The damage that sets a field of the ndarray."""

    def change(tree: str, place: int, _: Told) -> str:
        begin = tree.index("{", tree.index("!core/ndarray", place))
        end = _end(tree, begin)
        fields = re.sub(rf'"{name}": (\[[^]]*\]|[^,}}]*)(, )?', "", tree[begin + 1 : end])
        return f'{tree[:begin]}{{"{name}": {value}, {fields}{tree[end:]}'

    return _text(change)


def _key_twice(tree: str, place: int, _: Told) -> str:
    return f'{tree[: place + 1]}"axes": [], "axes": [], {tree[place + 1 :]}'


def _alias(tree: str, _: int, told: Told) -> str:
    place = _place(tree, told["to"])
    end = _end(tree, place)
    name = json.dumps(told["at"].rpartition("/")[2])
    return f"{tree[:place]}&anchored {tree[place:end]}, {name}: *anchored{tree[end:]}"


def _python_object(tree: str, place: int, _: Told) -> str:
    return f"{tree[:place]}!<tag:yaml.org,2002:python/object/apply:os.system> []{tree[_end(tree, place) :]}"


def _block_changed(archive: Path, told: Told) -> None:
    raw = archive.read_bytes()
    end = raw.index(b"\n...\n")
    tree = raw[:end].decode()
    number = int(re.search(r'"source": ([0-9]+)', tree[_place(tree, told["at"]) :])[1])  # type: ignore[index]
    at = end + 5
    for _ in range(number):
        at += 54 + int.from_bytes(raw[at + 14 : at + 22], "big")
    archive.write_bytes(raw[: at + 38] + bytes(16).replace(b"\0", b"x") + raw[at + 54 :])


def _false_index(archive: Path, _: Told) -> None:
    """A block index of the first block alone."""
    raw = archive.read_bytes()
    end = raw.index(b"\n...\n") + 5
    archive.write_bytes(raw + b"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n- " + b"%d\n...\n" % end)


_OUTSIDE = '{"source": "elsewhere.asdf", "datatype": "int8", "byteorder": "little", "shape": [4]}'

ASDF: Mapping[str, Damage] = {
    "deep-tree": _inserted('"x": ' + '{"x": ' * 99 + "{}" + "}" * 99),
    "document-cut": _text(_key_twice),
    "negative-shape": _field("shape", "[-1]"),
    "unknown-extension": _field("mask", "0"),
    "stray-file": _inserted('"readme": "a note"'),
    "link-inside": _text(_alias),
    "pickled": _text(_python_object),
    "external-storage": _inserted(f"NAME: !core/ndarray-1.1.0 {_OUTSIDE}"),
    "header-overwritten": _field("source", "99"),
    "second-reading": _false_index,
    **AROUND,
    "chunk-cut": _block_changed,
}
"""What an ASDF file can suffer."""
