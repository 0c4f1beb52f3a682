"""Breaks at the conditions of rules: what a rule leaves to another one, or to none, at each part of its `if`.

Attention whose axes another rule reports already; sums of rows of each dtype and length, one side of which is judged only
where the other one is right; facts, references and attributes that one dtype, one word or one stem alone asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    broken,
    fact,
    group,
    measured,
    on_document,
    put,
    unmeasured,
    valid,
    without,
)
from vizschema.conformance.corpus.breaks.guards import ARRAYS, NO_NAMES

# A table reads better with a case a line.
# fmt: off

SELF, LAYER, EXTRA = "/attention/self/layer_00", "/activations/layer_00", "/extra/Anything, even Größe"
FLOATS = ("float16", "bfloat16", "float32", "float64")
STEMS = ("layer", "block", "recycle", "iteration", "step", "stage")
WORDS = ("softmax", "softmax_masked", "softmax_truncated", "softmax_sink", "sigmoid")
SUMS: Sequence[tuple[str, int, float]] = (
    *(("float32", length, 0.001) for length in (5, 40_000, 200_000)),
    ("float64", 5, 0.001),
    *(("bfloat16", length, 0.01) for length in (5, 40_000, 200_000)),
    *(("float16", length, 0.002) for length in (5, 32_768)),
    *(("float16", length, 0.005) for length in (32_769, 131_072)),
    *(("float16", length, 0.033) for length in (131_073, 1_048_576)),
)
"""How far the sum of a row may be from 1, by dtype and by the length of a row."""


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for profile in ("vit", "openfold"):
        for path in ARRAYS[profile]:
            if path.startswith("/attention/"):
                yield from _axes(profile, path)
    yield from _attributes()
    yield from _series()
    yield from _first_rows()
    yield from _absent_attention()
    yield from _narrow_dtypes()
    for each in (*_sums(), *_facts(), *_narrow_facts()):
        yield replace(each, values=True)


def _odd(path: str, *names: str | None) -> Edit:
    """Gives an array other axes, each of size 4; its dtype and attributes stay."""

    def apply(document: dict[str, Any]) -> None:
        node = document["nodes"][path]
        attributes = {**node["attributes"], **({"anchor": "mean"} if "/triangle_" in path else {})}
        changed = {"axes": list(names), "shape": [4] * len(names), "contents": {"pattern": "smooth", "seed": 5}, "attributes": attributes}
        document["nodes"][path] = {**node, **changed}

    return on_document(apply)


def _axes(profile: str, path: str) -> Iterator[Break]:
    name, both = path.strip("/").replace("/", "-").replace("_", "-"), ("unit:query", "unit:key")
    yield broken("axes-named", profile, f"{name}-roles-one", f"{path} with both roles, without the name of one axis.", _odd(path, None, *both))
    yield broken("axes-unique", profile, f"{name}-roles-twice", f"{path} with both roles, and one axis twice.", _odd(path, "unit0", "unit0", *both))
    for slug, (word, why) in {**NO_NAMES, "digit": ("0unit", "that begins with a digit"), "digit-role": ("unit0:0", "with a role that begins with a digit")}.items():
        yield broken("axis-name", profile, f"{name}-roles-{slug}", f"{path} with both roles, and a name of an axis {why}.", _odd(path, word, *both))
    for slug, axes in {
        "query-alone": ("unit0", "unit:query", "unit1"),
        "key-alone": ("unit0", "unit1", "unit:key"),
        "two-queries": ("unit0:query", *both),
        "two-keys": ("unit0:key", *both),
    }.items():
        yield broken("attention-roles", profile, f"{name}-roles-{slug}", f"{path} over {', '.join(axes)}.", _odd(path, *axes))


def _sums() -> Iterator[Break]:
    rule = "attention-row-sum"
    for dtype, length, tolerance in SUMS:
        low, high = round(1 - tolerance, 6), round(1 + tolerance, 6)
        at = (measured(SELF, "dtype", value=dtype), fact(SELF, row_length=length, row_sum_minimum=low, row_sum_maximum=high, nonzero_row_sum_minimum=low))
        name, of = f"sums-{dtype}-{length}", f"{length} values of {dtype}"
        yield valid(rule, "trace", f"{name}-at-bounds", f"Rows of {of} at both bounds.", *at)
        yield broken(rule, "trace", f"{name}-low-at-high", f"A row of {of} is too small, another one is at the upper bound.", *at, fact(SELF, row_sum_minimum=low - 0.0005))
        yield broken(rule, "trace", f"{name}-high-and-low", f"Rows of {of} just above and far below: one fault.", *at, fact(SELF, row_sum_minimum=0.5, row_sum_maximum=high + 0.0005))
        yield broken(rule, "trace", f"{name}-far-above-and-low", f"Rows of {of} far above and below: one fault.", *at, fact(SELF, row_sum_minimum=0.5, row_sum_maximum=3))
        yield valid(rule, "trace", f"{name}-no-maximum", f"Rows of {of} without a largest sum.", *at, fact(SELF, row_sum_minimum=0.5, row_sum_maximum=None))
        truncated = (*at, attribute(SELF, "normalization", "softmax_truncated"))
        yield valid(rule, "trace", f"{name}-truncated", f"Rows of {of} that were cut.", *truncated, fact(SELF, row_sum_minimum=0.3, nonzero_row_sum_minimum=0.3))
        masked = (*at, attribute(SELF, "normalization", "softmax_masked"), fact(SELF, row_sum_minimum=0))
        yield valid(rule, "trace", f"{name}-masked", f"Rows of {of}, some of them masked.", *masked)
        yield broken(rule, "trace", f"{name}-masked-low", f"A row of {of} is not 0, and too small.", *masked, fact(SELF, nonzero_row_sum_minimum=low - 0.0005))
    yield from _sink_sums()
    wild = fact(SELF, row_length=5, row_sum_minimum=0.2, row_sum_maximum=4, nonzero_row_sum_minimum=0.2)
    yield broken("attention-roles", "trace", "two-keys-with-sums", "Two axes of keys: nothing is asked of the sums.", _odd(SELF, "place:query", "place:key", "row:key"), wild, fact(SELF, minimum=0, maximum=1))


def _sink_sums() -> Iterator[Break]:
    """Rows that are too small, of each dtype and length: a fault where the share of a sink is known, and not elsewhere."""
    rule = "attention-row-sum"
    for dtype, length in (("float32", 5), ("bfloat16", 5), ("float16", 5), ("float16", 40_000), ("float16", 200_000)):
        name, of = f"sums-{dtype}-{length}-sink", f"{length} values of {dtype}"
        low = (measured(SELF, "dtype", value=dtype), fact(SELF, row_length=length, row_sum_minimum=0.5, row_sum_maximum=1, nonzero_row_sum_minimum=0.5))
        word = attribute(SELF, "normalization", "softmax_sink")
        for share in FLOATS:
            sink = (add("/inputs/s", array("sample head token:query", share)), attribute(SELF, "sink", "/inputs/s"))
            yield broken(rule, "trace", f"{name}-{share}", f"Rows of {of}, with a sink of {share}, that sum to 0.5.", *low, word, *sink)
        yield valid(rule, "trace", f"{name}-truncated", f"Rows of {of} that were cut, with a sink.", *low, attribute(SELF, "normalization", "softmax_truncated"), *sink)
        yield broken("reference-fits", "trace", f"{name}-of-integers", f"Rows of {of}, with a sink of integers, which says nothing of sums.", *low, word, add("/inputs/s", array("sample head token:query", "int32")), attribute(SELF, "sink", "/inputs/s"))
        yield broken("reference-fits", "trace", f"{name}-of-other-axes", f"Rows of {of}, with a sink over other axes, which says nothing of sums.", *low, word, add("/inputs/s", array("sample place")), attribute(SELF, "sink", "/inputs/s"))
        yield valid(rule, "trace", f"{name}-not-there", f"Rows of {of}, whose sink was not captured.", *low, word)
        yield valid(rule, "trace", f"{name}-scale", f"Rows of {of}, with a scale, whose sink was not captured.", *low, word, add("/inputs/s", array("head")), attribute(SELF, "scale", "/inputs/s"))


def _attributes() -> Iterator[Break]:
    for word in WORDS:
        slug = word.replace("_", "-")
        yield broken("float-dtype", "trace", f"int8-{slug}", f"Weights of int8, {word}.", put(SELF, "dtype", "int8"), put(SELF, "contents", {"pattern": "listed", "values": [0, 1, 1]}), attribute(SELF, "normalization", word))
    for name in ("scale", "sink"):
        for dtype in FLOATS:
            yield valid("reference-fits", "trace", f"{name}-of-{dtype}", f"A {name} of {dtype}.", add("/inputs/s", array("token", dtype)), attribute(SELF, name, "/inputs/s"), attribute(SELF, "normalization", "none"))
    yield valid("module-attribute", "trace", "one-letter", "A module of one letter.", attribute(LAYER, "module", "h"))
    for name, rule, path in (("module", "module-attribute", LAYER), ("scope_token", "scope-attribute", LAYER), ("present", "present-attribute", "/activations"), ("partial", "partial-attribute", "/activations"), ("not_captured", "not-captured", "/")):
        for slug, value in (("object", {"a": 1}), ("mixed", [1, "a"]))[: 1 if path == "/" else 2]:
            yield broken(rule, "trace", f"nested-{name.replace('_', '-')}-{slug}", f"{name} is {value!r}.", attribute(path, name, value))
    yield broken("not-captured", "trace", "path-in-the-middle", "The path does not begin the text.", attribute("/", "not_captured", ["see /outputs: it was too large"]))
    for path in ("/", "/metadata", LAYER):
        yield valid("scope-attribute", "trace", f"similar-{'root' if path == '/' else path.strip('/').replace('/', '-').replace('_', '-')}", "A name that only has the word within.", attribute(path, "telescope_token", "A B"))
    yield valid("size-attribute", "trace", "similar-scope", "A size beside a name that only has the word within.", attribute(LAYER, "telescope_token", "a"), attribute(LAYER, "size_of", "large"))
    yield valid("size-attribute", "trace", "of-root", "The root declares no size.", attribute("/", "size_token", "large"))


def _first_rows() -> Iterator[Break]:
    """Axes of the first row of an MSA that another rule reports already."""
    def row(*names: str | None) -> tuple[Edit, ...]:
        node = {**array("residue msa_channel"), "axes": list(names) if names else None, "shape": [4, 4]}
        return add("/msa_first_row", group(num_layers=1)), add("/msa_first_row/layer_00", node)

    yield broken("axes-named", "openfold", "first-row-none", "A first row without names of axes.", *row())
    yield broken("axes-named", "openfold", "first-row-one", "A first row without the name of one axis.", *row(None, "unit1"))
    yield broken("axes-unique", "openfold", "first-row-twice", "A first row with one axis twice.", *row("unit0", "unit0"))
    yield broken("representation-axes", "openfold", "first-row-other", "A first row over other axes.", *row("unit0", "unit1"))
    for slug, (word, why) in NO_NAMES.items():
        yield broken("axis-name", "openfold", f"first-row-{slug}", f"A first row with a name of an axis {why}.", *row(word, "unit1"))


def _absent_attention() -> Iterator[Break]:
    """All kinds but one are declared as not captured, and there is none."""
    kinds = ("msa_row", "msa_column", "triangle_start", "triangle_end", "ipa")
    for kind in kinds:
        declared = [f"/attention/{other}: it was too large" for other in kinds if other != kind]
        made = broken("attention-present", "openfold", f"but-{kind.replace('_', '-')}", f"Nothing is said of {kind}.", without("/attention"), attribute("/", "not_captured", declared), also=("declared-absence",))
        yield replace(made, several=True)


NARROW = ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4")


def _narrow_dtypes() -> Iterator[Break]:
    """Arrays in dtypes of a byte or less, where a rule says which dtypes they have."""
    for rule, profile, path in (
        ("sequence-dtype", "openfold", "/inputs/sequence"),
        ("mask-dtype", "openfold", "/outputs/atom_mask"),
        ("top-k-index-dtype", "openfold", "/attention_topk/ipa/layer_00/indices"),
        ("image-dtype", "mnist", "/inputs/images"),
        ("integer-dtype", "mnist", "/inputs/labels"),
        ("float-dtype", "mnist", "/outputs/logits"),
    ):
        for dtype in NARROW:
            slug = f"{path.rpartition('/')[2].replace('_', '-')}-narrow-{dtype}"
            yield broken(rule, profile, slug, f"{path} as {dtype}.", measured(path, "dtype", value=dtype))


def _narrow_facts() -> Iterator[Break]:
    """What has to be measured of arrays in dtypes of a byte or less, and what `masked_value` allows there."""
    for dtype in NARROW:
        at, floats = "/outputs/x", dtype.startswith("float8")
        node = array("token", dtype, {"pattern": "listed", "values": [1, 2, 3]})
        yield broken("facts-measured", "trace", f"range-{dtype}", f"The range of {dtype} was not measured.", add(at, node), unmeasured(at, "facts", "minimum"))
        if not floats:
            continue
        yield broken("facts-measured", "trace", f"non-finite-{dtype}", f"Whether {dtype} is finite was not measured.", add(at, node), unmeasured(at, "facts", "non_finite"))
        yield broken("recommended-facts-measured", "trace", f"constant-{dtype}", f"Whether {dtype} is constant was not measured.", add(at, node), unmeasured(at, "facts", "constant"))
        masked = array("token", dtype, {"pattern": "listed", "values": [1, 2, 3]}, masked_value="-inf")
        yield broken("facts-measured", "trace", f"masked-{dtype}", f"Of masked {dtype}, NaN was not measured.", add(at, masked), unmeasured(at, "facts", "nan"))
        for rule, path in (("finite", at), ("extra-finite", "/extra/x")):
            yield valid(rule, "trace", f"described-masked-{dtype}", f"An infinity below 0 in masked {dtype}.", add(path, masked), fact(path, non_finite=1, nan=0, positive_infinite=0))
            yield broken(rule, "trace", f"described-masked-nan-{dtype}", f"NaN in masked {dtype}.", add(path, masked), fact(path, non_finite=1, nan=1, positive_infinite=0))


def _series() -> Iterator[Break]:
    for stem in STEMS:
        yield broken("index-width", "trace", f"undeclared-{stem}", f"{stem} is a stem that is known, declared or not.", add("/outputs/a", group(partial=True)), add(f"/outputs/a/{stem}_0", array("token")), also=("series-declared",))
        yield broken("series-declared", "trace", f"undeclared-{stem}", f"The number of {stem}s is not declared.", add("/outputs/a", group()), add(f"/outputs/a/{stem}_00", array("token")))
    yield valid("series-declared", "trace", "undeclared-other", "Another stem is a name like others.", add("/outputs/a", group()), add("/outputs/a/feature_8", array("token")))
    yield broken("series-gap", "trace", "declared-and-none", "A count, and no member at all: one fault.", add("/outputs/a", group(num_layers=2)))


def _facts() -> Iterator[Break]:
    low = {"pattern": "listed", "values": [0.5, "-Infinity", 0.25]}
    for dtype in FLOATS:
        node = add("/outputs/x", array("token", dtype, low, masked_value="-inf"))
        for name in ("nan", "positive_infinite"):
            yield broken("facts-measured", "trace", f"masked-{dtype}-{name.replace('_', '-')}", f"{name} of masked {dtype} was not measured.", node, unmeasured("/outputs/x", "facts", name))
        plain = add("/outputs/x", array("token", dtype))
        yield valid("facts-measured", "trace", f"unmasked-{dtype}", f"Of {dtype} that is not masked, the kinds of infinities need not be measured.", plain, unmeasured("/outputs/x", "facts", "nan"))
    yield valid("facts-measured", "trace", "masked-complex", "Complex numbers have no masked value.", add("/outputs/x", array("token", "complex64", masked_value="-inf")), unmeasured("/outputs/x", "facts", "nan"))
    for word in WORDS[:-1]:
        for name in ("row_length", "row_sum_maximum"):
            yield broken("facts-measured", "trace", f"{word.replace('_', '-')}-{name.replace('_', '-')}", f"{name} of {word} was not measured.", attribute(SELF, "normalization", word), unmeasured(SELF, "facts", name))
    yield broken("attention-roles", "trace", "no-key-no-sums", "Without a key there are no rows to be summed.", _odd(SELF, "place:query", "row"), fact(SELF, minimum=0, maximum=1))
    for word, rule in (("mask", "finite"),):
        yield broken("masked-value", "trace", f"other-{word}", "Another word, and infinities: two faults.", attribute(LAYER, "masked_value", "inf"), fact(LAYER, non_finite=2, infinite=2, nan=0, positive_infinite=0), also=(rule,))
    yield broken("extra-finite", "trace", "unmasked-infinities", "Infinities below /extra, and another array is masked.", add("/extra/x", array("token", "float32")), fact("/extra/x", non_finite=1, infinite=1, nan=0, positive_infinite=0))
    for dtype in ("float16", "complex64"):
        yield broken("extra-finite", "trace", f"infinities-of-{dtype}", f"Infinities of {dtype} below /extra.", add("/extra/x", array("token", dtype)), fact("/extra/x", non_finite=1, infinite=1, nan=0, positive_infinite=0))
    yield valid("extra-finite", "trace", "integers-of-extra", "An integer is finite.", add("/extra/x", array("token", "int8", {"pattern": "listed", "values": [0, 1, 1]})), measured("/extra/x", "facts", "non_finite", value=3))
    yield broken("finite", "trace", "extra-within", "A name that only has the word within.", add("/outputs/extra/x", array("token")), fact("/outputs/extra/x", non_finite=1, nan=1, infinite=0, positive_infinite=0))
    yield valid("values-vary", "trace", "one-key", "Attention of one key: all weights and all sums are 1.", fact(SELF, constant=True, minimum=1, maximum=1, row_sum_minimum=1, row_sum_maximum=1))
    yield broken("values-vary", "trace", "ones-that-do-not-sum", "All values are 1, and no row sums to 1.", fact(LAYER, constant=True, minimum=1, maximum=1))
    yield broken("data-present", "trace", "coordinates-alone", "A coordinate alone is not a trace.", without("/attention", "/activations"), add("/outputs/token", array("token")))
