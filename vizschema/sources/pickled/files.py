"""Files of pickles: plain ones, and those of PyTorch, as a zip file or in the form before it.

Source: `torch.serialization`: `_save`, `_legacy_save`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from vizschema.containers.base import Limits, Unreadable
from vizschema.containers.bytes.ranges import FileRanges
from vizschema.containers.npz.npy import HEADER, header_length
from vizschema.containers.values import ChunkDamaged
from vizschema.containers.zips.directory import Member
from vizschema.containers.zips.members import Zip
from vizschema.description import ITEM_BYTES
from vizschema.errors import NotAnArchive
from vizschema.sources.item import Item
from vizschema.sources.pickled.items import Items, failed
from vizschema.sources.pickled.machine import MAX_READ, Machine
from vizschema.sources.pickled.rebuilt import storage_dtype
from vizschema.sources.pickled.values import Malformed, Pairs, Part, Storage
from vizschema.sources.shelf import Shelf

_ZIP = b"PK\x03\x04"
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_BESIDE = ("data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id")
"""Members of a zip file of PyTorch beside its storages."""


def pickled(path: Path, place: str, shelf: Shelf, start: int = 0) -> Iterable[Item]:
    """The items of a file of pickles at `place`; one that cannot be read is an item that says why.

    The first pickle begins at `start`.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(len(_ZIP)) == _ZIP
            if not zipped:
                size = os.fstat(file.fileno()).st_size
                value, end = unpickled(file, start, size, lambda part: _read(path, part))
        if zipped:
            return _zipped(path, place, shelf)
        found = list(Items(lambda part: _read(path, part)).of(place, value))
    except (Malformed, OSError, Unreadable, NotAnArchive) as error:
        return [failed(place, error)]
    if end < size:
        found.append(Item(f"{place}/{end}", "stray", reason=f"{size - end} bytes behind the first pickle"))
    return found


def member(path: str, node: str, place: str, shelf: Shelf) -> Iterable[Item]:
    """The items of an array of Python objects in an NPZ file, which is `node` there, at `place`."""
    try:
        archive: Zip = shelf.get(path, _open_zip)
        found = [each for each in archive.members if each.name in (f"{node[1:]}.npy", f"{node}.npy")]
        if len(found) != 1:
            raise Malformed("no member of the zip file, or several, have its name")
        data = _document(archive, found[0])
        value, end = unpickled(BytesIO(data), header_length(data[:HEADER]), len(data), _part_of(data))
        if end < len(data):
            raise Malformed(f"{len(data) - end} bytes behind the pickle")
        return list(Items(_part_of(data)).of(place, value))
    except (Malformed, OSError, Unreadable, NotAnArchive) as error:
        return [failed(place, error)]


def _part_of(data: bytes) -> Any:
    return lambda part: data[part.start : part.start + part.size]


def unpickled(file: IO[bytes], start: int, end: int, source: Any) -> tuple[Any, int]:
    """The object in `file` from `start`, by its own pickle or by those of PyTorch, and where it ends.

    Raises `Malformed`.
    """

    def nested(raw: Part | bytes) -> Any:
        if isinstance(raw, Part):
            return _legacy(file, raw.start, raw.start + raw.size, source)[0]
        return _legacy(BytesIO(raw), 0, len(raw), _part_of(raw))[0]

    first = Machine(file, start, end, nested=nested)
    value = first.run()
    return _legacy(file, start, end, source) if value == _MAGIC and type(value) is int else (value, first.place)


def _legacy(file: IO[bytes], start: int, end: int, source: Any) -> tuple[Any, int]:
    """The object of a file of PyTorch before the zip files: pickles, then the storages, each behind its count."""
    storages: dict[Any, tuple[Storage, int]] = {}

    def persistent(key: Any) -> Any:
        match key:
            case ("module", value, *_):
                return value
            case ("storage", kind, str(name), _, int(count), None):
                return storages.setdefault(name, (Storage(storage_dtype(kind)), count))[0]
        raise Malformed("a persistent id that is not one of PyTorch")

    heads = []
    for _ in range(3):
        machine = Machine(file, start, end)
        heads.append(machine.run())
        start = machine.place
    magic, protocol, system = heads
    little = isinstance(system, Pairs) and ("little_endian", True) in system.items
    if magic != _MAGIC or protocol != _PROTOCOL or not little:
        raise Malformed("not a file of PyTorch that is read here: another version, or big-endian")
    machine = Machine(file, start, end, persistent)
    value = machine.run()
    machine = Machine(file, machine.place, end)
    names, place = machine.run(), machine.place
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not known or len(names) != len(storages) or set(names) != storages.keys():
        raise Malformed("other storages than its tensors have")
    for name in names:
        storage, count = storages[name]
        file.seek(place)
        size = count * ITEM_BYTES.get(storage.dtype or "", 1)
        if int.from_bytes(file.read(8), "little") != count or not 0 <= size <= end - place - 8:
            raise Malformed(f"the storage at {place} has another size than its tensors say, or is truncated")
        storage.size = size
        storage.read = _reading(source, place + 8)
        place += 8 + size
    return value, place


def _zipped(path: Path, place: str, shelf: Shelf) -> Iterable[Item]:
    """The items of a zip file of PyTorch; members that no tensor refers to are items too."""
    archive = shelf.get(path, _open_zip)
    members = {member.name: member for member in archive.members}
    roots = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl")]
    if len(roots) != 1 or f"{roots[0]}constants.pkl" in members:
        raise Malformed("expected one data.pkl in the zip file, and no program of TorchScript")
    root = roots[0]
    used: dict[str, Storage] = {}
    order = ">" if f"{root}byteorder" in members and _document(archive, members[f"{root}byteorder"]) == b"big" else "<"

    def persistent(key: Any) -> Storage:
        match key:
            case ("storage", kind, str(name), _, int(_)):
                member = members.get(f"{root}data/{name}")
                if member is None or member.packed != member.size or member.problem is not None:
                    raise Malformed("a storage that is not there, or is compressed")
                read = _member(path, member, shelf)
                return used.setdefault(name, Storage(storage_dtype(kind), member.size, read, order))
        raise Malformed("a persistent id that is not one of PyTorch")

    data = _document(archive, members[f"{root}data.pkl"])
    machine = Machine(BytesIO(data), 0, len(data), persistent)
    value = machine.run()
    found = list(Items(_part_of(data)).of(place, value))
    known = {*(f"{root}{name}" for name in _BESIDE), *(f"{root}data/{name}" for name in used)}
    strays = [name for name in members if name not in known and not name.endswith("/")]
    return [*found, *(Item(f"{place}/{name}", "stray", reason="a member that no tensor refers to") for name in strays)]


def _open_zip(path: str) -> Zip:
    return Zip(FileRanges(path), Limits())


def _document(archive: Zip, member: Member) -> bytes:
    return archive.document(member, MAX_READ)


def _member(path: Path, member: Member, shelf: Shelf) -> Any:
    """What reads a part of a member; all of it is compared with its checksum."""

    def read(start: int, size: int) -> bytes:
        archive: Zip = shelf.get(path, _open_zip)
        try:
            run = archive.run(member)
            return run.whole() if size == member.size else run.fetch(start, size)
        except (Unreadable, ChunkDamaged) as error:
            raise NotAnArchive(f"cannot be read: {error.detail}", path=path) from None

    return read


def _reading(source: Any, begin: int) -> Any:
    return lambda start, size: source(Part(begin + start, size))


def _read(path: Path, part: Part) -> bytes:
    """The bytes of a part of a file; raises `NotAnArchive` where it is shorter now."""
    with path.open("rb") as file:
        file.seek(part.start)
        found = file.read(part.size)
    if len(found) != part.size:
        raise NotAnArchive("cannot be read: it was changed meanwhile", path=path)
    return found
