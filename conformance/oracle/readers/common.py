"""The form that all readers give: nodes by path, with the SHA-256 of the values in C order, little-endian."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

Node = dict[str, Any]
Nodes = dict[str, Node]

_TEXT = frozenset("TUSO")
"""Kinds of NumPy that libraries give text as: `StringDType`, UTF-32, bytes, objects."""

LARGEST = 64 << 20
"""Values of more bytes than this are not read: an array of terabytes may have no byte in the file."""


def group(attributes: Mapping[str, Any] | None) -> Node:
    """A group; of `attributes` None nothing is compared."""
    return {"kind": "group", **({} if attributes is None else {"attributes": plain(dict(attributes))})}


def array(stored: Any, read: Callable[[], Any], **seen: Any) -> Node:
    """An array that has `shape` and `dtype`, its values from `read`; `seen` are its `axes` and `attributes`, if any."""
    dtype = np.dtype(stored.dtype)
    node: Node = {"kind": "array", "dtype": name_of(dtype), "shape": [int(size) for size in stored.shape]}
    node.update({name: plain(value) for name, value in seen.items()})
    if math.prod(node["shape"]) * dtype.itemsize > LARGEST:
        return node
    try:
        node["sha256"] = sha256(np.asarray(read()))
    except Exception as error:  # noqa: BLE001  (whatever a library raises is its refusal)
        node["refused"] = refusal(error)
    return node


def sha256(values: np.ndarray[Any, Any]) -> str:
    """The hash of values in C order, little-endian; bfloat16 and other types of an extension by their bits.

    Of text, which each library gives in another type, it is that of the texts as JSON.
    """
    if values.dtype.kind in _TEXT:
        return hashlib.sha256(json.dumps([_text(each) for each in values.ravel().tolist()]).encode()).hexdigest()
    if values.dtype.kind == "V" and values.dtype.names is None and values.dtype.itemsize in (1, 2):
        values = values.view(f"u{values.dtype.itemsize}")
    little = np.asarray(values, values.dtype.newbyteorder("<"), order="C")
    return hashlib.sha256(little.tobytes()).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is not text")
    return value


def name_of(dtype: np.dtype[Any]) -> str:
    """The name of a dtype, whatever its byte order; `string` for text of any kind."""
    return "string" if dtype.kind in _TEXT else dtype.newbyteorder("=").name


def refusal(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:600]


def plain(value: Any) -> Any:
    """An attribute as JSON has it, whatever types a library gives."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if value is None or isinstance(value, bool | str | int | float):
        return value
    return {"unsupported": type(value).__name__}


def zip_root(names: Iterable[str], document: str) -> str:
    """Where in a zip file the archive begins: at its top, or one folder down, as a zipped folder has it."""
    names = list(names)
    tops = {name.partition("/")[0] for name in names}
    if document in names or len(tops) != 1:
        return ""
    top = tops.pop()
    return top if f"{top}/{document}" in names else ""


def above(paths: Iterable[str]) -> set[str]:
    """The paths of all groups above these."""
    found = {"/"}
    for path in paths:
        steps = path.strip("/").split("/")
        found.update("/" + "/".join(steps[:depth]) for depth in range(1, len(steps)))
    return found
