"""`diff`: two archives, opened together; arrays whose hashes are equal are not looked at again."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vizschema.bounds import Reading
from vizschema.description import ITEM_BYTES, Description, Node
from vizschema.difference.structure import differing, natural
from vizschema.difference.values import Differences, Tolerance, boxes
from vizschema.digests import ENTRY
from vizschema.errors import VizschemaError
from vizschema.measure import Measured, measured
from vizschema.scan.facts import HASH
from vizschema.text import archive_name


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two archives differ, returned by `diff`.

    Attributes:
        structure: Every difference of nodes, dtypes, shapes, axes and attributes: `path`, `what`, `a` and `b`, and the
            `name` of an attribute.
        values: Every array whose values differ: `path`, `count` of them, the first one (`index`, `axes`, `a`, `b`),
            the `largest` distance and the `mean` one of all values.
        unread: Every array whose values were not compared, and why: `path`, `reason`.

    Examples:
        >>> found = vizschema.diff("run.zarr", "broken.zarr")
        >>> print(found.equal, found.structure[0]["what"], found.structure[0]["name"])
        False attribute created_at
    """

    structure: tuple[Mapping[str, Any], ...]
    values: tuple[Mapping[str, Any], ...]
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
        numbers = [path for path in paths if {ours[path]["dtype"], theirs[path]["dtype"]} <= ITEM_BYTES.keys()]
        for path in sorted(set(paths) - set(numbers), key=natural):
            unread.append({"path": path, "reason": f"values of the dtype {ours[path]['dtype']} are not compared"})
        values = []
        hashes = [_hashes(each.with_values([ENTRY], numbers)) for each in (one, other)]
        for path in numbers:
            pair = [each.get(path) for each in hashes]
            if None in pair:
                unread.append({"path": path, "reason": "not all of its values can be read"})
            elif pair[0] != pair[1] or ours[path]["dtype"] != theirs[path]["dtype"]:
                values += _compared(path, one, other, tolerance)
    return Comparison(structure, tuple(values), tuple(unread))


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
    for box in boxes(shape, chunks, max(ITEM_BYTES[node["dtype"]] for node in nodes)):
        found.add(box, one.take(path, box), other.take(path, box))
    if found.first is None:
        return []
    _, a, b = found.first
    places = [axis or f"axis {number}" for number, axis in enumerate(axes)]
    told = {"path": path, "count": found.count, "of": math.prod(shape), "index": found.index, "axes": places}
    return [{**told, "a": _plain(a), "b": _plain(b), "largest": _plain(found.largest), "mean": _plain(found.mean)}]


def _plain(value: Any) -> int | float | str | bool:
    """A value as JSON has it; what JSON has no number for, as text."""
    plain = value.item() if isinstance(value, np.generic) and value.dtype.kind in "biufc" else value
    if isinstance(plain, bool | int | float):
        return plain if math.isfinite(plain) else str(plain)
    if isinstance(plain, complex):
        return str(plain)
    try:
        return _plain(float(value))  # a type of ml_dtypes
    except (TypeError, ValueError) as error:
        raise VizschemaError(expected="a number", found=type(value).__name__) from error
