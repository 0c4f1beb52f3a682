"""What careless validators miss: each line is for a fault that too few other cases show."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    broken,
    fact,
    filled,
    found_at,
    group,
    measured,
    no_attribute,
    put,
    valid,
    without,
)

# A table reads better with a case a line.
# fmt: off

LAYER, NEXT, SELF = "/activations/layer_00", "/activations/layer_01", "/attention/self/layer_00"
MIB = 1 << 20


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _texts()
    yield from _sizes()
    yield from _series()
    yield from _values()
    yield from _several()
    yield from _third()
    yield from _named()
    yield from _nearly()


def _texts() -> Iterator[Break]:
    for name in ("model_name", "model_version"):
        slug = name.replace("_", "-")
        yield valid("model-identity", "trace", f"{slug}-not-ascii", f"{name} in another script.", attribute("/metadata", name, "模型"))
        yield valid("model-identity", "trace", f"{slug}-like-list", f"{name} is a text that reads like a list.", attribute("/metadata", name, '["a"]'))
        yield valid("model-identity", "trace", f"{slug}-like-number", f"{name} is a text that reads like a number.", attribute("/metadata", name, "2"))
    yield valid("generator", "trace", "not-ascii", "A program named in another script.", attribute("/", "generator", "书写器"))
    yield valid("generator", "trace", "like-object", "A program named like an object of JSON.", attribute("/", "generator", "{}"))
    yield broken("attention-normalization", "trace", "space-last", "A word with a space behind it.", attribute(SELF, "normalization", "softmax "))
    yield broken("spec-version", "trace", "space-last", "A version with a space behind it.", attribute("/", "spec_version", "1.0.0 "))


def _sizes() -> Iterator[Break]:
    yield broken("data-present", "trace", "empty-in-the-middle", "The only array has no values.", without("/activations", "/attention"), add("/outputs/x", {**array("token none other"), "shape": [5, 0, 3]}))
    yield broken("data-present", "trace", "empty-arrays", "Two arrays, and neither has a value.", without("/activations", "/attention"), add("/outputs/x", {**array("none"), "shape": [0]}), add("/outputs/y", {**array("none other"), "shape": [0, 3]}))
    for dtype, length in (("float64", 2 * MIB + 1), ("complex128", MIB + 1)):
        wide = {**array("page letter", dtype, {"pattern": "zeros"}), "shape": [1, length]}
        yield broken("chunk-maximum", "trace", f"of-{dtype}", f"A chunk of {dtype}, and of one entry more than 16 MiB.", add("/outputs/x", wide))
    yield broken("shard-maximum", "trace", "double", "A shard of 2 GiB.", measured(LAYER, "storage", value=_storage(2**31)))
    for path, value in (("/activations", 2.0), ("/attention/self", 1.0)):
        slug = path.rpartition("/")[2]
        yield valid("series-declared", "trace", f"whole-float-{slug}", "A count that is stored as a float.", attribute(path, "num_layers", value))


def _storage(size: int) -> dict[str, object]:
    return {"chunks": [5, 8], "chunk_of": {"token": 5, "hidden": 8}, "split": [], "chunk_bytes": 160, "chunk_count": 1, "shards": {"shape": [5, 8], "bytes": size, "count": 1}, "codecs": ["sharding_indexed", "bytes", "zstd", "bytes", "crc32c"]}


def _series() -> Iterator[Break]:
    def layers(*members: tuple[str, ...]) -> tuple[Edit, ...]:
        nodes = [add(f"/outputs/layer_{number:02}/{name}", array("token hidden")) for number, names in enumerate(members) for name in names]
        return (*nodes, add("/outputs", group(num_layers=len(members))))

    def kinds(*names: str) -> tuple[Edit, ...]:
        return tuple(add(f"/outputs/layer_{number:02}", group(kind=name)) for number, name in enumerate(names))

    yield valid("series-alike", "trace", "two-kinds-in-turn", "Layers of two kinds, in turn.", *layers(("mlp",), ("mlp", "router"), ("mlp",), ("mlp", "router")), *kinds("dense", "moe", "dense", "moe"))
    yield valid("series-alike", "trace", "each-of-its-kind", "Each layer has what the one before it has, and is of a kind of its own.", *layers(("mlp",), ("mlp", "router"), ("mlp", "router", "gate")), *kinds("a", "b", "c"))
    undeclared = no_attribute("/activations", "num_layers")
    for slug, count in (("one", 1), ("none", 0)):
        yield broken("series-undeclared", "trace", f"{slug}-in-metadata", f"Two layers, of which /metadata declares {slug}.", undeclared, attribute("/metadata", "num_layers", count), also=("series-declared",))


def _values() -> Iterator[Break]:
    sequence, types, coordinates = "/inputs/sequence", "/inputs/aatype", "/outputs/coordinates"
    mask = add("/inputs/mask", array("token", "bool", {"pattern": "listed", "values": [1, 1, 1, 1, 0]}))
    masked = (mask, attribute(SELF, "mask", "/inputs/mask"), attribute(SELF, "normalization", "softmax_masked"))
    rows = [0.1, 0.3, 0.4, 0.2, 0.0], [0.2, 0.4, 0.3, 0.1, 0.0]
    own = [value for row in rows for each in (row, row, row, row, [0.0] * 5) for value in each]
    one_left = [*own[:24], 0.25, *own[25:]]
    made = (
        broken("attention-masked", "trace", "one-weight", "One weight in the row of a padded query.", *masked, filled(SELF, pattern="listed", values=one_left)),
        broken("residue-types-follow-sequence", "openfold", "letters-unknown", "Letters that the table lacks, with other codes than that of X.", filled(sequence, pattern="text", text="BBBBBBBBBBBB"), filled(types, pattern="constant", value=0)),
        valid("residue-types-follow-sequence", "openfold", "letters-unknown-x", "Letters that the table lacks, with the code of X.", filled(sequence, pattern="text", text="BJOUZBJOUZBJ"), filled(types, pattern="constant", value=20)),
        broken("masked-coordinates-zero", "openfold", "all-alike", "Coordinates that count up, of atoms that are not there too.", filled(coordinates, pattern="ramp")),
        *(broken("finite", "trace", f"all-nan-{slug}", f"Nothing but NaN {where}.", edit, also=("values-vary",)) for slug, where, edit in (
            ("later", "in the second layer", filled(NEXT, pattern="listed", values=["NaN"])),
            ("float16", "in float16", add("/outputs/x", array("token", "float16", {"pattern": "listed", "values": ["NaN"]}))),
        )),
        *(broken("attention-masked", "trace", slug, f"A weight of {weight:g} outside of the mask.", *masked, filled(SELF, pattern="listed", values=[*own[:place], weight, *own[place + 1 :]])) for slug, place, weight in (("small-weight", 24, 0.005), ("smaller-weight", 49, 1e-6), ("smallest-weight", 24, 1e-30))),
        *_long_rows(),
        broken("heads-differ", "trace", "zeros", "Two heads of which every weight is the same.", filled(SELF, pattern="listed", values=[0.1, 0.2, 0.3, 0.15, 0.25])),
    )
    for each in made:
        yield Break(each.rule, each.profile, each.slug, each.why, each.edits, each.kind, True, each.also, each.base)


def _long_rows() -> Iterator[Break]:
    """Rows of which a sum in float32, entry by entry, is off by 0.002: each addition above 0.5 is rounded to 2^-24."""
    rule, ulp = "attention-row-sum", 2.0**-24
    for make, slug, why, fraction, length in (
        (valid, "long-row", "A row of 131,062 weights that sums to 1.", 0.51, 131_062),
        (broken, "long-row-low", "A row of 130,780 weights that sums to 0.9979.", 0.51, 130_780),
        (broken, "long-row-high", "A row of 131,370 weights that sums to 1.0022.", 0.49, 131_370),
    ):
        weights = {"pattern": "listed", "values": [(128 + fraction) * ulp, (127 + fraction) * ulp]}
        node = {**array("row:query column:key", "float32", weights), "shape": [1, length]}
        node["attributes"] = {"normalization": "softmax", "source": "captured"}
        yield make(rule, "trace", slug, why, add("/attention/wide/layer_00", node), add("/attention/wide", group(num_layers=1)))


def _several() -> Iterator[Break]:
    """One rule that is broken at several places: each is a finding."""
    def both(rule: str, slug: str, why: str, *edits: Edit, values: bool = False) -> Break:
        return Break(rule, "trace", slug, why, edits, "broken", values, (), "trace", several=True)

    infinite = {"pattern": "listed", "values": [1.0, "Infinity", 3.0, 4.0, 5.0]}
    yield both("finite", "two-arrays", "Two arrays hold infinities.", filled(LAYER, **infinite), filled(NEXT, **infinite), values=True)
    yield both("empty-group", "two-groups", "Two groups without members.", add("/outputs/a", group()), add("/outputs/b", group()))
    yield both("attribute-name", "two-nodes", "Names with capitals on two nodes.", attribute(LAYER, "Unit", "a"), attribute(NEXT, "Unit", "a"))
    yield both("axes-named", "two-arrays", "Two arrays of which an axis has no name.", *(add(f"/outputs/{name}", {**array("token"), "axes": [None, "token"], "shape": [2, 5]}) for name in ("x", "y")))
    yield both("reference-path", "two-attributes", "Two arrays that name a mask without a path.", attribute(LAYER, "mask", "mask"), attribute(NEXT, "mask", "mask"))
    yield both("series-gap", "two-series", "Two groups that lack a layer.", attribute("/activations", "num_layers", 3), attribute("/attention/self", "num_layers", 2))


def _third() -> Iterator[Break]:
    """Rules that two other cases break, and values that are a little outside of their range."""
    for path, rule, most in (("/outputs/ptm", "ptm-range", 1.0), ("/outputs/atom_mask", "mask-binary", 1.0), ("/outputs/confidence", "confidence-range", 100.0)):
        slug = path.rpartition("/")[2].replace("_", "-")
        yield broken(rule, "openfold", f"{slug}-little-below", f"A value of {path} that is a ten-millionth below 0.", fact(path, minimum=-1e-7), values=True)
        yield broken(rule, "openfold", f"{slug}-little-above", f"A value of {path} that is a ten-millionth above {most:g}.", fact(path, maximum=most + 1e-7), values=True)
    yield broken("confidence-scale", "openfold", "steps", "Confidence in steps from 0.1 to 0.65.", filled("/outputs/confidence", pattern="ramp", start=0.1, step=0.05), values=True)
    yield broken("error-range", "openfold", "little-below", "An error that is a little below 0.", fact("/outputs/predicted_aligned_error", minimum=-1e-6), values=True)
    yield broken("chunk-one-sample", "trace", "all", "All samples in a chunk.", put(SELF, "chunks", [3, 1, 5, 5]))
    yield broken("scope-shared", "trace", "second-axis", "The second axis of an array is alone in its scope.", add("/outputs/x", array("token other", scope_other="a")))
    yield broken("count-attribute", "trace", "fraction-attention", "One layer and a half.", attribute("/attention/self", "num_layers", 1.5))
    yield broken("integer-dtype", "mnist", "predictions-int4", "Predictions of four bits.", put("/outputs/predictions", "dtype", "int4"))
    for path, shown in ((NEXT, "activations"), ("/attention/self/layer_01", "attention")):
        double = () if path == NEXT else (add(path, {**array("sample head token:query token:key", "float64", {"pattern": "softmax", "seed": 3}), "attributes": {"normalization": "softmax", "source": "captured"}}), attribute("/attention/self", "num_layers", 2))
        yield broken("series-dtype", "trace", f"double-{shown}", "A layer in double precision beside one in single.", *(double or (put(path, "dtype", "float64"),)))
    yield broken("series-dtype", "trace", "double-outputs", "Outputs in single and in double precision.", add("/outputs/layer_00", array("token hidden")), add("/outputs/layer_01", array("token hidden", "float64")), add("/outputs", group(num_layers=2)))
    yield broken("crashed", "trace", "described-in-extra", "A node below /extra that a program ended at.", found_at("/extra/x", "crashed"))


def _named() -> Iterator[Break]:
    """Names that a careless validator makes other ones of, and arrays of which one axis has no name."""
    accent, letter = "gro\u0308sse", "層"
    for parent in ("/outputs", "/activations", "/extra/a"):
        slug = parent.rpartition("/")[2]
        rule = "distinct-names" if parent.startswith("/extra") else "node-name"
        group_of = (add(parent, group()),) if parent.startswith("/extra") else ()
        yield broken(rule, "trace", f"accent-apart-{slug}", f"A letter and its accent apart, in {parent}.", *group_of, add(f"{parent}/{accent}", array("token")))
        if group_of:
            continue
        yield broken("node-name", "trace", f"another-script-{slug}", f"A name in another script, in {parent}.", add(f"{parent}/{letter}", array("token")))
        yield broken("node-name", "trace", f"space-first-{slug}", f"A space before a name, in {parent}.", add(f"{parent}/ x", array("token")))
        yield broken("node-name", "trace", f"space-last-{slug}", f"A space behind a name, in {parent}.", add(f"{parent}/x ", array("token")))
    yield broken("node-name", "trace", "accent-apart-group", "A group of which a letter and its accent are apart.", add(f"/outputs/{accent}", group()), add(f"/outputs/{accent}/x", array("token")))
    long = "a_name_that_has_more_than_thirty_two_letters"
    yield broken("empty-group", "trace", "long-name", "A group without members that has a long name.", add(f"/outputs/{long}", group()))
    yield broken("axes-named", "trace", "long-name", "An array without names of axes that has a long name.", add(f"/outputs/{long}", {**array("token"), "axes": [None], "shape": [5]}))
    yield broken("finite", "trace", "long-name", "NaN in an array that has a long name.", add(f"/outputs/{long}", array("token", "float32", {"pattern": "listed", "values": ["NaN", 1.0]})), values=True)
    for place, (slug, edge) in enumerate((("first", [None, "token"]), ("last", ["token", None]), ("middle", ["token", None, "hidden"]))):
        node = {**array("token"), "axes": edge, "shape": [9 if name == "token" else 8 if name == "hidden" else 2 for name in edge]}
        yield broken("axis-one-size", "trace", f"one-without-a-name-{slug}", "Another size of an axis of an array of which one axis has no name.", add(f"/outputs/x{place}", node), also=("axes-named",))


def _nearly() -> Iterator[Break]:
    """Values that a careless validator takes for others: zeros of two signs, equal scores, small numbers, infinities."""
    head = [0.1, 0.2, 0.3, 0.4, 0.0] * 5
    for slug, place in (("first", 4), ("middle", 14), ("last", 24)):
        other = [*head[:place], -0.0, *head[place + 1 :]]
        yield valid("heads-differ", "trace", f"sign-of-zero-{slug}", "Two heads that differ in the sign of a zero.", filled(SELF, pattern="listed", values=[*head, *other]), values=True)
    zeros = {"pattern": "listed", "values": [0.0, -0.0]}
    for slug, edit in (("one", filled(LAYER, **zeros)), ("two", filled(NEXT, **zeros)), ("half", add("/outputs/x", array("token", "float16", zeros)))):
        yield broken("values-vary", "trace", f"zeros-of-two-signs-{slug}", "Nothing but zeros, of either sign.", edit, values=True)
    logits, predictions = "/outputs/logits", "/outputs/predictions"
    for slug, place in (("next", 1), ("middle", 5), ("last", 9)):
        tied = [3.0 if at in (0, place) else 0.1 * at for at in range(10)]
        yield valid("predictions-follow-logits", "mnist", f"tied-{slug}", "The second of two largest scores.", filled(logits, pattern="listed", values=tied), filled(predictions, pattern="constant", value=place), values=True)
        unknown = ["NaN" if at == place else 0.1 * at for at in range(10)]
        yield broken("finite", "mnist", f"nan-score-{slug}", "Rows of scores with a NaN have no largest one.", filled(logits, pattern="listed", values=unknown), filled(predictions, pattern="constant", value=3), values=True)
    for path in ("/outputs/ptm", "/outputs/confidence", "/outputs/predicted_aligned_error"):
        endless = ["Infinity"] if path == "/outputs/ptm" else [2.0, "Infinity", 60.0] if "confidence" in path else [0.5, "-Infinity", 3.0]
        yield broken("finite", "openfold", f"endless-{path.rpartition('/')[2].replace('_', '-')}", "An infinity, which does not count for minimum and maximum.", filled(path, pattern="listed", values=endless), values=True)
    for slug, scale in (("hundredth", 0.01), ("millionth", 1e-6), ("smallest", 1e-38)):
        yield broken("masked-coordinates-zero", "openfold", f"small-{slug}", "Small coordinates of atoms that are not there too.", filled("/outputs/coordinates", pattern="smooth", seed=3, scale=scale), values=True)
    for slug, starts in (("falls-once", [0, 5, 4, 6]), ("falls-to-first", [0, 6, 0, 6]), ("later-first", [2, 3, 6]), ("below-first", [-1, 3, 6])):
        text = (add("/inputs/byte", array("byte", "uint8", {"pattern": "ramp", "start": 65}, starts="/inputs/begin")), add("/inputs/begin", {**array("edge", "int16", {"pattern": "listed", "values": starts}), "shape": [len(starts)]}))
        yield broken("text-starts", "trace", slug, f"Starts {starts} of six bytes.", *text, values=True)
