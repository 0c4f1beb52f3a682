"""A source as one tree of items: an archive, or a folder of archives and files; nothing in it is executed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from vizschema.containers.attributes import clean_attributes
from vizschema.containers.formats import FOLDER, SUFFIXES
from vizschema.description import Description, Node
from vizschema.errors import NotAnArchive
from vizschema.reader.archive import Archive
from vizschema.reader.archive import open as open_archive
from vizschema.text import shorten

Values = npt.NDArray[Any]

MAX_FILES = 10_000
"""Most files of a folder that is read as a source."""

MAX_JSON = 16 << 20
"""Most bytes of a JSON file."""

MAX_TEXT = 64 << 20
"""Most bytes of a text file."""

MAX_DEPTH = 16
"""Most levels of folders."""

_ZARR = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
_ARCHIVES = SUFFIXES - set(FOLDER.suffixes)


@dataclass(frozen=True, slots=True)
class Item:
    """One node of a source.

    `kind` is `array`, `group`, or for anything else the word of the description, whose `reason` says what it is. `size`
    is in bytes of decoded values; `unsupported` are attributes that are not JSON values, with what each is.
    """

    path: str
    kind: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    dtype: str = ""
    shape: tuple[int, ...] = ()
    axes: tuple[str | None, ...] | None = None
    size: int = 0
    reason: str = ""
    read: Callable[[], Values] | None = None

    def values(self) -> Values:
        """The values of an array."""
        if self.read is None:
            raise NotAnArchive("cannot be read", path=self.path, expected="an array", found=self.reason or self.kind)
        return self.read()


Tree = Mapping[str, Item]


@contextmanager
def opened(path: str) -> Iterator[Tree]:
    """The items of the source at `path` by path, sorted; raises `NotAnArchive` where it is neither archive nor folder.

    Files of a folder are the front part of the paths of what is in them, such as `/run/layer0.npz/attn`.
    """
    with ExitStack() as stack:
        if Path(path).is_dir() and not _is_zarr(Path(path)):
            found = {item.path: item for item in _folder(Path(path), stack)}
        else:
            found = {item.path: item for item in _archive(path, "", stack)}
        yield dict(sorted(found.items()))


def item_of(file: str, node: str) -> Item:
    """An item with its values in memory: a `.npy` file, or the array `node` of an archive; raises `NotAnArchive`."""
    if not node and Path(file).suffix == ".npy":
        return _npy(Path(file), file)
    with opened(file) as tree:
        if node not in tree:
            raise NotAnArchive(path=file, expected=f"the array {node or 'after #'}", found=", ".join(list(tree)[:8]))
        item = tree[node]
        values = item.values()
        return replace(item, read=lambda: values)


def _is_zarr(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _ZARR) or folder.suffix in FOLDER.suffixes


def _archive(path: str, prefix: str, stack: ExitStack) -> Iterator[Item]:
    archive = stack.enter_context(open_archive(path))
    description: Description = archive.description
    for place, node in description["nodes"].items():
        yield _item(prefix + place if place != "/" or not prefix else prefix, place, node, archive)
        for name in node.get("stray", ()):
            yield Item(f"{prefix}{place.rstrip('/')}/{name}", "stray", reason="not part of the archive's format")


def _item(path: str, place: str, node: Node, archive: Archive) -> Item:
    if node["kind"] not in ("array", "group"):
        return Item(path, node["kind"], reason=f"{node['reason']}: {node['detail']}")
    found = Item(path, node["kind"], node["attributes"], node.get("unsupported", {}))
    if node["kind"] == "group":
        return found

    def read() -> Values:
        return np.asarray(archive[place], order="C")

    axes = None if node["axes"] is None else tuple(node["axes"])
    shape = tuple(node["shape"])
    return replace(found, dtype=node["dtype"], shape=shape, axes=axes, size=node["bytes"] or 0, read=read)


def _folder(root: Path, stack: ExitStack) -> Iterator[Item]:
    """The items of every file below `root`; links and files of other kinds are items that cannot be read."""
    pending, count = [(root, "")], 0
    while pending:
        folder, prefix = pending.pop()
        yield Item(prefix or "/", "group")
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            count += 1
            if count > MAX_FILES:
                raise NotAnArchive(f"exceeds the limit of {MAX_FILES} files in a folder", path=str(root))
            place = f"{prefix}/{entry.name}"
            if entry.is_symlink() or not (entry.is_dir() or entry.is_file()):
                yield Item(place, "link", reason="a link or a special file, which is not followed")
            elif not entry.is_dir() or _is_zarr(Path(entry.path)):
                yield from _file(Path(entry.path), place, stack)
            elif place.count("/") > MAX_DEPTH:
                raise NotAnArchive(f"exceeds the limit of {MAX_DEPTH} levels of folders", path=str(root))
            else:
                pending.append((Path(entry.path), place))


def _file(path: Path, place: str, stack: ExitStack) -> Iterator[Item]:
    reader = _READERS.get(path.suffix)
    if path.suffix == ".txt" and path.is_file():
        yield from _weights(path, place)
    elif path.is_dir() or path.suffix in _ARCHIVES:
        try:
            yield from list(_archive(str(path), place, stack))
        except NotAnArchive as error:
            yield Item(place, "unreadable", reason=error.reason)
    elif reader is None:
        yield Item(place, "file", reason=f"a file of a kind that is not read here ({path.suffix or 'no suffix'})")
    else:
        yield reader(path, place)


def _npy(path: Path, place: str) -> Item:
    """The array of a file of NumPy's format; one of Python objects is not read."""
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, OverflowError) as error:
        return Item(place, "unreadable", reason=shorten(f"not a NumPy file that can be read: {error}", 300))
    size = int(mapped.nbytes)
    return Item(place, "array", {}, {}, mapped.dtype.name, mapped.shape, None, size, "", lambda: np.array(mapped))


def _json(path: Path, place: str) -> Item:
    """The members of a JSON object, as the attributes of a group."""
    with path.open("rb") as file:
        data = file.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        return Item(place, "over-limit", reason=f"exceeds the limit of {MAX_JSON} bytes")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Item(place, "unreadable", reason=f"not JSON: {error}")
    found = clean_attributes(document if isinstance(document, dict) else {"value": document})
    return Item(place, "group", found.values, found.unsupported)


def _weights(path: Path, place: str) -> Iterator[Item]:
    """The largest weights of each head, as text, as the arrays `indices` [head, entry, 2] and `weights` [head, entry].

    A head is a line `Layer 0, Head 0`, followed by one line `query key weight` per entry, as many for every head.
    """
    if path.stat().st_size > MAX_TEXT:
        yield Item(place, "over-limit", reason=f"exceeds the limit of {MAX_TEXT} bytes")
        return
    heads: list[list[tuple[int, int, float]]] = []
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            if line.startswith("Layer "):
                heads.append([])
            elif line.strip():
                query, key, weight = line.split()
                heads[-1].append((int(query), int(key), float(weight)))
        indices = np.array([[entry[:2] for entry in head] for head in heads], "int32")
        weights = np.array([[entry[2] for entry in head] for head in heads], "float64")
    except (ValueError, IndexError, OverflowError) as error:
        yield Item(place, "unreadable", reason=shorten(f"not a list of the largest weights of each head: {error}", 300))
        return
    yield Item(place, "group")
    for name, values in (("indices", indices), ("weights", weights)):
        yield _in_memory(f"{place}/{name}", values)


def _in_memory(place: str, values: Values) -> Item:
    return Item(place, "array", dtype=values.dtype.name, shape=values.shape, size=values.nbytes, read=lambda: values)


_READERS: Mapping[str, Callable[[Path, str], Item]] = {".npy": _npy, ".json": _json}
"""What reads a file of a folder, by its suffix; archives are recognised by their content."""
