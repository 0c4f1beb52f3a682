"""The factors of each container, their levels, which of these exclude each other, and rows that cover all pairs.

The first level of a factor is the plain one. Opens nothing and writes nothing.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping

Encoding = Mapping[str, str]
"""A level by factor."""

Factors = Mapping[str, tuple[str, ...]]
Pair = tuple[tuple[str, str], tuple[str, str]]

_CUT: Factors = {
    "grid": ("divides", "over", "larger", "thin"),
    "absent": ("none", "inside", "edge", "all"),
}
_ZIP: Factors = {
    "packing": ("stored", "deflated", "zip64", "sizes-after"),
    "members": ("sorted", "reversed"),
    "comment": ("none", "some"),
    "root": ("top", "below"),
}

FACTORS: Mapping[str, Factors] = {
    "zarr-v3": {
        "endian": ("little", "big"),
        "order": ("none", "reversed", "cycled", "twice"),
        "keys": ("default-slash", "default-dot", "v2-dot", "v2-slash"),
        "compression": (
            *("none", "gzip", "zstd", "zstd-checksum", "blosc-lz4-shuffle", "blosc-zstd-bitshuffle", "blosc-zlib"),
            "crc32c",
        ),
        "shards": ("none", "end", "start", "unchecked", "big-index", "mixed", "turned"),
        "fill": ("zero", "value", "negative-zero", "nan", "infinity", "bits", "largest"),
        "documents": ("plain", "consolidated", "transformers", "no-attributes", "odd", "unknown-field"),
        **_CUT,
    },
    "zarr-v2": {
        "endian": ("little", "big"),
        "order": ("C", "F"),
        "separator": ("left-out", "dot", "slash"),
        "compressor": (*("none", "zlib", "gzip", "zstd", "blosc-lz4", "blosc-zstd-bitshuffle", "bz2", "lzma", "lz4"),),
        "filters": (
            *("null", "empty", "shuffle", "delta", "delta-shuffle", "astype", "scale"),
            *("fletcher32", "crc32c", "crc32", "adler32", "offset", "quantize"),
        ),
        "fill": ("zero", "null", "value", "nan", "infinity", "largest"),
        "documents": ("plain", "consolidated", "empty-attributes", "odd"),
        **_CUT,
    },
    "hdf5": {
        "endian": ("little", "big"),
        "layout": (*("contiguous", "compact", "chunked", "single", "implicit", "fixed", "extensible", "btree2"),),
        "filters": (
            *("none", "deflate", "shuffle-deflate", "fletcher32", "scaleoffset", "nbit", "skipped", "unfiltered-edges"),
            "decimal",
        ),
        "fill": ("default", "value", "nan", "largest", "never", "undefined"),
        "absent": ("none", "inside", "edge", "all"),
        "grid": ("divides", "over"),
        "axes": ("labels", "scales"),
        "texts": ("variable", "null-terminated", "null-padded", "space-padded"),
        "file": ("plain", "user-block", "creation-order", "dense"),
    },
    "npz": {
        "version": ("1.0", "2.0", "3.0"),
        "endian": ("little", "big"),
        "order": ("C", "F"),
        "padding": ("64", "16"),
        "document": ("last", "first"),
        "zip": ("stored", "deflated", "zip64", "sizes-after", "folders"),
    },
    "asdf": {
        "endian": ("little", "big"),
        "strides": ("C", "F", "shared", "stepped"),
        "tag": ("1.1.0", "1.0.0"),
        "tags": ("short", "full"),
        "packing": ("none", "zlib", "bzp2", "lz4"),
        "checksum": ("set", "zero"),
        "room": ("exact", "padded"),
        "index": ("none", "there"),
        "style": ("flow", "block"),
    },
    "zarr-v3-zip": _ZIP,
    "zarr-v2-zip": _ZIP,
    "safetensors": {
        "order": ("listed", "reversed"),
        "names": ("bare", "slash"),
        "document": ("first", "last"),
        "padding": ("8", "64"),
        "spelling": ("compact", "spaced", "escaped"),
    },
}
"""By container, the levels of each factor."""

_LATER: Mapping[str, Factors] = {
    "zarr-v2": {"filters": ("offset", "quantize")},
    "hdf5": {"filters": ("decimal",), "fill": ("never", "undefined")},
}
"""Levels that came later: their rows follow those of the others, which keep their numbers."""


def settled(container: str, levels: Encoding) -> dict[str, str]:
    """The encoding with levels that exclude another one made plain, so that an archive can be written in it."""
    made = {factor: levels[factor] for factor in FACTORS[container]}
    plain = {factor: every[0] for factor, every in FACTORS[container].items()}
    for factor, of, excluded in _EXCLUDED.get(container, ()):
        if made[factor] in of and any(made[other] in values for other, values in excluded.items()):
            made[factor] = plain[factor]
    return made


_Excluded = tuple[str, tuple[str, ...], Mapping[str, tuple[str, ...]]]
_UNCHUNKED = ("contiguous", "compact")
_EXCLUDED: Mapping[str, tuple[_Excluded, ...]] = {
    "zarr-v3": (
        # Without a transposition there is nothing to turn.
        ("shards", ("turned",), {"order": ("none",)}),
    ),
    "zarr-v2": (
        # Without a fill value nothing says what an absent chunk holds.
        ("absent", ("inside", "edge", "all"), {"fill": ("null",)}),
    ),
    "hdf5": (
        ("filters", FACTORS["hdf5"]["filters"][1:], {"layout": (*_UNCHUNKED, "implicit")}),
        ("absent", ("inside", "edge"), {"layout": (*_UNCHUNKED, "single", "implicit")}),
        ("absent", ("all",), {"layout": ("compact", "implicit")}),
        ("grid", ("over",), {"layout": (*_UNCHUNKED, "single")}),
        ("absent", ("inside", "edge", "all"), {"filters": ("skipped",)}),
        ("absent", ("inside", "edge"), {"filters": ("unfiltered-edges",)}),
        ("filters", ("unfiltered-edges",), {"layout": ("chunked", "single")}),
        # Nothing says what a chunk holds that was neither written nor filled.
        ("absent", ("inside", "edge", "all"), {"fill": ("never", "undefined")}),
    ),
}
"""What is made plain: the levels of a factor, where others have certain levels."""


def plain(container: str) -> dict[str, str]:
    """The plain encoding of a container."""
    return {factor: levels[0] for factor, levels in FACTORS[container].items()}


LEAST = 3
"""How many rows have each level."""


def rows(container: str, seed: int = 0) -> list[dict[str, str]]:
    """Encodings in which every pair of levels that do not exclude each other is found; the first is the plain one.

    Each level is in `LEAST` rows or more.
    """
    chance = random.Random(f"{container}-{seed}")  # noqa: S311  (the same rows every time)
    later = _LATER.get(container, {})
    first = {
        factor: tuple(each for each in every if each not in later.get(factor, ()))
        for factor, every in FACTORS[container].items()
    }
    made = [plain(container)]
    for factors in (first, FACTORS[container]) if later else (first,):
        left = _feasible(container, factors) - {pair for row in made for pair in _pairs(row)}
        while left:
            made.append(_next(container, factors, left, chance))
            left -= set(_pairs(made[-1]))
    for factor, every in FACTORS[container].items():
        for level in every:
            while sum(row[factor] == level for row in made) < LEAST:
                made.append(_next(container, FACTORS[container], {((factor, level), (factor, level))}, chance))
    return made


def _next(container: str, factors: Factors, left: set[Pair], chance: random.Random) -> dict[str, str]:
    """An encoding that has many of the pairs that are left, and one of them at least."""
    (one, its), (other, their) = min(left)
    trials = []
    for _ in range(40):
        levels = {factor: chance.choice(every) for factor, every in factors.items()}
        trial = settled(container, {**levels, one: its, other: their})
        trials.append((len(left & set(_pairs(trial))), trial))
    gained, best = max(trials, key=lambda trial: trial[0])
    return best if gained else settled(container, {**plain(container), one: its, other: their})


def _pairs(levels: Encoding) -> Iterator[Pair]:
    yield from itertools.combinations(sorted(levels.items()), 2)


def _feasible(container: str, factors: Factors) -> set[Pair]:
    """Every pair of levels of `factors` that an archive can have together."""
    found = set()
    for (one, some), (other, more) in itertools.combinations(sorted(factors.items()), 2):
        for its, their in itertools.product(some, more):
            levels = settled(container, {**plain(container), one: its, other: their})
            if levels[one] == its and levels[other] == their:
                found.add(((one, its), (other, their)))
    return found


def missing(container: str, made: list[dict[str, str]]) -> set[Pair]:
    """The pairs that can be had, and are in none of these rows."""
    return _feasible(container, FACTORS[container]) - {pair for row in made for pair in _pairs(row)}
