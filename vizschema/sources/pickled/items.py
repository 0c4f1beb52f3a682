"""The object of a pickle as items: dictionaries and records are groups, plain values attributes, tensors arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vizschema.containers.attributes import Unsupported, clean_attributes
from vizschema.containers.values import dtype_of
from vizschema.description import ITEM_BYTES
from vizschema.errors import NotAnArchive
from vizschema.sources.item import Item, Values
from vizschema.sources.pickled.rebuilt import element_range
from vizschema.sources.pickled.values import Global, Malformed, Pairs, Part, Record, Storage, Stored, Tensor
from vizschema.text import escape_name, escape_text, shorten

MAX_NODES = 20_000
"""Most nodes of a pickle."""

MAX_LOOKED_AT = 1_000_000
"""Most values of a pickle that are looked at, each as often as it is referred to."""

MAX_LEVELS = 24
"""Most levels of lists and dictionaries of a pickle."""

CLASS = "__class__"
"""The attribute of a record: the class, or the function that should have been called."""

Source = Callable[[Part], Any]


class Items:
    """The items of one object; `source` gives the bytes of a part of its file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._looked_at = 0
        self._nodes = 0

    def of(self, path: str, value: Any, level: int = 0) -> Iterator[Item]:
        """The items of `value`, which is at `path` (empty at the root); raises `Malformed` above a limit."""
        self._nodes += 1
        if self._nodes > MAX_NODES or level > MAX_LEVELS:
            raise Malformed(f"exceeds the limit of {MAX_NODES} nodes, or of {MAX_LEVELS} levels")
        if isinstance(value, Stored) and value.dtype.code in ("O", "O8") and isinstance(value.raw, list):
            yield from self._objects(path, value, level)
        elif isinstance(value, Stored):
            yield self._read(path, lambda: self._stored(path, value))
        elif isinstance(value, Tensor):
            yield self._read(path, lambda: self._tensor(path, value))
        elif isinstance(value, Storage):
            count = value.size // ITEM_BYTES.get(value.dtype or "", 1)
            yield from self.of(path, Tensor(value, value.dtype, 0, (count,), (1,)), level)
        elif isinstance(value, Pairs):
            yield from self._group(path, value.items, {}, level, value.state)
        elif isinstance(value, Record):
            yield from self._record(path, value, level)
        elif isinstance(value, list | tuple) and not self._is_plain(value):
            yield from self._group(path, [(str(number), each) for number, each in enumerate(value)], {}, level)
        else:
            cleaned = clean_attributes({"value": self._plain(value)})
            yield Item(path or "/", "group", cleaned.values, cleaned.unsupported)

    def _group(
        self, path: str, pairs: list[tuple[Any, Any]], attributes: dict[str, Any], level: int, state: Any = None
    ) -> Iterator[Item]:
        """A group: members that are plain values are its attributes."""
        names = [str(key) if type(key) in (str, int) else None for key, _ in pairs]
        if None in names or len(set(names)) < len(names):
            yield Item(path or "/", "object", reason="a dictionary with keys that are not text, or with one twice")
            return
        values = dict(zip(map(str, names), (value for _, value in pairs), strict=True))
        if state is not None:
            values["__state__"] = state
        plain = {name: self._plain(value) for name, value in values.items() if self._is_plain(value)}
        cleaned = clean_attributes({**attributes, **plain})
        yield Item(path or "/", "group", cleaned.values, cleaned.unsupported)
        for name, value in values.items():
            if name not in plain:
                steps = name.removeprefix("/").split("/")
                yield from self.of("/".join([path, *map(escape_name, steps)]), value, level + 1)

    def _record(self, path: str, record: Record, level: int) -> Iterator[Item]:
        """A record: its state, and what it was made of. If `called`, it is an object that no rule can copy."""
        state = record.state
        if isinstance(state, tuple) and len(state) == 2 and all(isinstance(each, Pairs | None) for each in state):
            state = Pairs([pair for each in state if each is not None for pair in each.items])
        pairs = [*(state.items if isinstance(state, Pairs) else ()), *record.pairs]
        more = {"__arguments__": record.arguments, "__items__": record.items}
        if not isinstance(state, Pairs):
            more["__state__"] = state
        pairs += [(name, value) for name, value in more.items() if value is not None and value not in ((), [])]
        group, *members = self._group(path, pairs, {CLASS: record.kind.path}, level)
        if record.called:
            reason = f"the pickle asks for {escape_text(shorten(record.kind.path, 200))}, which is not called"
            group = Item(group.path, "object", group.attributes, group.unsupported, reason=reason)
        yield from (group, *members)

    def _objects(self, path: str, array: Stored, level: int) -> Iterator[Item]:
        """An array of objects: what is in it, if it has one dimension or none."""
        if array.shape == () and len(array.raw) == 1:
            yield from self.of(path, array.raw[0], level + 1)
        elif array.shape == (len(array.raw),):
            yield from self.of(path, array.raw, level + 1)
        else:
            yield Item(path or "/", "object", reason="an array of objects with several dimensions")

    def _is_plain(self, value: Any, level: int = 0) -> bool:
        """Whether a value can be an attribute, and is not a node of its own."""
        self._looked_at += 1
        if self._looked_at > MAX_LOOKED_AT:
            raise Malformed(f"exceeds the limit of {MAX_LOOKED_AT} values")
        if isinstance(value, list | tuple):
            if level > MAX_LEVELS:
                raise Malformed(f"exceeds the limit of {MAX_LEVELS} levels")
            return all(self._is_plain(each, level + 1) for each in value)
        return not isinstance(value, Stored | Tensor | Storage | Pairs | Record)

    def _plain(self, value: Any) -> Any:
        """A value that `_is_plain`, as attributes have it."""
        self._looked_at += 1
        if self._looked_at > MAX_LOOKED_AT:
            raise Malformed(f"exceeds the limit of {MAX_LOOKED_AT} values")
        if isinstance(value, list | tuple):
            return [self._plain(each) for each in value]
        if isinstance(value, Global):
            return value.path
        if value is None or isinstance(value, bool | int | float | str):
            return value
        return Unsupported({Part: "bytes"}.get(type(value), type(value).__name__))

    @staticmethod
    def _read(path: str, read: Callable[[], Item]) -> Item:
        try:
            return read()
        except (Malformed, TypeError, ValueError) as error:
            return Item(path or "/", "unreadable", reason=escape_text(shorten(f"cannot be read: {error}", 300)))

    def _stored(self, path: str, array: Stored) -> Item:
        """An array of NumPy, once its raw bytes are as many as its shape and dtype say."""
        code, shape = array.dtype.code, array.shape
        if code is None:
            raise Malformed("a dtype that is not read")
        if not isinstance(shape, tuple) or any(type(size) is not int or not 0 <= size < 1 << 48 for size in shape):
            raise Malformed("a shape that is not one of sizes")
        stored = dtype_of(code) if code in ITEM_BYTES else np.dtype(array.dtype.order + code)
        name = {"U": "string", "S": "bytes"}.get(stored.kind, stored.name)
        size = math.prod(shape) * stored.itemsize
        raw = array.raw
        found = raw.size if isinstance(raw, Part) else len(raw) if isinstance(raw, bytes) else -1
        if found != size or len(shape) > 32 or (name not in ITEM_BYTES and stored.kind not in "US"):
            raise Malformed(f"expected {size} bytes for {shorten(str(list(shape)), 80)} of {name}, found {found}")

        def read() -> Values:
            content = np.frombuffer(self._source(raw) if isinstance(raw, Part) else raw, np.uint8)
            flat = _entries(content, name, array.dtype.order) if name in ITEM_BYTES else content.view(stored)
            values = flat.reshape(shape, order="F" if array.fortran else "C")
            return np.ascontiguousarray(values).reshape(shape)

        return Item(path or "/", "array", dtype=name, shape=shape, size=size, read=read)

    def _tensor(self, path: str, tensor: Tensor) -> Item:
        """A tensor, once its storage has all of its entries."""
        storage, dtype = tensor.storage, tensor.dtype
        if dtype is None:
            raise Malformed("a dtype that is not read")
        first, last = element_range(tensor.shape, tensor.strides, tensor.offset)
        width = ITEM_BYTES[dtype]
        if last * width > storage.size or len(tensor.shape) > 32:
            raise Malformed(f"expected {last * width} bytes in the storage, found {storage.size}")
        shape: tuple[int, ...] = tensor.shape

        def read() -> Values:
            content = np.frombuffer(storage.read(first * width, (last - first) * width), np.uint8)
            flat = _entries(content, dtype, storage.order)
            strides = [stride * width for stride in tensor.strides]
            # As bytes: NumPy cannot stride over the dtypes that it lacks.
            strided = np.lib.stride_tricks.as_strided(flat.view(f"V{width}"), shape, strides, writeable=False)
            return np.array(strided).view(flat.dtype)

        return Item(path or "/", "array", dtype=dtype, shape=shape, size=math.prod(shape) * width, read=read)


def _entries(raw: Values, name: str, order: str) -> Values:
    """Bytes as entries of a canonical dtype in native order; booleans are true where they are not 0."""
    width = ITEM_BYTES[name]
    if order == ">":
        part = width // 2 if name.startswith("complex") else width
        raw = raw.view(f">u{part}").astype(f"<u{part}").view(np.uint8)
    return (
        raw.view(np.bool)
        if name == "bool" and not raw.size
        else raw != 0
        if name == "bool"
        else raw.view(dtype_of(name))
    )


def failed(path: str, error: Exception) -> Item:
    """What stands for a file that cannot be read."""
    reason = error.reason if isinstance(error, NotAnArchive) else str(error)
    return Item(path or "/", "unreadable", reason=escape_text(shorten(f"cannot be read as a pickle: {reason}", 300)))
