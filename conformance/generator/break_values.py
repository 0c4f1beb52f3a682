"""How to break what is asked of facts and of storage: by other contents, by damage, by another grid or codec."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vizschema import description
from vizschema.conformance.corpus.breaks.edits import fact, filled, on_description, put, unmeasured
from vizschema.conformance.generator.changes import Breaker, Change, Target, change, followers, released
from vizschema.conformance.generator.constraints import holds
from vizschema.conformance.generator.contents import COMPLEX, FLOATS, limits
from vizschema.conformance.generator.nodes import DTYPES
from vizschema.description import ITEM_BYTES

DAMAGE = (
    [{"key": "0", "reason": "truncated", "detail": "ends early"}],
    [{"key": "0", "reason": "misplaced", "detail": "another key has it"}],
)


def _filled(target: Target, *values: Any) -> Change:
    """Fill the array with a few values, over and over, in another dtype where its own has no room."""
    edits = [released(target.path), filled(target.path, pattern="listed", values=list(values))]
    also = target.values.union(*(target.base.rules("nodes/*/facts", path=each) for each in followers(target)))
    numbers = [value for value in values if not isinstance(value, str)]
    if not _room(target.node["dtype"], numbers):
        edits.append(put(target.path, "dtype", next(_other(target, numbers))))
        also |= target.base.rules("series/*/dtypes", "series/*/members")
    return change(*edits, also=also)


def _room(dtype: str, numbers: list[float]) -> bool:
    low, high = limits(dtype)
    return all(low <= number <= high for number in numbers)


def _other(target: Target, numbers: list[float]) -> Iterator[str]:
    place = ("nodes", target.path, "dtype")
    yield from (each for each in DTYPES if _room(each, numbers) and not target.base.violated(place, each))


def _fits(target: Target, value: float) -> bool:
    return _room(target.node["dtype"], [value]) or any(True for _ in _other(target, [value]))


def _facts(target: Target) -> Mapping[str, Any]:
    found: Mapping[str, Any] = target.described.get("facts", {})
    return found


def _count(target: Target) -> int:
    return description.array("bool", target.described["shape"], None, {}, None)["bytes"] or 0


def _not_finite(target: Target) -> Iterator[Change]:
    if target.is_array and target.node["dtype"] in (*FLOATS, *COMPLEX) and _count(target):
        for value in ("NaN", "Infinity", "-Infinity"):
            yield _filled(target, value, 0.5)


def _not_a_number(target: Target) -> Iterator[Change]:
    if target.is_array and _count(target):
        yield _filled(target, "NaN", 0.5)


def _infinite(target: Target) -> Iterator[Change]:
    if target.is_array and _count(target):
        yield _filled(target, "Infinity", 0.5)


def _too_low(target: Target) -> Iterator[Change]:
    wanted, maximum = target.at.value, _facts(target).get("maximum")
    if target.is_array and maximum is not None and _fits(target, wanted - 1) and _count(target):
        yield _filled(target, wanted - 1, maximum)


def _too_high(target: Target) -> Iterator[Change]:
    wanted, minimum = target.at.value, _facts(target).get("minimum")
    if target.is_array and minimum is not None and _fits(target, int(wanted) + 1) and _count(target):
        yield _filled(target, int(wanted) + 1, minimum) if _count(target) > 1 else _filled(target, int(wanted) + 1)


def _nowhere_high(target: Target) -> Iterator[Change]:
    minimum = _facts(target).get("minimum")
    if target.is_array and minimum is not None:
        yield _filled(target, target.at.value, target.at.value / 2)


def _short_rows(target: Target) -> Iterator[Change]:
    if target.is_array and _facts(target).get("row_sum_minimum") is not None:
        yield change(filled(target.path, pattern="ramp", start=0.02, step=0.0001), also=target.values)


def _long_rows(target: Target) -> Iterator[Change]:
    rows = _facts(target).get("row_sum_maximum") is not None
    if target.is_array and rows and _facts(target)["row_length"] > 1:
        yield change(filled(target.path, pattern="ramp", start=0.9, step=0.0001), also=target.values)


def _constant(target: Target) -> Iterator[Change]:
    value = _facts(target).get("maximum")
    if target.is_array and value is not None and _count(target) > 1:
        yield change(filled(target.path, pattern="constant", value=value), also=target.values)


def _copied(target: Target) -> Iterator[Change]:
    """Heads that are copies of one another, and vary within."""
    if not target.is_array:
        return
    for entry in target.base.archive.profile.facts:
        if "duplicate_slices" in entry["measure"] and re.search(entry["at"], target.path):
            shape, names = target.described["shape"], target.node["axes"]
            along = [place for place, name in enumerate(names) if re.search(entry["along"], name.partition(":")[0])]
            period = description.array("bool", shape[along[0] + 1 :], None, {}, None)["bytes"] if along else 0
            if period > 1 and shape[along[0]] > 1:
                yield _filled(target, *(0.5 if number else 0.25 for number in range(period)))


def _absent(target: Target) -> Iterator[Change]:
    if target.is_array:
        yield change(fact(target.path, absent_chunks=1))


def _damaged(target: Target) -> Iterator[Change]:
    """Chunks that are damaged in the way that this rule is about."""
    if target.is_array:
        for damage in DAMAGE:
            if not holds({target.at.keyword: target.at.value}, damage):
                yield change(fact(target.path, damaged_chunks=damage))


def _beside(target: Target) -> Iterator[Change]:
    """A stray file in the folder of the array."""
    if target.is_array:
        yield change(fact(target.path, stray=["note.txt"]))


def _unmeasured(target: Target) -> Iterator[Change]:
    if target.at.keyword == "required" and target.at.place[-1] != "facts":
        yield change(unmeasured(target.path, "facts"), also=target.base.rules("nodes/*/facts", path=target.path))
        return
    for name in target.at.value:
        if name in _facts(target):
            yield change(unmeasured(target.path, "facts", name))


def _beyond(target: Target) -> Iterator[Change]:
    for entry in target.base.archive.profile.facts:
        if "beyond_axis" in entry["measure"] and re.search(entry["at"], target.path):
            size = target.base.sizes.get(entry["axis"])
            if _facts(target).get("beyond_axis") is not None and size is not None and _fits(target, size):
                yield _filled(target, size)


def _differs(target: Target) -> Iterator[Change]:
    """Numbers of no class, or of the last one and one that is not there."""
    if target.is_array and _facts(target).get(target.at.place[-1]) is not None and _count(target):
        yield _filled(target, 100)


def _left_over(target: Target) -> Iterator[Change]:
    """Values where the mask leaves out."""
    for entry in target.base.archive.profile.facts:
        known = _facts(target).get("masked_nonzero") is not None
        if "masked_nonzero" in entry["measure"] and re.search(entry["at"], target.path) and known:
            mask = filled(entry["with"], pattern="listed", values=[0, 1])
            yield change(mask, filled(target.path, pattern="listed", values=[1.5, 2.5, 3.5]), also=target.values)


def _counted(name: str) -> Callable[[Target], Iterator[Change]]:
    """A fact that counts faults, as a description has it: of values where a mask is false, of starts."""

    def changes(target: Target) -> Iterator[Change]:
        if target.is_array:
            found = target.path, {name: 1}
            yield change(on_description(lambda parts: parts["nodes"][found[0]]["facts"].update(found[1])))

    return changes


def _grid(target: Target, chunks: list[int], **other: Any) -> Change:
    """Another grid of chunks, shards or codecs, with what follows from it."""

    def apply(parts: dict[str, Any]) -> None:
        node = parts["nodes"][target.path]
        had = node["storage"]
        node["storage"] = description.storage(
            node["shape"],
            node["axes"],
            ITEM_BYTES[node["dtype"]],
            chunks=chunks,
            shard=other.get("shard"),
            codecs=other.get("codecs", had["codecs"]),
        )

    return change(on_description(apply), also=target.base.rules("nodes/*/storage") if "also" in other else ())


def _chunks(target: Target) -> list[int]:
    storage = target.described.get("storage") if target.is_array else None
    return list(storage["chunks"]) if storage else []


def _large_chunk(target: Target) -> Iterator[Change]:
    for place in range(len(_chunks(target))):
        chunks = _chunks(target)
        chunks[place] = target.at.value + 1
        yield _grid(target, chunks, also=True)


def _long_chunk(target: Target) -> Iterator[Change]:
    if target.is_array and target.at.place[-1] in target.node["axes"] and _chunks(target):
        chunks = _chunks(target)
        chunks[target.node["axes"].index(target.at.place[-1])] = int(target.at.value) + 1
        yield _grid(target, chunks)


def _large_shard(target: Target) -> Iterator[Change]:
    if _chunks(target):
        chunks = _chunks(target)
        yield _grid(target, chunks, shard=[chunks[0] * (target.at.value + 1), *chunks[1:]])


def _odd_codec(target: Target) -> Iterator[Change]:
    if target.is_array and target.described["storage"]:
        yield _grid(target, _chunks(target), codecs=["bytes", "a-plug-in"])


def _small_chunks(target: Target) -> Iterator[Change]:
    """An axis that is long in the whole archive, cut into single entries in one array."""
    schema = {target.at.keyword: target.at.value}
    for place, name in enumerate(target.node["axes"] if _chunks(target) else ()):
        axis = name.partition(":")[0]
        if holds(schema, [name]) is False:
            yield change(
                on_description(_lengthened(target.path, place, axis)), also=target.base.rules("axes/*", path=axis)
            )


def _lengthened(path: str, place: int, axis: str) -> Callable[[dict[str, Any]], object]:
    def apply(parts: dict[str, Any]) -> None:
        metadata = parts["nodes"].get("/metadata", {}).get("attributes", {})
        if f"size_{axis}" in metadata:
            metadata[f"size_{axis}"] = 1 << 16
        for name, node in parts["nodes"].items():
            roots = [each.partition(":")[0] for each in node.get("axes") or ()]
            if axis not in roots:
                continue
            shape = [1 << 16 if root == axis else size for root, size in zip(roots, node["shape"], strict=True)]
            size = ITEM_BYTES[node["dtype"]]
            codecs, facts = (node["storage"] or {}).get("codecs", []), node.get("facts")
            cut = [
                1 if at == place else length for at, length in enumerate((node["storage"] or {}).get("chunks", shape))
            ]
            stored = description.storage(shape, node["axes"], size, chunks=cut, shard=None, codecs=codecs)
            made = description.array(
                node["dtype"], shape, node["axes"], node["attributes"], stored if name == path else None
            )
            parts["nodes"][name] = {**made, **({} if facts is None else {"facts": facts})}

    return apply


FACT, STORAGE = "nodes/*/facts", "nodes/*/storage"
BREAKS: dict[tuple[str, str], Breaker] = {
    (f"{FACT}/non_finite", "const"): _not_finite,
    (f"{FACT}/nan", "const"): _not_a_number,
    (f"{FACT}/positive_infinite", "const"): _infinite,
    (f"{FACT}/minimum", "minimum"): _too_low,
    (f"{FACT}/maximum", "maximum"): _too_high,
    (f"{FACT}/maximum", "exclusiveMinimum"): _nowhere_high,
    (f"{FACT}/row_sum_minimum", "minimum"): _short_rows,
    (f"{FACT}/row_sum_maximum", "maximum"): _long_rows,
    (f"{FACT}/nonzero_row_sum_minimum", "minimum"): _short_rows,
    (f"{FACT}/constant", "const"): _constant,
    (f"{FACT}/duplicate_slices", "const"): _copied,
    (f"{FACT}/absent_chunks", "const"): _absent,
    (f"{FACT}/damaged_chunks", "not"): _damaged,
    (f"{FACT}/stray", "maxItems"): _beside,
    (f"{FACT}/beyond_axis", "maximum"): _beyond,
    (f"{FACT}/argmax_differs", "maximum"): _differs,
    (f"{FACT}/decode_differs", "maximum"): _differs,
    (f"{FACT}/masked_nonzero", "maximum"): _left_over,
    (f"{FACT}/left_out_nonzero", "maximum"): _counted("left_out_nonzero"),
    (f"{FACT}/starts_differ", "maximum"): _counted("starts_differ"),
    (FACT, "required"): _unmeasured,
    ("nodes/*", "required"): _unmeasured,
    (f"{STORAGE}/chunk_bytes", "maximum"): _large_chunk,
    (f"{STORAGE}/chunk_of/*", "maximum"): _long_chunk,
    (f"{STORAGE}/shards/bytes", "maximum"): _large_shard,
    (f"{STORAGE}/codecs/[]", "enum"): _odd_codec,
    (f"{STORAGE}/split", "not"): _small_chunks,
}
