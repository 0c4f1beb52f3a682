"""What the dimensions of an array are: from sizes that recur, from sums of rows, from what attributes and texts say.

Where sizes are equal, several readings are left, and the draft asks which one it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np

from vizschema.migration.drafting.hints import hints, meaning, names, plain
from vizschema.migration.drafting.series import Family
from vizschema.sources.item import Values

MAX_MEASURED = 256 << 20
"""Most bytes of an array whose rows are summed for a draft."""

SAMPLE = "sample"
HIDDEN = "hidden"

_CHANNELS = (1, 3, 4)
_IMAGE = ("channel", "height", "width")
_HIGHEST = 1.01
_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Said:
    """A number or text of the source: the node that says it, and its attribute (none: the array itself)."""

    path: str
    name: str
    value: Any


@dataclass(slots=True)
class Sizes:
    """The sizes of axes that recur.

    Attributes:
        sequence: The axis along which a sequence runs, and its size (0: unknown).
        head: The number of heads, or 0.
        sample: The number of samples, or 0.
        hidden: The size of the axis that most arrays end with, or 0.
        why: Where the size of the sequence is from, in words.
    """

    axis: str = ""
    sequence: int = 0
    head: int = 0
    sample: int = 0
    hidden: int = 0
    why: str = ""


@dataclass(slots=True)
class Layout:
    """What an array is.

    Attributes:
        readings: The axes in the order of the source, one list for each reading that is left; at least one.
        order: The axes in the order of the result, None where that of the source is kept.
        doubts: What the readings rely on, in words.
        is_weights: Whether it has a weight for each query and key.
    """

    readings: list[list[str]]
    order: Sequence[str] | None = None
    doubts: list[str] = field(default_factory=list)
    is_weights: bool = False

    def moves(self, reading: Sequence[str]) -> list[list[int]]:
        """The moves of axes, old place and new, that bring a reading into the order of the result."""
        found, axes = [], list(reading)
        for new, axis in enumerate(self.order or ()):
            old = axes.index(axis)
            if old != new:
                found.append([old, new])
                axes.insert(new, axes.pop(old))
        return found

    def result(self, reading: Sequence[str]) -> list[str]:
        """The axes of the result."""
        return list(self.order or reading)


def measured(families: Sequence[Family], said: Sequence[Said]) -> tuple[Sizes, dict[int, list[int]]]:
    """The sizes that recur, and for each family with rows that sum to 1 (by its place) the dimensions of the keys."""
    keys = {place: found for place, family in enumerate(families) if (found := _keys(family))}
    sizes = Sizes()
    _sequence(sizes, families, keys, said)
    shapes = [family.first.shape for family in families]
    _heads(sizes, families, keys, said)
    leading = Counter(shape[0] for shape in shapes if len(shape) > 1)
    if leading:
        size, times = leading.most_common(1)[0]
        is_common = times * 2 > sum(leading.values()) and size not in (sizes.sequence, sizes.head)
        sizes.sample = size if is_common else 1 if leading[1] else 0
    _hidden(sizes, [family for place, family in enumerate(families) if place not in keys], said)
    return sizes, keys


def _said_size(axis: str, said: Sequence[Said], families: Sequence[Family]) -> Said | None:
    """What says the size of an axis, if an array has that size."""
    known = {size for family in families for size in family.first.shape}
    for each in said:
        name = plain(each.name or each.path.rpartition("/")[2])
        if type(each.value) is int and name in hints()["sizes"].get(axis, ()) and each.value in known:
            return each
    return None


def _sequence(
    sizes: Sizes, families: Sequence[Family], keys: Mapping[int, Sequence[int]], said: Sequence[Said]
) -> None:
    """Set the axis of the sequence and its size: by what says it, by texts, by rows that sum to 1, by indices."""
    terms, known = hints()["sequence"], {size for family in families for size in family.first.shape}
    sizes.axis = terms[-1]
    for term in terms:
        found = _said_size(term, said, families)
        if found is not None:
            sizes.axis, sizes.sequence, sizes.why = (
                term,
                found.value,
                f"{found.path} {found.name} says it".replace("  ", " "),
            )
            return
    for each in said:
        axis = meaning(plain(each.name or each.path.rpartition("/")[2]), hints()["texts"])
        if axis and isinstance(each.value, (str, list)) and len(each.value) > 1 and len(each.value) in known:
            sizes.axis, sizes.sequence, sizes.why = (
                axis,
                len(each.value),
                f"the length of {each.path} {each.name}".strip(),
            )
            return
    counts = Counter(families[place].first.shape[dimension] for place, found in keys.items() for dimension in found)
    if counts:
        sizes.sequence, sizes.why = counts.most_common(1)[0][0], "rows of this length sum to 1"
        return
    for family in families:
        shape = family.first.shape
        is_list = family.first.dtype.startswith(("int", "uint")) and 0 < len(shape) <= 2 and shape[-1] > 1
        if is_list and names(family.name(0), _input_words()):
            sizes.sequence, sizes.why = shape[-1], f"the length of {family.first.path}"
            return
    squares = Counter(size for family in families if (size := _square(family)))
    if squares:
        sizes.sequence, sizes.why = squares.most_common(1)[0][0], "arrays have two dimensions of this size"


def _square(family: Family) -> int:
    """The size that two dimensions of an array have, or 0; images and their features are left out."""
    shape, words = family.first.shape, hints()["weights"]["words"]
    if len(shape) < 2 or (len(shape) > 3 and not names(plain(family.name(0)), words)):
        return 0
    found = [size for size, times in Counter(shape).items() if times > 1 and size > 1]
    return found[0] if len(found) == 1 and place_of(family.name(0), shape) is None else 0


def _input_words() -> list[str]:
    return [word for place in hints()["places"] if "sequence" in place for word in place["words"]]


def _heads(sizes: Sizes, families: Sequence[Family], keys: Mapping[int, Sequence[int]], said: Sequence[Said]) -> None:
    found = _said_size(hints()["weights"]["head"], said, families)
    if found is not None:
        sizes.head = found.value
        return
    for place, dimensions in keys.items():
        shape = families[place].first.shape
        others = [
            size for number, size in enumerate(shape) if number not in dimensions and size != shape[dimensions[0]]
        ]
        is_square = shape.count(shape[dimensions[0]]) > 1
        if others and is_square and len(dimensions) == 1:
            sizes.head = others[-1]
            return


def _hidden(sizes: Sizes, families: Sequence[Family], said: Sequence[Said]) -> None:
    found = _said_size(HIDDEN, said, families)
    last = Counter[int]()
    for family in families:
        shape, sequence = family.first.shape, family.sequence or sizes.sequence
        is_plain = len(shape) > 1 and sequence in shape[:-1] and sequence != shape[-1] != sizes.head
        has_heads = len(shape) > 2 and sizes.head in shape[:-1]
        if is_plain and not has_heads and family.first.dtype.startswith(("float", "bfloat")):
            last[shape[-1]] += 1
    if found is not None:
        sizes.hidden = found.value
    elif last:
        sizes.hidden = last.most_common(1)[0][0]


def _keys(family: Family) -> list[int]:
    """The dimensions along which all rows of the first and the last array sum to 1, or to 0 where masked."""
    item = family.first
    if len(item.shape) < 2 or not item.dtype.startswith(("float", "bfloat")) or item.size > MAX_MEASURED:
        return []
    found = list(range(len(item.shape)))
    for member in {item.path: item, (last := list(family.members.values())[-1]).path: last}.values():
        found = _sums(member.values(), found)
    shape = item.shape
    square = [key for key in found if shape[key] > 1 and shape.count(shape[key]) > 1]
    named = names(family.name(0), hints()["weights"]["words"])
    return square or ([key for key in found if shape[key] > 1] if named else [])


def _sums(values: Values, dimensions: Iterable[int]) -> list[int]:
    """The dimensions along which every sum is 1, or 0, and some are 1."""
    plain_values = values.astype(np.float64)
    if not plain_values.size or not (plain_values.min() >= 0 and plain_values.max() <= _HIGHEST):
        return []
    found = []
    for dimension in dimensions:
        sums = plain_values.sum(axis=dimension)
        ones = np.abs(sums - 1) <= _TOLERANCE
        if ones.any() and (ones | (sums == 0)).all():
            found.append(dimension)
    return found


def layout(family: Family, name: str, keys: Sequence[int], sizes: Sizes) -> Layout:
    """What the dimensions of a family are; `keys` are those along which rows sum to 1."""
    shape = family.first.shape
    found = _weights(family, name, keys, sizes)
    if found is not None:
        return found
    named = [plain(axis or "") for axis in family.first.axes or ()]
    if named and all(named) and len(set(named)) == len(shape):
        return Layout([[meaning(axis, hints()["terms"]) or axis for axis in named]])
    place = place_of(name, shape)
    own = name or "array"
    if place is not None and str(len(shape)) in place.get("axes", {}):
        axes = list(place["axes"][str(len(shape))])
        doubts = []
        if axes[-2:] == ["height", "width"] and shape[-1] in _CHANNELS and shape[-3] not in _CHANNELS:
            axes = [*axes[:-3], *axes[-2:], axes[-3]]
            doubts = ["the channels are last, by their number"]
        return Layout([axes], doubts=doubts)
    return _by_sizes(shape, own, place or {}, sizes)


def place_of(name: str, shape: Sequence[int]) -> Mapping[str, Any] | None:
    """The entry of the hints that an array's name fits."""
    for place in hints()["places"]:
        fits = "last_size" not in place or shape[-1:] == (place["last_size"],)
        if fits and names(name, place["words"]):
            found: Mapping[str, Any] = place
            return found
    return None


def _weights(family: Family, name: str, keys: Sequence[int], sizes: Sizes) -> Layout | None:
    """The layout of an array with a weight for each query and key; None where it is none."""
    words, shape = hints()["weights"], family.first.shape
    doubts = []
    if keys:
        pairs = [(query, key) for key in keys for query in range(len(shape)) if query != key]
        square = [(query, key) for query, key in pairs if shape[query] == shape[key]]
        pairs = square or [(query, key) for query, key in pairs if shape[query] > 1] or pairs
        shown = ", ".join(map(str, keys))
        doubts.append(f"rows sum to 1 along dimension {shown}: the keys" + (" of one of them" if len(keys) > 1 else ""))
    elif names(name, words["words"]) and family.first.dtype.startswith(("float", "bfloat")):
        pairs = [(query, key) for key in range(len(shape)) for query in range(key) if shape[query] == shape[key] > 1]
        if sizes.sequence:
            pairs = [pair for pair in pairs if shape[pair[0]] == sizes.sequence]
        doubts.append("a name as of weights, and rows that do not sum to 1: queries are taken to be before keys")
    else:
        return None
    others = len(shape) - 2
    if not pairs or not 0 <= others <= 3:
        return None
    pairs.sort(key=lambda pair: abs(pair[1] - pair[0] - 1))
    rest = [next(iter(hints()["series"])), SAMPLE, words["head"]][3 - others :]
    if others == 3:
        doubts.append(f"the first dimension is taken for the {rest[0]}s")
    if others == 1 and len(pairs) == 1:
        size = next(size for number, size in enumerate(shape) if number not in pairs[0])
        rest = [SAMPLE] if size == 1 and sizes.head != 1 else rest
    order = [*rest, *_ends(shape, pairs[0], sizes)]
    readings = [_placed(pair, order, len(shape)) for pair in pairs]
    return Layout(readings, order, doubts, is_weights=True)


def _ends(shape: Sequence[int], pair: tuple[int, int], sizes: Sizes) -> list[str]:
    """The names of the axes of queries and keys."""
    words = hints()["weights"]
    query, key = (shape[number] for number in pair)
    axis = sizes.axis if sizes.sequence in (0, query, key) else f"{sizes.axis}_{key}"
    ends = [f"{axis}:{words['query']}", f"{axis}:{words['key']}"]
    if query != key:
        ends[0 if key == sizes.sequence else 1] = (
            f"{words['query' if key == sizes.sequence else 'key']}_{ends[0 if key == sizes.sequence else 1]}"
        )
    return ends


def _placed(pair: tuple[int, int], order: Sequence[str], count: int) -> list[str]:
    rest = iter(order[:-2])
    return [
        order[-2] if number == pair[0] else order[-1] if number == pair[1] else next(rest) for number in range(count)
    ]


def _by_sizes(shape: Sequence[int], own: str, place: Mapping[str, Any], sizes: Sizes) -> Layout:
    """The layout of any other array, by sizes that recur, and by place where none does."""
    axes: list[str | None] = [None] * len(shape)
    if shape and sizes.sample and shape[0] == sizes.sample != sizes.sequence and (len(shape) > 1 or shape[0] > 1):
        axes[0] = SAMPLE
    if "last" in place and axes[-1:] == [None]:
        axes[-1] = place["last"]
    left = [number for number, axis in enumerate(axes) if axis is None]
    runs = [number for number in left if sizes.sequence and shape[number] == sizes.sequence]
    if len(runs) > 1:
        return _equal(axes, left, runs, own, sizes)
    for number in runs:
        axes[number] = sizes.axis
    if axes[0:1] == [SAMPLE] and not runs and len(left) == 3 and shape[2] == shape[3]:
        return Layout([[SAMPLE, *(f"{own}_{end}" for end in _IMAGE)]], doubts=["taken for the features of images"])
    unknown, doubts = [], []
    for number, axis in enumerate(axes):
        if axis is None:
            axes[number] = _other(shape, number, own, sizes)
            if axes[number] not in (HIDDEN, hints()["weights"]["head"]):
                unknown.append(number)
            is_last = number == len(shape) - 1 > 0
            if (
                sizes.sequence
                and not is_last
                and shape[number] > sizes.sequence
                and shape[number] % sizes.sequence == 0
            ):
                times = shape[number] // sizes.sequence
                doubts.append(f"dimension {number} is {times} times {sizes.axis}: flattened? Then do a reshape")
    if unknown:
        shown = ", ".join(f"{number} (of size {shape[number]})" for number in unknown)
        doubts.append(f"named by its place: dimension {shown}")
    return Layout([[str(axis) for axis in axes]], doubts=doubts)


def _other(shape: Sequence[int], number: int, own: str, sizes: Sizes) -> str:
    """The name of a dimension along which no sequence runs."""
    is_last = number == len(shape) - 1
    if is_last and shape[number] == sizes.hidden:
        return HIDDEN
    if not is_last and len(shape) > 2 and sizes.head and shape[number] == sizes.head:
        return str(hints()["weights"]["head"])
    return f"{own}_channel" if is_last else f"{own}_{number}"


def _equal(axes: Sequence[str | None], left: Sequence[int], runs: Sequence[int], own: str, sizes: Sizes) -> Layout:
    """The readings of an array in which several dimensions have the size of the sequence."""
    first, second = f"{sizes.axis}:i", f"{sizes.axis}:j"
    channel = HIDDEN if sizes.hidden == sizes.sequence else f"{own}_channel"
    if len(left) == len(runs) == 2:
        options = [[sizes.axis, channel], [channel, sizes.axis], [first, second]]
    elif len(runs) == 2:
        rest = [f"{own}_{number}" for number in left if number not in runs]
        options = [[first if number == runs[0] else second if number == runs[1] else rest.pop(0) for number in left]]
    else:
        options = [
            list(found) for found in permutations([first, second, channel]) if found.index(first) < found.index(second)
        ]
        rest = [f"{own}_{number}" for number in left[3:]]
        options = [option + rest for option in options]
    readings = []
    for option in options:
        names_left = iter(option)
        readings.append([axis if axis is not None else next(names_left) for axis in axes])
    doubt = f"dimensions {', '.join(map(str, runs))} have the size of {sizes.axis}"
    return Layout(readings, doubts=[doubt])
