"""Breaks of the rules on the tree: what is there, what it is called, and what is damaged, dangerous or stray."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema import description
from vizschema.conformance.corpus.breaks.edits import (
    Break,
    add,
    array,
    attribute,
    axes,
    broken,
    damage,
    found_at,
    group,
    move,
    on_description,
    on_document,
    put,
    valid,
    without,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
SELF = "/attention/self/layer_00"
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4")
EXTREMES = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": (0, (1 << bits) - 1) for bits in (8, 16, 32, 64)},
}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _root()
    yield from _names()
    yield from _alike()
    yield from _kinds()
    yield from _reasons()
    yield from _damage()


def _only_array(parts: dict) -> None:  # type: ignore[type-arg]
    layer = parts["nodes"][LAYER]
    parts["nodes"] = {"/": layer}


def _nothing_else(document: dict) -> None:  # type: ignore[type-arg]
    document["nodes"] = {}


def _root() -> Iterator[Break]:
    yield broken("root-group", "trace", "array", "The archive is one array.", on_description(_only_array))
    yield broken("root-group", "trace", "array-written", "The archive is one array.", on_document(_nothing_else), add("/", array("token")))
    yield valid("root-group", "trace", "members-only", "The root may have members that no rule names.", add("/weights", group()), add("/weights/first", array("token")))
    yield broken("data-present", "trace", "metadata-only", "There is no array of a trace.", without("/activations", "/attention"))
    yield broken("data-present", "trace", "extra-only", "Only /extra holds anything.", without("/activations", "/attention"), add("/extra/more", array("token")))
    yield broken("data-present", "trace", "inputs-only", "Inputs are not a trace.", without("/activations", "/attention"), add("/inputs/tokens", array("token")))
    yield broken("data-present", "trace", "inputs-itself", "/inputs is an array itself, and the only one.", without("/activations", "/attention"), add("/inputs", array("token")))
    yield broken("data-present", "trace", "below-metadata", "The only array is one of the metadata.", without("/activations", "/attention"), add("/metadata/x", array("token")), also=("metadata-attributes-only",))
    yield broken("data-present", "trace", "empty-array", "The only array has no values.", without("/activations", "/attention"), add("/outputs/x", {**array("none"), "shape": [0]}))
    yield broken("data-present", "trace", "empty-along-last", "The only array has no values.", without("/activations", "/attention"), add("/outputs/x", {**array("token none"), "shape": [5, 0]}))
    yield valid("data-present", "trace", "similar-name", "An array below a name that only begins like /inputs.", without("/activations", "/attention"), add("/inputs_of_model/x", array("token")))
    yield valid("data-present", "trace", "deeper", "An array below a name that only ends like /extra.", without("/activations", "/attention"), add("/my/extra/x", array("token")))
    yield broken("data-present", "trace", "coordinate-only", "A coordinate alone was not captured.", without("/activations", "/attention"), add("/outputs/token", array("token")))
    yield valid("attention-roles", "trace", "coordinate", "A coordinate beside attention is not attention.", add("/attention/self/token", array("token")))
    yield broken("axis-one-size", "trace", "coordinate", "A coordinate has the size of its axis.", add("/activations/token", {**array("token"), "shape": [9]}))
    yield valid("data-present", "trace", "empty-before-scalar", "An array without values before one with a value.", without("/activations", "/attention"), add("/activations/x", {**array("none other"), "shape": [0, 4]}), add("/outputs/loss", array("")))
    for name in ("activations", "attention", "outputs", "single", "representations", "attention_topk", "predictions"):
        keep = add(f"/{name}/x", array("token:query token:key", normalization="none", source="unknown"))
        yield valid("data-present", "trace", f"{name}-only", f"One array below /{name} is a trace.", without("/activations", "/attention"), keep)
    yield valid("data-present", "trace", "scalar", "One number is data.", without("/activations", "/attention"), add("/outputs/loss", array("")))
    yield valid("data-present", "trace", "below-groups", "The only array lies deep.", without("/activations", "/attention"), add("/outputs/a/b", array("token")))
    for name in ("activations", "attention", "outputs", "pair"):
        yield broken("damaged", "trace", f"only-{name}", f"What is below /{name} cannot be read, and may be data.", without("/activations", "/attention"), add(f"/{name}", group()), found_at(f"/{name}/x", "damaged"))


def _names() -> Iterator[Break]:
    below = "/activations"
    for slug, name in (
        ("capital", "Conv"),
        ("space", "a b"),
        ("digit-first", "2nd"),
        ("hyphen", "layer-x"),
        ("dot", "layer.x"),
        ("underscore-first", "_x"),
        ("capital-inside", "convNet"),
        ("accent", "größe"),
        ("colon", "a:b"),
        ("trailing-space", "conv "),
    ):
        yield broken("node-name", "trace", slug, f"{name!r} is not lower_snake_case.", add(f"{below}/{name}", array("token")))
    yield broken("node-name", "trace", "group", "A group with capitals; its members are not further faults.", add("/Weights", group()), add("/Weights/first", array("token")))
    yield broken("node-name", "trace", "at-root", "A capital at the root.", add("/Outputs", group()), add("/Outputs/x", array("token")))
    yield broken("node-name", "trace", "of-extra", "A name that only begins like /extra.", add("/extra-x", group()), add("/extra-x/y", array("token")))
    yield broken("node-name", "trace", "extra-below", "/extra is at the root only.", add("/activations/extra", group()), add("/activations/extra/A", array("token")))
    for name in ("a", "a1", "layer_x_", "conv2d"):
        yield valid("node-name", "trace", f"valid-{name.replace('_', '-').rstrip('-')}", f"{name!r} is lower_snake_case.", add(f"{below}/{name}", array("token")))
    yield valid("node-name", "trace", "in-extra", "Below /extra any name is allowed.", add("/extra/Größe, 2", array("token")))
    yield valid("node-name", "trace", "group-in-extra", "Below /extra a group may be called anything.", add("/extra/My Group", group()), add("/extra/My Group/X", array("token")))


def _alike() -> Iterator[Break]:
    yield broken("distinct-names", "trace", "case", "Two names that differ in case only.", add("/extra/x", array("token")), add("/extra/X", array("token")))
    yield broken("distinct-names", "trace", "deeper", "Two names that differ in case only, deeper.", add("/extra/more", group()), add("/extra/more/Loss", array("token")), add("/extra/more/loss", array("token")))
    yield broken("distinct-names", "trace", "decomposed", "A name that is not in normal form C.", add("/extra/Gro\u0308ße", array("token")))
    yield broken("distinct-names", "trace", "decomposed-group", "The name of a group that is not in normal form C.", add("/extra/cafe\u0301", group()), add("/extra/cafe\u0301/x", array("token")))
    yield broken("distinct-names", "trace", "decomposed-kana", "A name of kana that is not in normal form C.", add("/extra/\u304b\u3099", array("token")))
    yield valid("distinct-names", "trace", "composed", "A name in normal form C.", add("/extra/Gr\u00f6ße", array("token")))
    yield valid("distinct-names", "trace", "two-groups", "Names in two groups are two names.", add("/extra/a/X", array("token")), add("/extra/b/x", array("token")))
    yield broken("node-name", "trace", "case-elsewhere", "Two names that differ in case only: elsewhere a capital is the fault.", add("/activations/Layer_norm", array("token")), add("/activations/layer_norm", array("token")))
    yield valid("distinct-names", "trace", "name-like-extra", "A group whose name only begins like /extra.", add("/extras/x", array("token")))


def _kinds() -> Iterator[Break]:
    yield broken("empty-group", "trace", "outputs", "A group without members.", add("/outputs", group()))
    yield broken("empty-group", "trace", "deeper", "A group without members.", add("/activations/later", group()))
    yield broken("empty-group", "trace", "count-of-others", "num_ and a capital counts nothing.", add("/outputs", group(num_things_left=0)))
    yield broken("empty-group", "trace", "count-inside", "An attribute that only holds the word counts nothing.", add("/outputs", group(max_num_layers=0)))
    yield broken("empty-group", "trace", "like-extra", "A name that only begins like /extra.", add("/extras", group()))
    yield valid("empty-group", "trace", "declared", "A group that declares 0 members is not empty by accident.", add("/outputs", group(num_layers=0)))
    yield valid("empty-group", "trace", "declared-of-digits", "Any stem may be counted.", add("/outputs", group(num_a1_bs=0)))
    yield valid("empty-group", "trace", "extra", "/extra may be empty.", without("/extra"), add("/extra", group()))
    yield valid("empty-group", "trace", "in-extra", "Below /extra a group may be empty.", add("/extra/later", group()))
    yield broken("group-node", "trace", "extra", "An array instead of /extra.", without("/extra"), add("/extra", array("token")))
    yield valid("group-node", "trace", "activations", "A trace may store activations in one array.", without("/activations"), add("/activations", array("token")))
    for dtype in ("string", "bytes", "datetime", "compound"):
        yield broken("portable-dtype", "trace", dtype, f"An array of {dtype}.", add("/inputs/x", array("token", dtype, {"pattern": "zeros"})))
        yield broken("portable-dtype", "trace", f"{dtype}-in-extra", f"An array of {dtype} below /extra.", add("/extra/x", array("token", dtype, {"pattern": "zeros"})))
    for dtype in DTYPES:
        yield valid("portable-dtype", "trace", f"valid-{dtype}", f"{dtype} is in every container.", add("/inputs/x", array("token", dtype, {"pattern": "listed", "values": [0, 1, 1]})))
    for dtype, (low, high) in EXTREMES.items():
        yield valid("portable-dtype", "trace", f"extremes-{dtype}", f"{dtype} keeps {low} and {high}, and what doubles round.", add("/inputs/x", array("token", dtype, {"pattern": "listed", "values": [str(low), str(high), str(high - 1), "1", "0"]})))
    for dtype in ("int8", "bool", "complex64", "uint64"):
        yield broken("float-dtype", "trace", f"attention-{dtype}", f"Softmax weights as {dtype}.", axes(SELF, "sample head token:query token:key", dtype))
    for dtype in ("int16", "int32", "int64", "uint8", "uint16", "uint32", "complex128", "float8_e4m3fn", "float8_e5m2", "uint4"):
        yield broken("float-dtype", "trace", f"attention-{dtype}", f"Softmax weights as {dtype}.", axes(SELF, "sample head token:query token:key", dtype))
    yield broken("portable-dtype", "trace", "attention-string", "Softmax weights as text: one fault, not two.", axes(SELF, "sample head token:query token:key", "bytes"))
    for dtype in ("float16", "bfloat16", "float64"):
        yield valid("float-dtype", "trace", f"valid-{dtype}", f"Attention may be {dtype}.", axes(SELF, "sample head token:query token:key", dtype))
    yield valid("float-dtype", "trace", "scores-of-integers", "Only weights have to be floating-point.", axes(SELF, "sample head token:query token:key", "int8"), attribute(SELF, "normalization", "none"))
    coordinates = ("inputs", "outputs", "structure", "activations", "recycle", "recycles", "representations", "predictions")
    for name in coordinates:
        yield broken("coordinate-dtype", "trace", f"in-{name}", f"Coordinates below /{name} in half precision.", add(f"/{name}/coordinates", array("residue xyz", "float16")))
    for name in ("coords", "atom_positions", "final_atom_positions"):
        yield broken("coordinate-dtype", "trace", name.replace("_", "-"), f"{name} in half precision.", add(f"/outputs/{name}", array("residue xyz", "float16")))
        yield broken("coordinate-dtype", "trace", f"{name.replace('_', '-')}-at-root", f"{name} in half precision.", add(f"/{name}", array("residue xyz", "bfloat16")))
    for dtype in DTYPES:
        if dtype not in ("float32", "float64"):
            yield broken("coordinate-dtype", "trace", dtype, f"Coordinates as {dtype}.", add("/outputs/coordinates", array("residue xyz", dtype, {"pattern": "listed", "values": [0, 1, 1]})))
    yield broken("coordinate-dtype", "trace", "at-root", "Coordinates at the root in half precision.", add("/coordinates", array("residue xyz", "float16")))
    yield broken("coordinate-dtype", "trace", "deeper", "Coordinates of a recycle in half precision.", add("/recycle/recycle_00/coordinates", array("residue xyz", "float16")), add("/recycle", group(num_recycles=1)))
    yield valid("coordinate-dtype", "trace", "double", "Coordinates in double precision.", add("/outputs/coordinates", array("residue xyz", "float64")))
    yield valid("coordinate-dtype", "trace", "single", "Coordinates in single precision.", add("/outputs/coordinates", array("residue xyz", "float32")))
    yield valid("coordinate-dtype", "trace", "elsewhere", "Coordinates of an image are none of a structure.", add("/patches/coordinates", array("token two", "int32", {"pattern": "ramp"})))
    yield valid("coordinate-dtype", "trace", "similar-name", "A name that only ends alike.", add("/outputs/my_coordinates", array("residue xyz", "float16")))
    yield valid("coordinate-dtype", "trace", "group", "A group of coordinates by precision.", add("/outputs/coordinates", group()), add("/outputs/coordinates/half", array("residue xyz", "float16")))
    yield valid("coordinate-dtype", "trace", "in-extra", "Below /extra precision is free.", add("/extra/coordinates", array("residue xyz", "float16")))
    yield valid("coordinate-dtype", "trace", "similar-parent", "A parent whose name only begins alike.", add("/outputs_of_model/coordinates", array("residue xyz", "float16")))
    yield valid("coordinate-dtype", "trace", "parent-within", "A parent of the name below another.", add("/mine/outputs/coordinates", array("residue xyz", "float16")))
    yield broken("portable-dtype", "trace", "coordinates-string", "Coordinates as text: one fault, not two.", add("/outputs/coordinates", array("residue", "bytes", {"pattern": "zeros"})))


def _reasons() -> Iterator[Break]:
    """What a reader that meets damage has to report, as a description: each reason in a container, and where it hides others."""
    for reason in description.REASONS:
        yield broken(reason, "trace", "described", f"A description with a node for the reason {reason}.", found_at("/extra/x", reason))
        yield broken(reason, "trace", "described-as-layer", f"A layer for the reason {reason}.", found_at("/activations/conv", reason))
    for reason in ("damaged", "metadata-missing", "external-link", "pickle"):
        yield broken(reason, "trace", "root", "The root itself; nothing below it is judged.", on_description(lambda parts, reason=reason: parts.__setitem__("nodes", {"/": description.fault(reason, "for a reason")})))
        yield broken(reason, "trace", "metadata", "/metadata itself; what it should hold is not asked for.", found_at("/metadata", reason))
        yield broken(reason, "trace", "extra", "/extra itself.", found_at("/extra", reason))
        yield broken(reason, "trace", "below-metadata", "A member of /metadata that cannot be read.", found_at("/metadata/x", reason), also=("metadata-attributes-only",))
    for path in ("/inputs", "/outputs", "/activations", "/attention", "/attention/self"):
        for reason in ("damaged", "external-link", "special-file"):
            yield broken(reason, "vit", f"{path.strip('/').replace('/', '-')}-{reason}", f"{path} itself; its members are not asked for.", found_at(path, reason))
    for path in ("/inputs", "/outputs", "/single", "/pair", "/attention", "/recycle", "/attention_topk/ipa"):
        for reason in ("damaged", "external-link", "virtual-dataset"):
            yield broken(reason, "openfold", f"{path.strip('/').replace('/', '-').replace('_', '-')}-{reason}", f"{path} itself; its members are not asked for.", found_at(path, reason))
    yield broken("damaged", "mnist", "images", "The images cannot be read.", found_at("/inputs/images", "damaged"))
    yield broken("damaged", "openfold", "layer", "A layer of a series cannot be read.", found_at("/pair/layer_00", "damaged"))
    yield broken("external-link", "openfold", "attention-layer", "A layer of attention is a link.", found_at("/attention/ipa/layer_01", "external-link"))
    yield broken("stray-file", "vit", "at-root", "A note at the root.", found_at("/README.md", "stray-file"))
    yield broken("printable-text", "trace", "name", "A name with characters that are not printed.", on_description(lambda parts: parts["nodes"][LAYER].__setitem__("escaped", ["attributes/title"])))
    yield broken(
        "printable-text",
        "trace",
        "escaped-name",
        "A name with an escape sequence: one fault, not three.",
        on_description(lambda parts: parts["nodes"].__setitem__("/activations/a\\u001bb", {**parts["nodes"][LAYER], "escaped": ["name"]})),
    )
    yield broken(
        "printable-text",
        "vit",
        "escaped-name-in-profile",
        "The same under a profile that lists its nodes.",
        on_description(lambda parts: parts["nodes"].__setitem__("/activations/a\\u001bb", {**parts["nodes"]["/activations/embedding"], "escaped": ["name"]})),
    )
    yield broken(
        "printable-text",
        "trace",
        "escaped-attribute",
        "An attribute's name with an escape sequence: one fault, not two.",
        on_description(lambda parts: parts["nodes"][LAYER].update(escaped=["attributes/a\\u001bb"], attributes={"a\\u001bb": 1})),
    )


def _damage() -> Iterator[Break]:
    for at, slug in ((LAYER, "array"), ("/attention", "group"), ("/extra", "extra")):
        yield broken("metadata-missing", "trace", f"{slug}-document-removed", "The metadata document is gone, as `*.json` in a .gitignore leaves it.", damage("document-removed", at))
    yield broken("metadata-malformed", "trace", "array-document-cut", "The metadata document ends too early.", damage("document-cut", "/activations/layer_01"))
    yield broken("metadata-malformed", "trace", "group-document-cut", "The metadata document ends too early.", damage("document-cut", "/attention"))
    yield broken("metadata-malformed", "trace", "extra-document-cut", "The metadata document ends too early.", damage("document-cut", "/extra/Anything, even Größe"))
    yield broken("metadata-invalid", "trace", "negative-shape", "A shape below 0.", damage("negative-shape", SELF))
    yield broken("metadata-conflict", "trace", "two-versions", "Metadata of both versions of Zarr.", damage("other-account", "/attention/self"))
    yield broken("over-limit", "trace", "deep-attribute", "An attribute a thousand lists deep.", damage("deep-attribute", "/extra"))
    yield broken("over-limit", "trace", "deep-tree", "Groups a hundred levels deep.", damage("deep-tree", "/extra"))
    yield broken("unsupported", "trace", "extension", "An extension that has to be understood, or a null dataspace.", damage("unknown-extension", "/extra/Anything, even Größe"))
    yield broken("unsupported", "trace", "encrypted", "A document that is encrypted.", damage("encrypted", "/extra/Anything, even Größe"))
    yield broken("stray-file", "trace", "note", "A note in a group.", damage("stray-file", "/activations"))
    yield broken("stray-file", "trace", "note-in-extra", "A note in /extra.", damage("stray-file", "/extra"))
    yield broken("external-link", "trace", "outside", "A link out of the archive.", damage("link-outside", "/activations/gates"))
    yield broken("internal-link", "trace", "inside", "A second name of an array.", damage("link-inside", "/activations/gates", LAYER))
    yield broken("special-file", "trace", "fifo", "A FIFO in a group.", damage("special-file", "/activations/gates"))
    yield broken("pickle", "trace", "codec", "Values that only unpickling could read.", without("/extra/Anything, even Größe"), add("/extra/x", array("token")), damage("pickled", "/extra/x"))
    yield broken("external-storage", "trace", "raw-file", "Values in another file.", damage("external-storage", "/extra/x"))
    yield broken("virtual-dataset", "trace", "assembled", "Values assembled from another file.", damage("virtual-dataset", "/extra/x"))
    yield broken("named-type", "trace", "committed", "A committed datatype.", damage("named-type", "/extra/x"))
    yield broken("damaged", "trace", "header", "The header of an array is overwritten.", damage("header-overwritten", "/activations/layer_01"))
    yield valid("metadata-missing", "trace", "unwritten-attributes", "A group without any attribute.", put("/attention", "attributes", {}))
    yield valid("internal-link", "trace", "equal-values", "Two arrays of the same values are two arrays.", add("/activations/copy", array("token hidden", contents={"pattern": "smooth", "seed": 1})))
    yield valid("stray-file", "trace", "renamed", "An array under an unknown name is an array.", move("/extra/Anything, even Größe", "/extra/README.md"))
