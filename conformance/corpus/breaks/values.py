"""Breaks of the rules on values that any trace obeys: as contents of an archive, and at the bounds as facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    broken,
    damage,
    fact,
    filled,
    group,
    measured,
    put,
    unmeasured,
    valid,
    weights,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
SELF = "/attention/self/layer_00"
EXTRA = "/extra/Anything, even Größe"
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
RAMP = {"pattern": "listed", "values": [0, 1, 1]}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for each in (*_finite(), *_masked(), *_padded(), *_sinks(), *_all_equal(), *_chunks(), *_vary(), *_attention(), *_bounds(), *_measured()):
        yield Break(each.rule, each.profile, each.slug, each.why, each.edits, each.kind, True, each.also, each.base)


def _finite() -> Iterator[Break]:
    for slug, value in (("nan", "NaN"), ("infinity", "Infinity"), ("minus-infinity", "-Infinity")):
        yield broken("finite", "trace", slug, f"{value} among the values.", filled(LAYER, pattern="listed", values=[0.5, value, 1.5]))
        yield broken("extra-finite", "trace", f"{slug}-in-extra", f"{value} below /extra.", add("/extra/x", array("token", "float64", {"pattern": "listed", "values": [0.5, 1.5, value]})))
    for dtype in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"):
        yield broken("extra-finite", "trace", f"nan-{dtype}", f"One NaN in {dtype} below /extra.", add("/extra/x", array("token", dtype, {"pattern": "listed", "values": [1.0, 2.0, "NaN"]})))
        yield broken("values-vary", "trace", f"constant-{dtype}", f"One value in {dtype}.", add("/outputs/x", array("token", dtype, {"pattern": "listed", "values": [1.5]})))
        yield valid("finite", "trace", f"valid-{dtype}", f"Numbers of {dtype}.", add("/outputs/x", array("token", dtype, {"pattern": "listed", "values": [1.5, -0.875, 0, 240]})))
    for dtype in (*FLOATS, "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "complex64", "complex128"):
        yield broken("finite", "trace", f"nan-{dtype}", f"One NaN in {dtype}.", add("/outputs/x", array("token", dtype, {"pattern": "listed", "values": [1.0, 2.0, 3.0, 4.0, "NaN"]})))
    for slug, number in (("largest", 3.4e38), ("subnormal", 1e-45), ("minus-zero", -0.0)):
        yield valid("finite", "trace", f"valid-{slug}", f"{number!r} is a number.", filled(LAYER, pattern="listed", values=[0.5, number, 1.5]))
    yield broken("finite", "trace", "all-nan", "Nothing but NaN, which is one value.", filled(LAYER, pattern="listed", values=["NaN"]), also=("values-vary",))
    yield broken("finite", "trace", "attention", "NaN in attention.", attribute(SELF, "normalization", "none"), filled(SELF, pattern="listed", values=["NaN", *(round(0.15 + i / 500, 3) for i in range(60))]))


def _masked() -> Iterator[Break]:
    """-inf where `masked_value` declares it, and what it does not allow."""
    for rule, path in (("finite", "/outputs/x"), ("extra-finite", "/extra/x")):
        for dtype in (*FLOATS, "complex64", "complex128"):
            for slug, values in {"minus-infinity": [0.5, "-Infinity", 1.5], "nan": [0.5, "-Infinity", "NaN", 1.5], "infinity": [0.5, "-Infinity", "Infinity"], "both": [0.5, "Infinity", "NaN"]}.items():
                node = array("token", dtype, {"pattern": "listed", "values": values}, masked_value="-inf")
                name, why = f"masked-{slug}-{dtype}", f"{' and '.join(map(str, values[1:]))} in {dtype} with masked_value."
                make = valid if slug == "minus-infinity" and dtype in FLOATS else broken
                yield make(rule, "trace", name, why, add(path, node))
        yield broken(rule, "trace", "masked-otherwise", "Another attribute declares nothing.", add(path, array("token", "float32", {"pattern": "listed", "values": [0.5, "-Infinity"]}, mask_value="-inf")))
    for name in ("nan", "positive_infinite"):
        yield broken("facts-measured", "trace", f"masked-{name.replace('_', '-')}", f"{name} of an array with masked_value was not measured.", attribute(LAYER, "masked_value", "-inf"), unmeasured(LAYER, "facts", name))
        yield valid("facts-measured", "trace", f"unmasked-{name.replace('_', '-')}", f"{name} is asked for with masked_value alone.", unmeasured(LAYER, "facts", name))
    yield broken("finite", "trace", "described-unknown", "Not finite, and of neither kind.", fact(LAYER, non_finite=1))


def _padded() -> Iterator[Break]:
    """Values are judged where a mask counts them."""
    mask = add("/inputs/mask", {**array("sample token", "bool", {"pattern": "listed", "values": [1, 1, 1, 1, 0]})})
    rows = [0.5, 1.5, 2.5, 3.5, "NaN"]
    tokens = "sample token"
    for slug, names, values in (
        ("rows", tokens, rows),
        ("without-samples", "token", rows),
        ("of-hidden", f"{tokens} two", [value for value in rows for _ in range(2)]),
        ("transposed", "two token sample", [value for value in rows for _ in range(3)]),
    ):
        own = "/inputs/mask" if "sample" in names else "/inputs/token_mask"
        alone = add(own, array("token", "bool", {"pattern": "listed", "values": [1, 1, 1, 1, 0]}))
        there = mask if "sample" in names else alone
        node = array(names, "float32", {"pattern": "listed", "values": values}, mask=own)
        if "two" in names:
            node["shape"] = [{"two": 2, "token": 5, "sample": 3}[name] for name in names.split()]
        yield valid("finite", "trace", f"padding-{slug}", f"NaN where a mask over tokens is false, in {names}.", there, add("/outputs/x", node))
        yield broken("finite", "trace", f"padding-{slug}-unsaid", f"NaN in padding, and no attribute names the mask, in {names}.", there, add("/outputs/x", {**node, "attributes": {}}))
        turned = [values[-1], *values[:-1]]
        yield broken("finite", "trace", f"padding-{slug}-counted", f"NaN where the mask is true, in {names}.", there, add("/outputs/x", {**node, "contents": {"pattern": "listed", "values": turned}}))
    padded = [value for head in (0.1, 0.3) for row in range(4) for value in (head, round(0.2 + row / 100, 3), 0.1, round(0.7 - head - row / 100, 3), 0.0)]
    filled_in = filled(SELF, pattern="listed", values=[*padded[:20], *["NaN"] * 5, *padded[20:], *["NaN"] * 5])
    yield valid("finite", "trace", "padding-attention", "Rows of padded queries are NaN.", mask, attribute(SELF, "mask", "/inputs/mask"), filled_in)
    yield broken("finite", "trace", "padding-attention-unsaid", "Rows of padded queries are NaN, and no attribute names the mask.", mask, filled_in)
    yield from _masked_rows(mask)
    yield valid("values-vary", "trace", "padding-varies", "What the mask leaves out may be of one value.", mask, add("/outputs/x", array(tokens, "float32", {"pattern": "listed", "values": [0.5, 1.5, 2.5, 3.5, 0.0]}, mask="/inputs/mask")))
    yield broken("values-vary", "trace", "padding-alone-varies", "All that the mask counts is of one value.", mask, add("/outputs/x", array(tokens, "float32", {"pattern": "listed", "values": [0.5, 0.5, 0.5, 0.5, 7.0]}, mask="/inputs/mask")))
    yield valid("attention-range", "trace", "padding", "Rows of padded queries hold anything.", mask, attribute(SELF, "mask", "/inputs/mask"), attribute(SELF, "normalization", "sigmoid"), filled(SELF, pattern="listed", values=[*(round(0.02 + i / 500, 3) for i in range(20)), *([7.0] * 5), *(round(0.3 + i / 500, 3) for i in range(20)), *([7.0] * 5)]))


def _masked_rows(mask: Edit) -> Iterator[Break]:
    """Which keys count, and what masked rows hold, where a mask says which tokens are padding."""
    padding = (mask, attribute(SELF, "mask", "/inputs/mask"))

    def rows(real: list[float], padded: list[float]) -> Edit:
        turned = [*real[3::-1], real[4]]
        return filled(SELF, pattern="listed", values=[value for each in (real, turned) for row in (each, each, each, each, padded) for value in row])

    real, fifth, zeros, even = [0.1, 0.3, 0.4, 0.2, 0.0], [0.1, 0.3, 0.2, 0.2, 0.2], [0.0] * 5, [0.2] * 5
    for word, padded, slug in (("softmax", even, "even"), ("softmax", zeros, "zero"), ("softmax_masked", zeros, "masked-zero"), ("softmax_truncated", even, "truncated-even")):
        yield valid("attention-row-sum", "trace", f"padding-{slug}", f"Rows of padded queries under {word}.", *padding, attribute(SELF, "normalization", word), rows(real, padded))
    yield broken("attention-row-sum", "trace", "padding-zero-unsaid", "Rows of padded queries are 0, and no attribute names the mask.", mask, rows(real, zeros))
    yield broken("attention-row-sum", "trace", "padding-weighs", "A padded key has a weight: the keys that count do not sum to 1.", *padding, rows(fifth, even))
    yield broken("attention-masked", "trace", "queries", "Rows of padded queries are not 0.", *padding, attribute(SELF, "normalization", "softmax_masked"), rows(real, even))
    yield broken("attention-masked", "trace", "keys", "A padded key has a weight.", *padding, attribute(SELF, "normalization", "softmax_masked"), rows(fifth, zeros), also=("attention-row-sum",))
    yield valid("attention-masked", "trace", "no-mask", "Without a mask no row is known to be masked.", attribute(SELF, "normalization", "softmax_masked"))
    yield broken("facts-measured", "trace", "left-out-nonzero", "left_out_nonzero was not measured.", *padding, attribute(SELF, "normalization", "softmax_masked"), rows(real, zeros), unmeasured(SELF, "facts", "left_out_nonzero"))
    yield valid("facts-measured", "trace", "left-out-nonzero-of-softmax", "left_out_nonzero is asked for with softmax_masked alone.", *padding, rows(real, zeros), unmeasured(SELF, "facts", "left_out_nonzero"))
    longer = add("/inputs/mask", {**array("token", "bool", {"pattern": "listed", "values": [1, 0]}), "attributes": {"scope_token": "other"}, "shape": [4]})
    yield broken("reference-fits", "trace", "mask-in-another-scope", "A mask over the tokens of another scope.", longer, attribute("/inputs/mask", "size_token", 4), attribute(SELF, "mask", "/inputs/mask"))
    yield broken("reference-fits", "trace", "mask-of-another-size", "A mask over more tokens than there are.", add("/inputs/mask", {**array("token", "bool", RAMP), "shape": [6]}), attribute(SELF, "mask", "/inputs/mask"), also=("axis-one-size",))


def _sinks() -> Iterator[Break]:
    """With the share of a sink, rows sum to 1."""
    for slug, rows, share, ok in (
        ("half", "halves ones", [0.5, 0.0], True),
        ("none", "ones turned", [0.0], True),
        ("other-rows", "halves ones", [0.0, 0.5], False),
        ("small", "halves ones", [0.4, 0.0], False),
        ("large", "ones turned", [0.5], False),
    ):
        sink = add("/outputs/sink", array("sample head token:query", "float32", {"pattern": "listed", "values": share}))
        edits = (sink, attribute(SELF, "sink", "/outputs/sink"), attribute(SELF, "normalization", "softmax_sink"), filled(SELF, pattern="listed", values=[value for kind in rows.split() for value in ROWS[kind]]))
        constant = (attribute("/outputs/sink", "all_equal", True),) if len(share) == 1 else ()
        if ok:
            yield valid("attention-row-sum", "trace", f"sink-{slug}", "With the share of the sink, rows sum to 1.", *edits, *constant)
        else:
            yield broken("attention-row-sum", "trace", f"sink-{slug}", "With the share of the sink, rows do not sum to 1.", *edits, *constant)


def _all_equal() -> Iterator[Break]:
    """One value, where that is declared."""
    dead = add("/activations/dead", array("token hidden", "float32", {"pattern": "zeros"}))
    yield valid("values-vary", "trace", "declared", "A dead layer that is declared.", dead, attribute("/activations/dead", "all_equal", True))
    yield broken("all-equal", "trace", "false", "all_equal is false.", attribute(LAYER, "all_equal", False))
    yield broken("all-equal", "trace", "text", "all_equal is a text.", attribute(LAYER, "all_equal", "true"))
    yield broken("all-equal", "trace", "varies", "all_equal of an array whose values vary.", attribute(LAYER, "all_equal", True))
    yield broken("all-equal", "trace", "varies-in-extra", "all_equal of an array below /extra whose values vary.", add("/extra/x", array("token")), attribute("/extra/x", "all_equal", True))
    yield valid("all-equal", "trace", "integers", "Integers of one value.", add("/inputs/x", array("token", "int32", {"pattern": "zeros"})), attribute("/inputs/x", "all_equal", True))


def _chunks() -> Iterator[Break]:
    yield broken("chunks-written", "trace", "removed", "The file of a chunk is gone.", put(LAYER, "chunks", [1, 8]), damage("chunk-removed", LAYER))
    yield broken("chunks-written", "trace", "shard-removed", "The file of a shard is gone.", put(LAYER, "chunks", [1, 8]), put(LAYER, "shards", [2, 8]), damage("chunk-removed", LAYER))
    yield broken("chunks-written", "trace", "described", "A chunk was never written.", fact(LAYER, absent_chunks=1))
    yield valid("chunks-written", "trace", "zeros", "Chunks of zeros were written.", filled(LAYER, pattern="listed", values=[0.0] * 39 + [1.0]))
    yield valid("chunks-written", "trace", "in-extra", "Below /extra chunks may be left out.", fact(EXTRA, absent_chunks=1))
    yield broken("chunk-readable", "trace", "truncated", "The file of a chunk ends too early.", damage("chunk-cut", SELF))
    cut = [{"key": "0/0", "reason": "truncated", "detail": "ends early"}]
    yield broken("chunk-readable", "trace", "described", "A chunk that ends too early.", fact(LAYER, damaged_chunks=cut))
    yield broken("chunk-readable", "trace", "in-extra", "A damaged chunk below /extra.", fact(EXTRA, damaged_chunks=cut))
    yield broken("chunk-keys", "trace", "moved", "A chunk under a key of another separator.", damage("chunk-moved", LAYER))
    moved = [{"key": "0/0", "reason": "misplaced", "detail": "0.0 is there"}]
    yield broken("chunk-keys", "trace", "described", "A chunk lies under a key of another encoding.", fact(LAYER, damaged_chunks=moved))
    yield broken("chunk-keys", "trace", "in-extra", "A chunk below /extra lies under a key of another encoding.", fact(EXTRA, damaged_chunks=moved))
    yield broken("chunk-keys", "trace", "and-truncated", "One chunk lies elsewhere, another ends too early.", fact(LAYER, damaged_chunks=[*moved, *cut]), also=("chunk-readable",))
    yield valid("chunk-keys", "trace", "all-there", "Every chunk lies under its key.", put(LAYER, "chunks", [2, 8]))
    yield broken("stray-file", "trace", "in-an-array", "A file in the folder of an array.", fact(LAYER, stray=["note.txt"]))
    yield valid("chunk-readable", "trace", "one-chunk-each", "Every row a chunk of its own.", put(LAYER, "chunks", [1, 8]))


def _vary() -> Iterator[Break]:
    for dtype in FLOATS:
        yield broken("values-vary", "trace", f"zeros-{dtype}", f"Nothing but zeros in {dtype}.", add("/outputs/x", array("token", dtype, {"pattern": "zeros"})))
    yield broken("values-vary", "trace", "constant", "One value throughout.", filled(LAYER, pattern="constant", value=2.5))
    yield broken("values-vary", "trace", "two-entries", "Two equal entries.", add("/outputs/x", array("two", contents={"pattern": "zeros"})), _two())
    yield broken("values-vary", "trace", "attention", "All weights equal: copies of heads are not a second fault.", filled(SELF, pattern="constant", value=0.2))
    yield valid("values-vary", "trace", "single-entry", "One entry cannot vary.", add("/outputs/x", {**array("one", contents={"pattern": "zeros"}), "shape": [1]}))
    step = array("head one:query one:key", contents={"pattern": "constant", "value": 1}, normalization="softmax", source="captured")
    yield valid("values-vary", "trace", "one-key", "The first step of decoding has one key, with the weight 1.", add("/attention/step/layer_00", step), add("/attention/step", group(num_layers=1)))
    yield broken("values-vary", "trace", "ones", "Ones in place of activations.", filled(LAYER, pattern="constant", value=1))
    yield valid("values-vary", "trace", "integers", "Integers may all be the same.", add("/outputs/x", array("token", "int8", {"pattern": "zeros"})))
    yield valid("values-vary", "trace", "one-differs", "One entry differs.", filled(LAYER, pattern="listed", values=[0.0] * 39 + [1.0]))
    yield valid("values-vary", "trace", "in-extra", "Below /extra values are free.", add("/extra/x", array("token", contents={"pattern": "zeros"})))
    yield broken("heads-differ", "trace", "copies", "The second head is a copy of the first.", filled(SELF, pattern="listed", values=_COPIED))
    yield broken("heads-differ", "trace", "described", "One head is a copy of another.", fact(SELF, duplicate_slices=1))
    yield valid("heads-differ", "trace", "other-group", "Copies outside attention.", add("/outputs/x", array("head token", contents={"pattern": "ramp"})))
    yield broken("heads-differ", "trace", "array-at-attention", "Copies in an array that is /attention itself.", add("/outputs/x", array("token")), _at_attention(duplicate_slices=1))


_COPIED = [0.2, 0.3, 0.1, 0.1, 0.3] * 10
"""Two equal heads of 5 × 5 weights, over and over; not all values are the same."""


def _two() -> Edit:
    return put("/outputs/x", "shape", [2])


def _at_attention(**facts: Any) -> Edit:
    from vizschema.conformance.corpus.breaks.edits import on_description

    def apply(parts: dict[str, Any]) -> None:
        nodes = parts["nodes"]
        node = nodes.pop(SELF)
        del nodes["/attention/self"]
        node["facts"].update(facts)
        nodes["/attention"] = node

    return on_description(apply)


def _attention() -> Iterator[Break]:
    yield broken("attention-range", "trace", "scores", "Scores from before the softmax.", filled(SELF, pattern="normal", seed=5, deviation=3.0))
    yield broken("attention-range", "trace", "above-one", "Rows that sum to 5 with a weight of 2.", filled(SELF, pattern="uniform", seed=6, low=0.2, high=2.0))
    yield broken("attention-row-sum", "trace", "dropout", "Rows after dropout.", filled(SELF, pattern="uniform", seed=6, low=0.0, high=0.3))
    yield broken("attention-row-sum", "trace", "short", "Rows that sum to 0.5.", filled(SELF, pattern="uniform", seed=6, low=0.02, high=0.1))
    yield broken(
        "attention-row-sum",
        "trace",
        "heads-last",
        "Heads last, and rows that sum to anything.",
        add(SELF, array("sample token:query token:key head", contents={"pattern": "uniform", "seed": 3, "low": 0.1, "high": 0.4}, normalization="softmax", source="captured")),
    )
    yield valid("attention-row-sum", "trace", "none", "What is not normalised may sum to anything.", attribute(SELF, "normalization", "none"), filled(SELF, pattern="normal", seed=5))
    for source in ("recomputed", "proxy", "top_k", "unknown"):
        yield broken("attention-row-sum", "trace", f"source-{source.replace('_', '-')}", "The source of numbers does not say what rows obey.", attribute(SELF, "source", source), filled(SELF, pattern="uniform", seed=6, low=0.0, high=0.3))
    yield from _normalizations()
    yield from _swapped()
    yield valid("attention-row-sum", "trace", "outside-attention", "Rows outside /attention.", add("/outputs/x", array("head token:query token:key", normalization="softmax", source="captured")))


ROWS = {"halves": [0.1, 0.2, 0.05, 0.1, 0.05], "ones": [0.1, 0.3, 0.2, 0.3, 0.1], "turned": [0.3, 0.1, 0.1, 0.3, 0.2], "zeros": [0.0] * 5, "large": [0.9, 0.3, 0.1, 0.2, 0.1]}
"""Rows of five weights that sum to 0.5, to 1, to 0 and to 1.6."""


def _normalizations() -> Iterator[Break]:
    """Which rows each normalization allows."""
    allowed = {
        "softmax": ("ones turned",),
        "softmax_masked": ("ones turned", "zeros ones"),
        "softmax_truncated": ("ones turned", "zeros ones", "halves ones"),
        "softmax_sink": ("ones turned", "zeros ones", "halves ones"),
        "sigmoid": ("ones turned", "zeros ones", "halves ones", "large ones"),
    }
    for word, rows in allowed.items():
        for kinds in ("ones turned", "zeros ones", "halves ones", "large ones"):
            edits = (attribute(SELF, "normalization", word), filled(SELF, pattern="listed", values=[value for kind in kinds.split() for value in ROWS[kind]]))
            slug, why = f"{word.replace('_', '-')}-{kinds.replace(' ', '-')}", f"{word}, with rows of {kinds.replace(' ', ' and of ')}."
            if kinds in rows:
                yield valid("attention-row-sum", "trace", slug, why, *edits)
            else:
                yield broken("attention-row-sum", "trace", slug, why, *edits)
        yield broken("attention-range", "trace", f"{word.replace('_', '-')}-negative", f"A weight of {word} is negative.", attribute(SELF, "normalization", word), filled(SELF, pattern="uniform", seed=6, low=-0.5, high=0.9))
        yield broken("attention-range", "trace", f"{word.replace('_', '-')}-above-one", f"A weight of {word} is above 1.", attribute(SELF, "normalization", word), filled(SELF, pattern="uniform", seed=6, low=0.0, high=1.9))


def _swapped() -> Iterator[Break]:
    """Rows run along the axis with the role key, wherever it stands."""
    marks = {"normalization": "softmax", "source": "captured"}
    for slug, names in {"swapped": "sample head token:query token:key", "heads-last-swapped": "sample token:key token:query head"}.items():
        along = names.split().index("token:query")
        node = {**array(names, contents={"pattern": "softmax", "seed": 6, "along": along}, **marks), "chunks": [1 if name in ("sample", "head") else 5 for name in names.split()]}
        yield broken("attention-row-sum", "trace", slug, "The roles query and key are swapped.", add(SELF, node))
    cut = {**array("sample head token:key token:query", contents=weights("sample head token:key token:query", 6), **marks), "chunks": [1, 1, 2, 2]}
    yield valid("attention-row-sum", "trace", "keys-first-in-chunks", "Keys first, cut into chunks along both axes.", add(SELF, cut))


BOUNDS = {"float32": (0.999, 1.001), "float64": (0.999, 1.001), "float16": (0.998, 1.002), "bfloat16": (0.99, 1.01)}


def _bounds() -> Iterator[Break]:
    """The bounds themselves, a little to either side: as facts, since no array sums to exactly that."""
    for dtype, (low, high) in BOUNDS.items():
        at = measured(SELF, "dtype", value=dtype)
        step = 0.0002
        yield valid("attention-row-sum", "trace", f"{dtype}-at-bounds", f"Rows of {dtype} at the bounds.", at, fact(SELF, row_sum_minimum=low, row_sum_maximum=high))
        yield broken("attention-row-sum", "trace", f"{dtype}-just-below", f"A row of {dtype} just below the bound.", at, fact(SELF, row_sum_minimum=low - step))
        yield broken("attention-row-sum", "trace", f"{dtype}-just-above", f"A row of {dtype} just above the bound.", at, fact(SELF, row_sum_maximum=high + step))
        yield broken("attention-row-sum", "trace", f"{dtype}-far-below", f"A row of {dtype} at 0.", at, fact(SELF, row_sum_minimum=0.0))
        yield broken("attention-row-sum", "trace", f"{dtype}-far-above", f"A row of {dtype} at 3.", at, fact(SELF, row_sum_maximum=3.0))
        yield broken("attention-row-sum", "trace", f"{dtype}-both", f"Rows of {dtype} on both sides: one fault.", at, fact(SELF, row_sum_minimum=0.3, row_sum_maximum=1.4))
        yield broken("attention-range", "trace", f"{dtype}-negative", f"A weight of {dtype} below 0.", at, fact(SELF, minimum=-0.001))
    yield from _lengths()
    row = {"row_sum_minimum": 0.3, "row_sum_maximum": 1.4}
    yield valid("attention-range", "trace", "at-bounds", "Weights of 0 and, rounded, 1.01.", fact(SELF, minimum=0, maximum=1.01))
    yield broken("attention-range", "trace", "just-above", "A weight just above the bound.", fact(SELF, maximum=1.015))
    yield broken("attention-range", "trace", "both-sides", "Weights on both sides, and sums too: one fault.", fact(SELF, minimum=-9, maximum=9, **row))
    yield broken("attention-range", "trace", "above-and-sums", "A weight above 1, and sums too: one fault.", fact(SELF, maximum=9, **row))
    yield broken("attention-range", "trace", "below-and-sums", "A weight below 0, and sums too: one fault.", fact(SELF, minimum=-0.5, **row))
    yield broken("attention-row-sum", "trace", "with-weight-near-one", "Sums are wrong, with a weight that rounding explains.", fact(SELF, maximum=1.005, **row))
    yield valid("attention-row-sum", "trace", "no-finite-row", "No row is finite, so that none has a sum.", fact(SELF, row_sum_minimum=None, row_sum_maximum=None))
    yield valid("attention-range", "trace", "no-finite-value", "No value is finite, so that there is no range.", fact(SELF, minimum=None, maximum=None))
    yield broken("attention-range", "trace", "array-at-attention", "An array that is /attention itself.", _at_attention(maximum=4.0))
    yield broken("values-vary", "trace", "constant-described", "All entries are equal.", fact(LAYER, constant=True))
    yield broken("values-vary", "trace", "copies-too", "All weights are equal, and so are the heads: one fault.", fact(SELF, constant=True, duplicate_slices=1))


LENGTHS = {"float16": ((1, 0.002), (32768, 0.002), (32769, 0.005), (131072, 0.005), (131073, 0.033), (1048576, 0.033)), "bfloat16": ((1 << 21, 0.01),), "float32": ((1 << 21, 0.001),), "float64": ((1 << 21, 0.001),)}
"""How far sums of rows may be from 1, by dtype and by the length of a row."""


def _lengths() -> Iterator[Break]:
    """Long rows of float16 may be further off: small weights are rounded more coarsely."""
    for dtype, lengths in LENGTHS.items():
        for length, tolerance in lengths:
            at = (measured(SELF, "dtype", value=dtype), fact(SELF, row_length=length))
            name, low, high = f"{dtype}-of-{length}", round(1 - tolerance, 6), round(1 + tolerance, 6)
            yield valid("attention-row-sum", "trace", f"{name}-at-bounds", f"Rows of {length} values of {dtype} at the bounds.", *at, fact(SELF, row_sum_minimum=low, row_sum_maximum=high))
            yield broken("attention-row-sum", "trace", f"{name}-below", f"A row of {length} values of {dtype} just below the bound.", *at, fact(SELF, row_sum_minimum=low - 0.0002))
            yield broken("attention-row-sum", "trace", f"{name}-above", f"A row of {length} values of {dtype} just above the bound.", *at, fact(SELF, row_sum_maximum=high + 0.0002))
            masked = (*at, attribute(SELF, "normalization", "softmax_masked"))
            yield valid("attention-row-sum", "trace", f"{name}-masked-at-bounds", f"Rows of {length} values of {dtype} at the bounds, and masked ones.", *masked, fact(SELF, row_sum_minimum=0, nonzero_row_sum_minimum=low, row_sum_maximum=high))
            yield broken("attention-row-sum", "trace", f"{name}-masked-below", f"A row of {length} values of {dtype} that is not 0 and just below the bound.", *masked, fact(SELF, row_sum_minimum=0, nonzero_row_sum_minimum=low - 0.0002))
            for word in ("softmax_masked", "softmax_truncated", "softmax_sink"):
                yield broken("attention-row-sum", "trace", f"{name}-{word.replace('_', '-')}-above", f"A row of {length} values of {dtype} just above the bound.", *at, attribute(SELF, "normalization", word), fact(SELF, row_sum_maximum=high + 0.0002))
    longer = (measured(SELF, "dtype", value="float16"), fact(SELF, row_length=1048577, row_sum_minimum=0.3, row_sum_maximum=1.5))
    yield valid("attention-row-sum", "trace", "float16-of-1048577", "Longer rows of float16 may sum to anything.", *longer)


def _measured() -> Iterator[Break]:
    yield broken("facts-measured", "trace", "no-facts", "Values were read, and an array has no facts.", unmeasured(LAYER, "facts"))
    yield broken("facts-measured", "trace", "no-facts-in-extra", "Values were read, and an array below /extra has no facts.", unmeasured(EXTRA, "facts"))
    for path, slug in ((LAYER, "layer"), (EXTRA, "extra")):
        yield broken("facts-measured", "trace", f"{slug}-damaged-chunks", "Damaged chunks were not counted.", unmeasured(path, "facts", "damaged_chunks"))
    for dtype in FLOATS:
        node = add("/outputs/x", array("token", dtype))
        for name in ("non_finite", "minimum", "maximum"):
            yield broken("facts-measured", "trace", f"{dtype}-{name.replace('_', '-')}", f"{name} of {dtype} was not measured.", node, unmeasured("/outputs/x", "facts", name))
        yield broken("recommended-facts-measured", "trace", f"{dtype}-constant", f"constant of {dtype} was not measured.", node, unmeasured("/outputs/x", "facts", "constant"))
        for name in ("row_length", "row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum"):
            yield broken("facts-measured", "trace", f"{dtype}-{name.replace('_', '-')}", f"{name} of {dtype} was not measured.", measured(SELF, "dtype", value=dtype), unmeasured(SELF, "facts", name))
    for dtype in INTEGERS:
        for name in ("minimum", "maximum"):
            yield broken("facts-measured", "trace", f"{dtype}-{name}", f"{name} of {dtype} was not measured.", add("/outputs/x", array("token", dtype, RAMP)), unmeasured("/outputs/x", "facts", name))
    yield broken("recommended-facts-measured", "trace", "absent-chunks", "Chunks that were never written were not counted.", unmeasured(LAYER, "facts", "absent_chunks"))
    yield valid("recommended-facts-measured", "trace", "in-extra", "Below /extra nothing is recommended.", unmeasured(EXTRA, "facts", "absent_chunks"))
    yield valid("facts-measured", "trace", "row-sums-of-proxy", "Rows that need not sum to 1.", attribute(SELF, "normalization", "none"), unmeasured(SELF, "facts", "row_sum_minimum"))
    yield broken("facts-measured", "trace", "array-at-attention", "An array that is /attention itself.", _at_attention(), unmeasured("/attention", "facts", "row_sum_minimum"))
    yield valid("facts-measured", "trace", "range-of-complex", "Complex numbers have no range.", add("/outputs/x", array("token", "complex64")))
