"""From an archive document (JSON) to the arrays and attributes that `vizschema.write` takes.

A document names the size of every axis once, and for each node its dtype, axes, attributes, and how to fill it:

    {"profile": "trace", "sizes": {"token": 5, "class": 3}, "nodes": {
        "/metadata": {"kind": "group", "attributes": {"model_name": "tiny"}},
        "/outputs/logits": {"kind": "array", "dtype": "float32", "axes": ["token", "class"],
                            "contents": {"pattern": "normal", "seed": 1}, "attributes": {}}}}

The same document gives the same values on every machine. `zeros`, `constant`, `ramp`, `smooth`, `shares`, `listed` and
`text` follow from formulas and are the same in any language; the others draw from NumPy's PCG64 with their `seed`.
Rows (`softmax`, `shares`, `one_hot`) run along the axis with the number `along`, else along the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np

from vizschema.description import STORED_AS
from vizschema.errors import UsageError
from vizschema.writer.write import Array

Values = np.ndarray[Any, Any]
Document = Mapping[str, Any]
Contents = Mapping[str, Any]
Pattern = Callable[[tuple[int, ...], Contents], Values]


def materialise(document: Document) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """The arrays of `document` by path, and the attributes of its groups by path."""
    made: dict[str, Values] = {}
    arrays: dict[str, Array] = {}
    attributes: dict[str, dict[str, Any]] = {}
    for path, node in document["nodes"].items():
        if node["kind"] == "group":
            attributes[path] = dict(node.get("attributes", {}))
        else:
            data = fill(document, path, made)
            arrays[path] = Array(
                data, node["axes"], node.get("attributes", {}), chunks=node.get("chunks"), shards=node.get("shards")
            )
    return arrays, attributes


def fill(document: Document, path: str, made: dict[str, Values]) -> Values:
    """The values of the array at `path`, and in `made` those of every array that they follow from.

    The shape is that of the axes, unless the node has a `shape` of its own.
    """
    if path in made:
        return made[path]
    node = document["nodes"].get(path)
    if node is None or node["kind"] != "array":
        raise UsageError(f"{path}: expected an array of the document, since another one follows from it; found none")
    sizes = document["sizes"]
    shape = tuple(node["shape"]) if "shape" in node else tuple(sizes[axis.partition(":")[0]] for axis in node["axes"])
    contents = node["contents"]
    partners = {key: fill(document, contents[key], made) for key in ("of", "where") if key in contents}
    pattern = _PATTERNS.get(contents["pattern"])
    if pattern is None:
        raise UsageError(f"{path}: expected a pattern of {', '.join(_PATTERNS)}, found {contents['pattern']!r}")
    values = _filled(pattern, shape, {**contents, **partners, "sizes": sizes})
    if values.shape != shape:
        raise UsageError(f"{path}: expected {contents['pattern']} to fill {shape}, found {values.shape}")
    if "where" in partners:
        mask = partners["where"]
        values = values * mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
    made[path] = _as(values, node["dtype"])
    return made[path]


def _as(values: Values, dtype: str) -> Values:
    """`values` in a dtype; of one that NumPy lacks, whole numbers by way of doubles."""
    if dtype in STORED_AS and values.dtype.kind == "O":
        values = values.astype(np.float64)
    return values.astype(_DTYPES.get(dtype, dtype))


def _filled(pattern: Pattern, shape: tuple[int, ...], contents: Contents) -> Values:
    """The values of a pattern; those of rows run along the axis with the number `along`, else along the last one."""
    if "along" not in contents:
        return pattern(shape, contents)
    others = list(shape)
    length = others.pop(contents["along"])
    return np.moveaxis(pattern((*others, length), contents), -1, contents["along"])


_DTYPES: Mapping[str, Any] = {
    **{name: np.dtype(getattr(ml_dtypes, name)) for name in STORED_AS},
    "string": np.dtype("U4"),
    "bytes": np.dtype("S4"),
    "datetime": np.dtype("M8[s]"),
    "compound": np.dtype([("index", "i4"), ("value", "f4")]),
}
"""Dtypes that NumPy calls otherwise; the last four are for archives that must not have them."""


def _random(contents: Contents) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(contents.get("seed", 0)))


def _zeros(shape: tuple[int, ...], _: Contents) -> Values:
    return np.zeros(shape)


def _constant(shape: tuple[int, ...], contents: Contents) -> Values:
    return np.full(shape, contents["value"])


def _ramp(shape: tuple[int, ...], contents: Contents) -> Values:
    """`start`, `start + step`, … in C order."""
    steps = np.arange(np.prod(shape, dtype=np.int64)).reshape(shape)
    return np.asarray(contents.get("start", 0) + contents.get("step", 1) * steps)


def _smooth(shape: tuple[int, ...], contents: Contents) -> Values:
    """`mean + scale * (sum over d of sin(0.7 (d + 1) i_d + d + seed)) / sqrt(D)`, d from 0 to D - 1."""
    waves = [
        np.sin(0.7 * (dimension + 1) * np.arange(size) + dimension + contents.get("seed", 0))
        for dimension, size in enumerate(shape)
    ]
    total: Values = np.zeros(shape)
    for dimension, wave in enumerate(waves):
        total = total + wave.reshape((-1,) + (1,) * (len(shape) - dimension - 1))
    return np.asarray(contents.get("mean", 0.0) + contents.get("scale", 1.0) * total / max(1, len(shape)) ** 0.5)


def _normal(shape: tuple[int, ...], contents: Contents) -> Values:
    return np.asarray(_random(contents).normal(contents.get("mean", 0.0), contents.get("deviation", 1.0), shape))


def _uniform(shape: tuple[int, ...], contents: Contents) -> Values:
    return np.asarray(_random(contents).uniform(contents.get("low", 0.0), contents.get("high", 1.0), shape))


def _softmax(shape: tuple[int, ...], contents: Contents) -> Values:
    """Rows along the last axis that are positive and sum to 1."""
    weights = np.exp(_random(contents).normal(size=shape))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _shares(shape: tuple[int, ...], _: Contents) -> Values:
    """Rows along the last axis that sum to 1, no two alike.

    The first entry of row r of R is (r + 1) / (R + 1.7), and the others share the rest as 1 : 2 : 3 : …
    """
    if shape[-1] < 2:
        return np.ones(shape)
    count = int(np.prod(shape[:-1], dtype=np.int64))
    first = (np.arange(count) + 1) / (count + 1.7)
    weights = np.arange(shape[-1])
    rows = (1 - first)[:, None] * (weights / weights.sum())
    rows[:, 0] = first
    return np.asarray(rows.reshape(shape))


def _one_hot(shape: tuple[int, ...], contents: Contents) -> Values:
    """One 1 in each row along the last axis."""
    classes = _random(contents).integers(0, shape[-1], shape[:-1])
    return np.asarray(np.eye(shape[-1])[classes])


def _classes(shape: tuple[int, ...], contents: Contents) -> Values:
    """Whole numbers below the size of the axis `axis`, or below `count`."""
    count = contents["sizes"][contents["axis"]] if "axis" in contents else contents["count"]
    return np.asarray(_random(contents).integers(0, count, shape))


def _argmax_of(_: tuple[int, ...], contents: Contents) -> Values:
    return np.asarray(contents["of"].argmax(axis=-1))


def _codes_of(_: tuple[int, ...], contents: Contents) -> Values:
    """The place of each ASCII code of `of` in the text `table`, the last one where it is not there."""
    table = contents["table"]
    found = [table.find(chr(int(code))) for code in contents["of"].ravel()]
    places = [place if place >= 0 else len(table) - 1 for place in found]
    return np.array(places, dtype=np.int64).reshape(contents["of"].shape)


def _text(_: tuple[int, ...], contents: Contents) -> Values:
    """The ASCII codes of `text`."""
    return np.frombuffer(contents["text"].encode("ascii"), dtype=np.uint8)


def _listed(shape: tuple[int, ...], contents: Contents) -> Values:
    """The numbers of `values` in C order, over and over; "NaN", "Infinity" and whole numbers may be written as text."""
    items = [_number(item) for item in contents["values"]]
    count = int(np.prod(shape, dtype=np.int64))
    whole = all(isinstance(item, int) for item in items)
    flat: Values = np.array([items[i % len(items)] for i in range(count)], dtype=object if whole else np.float64)
    return flat.reshape(shape)


def _number(item: Any) -> Any:
    if not isinstance(item, str):
        return item
    return float(item) if item in ("NaN", "Infinity", "-Infinity") else int(item)


def _mask(shape: tuple[int, ...], contents: Contents) -> Values:
    """1 for a `share` of the entries, and 0."""
    return np.asarray(_random(contents).random(shape) < contents.get("share", 0.5)).astype(np.uint8)


_PATTERNS: Mapping[str, Pattern] = {
    "zeros": _zeros,
    "constant": _constant,
    "ramp": _ramp,
    "smooth": _smooth,
    "normal": _normal,
    "uniform": _uniform,
    "softmax": _softmax,
    "shares": _shares,
    "one_hot": _one_hot,
    "classes": _classes,
    "argmax_of": _argmax_of,
    "codes_of": _codes_of,
    "text": _text,
    "listed": _listed,
    "mask": _mask,
}
