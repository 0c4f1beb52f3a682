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
    filled,
    group,
    measured,
    no_attribute,
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
