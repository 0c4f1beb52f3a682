"""`diff`: two archives, opened together; arrays whose hashes are equal are not looked at again."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from vizschema.bounds import Reading
from vizschema.description import ITEM_BYTES, TEXTS, Description, Node
from vizschema.difference.series import series_of
from vizschema.difference.structure import differing, natural
from vizschema.difference.values import TEXT_BYTES, Differences, Tolerance, boxes
from vizschema.digests import ENTRY
from vizschema.errors import Damaged, NotAnArchive, VizschemaError
from vizschema.measure import Measured, measured
from vizschema.scan.facts import HASH
from vizschema.text import archive_name, escape_text, shorten


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two archives differ, returned by `diff`.

    Attributes:
        structure: Every difference of nodes, dtypes, shapes, axes and attributes: `path`, `what`, `a` and `b`, and the
            `name` of an attribute.
        values: Every array whose values differ: `path`, `count` of them, the first one (`index`, `axes`, `a`, `b`),
            the `largest` distance and the `mean` one of all values; both are None of text.
        series: Every numbered series in which an array differs: `series`, the `numbers` of its members, and by member
            the `largest` and the `mean` distance, 0 of an equal one.
        unread: Every array whose values were not compared, and why: `path`, `reason`.

    Examples:
        >>> found = vizschema.diff("run.zarr", "broken.zarr")
        >>> print(found.equal, found.structure[0]["what"], found.structure[0]["name"])
        False attribute created_at
    """

    structure: tuple[Mapping[str, Any], ...]
    values: tuple[Mapping[str, Any], ...]
    series: tuple[Mapping[str, Any], ...]
    unread: tuple[Mapping[str, Any], ...]

    @property
    def equal(self) -> bool:
        """Whether nothing differs, and all values were compared."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """0 equal, 1 different, 3 if values could not be compared."""
        if self.unread:
            return 3
        return int(bool(self.structure or self.values))


def diff(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    *,
    absolute: float = 0.0,
    relative: float = 0.0,
    ulp: int = 0,
    ignore: Collection[str] = (),
    isolated: bool = False,
) -> Comparison:
    """Compare two archives, in any containers and chunking: structure, attributes and all values.

    Values are equal if one of the tolerances allows it, or if both are NaN; without a tolerance, if their bits are.

    Parameters:
        first: A file, a folder or a URL.
        second: The other one.
        absolute: Distance up to which values are equal.
        relative: Distance up to which values are equal, as a share of the larger absolute value.
        ulp: Steps of their dtype up to which floats of one dtype are equal.
        ignore: Names of attributes that are not compared.
        isolated: Read the archives in sandboxed processes, for untrusted archives.

    Returns:
        What differs.

    Raises:
        NotAnArchive: A path cannot be read as an archive.

    Examples:
        >>> vizschema.diff("run.zarr", "run.zarr").equal
        True
    """
    return diff_by(first, second, Reading(isolated=isolated), Tolerance(absolute, relative, ulp), ignore)


def diff_by(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    reading: Reading,
    tolerance: Tolerance,
    ignore: Collection[str] = (),
) -> Comparison:
    """Compare as `diff` does, archives that are read by `reading`."""
    with measured(first, reading) as one, measured(second, reading) as other:
        ours, theirs = one.description["nodes"], other.description["nodes"]
        structure = tuple(differing(ours, theirs, ignore))
        unread = list(_unreadable(first, ours)) + list(_unreadable(second, theirs))
        paths = [path for path in sorted(ours, key=natural) if _comparable(ours[path], theirs.get(path))]
        kinds = {path: {ours[path]["dtype"], theirs[path]["dtype"]} for path in paths}
        numbers = [path for path in paths if kinds[path] <= ITEM_BYTES.keys()]
        same = _same(one, other, numbers)
        values = []
        for path in paths:
            reason = _not_comparable(kinds[path])
            if path in same and reason is None:
                reason = same[path]
                if not reason:
                    continue
            try:
                values += _compared(path, one, other, tolerance) if reason in (None, _DIFFERS) else []
            except (Damaged, NotAnArchive) as error:
                reason = str(error)
            if reason not in (None, _DIFFERS):
                unread.append({"path": path, "reason": reason})
    return Comparison(structure, tuple(values), tuple(series_of(paths, values)), tuple(unread))


_DIFFERS = "differs"


def _not_comparable(kinds: Set[str]) -> str | None:
    """Why values of these dtypes are not compared; None if they are."""
    if kinds <= ITEM_BYTES.keys() or kinds <= TEXTS:
        return None
    return f"values of the dtype {' and '.join(sorted(kinds))} are not compared"


def _same(one: Measured, other: Measured, paths: Sequence[str]) -> dict[str, str]:
    """By path of arrays of numbers: empty if their hashes are equal, `_DIFFERS`, or why that is unknown."""
    hashes = [_hashes(each.with_values([ENTRY], paths)) for each in (one, other)]
    found = {}
    for path in paths:
        a, b = (each.get(path) for each in hashes)
        dtypes = {each.description["nodes"][path]["dtype"] for each in (one, other)}
        equal = "" if a == b and len(dtypes) == 1 else _DIFFERS
        found[path] = "not all of its values can be read" if a is None or b is None else equal
    return found


def _unreadable(archive: str | os.PathLike[str], nodes: Mapping[str, Node]) -> Iterator[dict[str, str]]:
    for path, node in nodes.items():
        if node["kind"] not in ("group", "array"):
            yield {"path": path, "reason": f"{node['kind']} in {archive_name(archive)}: {node['reason']}"}


def _comparable(one: Node, other: Node | None) -> bool:
    return other is not None and one["kind"] == other["kind"] == "array" and one["shape"] == other["shape"]


def _hashes(description: Description) -> dict[str, str]:
    """The hash of the values of each array that was read to its end; raises `KeyboardInterrupt` after an interrupt."""
    if description["values"] == "partial":
        raise KeyboardInterrupt
    found = ((path, node.get("facts", {})) for path, node in description["nodes"].items())
    return {path: facts[HASH] for path, facts in found if facts.get(HASH) and not facts.get("damaged_chunks")}


def _compared(path: str, one: Measured, other: Measured, tolerance: Tolerance) -> list[dict[str, Any]]:
    """How the values of the arrays at `path` differ; nothing where they do not."""
    nodes = [each.description["nodes"][path] for each in (one, other)]
    shape, axes = nodes[0]["shape"], nodes[0]["axes"] or [None] * len(nodes[0]["shape"])
    found = Differences(shape, tolerance)
    storage = nodes[0]["storage"] or nodes[1]["storage"]
    chunks: Sequence[int] | None = storage and storage["chunks"]
    for box in boxes(shape, chunks, max(ITEM_BYTES.get(node["dtype"], TEXT_BYTES) for node in nodes)):
        found.add(box, one.take(path, box), other.take(path, box))
    if found.first is None:
        return []
    _, a, b = found.first
    places = [axis or f"axis {number}" for number, axis in enumerate(axes)]
    distances: dict[str, Any] = {"largest": None, "mean": None}
    if nodes[0]["dtype"] in ITEM_BYTES:
        distances = {"largest": _plain(found.largest), "mean": _plain(found.mean)}
    told = {"path": path, "count": found.count, "of": math.prod(shape), "index": found.index, "axes": places}
    return [{**told, "a": _plain(a), "b": _plain(b), **distances}]


def _plain(value: Any) -> int | float | str | bool:
    """A value as JSON has it; what JSON has no number for, as text."""
    plain = value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufc" else value
    if isinstance(plain, str):
        return escape_text(shorten(plain))
    if isinstance(plain, bool | int | float):
        return plain if math.isfinite(plain) else str(plain)
    if isinstance(plain, complex):
        return str(plain)
    try:
        return _plain(float(value))  # a type of ml_dtypes
    except (TypeError, ValueError) as error:
        raise VizschemaError(expected="a number", found=type(value).__name__) from error
