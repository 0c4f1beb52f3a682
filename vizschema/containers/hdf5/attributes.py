"""Attributes of an HDF5 object as plain values: sized before they are read, and damage as a value.

Reads nothing but attributes. What comes out is raw: `attributes.clean_attributes` makes it safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from h5py import h5a, h5s, h5t

from vizschema.containers.attributes import Unsupported, larger
from vizschema.containers.base import Limits
from vizschema.containers.hdf5.types import LIBRARY_ERRORS, is_boolean, type_name
from vizschema.text import escape_text, shorten

ATTRIBUTES = 4096
"""Attributes of one object; libhdf5 finds each by looking through all of them."""

# What a text of variable length takes beside its bytes: its length, the address of its heap, its place there.
_TEXT_BYTES = 16


class OverLimit(Exception):
    """The attributes of one object are more than the limits allow."""


def read_attributes(owner: Any, limits: Limits) -> dict[str, Any]:
    """Every attribute of an open object, raw: scalars, lists, or `Unsupported`.

    Raises `OverLimit`, and one of `LIBRARY_ERRORS` where libhdf5 cannot even list them.
    """
    names: list[bytes] = []

    def collect(name: bytes) -> bool | None:
        names.append(name)
        return True if len(names) > ATTRIBUTES else None

    # Asked first, since libhdf5 loads all of them before it names the first one; not believed.
    count = h5a.get_num_attrs(owner)
    if count <= ATTRIBUTES:
        h5a.iterate(owner, collect)
    if max(count, len(names)) > ATTRIBUTES:
        raise OverLimit(f"more than {ATTRIBUTES} attributes")
    attributes: dict[str, Any] = {}
    total = 0
    for name in names:
        value, size = _attribute(owner, name, limits.attribute_bytes)
        attributes[name.decode("utf-8", "surrogateescape")] = value
        total += size
        if total > limits.document_bytes:
            raise OverLimit(f"attributes of more than {limits.document_bytes} bytes")
    return attributes


def some_attributes(owner: Any, names: Iterable[str], limits: Limits) -> dict[str, Any]:
    """Those of the attributes of an open object that have these names, raw; raises one of `LIBRARY_ERRORS`."""
    asked = [(name, name.encode()) for name in names]
    return {name: _attribute(owner, raw, limits.attribute_bytes)[0] for name, raw in asked if h5a.exists(owner, raw)}


def message(error: BaseException) -> str:
    """What libhdf5 said, without the frame that h5py puts around it."""
    text = str(error.args[-1]) if error.args else type(error).__name__
    opening = text.find("(")
    inner = text[opening + 1 : -1] if opening >= 0 and text.endswith(")") else text
    return shorten(escape_text(inner), 200)


def _attribute(owner: Any, name: bytes, limit: int) -> tuple[Any, int]:
    """The value of one attribute, and the bytes it takes."""
    try:
        attribute = h5a.open(owner, name)
        kind = attribute.get_type()
        read = _READERS.get(type(kind))
        if read is None:
            return Unsupported(type_name(kind)), 0
        space = attribute.get_space()
        form = space.get_simple_extent_type()
        shape = () if form == h5s.SCALAR else space.get_simple_extent_dims()
        if form == h5s.NULL or len(shape) > 1:
            return Unsupported("null" if form == h5s.NULL else f"{len(shape)}-dimensional"), 0
        if shape == (0,):
            return [], 0
        item_bytes = kind.get_size()
        size = shape[0] * max(item_bytes, _TEXT_BYTES if read is _strings else 0) if shape else item_bytes
        value = larger(limit) if size > limit else read(attribute, kind, item_bytes, shape)
    except LIBRARY_ERRORS as error:
        return Unsupported(f"damaged: {message(error)}"), 0
    return (value, size) if read is not _strings or isinstance(value, Unsupported) else _text(value, limit)


def _text(value: Any, limit: int) -> tuple[Any, int]:
    """Text for bytes (or a list of them), and how many there were; bytes that are not UTF-8 become surrogates."""
    size = len(value) if isinstance(value, bytes) else sum(map(len, value))
    if size > limit:
        return larger(limit), size
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape"), size
    return [item.decode("utf-8", "surrogateescape") for item in value], size


def _integers(attribute: Any, kind: Any, item_bytes: int, shape: tuple[int, ...]) -> Any:
    if item_bytes > 8:
        return Unsupported("integer of more than 64 bits")
    signed = kind.get_sign() != h5t.SGN_NONE
    values = np.empty(shape, np.int64 if signed else np.uint64)
    attribute.read(values, h5t.NATIVE_INT64 if signed else h5t.NATIVE_UINT64)
    return values.tolist()


def _floats(attribute: Any, _kind: Any, item_bytes: int, shape: tuple[int, ...]) -> Any:
    if item_bytes > 8:
        return Unsupported("number of more than 64 bits")
    values = np.empty(shape, np.float64)
    attribute.read(values, h5t.NATIVE_DOUBLE)
    return values.tolist()


def _booleans(attribute: Any, kind: Any, _item_bytes: int, shape: tuple[int, ...]) -> Any:
    if not is_boolean(kind):
        return Unsupported("enum")
    values = np.empty(shape, np.uint8)
    attribute.read(values, kind)
    return values.astype(bool).tolist()


def _strings(attribute: Any, kind: Any, item_bytes: int, shape: tuple[int, ...]) -> Any:
    """Bytes, or a list of them: of variable length as they are, of fixed length without their padding."""
    if kind.is_variable_str():
        objects = np.empty(shape, object)
        attribute.read(objects, h5t.PYTHON_OBJECT)
        return objects.tolist() if shape else objects[()]
    values = np.empty(shape, f"S{item_bytes}")
    attribute.read(values, kind)
    padding = kind.get_strpad()
    items = [_unpadded(item, padding) for item in (values.tolist() if shape else [values.item()])]
    return items if shape else items[0]


def _unpadded(item: bytes, padding: int) -> bytes:
    if padding == h5t.STR_SPACEPAD:
        return item.rstrip(b" ")
    return item.partition(b"\0")[0] if padding == h5t.STR_NULLTERM else item


_READERS: Mapping[type, Callable[[Any, Any, int, tuple[int, ...]], Any]] = {
    h5t.TypeIntegerID: _integers,
    h5t.TypeFloatID: _floats,
    h5t.TypeEnumID: _booleans,
    h5t.TypeStringID: _strings,
}
