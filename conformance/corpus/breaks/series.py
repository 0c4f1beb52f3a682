"""Breaks of the rules on numbered series."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    axes,
    broken,
    group,
    move,
    no_attribute,
    valid,
    without,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
NEXT = "/activations/layer_01"


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _numbers()
    yield from _members()
    yield from _elsewhere()
    yield from _ordinary()
    yield from _present()
    yield from _kinds()


def _numbers() -> Iterator[Break]:
    yield broken("index-width", "trace", "one-digit", "One digit sorts 10 before 2.", move(LAYER, "/activations/layer_0"), move(NEXT, "/activations/layer_1"))
    yield broken("index-width", "trace", "two-widths", "Two and three digits in one family.", move(NEXT, "/activations/layer_001"))
    yield broken("index-width", "trace", "four-digits", "Two and four digits in one family.", move(NEXT, "/activations/layer_0001"))
    yield broken("index-width", "trace", "two-widths-of-outputs", "Two and three digits in a family of outputs.", add("/outputs", group(num_layers=2)), add("/outputs/layer_00", array("token")), add("/outputs/layer_001", array("token")))
    yield broken("index-width", "trace", "one-and-two", "One and two digits in one family: one fault.", move(LAYER, "/activations/layer_0"))
    yield broken(
        "index-width",
        "trace",
        "at-root",
        "One digit at the root.",
        add("/block_0/x", array("token")),
        add("/", group(spec_version="1.0.0", profile="trace", created_at="2026-11-21T09:00:00Z", generator="a tracer 1.0", num_blocks=1)),
    )
    yield broken("index-width", "trace", "like-extra", "A name that only begins like /extra.", add("/extras", group(num_layers=1)), add("/extras/layer_0", array("token")))
    yield valid("index-width", "trace", "three-digits", "Three digits throughout.", move(LAYER, "/activations/layer_000"), move(NEXT, "/activations/layer_001"))
    yield valid("index-width", "trace", "in-extra", "Below /extra numbers are free.", add("/extra/x_1", array("token")), add("/extra/x_10", array("token")))
    yield valid("index-width", "trace", "inside-word", "A digit without an underscore is not a number.", add("/activations/conv1", array("token")), add("/activations/conv10", array("token")))
    yield broken("series-gap", "trace", "first", "The first layer is missing.", without(LAYER))
    yield broken("series-gap", "trace", "last", "The declared last layers are missing.", attribute("/activations", "num_layers", 48))
    yield broken("series-gap", "trace", "last-one", "One declared layer is missing.", attribute("/activations", "num_layers", 3))
    yield broken("series-gap", "trace", "middle", "A layer between two others is missing.", move(NEXT, "/activations/layer_02"), attribute("/activations", "num_layers", 3))
    yield broken("series-gap", "trace", "none", "A group declares layers and holds nothing.", add("/outputs", group(num_layers=48)))
    yield broken("series-gap", "trace", "partial-false", "partial: false says that nothing may be missing.", without(LAYER), attribute("/activations", "partial", False))
    yield broken("series-gap", "trace", "one-declared", "A group declares one layer and holds nothing.", add("/outputs", group(num_layers=1)))
    yield broken("series-gap", "openfold", "recycle", "The first recycle is missing.", without("/recycle/recycle_00"))
    yield valid("series-gap", "trace", "partial-first", "A series that calls itself partial may have gaps.", without(LAYER), attribute("/activations", "partial", True))
    yield valid("series-gap", "trace", "partial-last", "A series that calls itself partial may end early.", attribute("/activations", "num_layers", 48), attribute("/activations", "partial", True))
    yield valid("series-gap", "trace", "in-extra", "Below /extra gaps are free.", add("/extra/x_07", array("token")))
    yield valid("series-gap", "trace", "partial-none", "A partial group may hold none of its layers.", add("/outputs", group(num_layers=48, partial=True)))
    yield broken("series-undeclared", "trace", "one-past", "A layer at the declared count.", attribute("/activations", "num_layers", 1))
    yield broken("series-undeclared", "trace", "gap-and-past", "A gap and a layer past the count: one fault.", move(NEXT, "/activations/layer_07"))
    yield broken("series-undeclared", "trace", "gap-and-past-of-outputs", "As many as declared, but one past the end.", add("/outputs", group(num_layers=2)), add("/outputs/layer_00", array("token")), add("/outputs/layer_02", array("token")))
    yield broken("series-undeclared", "trace", "three-and-past", "Three layers as declared, the last one far past the end.", add("/outputs", group(num_layers=3)), *(add(f"/outputs/layer_{number}", array("token")) for number in ("00", "01", "09")))
    yield broken("series-undeclared", "trace", "zero-declared", "Layers where none was declared.", attribute("/activations", "num_layers", 0))
    yield broken("series-undeclared", "trace", "partial", "A partial series has none past its end either.", attribute("/activations", "num_layers", 1), attribute("/activations", "partial", True))
    yield valid("series-undeclared", "trace", "in-extra", "Below /extra counts are free.", add("/extra/more", group(num_layers=1)), add("/extra/more/layer_03", array("token")))
    yield valid("series-undeclared", "trace", "embedding-beside", "The embedding is not a layer.", add("/activations/embedding", array("token hidden")))
    yield broken("series-declared", "trace", "undeclared", "The number of layers is not declared.", no_attribute("/activations", "num_layers"))
    yield broken("series-declared", "trace", "in-metadata", "Only /metadata says how many layers there are.", no_attribute("/activations", "num_layers"), attribute("/metadata", "num_layers", 2))
    yield broken("series-declared", "openfold", "recycles", "The number of recycles is not declared.", no_attribute("/recycle", "num_recycles"))
    yield broken("series-declared", "trace", "like-extra", "A name that only begins like /extra.", add("/extras/layer_00", array("token")))
    yield valid("series-declared", "trace", "in-extra", "Below /extra nothing is declared.", add("/extra/x_00", array("token")))
    yield valid("series-declared", "trace", "declared-twice", "The group's own count wins over that of /metadata.", attribute("/metadata", "num_layers", 48))


def _members() -> Iterator[Break]:
    yield broken("series-dtype", "trace", "layers", "Two precisions in one series.", axes(NEXT, "token hidden", "float16"))
    yield broken(
        "series-dtype", "trace", "three", "Three precisions in one series.", axes(NEXT, "token hidden", "float16"), add("/activations/layer_02", array("token hidden", "float64")), attribute("/activations", "num_layers", 3)
    )
    yield broken("series-dtype", "openfold", "within-groups", "Two precisions of one member of the recycles.", axes("/recycle/recycle_01/pair", "residue:i residue:j pair_channel", "float32"))
    yield valid("series-dtype", "trace", "other-series", "Each series has a precision of its own.", add("/outputs", group(num_layers=1)), add("/outputs/layer_00", array("token hidden", "float64")))
    yield valid(
        "series-dtype",
        "openfold",
        "other-member",
        "Members of other names have precisions of their own.",
        axes("/recycle/recycle_00/single", "residue single_channel", "bfloat16"),
        axes("/recycle/recycle_01/single", "residue single_channel", "bfloat16"),
    )
    yield valid("series-dtype", "trace", "in-extra", "Below /extra precision is free.", add("/extra/x_00", array("token")), add("/extra/x_01", array("token", "int8", {"pattern": "ramp"})))
    yield broken("series-kind", "trace", "mixed", "A group among arrays.", without(LAYER), add(f"{LAYER}/hidden", array("token hidden")))
    yield broken(
        "series-kind",
        "trace",
        "array-among-groups",
        "An array among groups.",
        add("/outputs", group(num_blocks=3)),
        add("/outputs/block_00/x", array("token")),
        add("/outputs/block_01/x", array("token")),
        add("/outputs/block_02", array("token")),
    )
    yield valid("series-kind", "trace", "groups", "A series of groups.", add("/outputs", group(num_blocks=2)), add("/outputs/block_00/x", array("token")), add("/outputs/block_01/x", array("token")))
    yield valid("series-kind", "trace", "in-extra", "Below /extra a series may be mixed.", add("/extra/x_00", array("token")), add("/extra/x_01/y", array("token")))
    yield broken("series-alike", "openfold", "second-lacks", "The second recycle lacks a member.", without("/recycle/recycle_01/pair"))
    yield broken("series-alike", "openfold", "first-lacks", "The first recycle lacks a member.", without("/recycle/recycle_00/coordinates"))
    yield broken(
        "series-alike",
        "trace",
        "blocks",
        "One block has a member that the other lacks.",
        add("/outputs", group(num_blocks=2)),
        add("/outputs/block_00/x", array("token")),
        add("/outputs/block_01/x", array("token")),
        add("/outputs/block_01/y", array("token")),
    )
    yield valid("series-alike", "openfold", "everywhere", "A member that no recycle has.", without("/recycle/recycle_00/pair", "/recycle/recycle_01/pair"))
    yield valid("series-alike", "trace", "in-extra", "Below /extra members are free.", add("/extra/x_00/a", array("token")), add("/extra/x_01/b", array("token")))


def _elsewhere() -> Iterator[Break]:
    for stem in ("layer", "block", "recycle", "iteration", "step", "stage"):
        place = "/outputs" if stem == "layer" else "/activations"
        edits = (add("/outputs/x", array("token")), add("/outputs", group(num_layers=2))) if stem == "layer" else (attribute(place, f"num_{stem}s", 2),)
        yield broken("series-elsewhere", "trace", stem, f"The group declares {stem}s, and holds other things.", *edits)
    yield broken("series-elsewhere", "trace", "one", "The group declares one block, and holds other things.", attribute("/activations", "num_blocks", 1))
    yield broken("series-elsewhere", "trace", "deeper", "Deeper in the tree.", add("/outputs/a/b", array("token")), add("/outputs/a", group(num_steps=2)))
    yield broken("series-elsewhere", "trace", "single-sibling", "The group declares steps, and holds one other thing.", add("/outputs/only", array("token")), add("/outputs", group(num_steps=3)))
    yield valid("series-elsewhere", "trace", "of-heads", "Heads are not members.", attribute("/activations", "num_heads", 8))
    yield valid("series-elsewhere", "trace", "none-declared", "0 blocks are declared, and there is none.", attribute("/activations", "num_blocks", 0))
    yield valid("series-elsewhere", "trace", "partial", "A partial group may hold none of its blocks.", attribute("/activations", "num_blocks", 2), attribute("/activations", "partial", True))
    yield valid("series-elsewhere", "trace", "longer-stem", "A stem that only ends alike.", attribute("/activations", "num_sublayers", 2))
    yield valid("series-elsewhere", "trace", "longer-end", "A stem that only begins alike.", attribute("/activations", "num_layernorms", 2))


def _ordinary() -> Iterator[Break]:
    norms = (add("/activations/ln_1", array("token hidden")), add("/activations/ln_2", array("token hidden", "float16")))
    yield valid("index-width", "trace", "module-names", "ln_1 and ln_2 are names of modules, and no series.", *norms)
    yield valid("series-gap", "trace", "module-names", "feature_4 and feature_8 are names of modules, and no series.", add("/activations/feature_4", array("token")), add("/activations/feature_8", array("token")))
    yield valid("series-kind", "trace", "module-names", "fc_1 is an array, fc_2 a group.", add("/activations/fc_1", array("token")), add("/activations/fc_2/x", array("token")))
    yield valid("series-declared", "trace", "module-names", "Names of modules need no count.", add("/activations/fc_00", array("token")), add("/activations/fc_01", array("token")))
    yield broken("index-width", "trace", "declared-stem", "A series is what is declared.", add("/activations/ln_0", array("token hidden")), attribute("/activations", "num_lns", 1))
    yield broken("series-gap", "trace", "declared-stem", "A series that is declared begins at 0.", add("/activations/ln_01", array("token hidden")), attribute("/activations", "num_lns", 2))
    yield broken("series-declared", "trace", "declared-stem", "Only /metadata says how many there are.", add("/activations/ln_00", array("token hidden")), attribute("/metadata", "num_lns", 1))
    yield broken("index-width", "trace", "known-stem", "block is a stem that is known, declared or not.", add("/activations/a", group(num_blocks=1)), add("/activations/a/block_0", array("token")))
    for slug, value in (("number", 3), ("empty", ""), ("list", ["h.0"]), ("boolean", True)):
        yield broken("module-attribute", "trace", slug, f"{value!r} is not a name of a module.", attribute(LAYER, "module", value))
    yield broken("module-attribute", "trace", "of-group", "A group has a module whose name is not text.", attribute("/activations", "module", 0))
    yield valid("module-attribute", "trace", "dots", "The name that a module has in the model.", attribute(LAYER, "module", "blocks.0.hook_resid_pre"))
    yield valid("module-attribute", "trace", "of-group", "A group may be a module, too.", attribute("/activations", "module", "transformer"))


def _present() -> Iterator[Break]:
    hybrid = (attribute("/activations", "num_layers", 16), move(NEXT, "/activations/layer_11"), move(LAYER, "/activations/layer_03"))
    lists = (attribute("/activations", "present", [3, 11]),)
    yield valid("series-gap", "trace", "present", "Layers 3 and 11 of 16 are all that there are of their kind.", *hybrid, *lists)
    yield valid("series-gap", "trace", "present-unordered", "The list has any order.", *hybrid, attribute("/activations", "present", [11, 3]))
    yield valid("series-gap", "trace", "present-none", "No layer has what the group is for.", add("/outputs", group(num_layers=4, present=[])))
    yield valid("series-elsewhere", "trace", "present-none", "No layer has what the group is for, which holds something else.", add("/activations/a/x", array("token")), add("/activations/a", group(num_layers=4, present=[])))
    yield broken("series-gap", "trace", "not-present", "A layer that exists is missing.", *hybrid, attribute("/activations", "present", [3, 7, 11]))
    yield broken("series-gap", "trace", "present-past-count", "A layer past the count is listed, and missing.", *hybrid, attribute("/activations", "present", [3, 11, 16]))
    yield broken("series-undeclared", "trace", "not-present", "A layer that is not listed is there.", *hybrid, attribute("/activations", "present", [3]))
    yield broken("series-undeclared", "trace", "none-present", "No layer is listed, and two are there.", *hybrid, attribute("/activations", "present", []))
    for slug, value in (("number", 3), ("text", "3, 11"), ("negative", [-1]), ("fraction", [0.5]), ("twice", [0, 1, 1]), ("boolean", True), ("texts", ["0"])):
        yield broken("present-attribute", "trace", slug, f"{value!r} is not a list of numbers of members.", attribute("/activations", "present", value))
    some = attribute("/activations", "partial", True)
    yield broken("present-attribute", "trace", "beyond-doubles", "A number that not every reader has exactly.", some, attribute("/activations", "present", [0, 1, 1 << 53, (1 << 53) + 1]))
    yield valid("present-attribute", "trace", "largest", "The largest number that every reader has exactly.", some, attribute("/activations", "present", [0, 1, (1 << 53) - 1]))
    yield valid("present-attribute", "trace", "of-array", "An array has no members.", attribute(LAYER, "present", "yes"))
    yield valid("present-attribute", "trace", "all", "All are listed.", attribute("/activations", "present", [0, 1]))


def _kinds() -> Iterator[Break]:
    def layers(*members: tuple[str, ...], **more: object) -> tuple[Edit, ...]:
        nodes = [add(f"/outputs/layer_{number:02}/{name}", array("token hidden")) for number, names in enumerate(members) for name in names]
        return (*nodes, add("/outputs", group(num_layers=len(members), **more)))

    def kind(number: int, name: object) -> Edit:
        return add(f"/outputs/layer_{number:02}", group(kind=name))

    yield valid("series-alike", "trace", "in-its-place", "A mixture of experts in place of an MLP.", *layers(("attention", "mlp"), ("attention", "moe")))
    yield valid("series-alike", "trace", "of-kinds", "Layers of another kind have other members.", *layers(("mlp",), ("mlp", "router"), ("mlp",)), kind(1, "moe"))
    yield broken("series-alike", "trace", "within-kind", "A layer lacks what another one of its kind has.", *layers(("mlp",), ("mlp", "router"), ("mlp",)), kind(1, "moe"), kind(2, "moe"))
    yield broken("series-alike", "trace", "kind-no-text", "A kind that is not text tells nothing apart.", *layers(("mlp",), ("mlp", "router")), kind(1, 1))
