"""Breaks of the rules of the profile openfold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    axes,
    broken,
    filled,
    group,
    move,
    put,
    sized,
    valid,
    without,
)

# A table reads better with a case a line.
# fmt: off


KINDS = ("msa_row", "msa_column", "triangle_start", "triangle_end", "ipa")
TOPK = "/attention_topk/ipa/layer_00"
OTHERS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "complex64", "complex128")
FLOATS = ("float16", "bfloat16", "float32", "float64")
PLAIN = {"pattern": "listed", "values": [0, 1, 1]}
TABLE = {
    "/inputs/sequence": ("residue", "uint8"),
    "/inputs/msa": ("sequence residue", "int32"),
    "/inputs/residue_index": ("residue", "int32"),
    "/inputs/aatype": ("residue", "int32"),
    "/single/layer_00": ("residue single_channel", "float32"),
    "/pair/layer_00": ("residue:i residue:j pair_channel", "float32"),
    "/msa/layer_00": ("sequence residue msa_channel", "float32"),
    "/recycle/recycle_00/single": ("residue single_channel", "float32"),
    "/recycle/recycle_00/pair": ("residue:i residue:j pair_channel", "float16"),
    "/recycle/recycle_00/coordinates": ("residue atom xyz", "float32"),
    "/outputs/coordinates": ("residue atom xyz", "float32"),
    "/outputs/atom_mask": ("residue atom", "uint8"),
    "/outputs/confidence": ("residue", "float32"),
    "/outputs/predicted_aligned_error": ("residue:i residue:j", "float32"),
    "/outputs/ptm": ("", "float32"),
}
"""Arrays beside attention: their axes and dtypes."""


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from (*_nodes(), *_kinds(), *_dtypes(), *_axes(), *_square())


def slug_of(path: str) -> str:
    """A path as part of the name of a case."""
    return path.strip("/").replace("/", "-").replace("_", "-")


def _in_series(path: str) -> bool:
    return "/layer_" in path or "/recycle_" in path


def _nodes() -> Iterator[Break]:
    for slug, (path, names) in {
        "coords": ("/outputs/coords", "residue atom xyz"),
        "atom-positions": ("/outputs/atom_positions", "residue atom xyz"),
        "plddt": ("/outputs/plddt", "residue"),
        "template": ("/inputs/template", "residue"),
        "layer-like": ("/single/layerx", "residue single_channel"),
        "layer-without-number": ("/pair/layer_", "residue"),
        "root-array": ("/coordinates", "residue atom xyz"),
        "recycle-member": ("/recycle/recycle_00/msa", "residue"),
        "similar-input": ("/inputs/msa2", "residue"),
        "similar-output": ("/outputs/ptm2", "residue"),
        "mean": ("/attention/ipa/mean", "residue:query residue:key"),
        "topk-member": (f"{TOPK}/values", "ipa_head entry"),
        "topk-array": ("/attention_topk/ipa/mean", "ipa_head entry"),
        "recycle-array": ("/recycle/mean", "residue"),
    }.items():
        also = ("series-alike",) if slug == "recycle-member" else ()
        source = {"normalization": "none", "source": "unknown"} if slug == "mean" else {}
        yield broken("openfold-known-nodes", "openfold", slug, f"The profile has no name for {path}.", add(path, array(names, **source)), also=also)
    for name in ("structure", "representations", "templates", "outputs2", "my_outputs"):
        yield broken("openfold-known-nodes", "openfold", f"group-{name.replace('_', '-')}", f"The profile has no group /{name}.", add(f"/{name}", group()), add(f"/{name}/x", array("residue")))
    for parent in ("attention", "attention_topk"):
        yield broken("openfold-known-nodes", "openfold", f"{parent.replace('_', '-')}-cross", f"The profile has no /{parent}/cross.", add(f"/{parent}/cross", array("ipa_head residue:query residue:key", normalization="none", source="unknown")))
    yield valid("openfold-known-nodes", "openfold", "in-extra", "Below /extra any node may be.", add("/extra", group()), add("/extra/plddt", array("residue")))
    yield valid("representation-axes", "openfold", "first-row-of-the-msa", "The first row of the MSA beside the single representation.", add("/msa_first_row", group(num_layers=1)), add("/msa_first_row/layer_00", array("residue msa_channel")))
    yield broken("representation-axes", "openfold", "first-row-of-the-msa-openfold", "The first row of the MSA has channels of the MSA.", add("/msa_first_row", group(num_layers=1)), add("/msa_first_row/layer_00", array("residue single_channel")))
    yield valid("openfold-known-nodes", "openfold", "many-layers", "Numbers of three digits.", *(move(f"/single/layer_0{i}", f"/single/layer_00{i}") for i in range(2)))
    yield broken("node-name", "openfold", "capital", "An invalid name: one fault, not two.", add("/outputs/PAE", array("residue:i residue:j")))
    yield broken("node-name", "openfold", "hyphen", "An invalid name: one fault, not two.", add("/outputs/p-tm", array("")))
    for path in ("/inputs/sequence", "/inputs/msa", "/outputs/coordinates", "/outputs/atom_mask", "/outputs/confidence"):
        yield broken("openfold-nodes", "openfold", f"{slug_of(path)}-absent", f"There is no {path}.", without(path), *_alone(path))
    for path in ("/inputs/residue_index", "/inputs/aatype", "/outputs/predicted_aligned_error", "/outputs/ptm", "/msa", "/recycle", "/attention_topk"):
        yield valid("openfold-nodes", "openfold", f"{slug_of(path)}-optional", f"{path} is optional.", without(path))
    for kind in KINDS:
        others = [f"/attention/{each}" for each in KINDS if each != kind]
        yield valid("attention-present", "openfold", f"only-{kind.replace('_', '-')}", "Attention of one kind is enough.", without(*others))
    for path in ("/inputs/msa", "/outputs/confidence", "/single", "/pair", "/attention"):
        declared = attribute("/", "not_captured", [f"{path}: the model has none"])
        yield broken("declared-absence", "openfold", f"{slug_of(path)}-openfold", f"{path} is missing, and declared.", without(path), declared)
        yield broken("not-captured-absent", "openfold", f"{slug_of(path)}-openfold", f"{path} is declared, and there.", declared)
    yield broken("declared-absence", "openfold", "group-of-the-msa-openfold", "The MSA is missing, and its group is declared.", without("/inputs"), attribute("/", "not_captured", ["/inputs: lost"]), also=("openfold-nodes",))
    yield broken("openfold-nodes", "openfold", "another-declared", "The MSA is missing, and another node is declared.", without("/inputs/msa"), attribute("/", "not_captured", ["/inputs/ms: lost"]), also=("declared-absence",))
    yield broken("openfold-nodes", "openfold", "sequence-declared", "The sequence is needed, also where it is declared.", without("/inputs/sequence"), *_alone("/inputs/sequence"), attribute("/", "not_captured", ["/inputs/sequence: lost"]), also=("declared-absence",))
    yield broken("attention-present", "openfold", "one-kind-declared", "Attention is missing, and only one kind of it is declared.", without("/attention"), attribute("/", "not_captured", ["/attention/ipa: lost"]), also=("declared-absence",))
    yield broken("attention-present", "openfold", "none", "There is no /attention.", without("/attention"))
    yield broken("attention-present", "openfold", "no-layers", "Kinds of attention without any layer.", without("/attention"), add("/attention", group()), add("/attention/ipa", group(num_layers=0)))
    for name in ("single", "pair"):
        layers = (f"/{name}/layer_00", f"/{name}/layer_01")
        yield broken("representations-present", "openfold", f"{name}-absent", f"There is no /{name}.", without(f"/{name}"))
        yield broken("representations-present", "openfold", f"{name}-none-declared", f"/{name} declares no layer, and has none.", without(*layers), attribute(f"/{name}", "num_layers", 0))
        yield broken("representations-present", "openfold", f"{name}-partial", f"/{name} is partial, and has no layer.", without(*layers), attribute(f"/{name}", "partial", True))
        yield broken("series-gap", "openfold", f"{name}-missing", f"/{name} declares layers, and has none: one fault, not two.", without(*layers))
        yield valid("representations-present", "openfold", f"{name}-one", f"One layer of /{name} in a partial capture.", without(layers[1]), attribute(f"/{name}", "partial", True))


def _alone(path: str) -> tuple[Edit, ...]:
    """What else has to change where an array goes that others are made of."""
    if path == "/inputs/sequence":
        return (filled("/inputs/aatype", pattern="classes", count=21, seed=9),)
    if path == "/outputs/atom_mask":
        return tuple(filled(f"{parent}/coordinates", pattern="smooth", seed=9) for parent in ("/outputs", "/recycle/recycle_00", "/recycle/recycle_01"))
    return ()


def _kinds() -> Iterator[Break]:
    for path in TABLE:
        holder = (without(path), *_alone(path), add(path, group()), add(f"{path}/x", array("residue")))
        also = ("series-kind",) if "/layer_" in path else ()
        yield broken("array-node", "openfold", slug_of(path), f"A group instead of {path}.", *holder, also=also)
    for kind in KINDS:
        path = f"/attention/{kind}/layer_00"
        yield broken("array-node", "openfold", slug_of(path), f"A group instead of {path}.", without(path), add(path, group()), add(f"{path}/x", array("residue:query residue:key", normalization="none", source="unknown")), also=("series-kind",))
        yield broken("group-node", "openfold", f"attention-{kind.replace('_', '-')}", f"An array instead of /attention/{kind}.", without(f"/attention/{kind}"), add(f"/attention/{kind}", array("residue:query residue:key", normalization="none", source="unknown")))
        yield broken("group-node", "openfold", f"topk-{kind.replace('_', '-')}", f"An array instead of /attention_topk/{kind}.", without("/attention_topk/ipa"), add(f"/attention_topk/{kind}", array("residue")))
        yield broken(
            "group-node",
            "openfold",
            f"topk-{kind.replace('_', '-')}-layer",
            f"An array instead of a layer of /attention_topk/{kind}.",
            without("/attention_topk/ipa"),
            add(f"/attention_topk/{kind}", group(num_layers=1)),
            add(f"/attention_topk/{kind}/layer_00", array("residue")),
        )
    first = "/msa_first_row/layer_00"
    yield broken("array-node", "openfold", slug_of(first), f"A group instead of {first}.", add("/msa_first_row", group(num_layers=1)), add(first, group()), add(f"{first}/x", array("residue")))
    yield broken("float-dtype", "openfold", slug_of(first), f"{first} as int8.", add("/msa_first_row", group(num_layers=1)), add(first, array("residue msa_channel", "int8", PLAIN)))
    for name in ("inputs", "outputs", "single", "pair", "msa", "attention", "attention_topk", "recycle"):
        yield broken("group-node", "openfold", name.replace("_", "-"), f"An array instead of /{name}.", without(f"/{name}"), *(unmasked() if name == "outputs" else ()), add(f"/{name}", array("residue:query residue:key", normalization="none", source="unknown")))
    yield broken(
        "group-node", "openfold", "recycle-member", "An array instead of a recycle.", without("/recycle/recycle_00", "/recycle/recycle_01"), attribute("/recycle", "num_recycles", 1), add("/recycle/recycle_00", array("residue"))
    )


def unmasked() -> tuple[Edit, ...]:
    """Fills the coordinates of recycles with what follows from no mask."""
    return tuple(filled(f"/recycle/recycle_0{i}/coordinates", pattern="smooth", seed=9) for i in range(2))


def _dtypes() -> Iterator[Break]:
    for dtype in (*OTHERS, *FLOATS):
        if dtype != "uint8":
            yield broken("sequence-dtype", "openfold", dtype, f"The sequence as {dtype}.", *_alone("/inputs/sequence"), put("/inputs/sequence", "dtype", dtype))
        if dtype not in ("uint8", "bool"):
            yield broken("mask-dtype", "openfold", dtype, f"The atom mask as {dtype}.", *_alone("/outputs/atom_mask"), put("/outputs/atom_mask", "dtype", dtype))
        if dtype != "int32":
            yield broken("top-k-index-dtype", "openfold", dtype, f"Indices as {dtype}.", put(f"{TOPK}/indices", "dtype", dtype))
        if dtype in (*FLOATS, "bool", "complex64", "complex128"):
            for name in ("msa", "residue_index", "aatype"):
                yield broken("integer-dtype", "openfold", f"{slug_of(name)}-{dtype}", f"/inputs/{name} as {dtype}.", add(f"/inputs/{name}", array(TABLE[f"/inputs/{name}"][0], dtype, PLAIN)))
        else:
            yield valid("integer-dtype", "openfold", f"msa-{dtype}", f"An MSA as {dtype}.", add("/inputs/msa", array("sequence residue", dtype, PLAIN)))
    yield valid("mask-dtype", "openfold", "bool", "A mask of booleans.", put("/outputs/atom_mask", "dtype", "bool"))
    for kind in KINDS:
        yield broken("top-k-index-dtype", "openfold", f"of-{slug_of(kind)}", f"Indices of {kind} as int64.", *moved_topk(kind), put(f"/attention_topk/{kind}/layer_00/indices", "dtype", "int64"))
        yield broken("float-dtype", "openfold", f"topk-{slug_of(kind)}", f"Weights of {kind} as int8.", *moved_topk(kind), put(f"/attention_topk/{kind}/layer_00/weights", "dtype", "int8"))
        path = f"/attention/{kind}/layer_00"
        yield broken("float-dtype", "openfold", slug_of(path), f"{path} as int8.", put(path, "dtype", "int8"), attribute(path, "normalization", "none"), also=("series-dtype",))
    for path in ("/single/layer_00", "/pair/layer_00", "/msa/layer_00", "/recycle/recycle_00/single", "/recycle/recycle_00/pair", "/outputs/confidence", "/outputs/predicted_aligned_error", "/outputs/ptm"):
        also = ("series-dtype",) if _in_series(path) else ()
        yield broken("float-dtype", "openfold", slug_of(path), f"{path} as int8.", axes(path, TABLE[path][0], "int8"), also=also)
    for path in ("/outputs/coordinates", "/recycle/recycle_00/coordinates"):
        for dtype in ("float16", "bfloat16"):
            also = ("series-dtype",) if _in_series(path) else ()
            yield broken("coordinate-dtype", "openfold", f"{slug_of(path)}-{dtype}", f"{path} as {dtype}.", put(path, "dtype", dtype), also=also)
    for path in ("/inputs/sequence", "/inputs/msa", "/outputs/atom_mask", "/outputs/confidence", f"{TOPK}/indices"):
        names = TABLE.get(path, ("ipa_head entry end", ""))[0]
        yield broken("portable-dtype", "openfold", slug_of(path), f"{path} as text: one fault, not two.", *_alone(path), add(path, array(names, "bytes", {"pattern": "zeros"})))


def moved_topk(kind: str, **changed: Any) -> tuple[Edit, ...]:
    """Moves the top-k attention of the base to another kind."""
    end = "sequence" if kind == "msa_column" else "residue"
    target = f"/attention_topk/{kind}"
    indices = array(f"{kind}_head entry end", "int32", {"pattern": "classes", "axis": end, "seed": 4})
    weights = array(f"{kind}_head entry", "float16", {"pattern": "uniform", "seed": 5})
    nodes = {"indices": indices, "weights": weights, **changed}
    return (without("/attention_topk/ipa"), add(target, group(num_layers=1)), *(add(f"{target}/layer_00/{name}", node) for name, node in nodes.items()))


def _rotations(names: str) -> list[str]:
    words = names.split()
    turned = [" ".join(words[1:] + words[:1])] if len(words) > 1 else ["entry"]
    return [*turned, " ".join([*words, "window"]), *([" ".join(words[:-1])] if len(words) > 1 else [])]


RULES = {"inputs": "input-axes", "single": "representation-axes", "pair": "representation-axes", "msa": "representation-axes", "outputs": "output-axes"}


def _axes() -> Iterator[Break]:
    for path, (names, dtype) in TABLE.items():
        first, last = path.split("/")[1], path.rpartition("/")[2]
        rule = RULES.get(first, "output-axes" if last == "coordinates" else "representation-axes")
        for number, wrong in enumerate(_rotations(names)):
            contents = PLAIN if dtype in ("uint8", "int32") else {"pattern": "smooth", "seed": 7}
            yield broken(rule, "openfold", f"{slug_of(path)}-{('turned', 'more', 'fewer')[number]}", f"{path} over {wrong or 'nothing'}.", *_alone(path), add(path, array(wrong, dtype, contents)))
    yield broken("output-axes", "openfold", "c-alpha", "A trace of C-alpha atoms.", axes("/outputs/coordinates", "residue xyz"))


def _square() -> Iterator[Break]:
    """Axes of one size, which only their names tell apart."""
    same = [sized(name, 12) for name in ("sequence", "single_channel", "pair_channel", "msa_channel", "atom")]
    heads = [sized(f"{kind}_head", 12) for kind in KINDS]
    for rule, edits in {"input-axes": same, "representation-axes": same, "output-axes": same, "attention-axes": [*same, *heads]}.items():
        yield valid(rule, "openfold", "square", "All axes of one size: names tell them apart.", *edits)
    yield valid("array-node", "openfold", "scalar", "A single number is an array.", filled("/outputs/ptm", pattern="constant", value=0.25))
    yield valid("sequence-dtype", "openfold", "one-letter", "A sequence of one letter throughout.", filled("/inputs/sequence", pattern="text", text="A" * 12))
    yield valid("top-k-index-dtype", "openfold", "one-entry", "One entry a head.", sized("entry", 1))
    yield valid("top-k-pair", "openfold", "no-layers", "Top-k attention that declares no layer.", without("/attention_topk/ipa"), add("/attention_topk/ipa", group(num_layers=0)))
    yield valid("openfold-pairs-measured", "openfold", "none-masked", "Every atom is there.", filled("/outputs/atom_mask", pattern="constant", value=1))
    yield valid("openfold-facts-measured", "openfold", "no-types", "Without residue types, nothing is compared.", without("/inputs/aatype"))
