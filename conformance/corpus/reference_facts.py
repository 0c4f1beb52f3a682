"""Facts about values, measured in the plainest way: a reference for what `docs/architecture.md` says they are.

Takes whole arrays in memory; shares nothing with the scan of the package.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vizschema.conformance.corpus.raw.nodes import RawNode, Values
from vizschema.description import NIBBLES, STORED_AS

Facts = dict[str, Any]

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_FLOATS_8 = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
_COMPLEX = ("complex64", "complex128")


def measure(nodes: Mapping[str, RawNode], asked: Sequence[Mapping[str, Any]]) -> dict[str, Facts]:
    """The facts of each array among `nodes` (path → node), as the entries of `facts.json` ask for them."""
    arrays = {path: node for path, node in nodes.items() if node.values is not None}
    sizes: dict[str, set[int]] = {}
    for path, node in arrays.items():
        for name, size in zip(node.axes or (), _values(node).shape, strict=node.axes is not None):
            if name is not None:
                sizes.setdefault(_key(nodes, path, name.partition(":")[0]), set()).add(size)
    measured: dict[str, Facts] = {}
    for path, node in arrays.items():
        facts: Facts = {"absent_chunks": 0, "damaged_chunks": []}
        for entry in asked:
            if re.search(entry["at"], path) and node.dtype in entry.get("dtypes", (node.dtype,)):
                own = {entry["axis"]: sizes.get(_key(nodes, path, entry["axis"]), set())} if "axis" in entry else {}
                mask, share = (_named(nodes, path, entry.get(key)) for key in ("with_attribute", "share_attribute"))
                where = _where(node, mask)
                for name in entry["measure"]:
                    if name in _LOOKING:
                        facts.update(_LOOKING[name](node, entry, where, share))
                    else:
                        counted = node if where is None else RawNode(node.attributes, _values(node)[where], node.dtype)
                        facts.update(_MEASURES[name](counted, entry, arrays, own))
        measured[path] = facts
    return measured


def _key(nodes: Mapping[str, RawNode], path: str, axis: str) -> str:
    """An axis with the label of the scope that it has in an array."""
    steps = path.split("/")[1:]
    above = ["/" + "/".join(steps[:depth]) for depth in range(len(steps), 0, -1)]
    labels = [nodes[each].attributes.get(f"scope_{axis}") for each in above if each in nodes]
    return next((f"{axis}@{label}" for label in labels if isinstance(label, str)), axis)


def _values(node: RawNode) -> Values:
    if node.values is None:
        raise ValueError("a group has no values")
    return node.values


def _named(nodes: Mapping[str, RawNode], path: str, attribute: str | None) -> RawNode | None:
    """The array that an attribute of another one names, where its axes are in the same scopes."""
    target = str(nodes[path].attributes.get(str(attribute)))
    other, axes = nodes.get(target), nodes[path].axes
    if other is None or other.values is None or other.axes is None or axes is None:
        return None
    roots = [str(name).partition(":")[0] for name in other.axes]
    return other if all(_key(nodes, target, root) == _key(nodes, path, root) for root in roots) else None


def _where(node: RawNode, mask: RawNode | None) -> Any:
    """Where entries count by a mask; None where there is none that fits."""
    if mask is None or mask.dtype != "bool" or mask.axes is None or node.axes is None:
        return None
    where, places = _values(mask), np.indices(_values(node).shape)
    choices = [
        [at for at, name in enumerate(node.axes) if wanted in (name, str(name).partition(":")[0])]
        for wanted in mask.axes
    ]
    counts = np.ones(_values(node).shape, bool)
    ways = [way for way in itertools.product(*choices) if len(set(way)) == len(way)]
    ways = [way for way in ways if all(counts.shape[at] == where.shape[n] for n, at in enumerate(way))]
    for way in ways:
        counts &= where[tuple(places[at] for at in way)]
    return counts if ways else None


def _wide(values: Values) -> Values:
    with np.errstate(invalid="ignore"):  # NaN that signals
        return values.astype(np.float64)


def _non_finite(node: RawNode, *_: Any) -> Facts:
    if node.dtype not in (*_FLOATS, *_FLOATS_8, *_COMPLEX):
        return {}
    values = _values(node).astype(np.complex128) if node.dtype in _COMPLEX else _wide(_values(node))
    nan = int(np.isnan(values).sum())
    infinite = int((np.isinf(values) & ~np.isnan(values)).sum())
    above = int((((values.real == np.inf) | (values.imag == np.inf)) & ~np.isnan(values)).sum())
    return {"non_finite": nan + infinite, "nan": nan, "infinite": infinite, "positive_infinite": above}


def _range(node: RawNode, *_: Any) -> Facts:
    values = _values(node)
    if node.dtype in _COMPLEX or (values.dtype.kind in "USMmOV" and node.dtype not in STORED_AS):
        return {}
    if node.dtype in (*_FLOATS, *_FLOATS_8):
        finite = _wide(values)
        finite = finite[np.isfinite(finite)]
        return {"minimum": float(finite.min()), "maximum": float(finite.max())} if finite.size else _NO_RANGE
    wide = values.astype(np.int8) if node.dtype in NIBBLES else values
    return {"minimum": int(wide.min()), "maximum": int(wide.max())} if wide.size else _NO_RANGE


_NO_RANGE: Facts = {"minimum": None, "maximum": None}


def _constant(node: RawNode, *_: Any) -> Facts:
    if node.dtype not in (*_FLOATS, *_FLOATS_8):
        return {}
    flat = _wide(_values(node)).ravel()
    if not flat.size:
        return {"constant": False}
    bits = node.stored.ravel().view(f"u{node.stored.itemsize}")
    same = bits == bits[0] if math.isnan(flat[0]) else flat == flat[0]
    return {"constant": bool(same.all())}


def _row_sum(node: RawNode, entry: Mapping[str, Any], where: Any = None, share: RawNode | None = None) -> Facts:
    values = _wide(_values(node))
    if where is not None:
        values = np.where(where, values, 0)
    along = [place for place, name in enumerate(node.axes or ()) if re.search(entry.get("along", "$^"), str(name))]
    if "along" in entry and not along:
        return {}
    names = list(node.axes or ())
    at = along[0] if along else len(names) - 1
    values = np.moveaxis(values, along[0], -1) if along else values
    length = values.shape[-1] if values.ndim else 1
    rows = values.reshape(-1, length) if values.size else np.empty((0, 1))
    parts = _beside(share, [*names[:at], *names[at + 1 :]], values.shape[:-1])
    rows = rows if parts is None else np.concatenate([rows, parts.reshape(-1, 1)], axis=1)
    has_sum = (np.abs(rows) <= 2).all(axis=1)
    if where is not None:
        has_sum &= (np.moveaxis(where, along[0], -1) if along else where).any(axis=-1).reshape(-1)
    rows = rows[has_sum]
    step = 2.0 ** (length.bit_length() - 51)
    sums = [round(sum(row), 6) + 0.0 for row in (np.rint(rows / step) * step).tolist()]
    return {
        "row_length": length,
        "row_sum_minimum": min(sums, default=None),
        "row_sum_maximum": max(sums, default=None),
        "nonzero_row_sum_minimum": min((each for each in sums if each), default=None),
    }


def _beside(share: RawNode | None, names: Sequence[str | None], shape: Sequence[int]) -> Any:
    """The share of each row, over all axes but that of the rows; None where it does not fit in one way."""
    if share is None or share.dtype not in _FLOATS:
        return None
    choices = [
        [at for at, name in enumerate(names) if wanted in (name, str(name).partition(":")[0]) and shape[at] == size]
        for wanted, size in zip(share.axes or (), _values(share).shape, strict=True)
    ]
    ways = [way for way in itertools.product(*choices) if len(set(way)) == len(way)]
    if len(ways) != 1:
        return None
    places = np.indices(shape)
    return np.broadcast_to(_wide(_values(share))[tuple(places[at] for at in ways[0])], shape)


def _left_out_nonzero(node: RawNode, entry: Mapping[str, Any], where: Any, _: Any) -> Facts:
    if node.dtype not in _FLOATS or entry["with_attribute"] not in node.attributes:
        return {}
    return {"left_out_nonzero": None if where is None else int((_wide(_values(node))[~where] != 0).sum())}


def _duplicate_slices(node: RawNode, entry: Mapping[str, Any], *_: Any) -> Facts:
    axes = [str(name).partition(":")[0] for name in node.axes or ()]
    along = [place for place, name in enumerate(axes) if re.search(entry["along"], name)]
    if len(along) != 1:
        return {}
    slices = [np.ascontiguousarray(part).tobytes() for part in np.moveaxis(_values(node), along[0], 0)]
    return {"duplicate_slices": len(slices) - len(set(slices))}


def _beyond_axis(node: RawNode, entry: Mapping[str, Any], _: Any, sizes: Mapping[str, set[int]]) -> Facts:
    values = _values(node)
    if values.dtype.kind not in "iu" or node.dtype in STORED_AS:
        return {}
    known = sizes.get(entry["axis"], set())
    return {"beyond_axis": int((values >= next(iter(known))).sum()) if len(known) == 1 else None}


def _argmax_differs(node: RawNode, entry: Mapping[str, Any], arrays: Mapping[str, RawNode], _: Any) -> Facts:
    values = _values(node)
    if values.dtype.kind not in "iu" or node.dtype in STORED_AS:
        return {}
    partner = arrays.get(entry["with"])
    scores = None if partner is None or partner.dtype not in _FLOATS else _wide(_values(partner))
    if scores is None or scores.shape[:-1] != values.shape or not scores.ndim:
        return {"argmax_differs": None}
    differs = 0
    for row, found in zip(scores.reshape(-1, scores.shape[-1]), values.ravel(), strict=True):
        if not np.isnan(row).any():
            differs += not (0 <= found < len(row) and row[found] == row.max())
    return {"argmax_differs": differs}


def _decode_differs(node: RawNode, entry: Mapping[str, Any], arrays: Mapping[str, RawNode], _: Any) -> Facts:
    values = _values(node)
    if values.dtype.kind not in "iu" or node.dtype in STORED_AS:
        return {}
    partner = arrays.get(entry["with"])
    if partner is None or _values(partner).shape != values.shape or _values(partner).dtype.kind not in "iu":
        return {"decode_differs": None}
    table = entry["table"]
    expected = [
        place if (place := table.find(chr(int(code)))) >= 0 else len(table) - 1 for code in _values(partner).ravel()
    ]
    return {"decode_differs": int((values.ravel() != np.array(expected)).sum())}


def _masked_nonzero(node: RawNode, entry: Mapping[str, Any], arrays: Mapping[str, RawNode], _: Any) -> Facts:
    if node.dtype not in _FLOATS:
        return {}
    values, partner = _wide(_values(node)), arrays.get(entry["with"])
    if partner is None or _values(partner).shape != values.shape[: _values(partner).ndim]:
        return {"masked_nonzero": None}
    left_out = _values(partner) == 0
    return {"masked_nonzero": int((values[left_out] != 0).sum())}


def _starts_differ(node: RawNode, entry: Mapping[str, Any], arrays: Mapping[str, RawNode], _: Any) -> Facts:
    named = node.attributes.get(entry["starts_attribute"])
    if not isinstance(named, str):
        return {}
    found = None if named not in arrays or arrays[named].dtype in STORED_AS else _values(arrays[named])
    if found is None or found.dtype.kind not in "iu":
        return {"starts_differ": None}
    starts = [int(each) for each in found.ravel()]
    if found.ndim != 1 or not starts:
        return {"starts_differ": max(len(starts), 1)}
    size = (*_values(node).shape, 1)[0]
    falls = sum(later < earlier for earlier, later in itertools.pairwise(starts))
    return {"starts_differ": (starts[0] != 0) + falls + (starts[-1] != size)}


_MEASURES: Mapping[str, Any] = {
    "non_finite": _non_finite,
    "range": _range,
    "constant": _constant,
    "duplicate_slices": _duplicate_slices,
    "beyond_axis": _beyond_axis,
    "argmax_differs": _argmax_differs,
    "decode_differs": _decode_differs,
    "masked_nonzero": _masked_nonzero,
    "starts_differ": _starts_differ,
}
_LOOKING: Mapping[str, Any] = {"row_sum": _row_sum, "left_out_nonzero": _left_out_nonzero}
"""What `measure` in `facts.json` may ask for: of the entries that count alone, or looking at mask and share."""
