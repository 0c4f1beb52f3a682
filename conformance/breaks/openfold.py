"""Breaks of the rules of the profile openfold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from vizschema.conformance.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    axes,
    broken,
    fact,
    filled,
    group,
    move,
    no_attribute,
    put,
    sized,
    unmeasured,
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
    for each in (*_nodes(), *_kinds(), *_dtypes(), *_axes(), *_square(), *_attention(), *_topk()):
        yield each
    for each in _values():
        yield replace(each, values=True)


def _slug(path: str) -> str:
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
        source = {"source": "unknown"} if slug == "mean" else {}
        yield broken("openfold-known-nodes", "openfold", slug, f"The profile has no name for {path}.", add(path, array(names, **source)), also=also)
    for name in ("structure", "representations", "templates", "outputs2", "my_outputs"):
        yield broken("openfold-known-nodes", "openfold", f"group-{name.replace('_', '-')}", f"The profile has no group /{name}.", add(f"/{name}", group()), add(f"/{name}/x", array("residue")))
    for parent in ("attention", "attention_topk"):
        yield broken("openfold-known-nodes", "openfold", f"{parent.replace('_', '-')}-cross", f"The profile has no /{parent}/cross.", add(f"/{parent}/cross", array("ipa_head residue:query residue:key", source="unknown")))
    yield valid("openfold-known-nodes", "openfold", "in-extra", "Below /extra any node may be.", add("/extra", group()), add("/extra/plddt", array("residue")))
    yield valid("openfold-known-nodes", "openfold", "many-layers", "Numbers of three digits.", *(move(f"/single/layer_0{i}", f"/single/layer_00{i}") for i in range(2)))
    yield broken("node-name", "openfold", "capital", "A name that is no name: one fault, not two.", add("/outputs/PAE", array("residue:i residue:j")))
    yield broken("node-name", "openfold", "hyphen", "A name that is no name: one fault, not two.", add("/outputs/p-tm", array("")))
    for path in ("/inputs/sequence", "/inputs/msa", "/outputs/coordinates", "/outputs/atom_mask", "/outputs/confidence"):
        yield broken("openfold-nodes", "openfold", f"{_slug(path)}-absent", f"There is no {path}.", without(path), *_alone(path))
    for path in ("/inputs/residue_index", "/inputs/aatype", "/outputs/predicted_aligned_error", "/outputs/ptm", "/msa", "/recycle", "/attention_topk"):
        yield valid("openfold-nodes", "openfold", f"{_slug(path)}-optional", f"{path} is optional.", without(path))
    for kind in KINDS:
        others = [f"/attention/{each}" for each in KINDS if each != kind]
        yield valid("attention-present", "openfold", f"only-{kind.replace('_', '-')}", "Attention of one kind will do.", without(*others))
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
        yield broken("array-node", "openfold", _slug(path), f"A group stands for {path}.", *holder, also=also)
    for kind in KINDS:
        path = f"/attention/{kind}/layer_00"
        yield broken("array-node", "openfold", _slug(path), f"A group stands for {path}.", without(path), add(path, group()), add(f"{path}/x", array("residue", source="unknown")), also=("series-kind",))
        yield broken("group-node", "openfold", f"attention-{kind.replace('_', '-')}", f"An array stands for /attention/{kind}.", without(f"/attention/{kind}"), add(f"/attention/{kind}", array("residue", source="unknown")))
        yield broken("group-node", "openfold", f"topk-{kind.replace('_', '-')}", f"An array stands for /attention_topk/{kind}.", without("/attention_topk/ipa"), add(f"/attention_topk/{kind}", array("residue")))
        yield broken(
            "group-node",
            "openfold",
            f"topk-{kind.replace('_', '-')}-layer",
            f"An array stands for a layer of /attention_topk/{kind}.",
            without("/attention_topk/ipa"),
            add(f"/attention_topk/{kind}", group(num_layers=1)),
            add(f"/attention_topk/{kind}/layer_00", array("residue")),
        )
    for name in ("inputs", "outputs", "single", "pair", "msa", "attention", "attention_topk", "recycle"):
        yield broken("group-node", "openfold", name.replace("_", "-"), f"An array stands for /{name}.", without(f"/{name}"), *(unmasked() if name == "outputs" else ()), add(f"/{name}", array("residue", source="unknown")))
    yield broken(
        "group-node", "openfold", "recycle-member", "An array stands for a recycle.", without("/recycle/recycle_00", "/recycle/recycle_01"), attribute("/recycle", "num_recycles", 1), add("/recycle/recycle_00", array("residue"))
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
                yield broken("integer-dtype", "openfold", f"{_slug(name)}-{dtype}", f"/inputs/{name} as {dtype}.", add(f"/inputs/{name}", array(TABLE[f"/inputs/{name}"][0], dtype, PLAIN)))
        else:
            yield valid("integer-dtype", "openfold", f"msa-{dtype}", f"An MSA as {dtype}.", add("/inputs/msa", array("sequence residue", dtype, PLAIN)))
    yield valid("mask-dtype", "openfold", "bool", "A mask of booleans.", put("/outputs/atom_mask", "dtype", "bool"))
    for kind in KINDS:
        yield broken("top-k-index-dtype", "openfold", f"of-{_slug(kind)}", f"Indices of {kind} as int64.", *moved_topk(kind), put(f"/attention_topk/{kind}/layer_00/indices", "dtype", "int64"))
        yield broken("float-dtype", "openfold", f"topk-{_slug(kind)}", f"Weights of {kind} as int8.", *moved_topk(kind), put(f"/attention_topk/{kind}/layer_00/weights", "dtype", "int8"))
        path = f"/attention/{kind}/layer_00"
        yield broken("float-dtype", "openfold", _slug(path), f"{path} as int8.", put(path, "dtype", "int8"), attribute(path, "source", "proxy"), also=("series-dtype",))
    for path in ("/single/layer_00", "/pair/layer_00", "/msa/layer_00", "/recycle/recycle_00/single", "/recycle/recycle_00/pair", "/outputs/confidence", "/outputs/predicted_aligned_error", "/outputs/ptm"):
        also = ("series-dtype",) if _in_series(path) else ()
        yield broken("float-dtype", "openfold", _slug(path), f"{path} as int8.", axes(path, TABLE[path][0], "int8"), also=also)
    for path in ("/outputs/coordinates", "/recycle/recycle_00/coordinates"):
        for dtype in ("float16", "bfloat16"):
            also = ("series-dtype",) if _in_series(path) else ()
            yield broken("coordinate-dtype", "openfold", f"{_slug(path)}-{dtype}", f"{path} as {dtype}.", put(path, "dtype", dtype), also=also)
    for path in ("/inputs/sequence", "/inputs/msa", "/outputs/atom_mask", "/outputs/confidence", f"{TOPK}/indices"):
        names = TABLE.get(path, ("ipa_head entry end", ""))[0]
        yield broken("portable-dtype", "openfold", _slug(path), f"{path} as text: one fault, not two.", *_alone(path), add(path, array(names, "bytes", {"pattern": "zeros"})))


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
            yield broken(rule, "openfold", f"{_slug(path)}-{('turned', 'more', 'fewer')[number]}", f"{path} over {wrong or 'nothing'}.", *_alone(path), add(path, array(wrong, dtype, contents)))
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


def _attention() -> Iterator[Break]:
    for kind in KINDS:
        path = f"/attention/{kind}/layer_00"
        over = "sequence" if kind == "msa_column" else "residue"
        rule = "triangle-attention-axes" if kind.startswith("triangle") else "attention-axes"
        head = f"{kind}_head"
        wrongs = {"heads-last": f"{over}:query {over}:key {head}", "keys-first": f"{head} {over}:key {over}:query", "no-heads": f"{over}:query {over}:key", "other-roles": f"{head} {over}:i {over}:j"}
        for slug, names in wrongs.items():
            node = {**array(names, contents={"pattern": "softmax", "seed": 6}, source="softmax", anchor="mean"), "chunks": [1] * len(names.split())}
            yield broken(rule, "openfold", f"{_slug(kind)}-{slug}", f"{path} over {names}.", add(path, node))
        if kind.startswith("triangle"):
            yield from _triangle(kind)
    yield broken("attention-source", "trace", "absent", "An attention array does not say where its numbers come from.", no_attribute("/attention/self/layer_00", "source"))
    for slug, value in (("relu", "relu"), ("number", 1), ("empty", ""), ("list", ["softmax"]), ("capital", "Softmax"), ("boolean", True)):
        yield broken("attention-source", "trace", slug, f"source is {value!r}.", attribute("/attention/self/layer_00", "source", value))
    yield broken("attention-source", "trace", "array-at-attention", "/attention itself is an array.", without("/attention"), add("/attention", array("token:query token:key")))
    for value in ("softmax", "proxy", "top_k", "unknown"):
        yield valid("attention-source", "trace", f"valid-{_slug(value)}", f"source is {value!r}.", attribute("/attention/self/layer_00", "source", value))
    yield valid("attention-source", "trace", "similar-name", "A group whose name only begins alike.", add("/attention_maps/x", array("token:query token:key")))
    yield valid("attention-source", "trace", "elsewhere", "A group of the name below another.", add("/outputs/attention/x", array("token:query token:key")))


def _triangle(kind: str) -> Iterator[Break]:
    path, other = f"/attention/{kind}/layer_00", f"/attention/{kind}/layer_01"
    flat, whole = f"{kind}_head residue:query residue:key", f"{kind}_head residue:anchor residue:query residue:key"
    name = _slug(kind)
    soft = {"pattern": "softmax", "seed": 6}
    yield broken("triangle-attention-axes", "openfold", f"{name}-anchor-last", "The anchors last.", add(path, array(f"{kind}_head residue:query residue:key residue:anchor", contents=soft, source="softmax")))
    yield broken("triangle-attention-anchor", "openfold", f"{name}-absent", "A map of one anchor, or a mean: nobody says.", add(path, array(flat, contents=soft, source="softmax")))
    for slug, value in (("text", "first"), ("negative", -1), ("fraction", 1.5), ("boolean", True), ("list", [1]), ("empty", ""), ("capital", "Mean")):
        yield broken("triangle-attention-anchor", "openfold", f"{name}-{slug}", f"anchor is {value!r}.", add(path, array(flat, contents=soft, source="softmax", anchor=value)))
    yield broken("portable-attribute", "openfold", f"{name}-anchor-object", "anchor is a nested object: one fault, not two.", add(path, array(flat, contents=soft, source="softmax", anchor={"index": 1})))
    for slug, value in (("zero", 0), ("index", 7), ("mean", "mean")):
        yield valid("triangle-attention-anchor", "openfold", f"{name}-valid-{slug}", f"anchor is {value!r}.", add(path, array(flat, contents=soft, source="softmax", anchor=value)))
    for number, at in enumerate((path, other)):
        yield valid("triangle-attention-axes", "openfold", f"{name}-whole-{number}", "Attention of every anchor needs no anchor.", add(at, array(whole, contents=soft, source="softmax")))


def _topk() -> Iterator[Break]:
    for kind in KINDS:
        path = f"/attention_topk/{kind}/layer_00"
        yield valid("top-k-axes", "openfold", f"of-{_slug(kind)}", f"Top-k attention of {kind}.", *moved_topk(kind))
        wrong = array(f"entry {kind}_head end", "int32", PLAIN)
        yield broken("top-k-axes", "openfold", f"{_slug(kind)}-indices", f"{path}/indices with its entries first.", *moved_topk(kind, indices=wrong))
        turned = array(f"entry {kind}_head", "float16", {"pattern": "uniform", "seed": 5})
        yield broken("top-k-axes", "openfold", f"{_slug(kind)}-weights", f"{path}/weights with its entries first.", *moved_topk(kind, weights=turned))
        for name in ("indices", "weights"):
            yield broken("top-k-pair", "openfold", f"{_slug(kind)}-{name}-absent", f"There is no {path}/{name}.", *moved_topk(kind), without(f"{path}/{name}"))
            yield broken(
                "array-node", "openfold", f"topk-{_slug(kind)}-{name}", f"A group stands for {path}/{name}.", *moved_topk(kind), without(f"{path}/{name}"), add(f"{path}/{name}", group()), add(f"{path}/{name}/x", array("residue"))
            )
    yield broken("empty-group", "openfold", "topk-layer", "A layer of top-k attention without anything: one fault, not two.", without(f"{TOPK}/indices", f"{TOPK}/weights"))


def _values() -> Iterator[Break]:
    letters = "MQIFVKTLTGKT"
    for slug, text in (("gap", "MQI-VKTLTGKT"), ("lower-case", "MQIfVKTLTGKT"), ("stop", "MQIFVKTLTGK*"), ("before-a", "MQIFVKTLTGK@"), ("after-z", "MQIFVKTLTGK[")):
        yield broken(
            "sequence-letters",
            "openfold",
            slug,
            f"The sequence {text!r}.",
            filled("/inputs/sequence", pattern="text", text=text),
            filled("/inputs/aatype", pattern="listed", values=["ARNDCQEGHILKMFPSTWYVX".find(c) if c in "ARNDCQEGHILKMFPSTWYVX" else 20 for c in text]),
        )
    yield broken("sequence-letters", "openfold", "both-sides", "Codes on both sides of the letters: one fault.", fact("/inputs/sequence", minimum=45, maximum=122))
    yield valid(
        "sequence-letters",
        "openfold",
        "first-and-last",
        "A and Z are letters.",
        filled("/inputs/sequence", pattern="text", text="AZIFVKTLTGKT"),
        filled("/inputs/aatype", pattern="listed", values=["ARNDCQEGHILKMFPSTWYVX".find(c) if c in "ARNDCQEGHILKMFPSTWYVX" else 20 for c in "AZIFVKTLTGKT"]),
    )
    yield broken("residue-types-follow-sequence", "openfold", "one-differs", "One residue type is another.", filled("/inputs/sequence", pattern="text", text=letters), filled("/inputs/aatype", pattern="ramp"))
    yield broken("residue-types-follow-sequence", "openfold", "described", "One residue type differs.", fact("/inputs/aatype", decode_differs=1))
    yield valid("residue-types-follow-sequence", "openfold", "unknown", "There is nothing to compare with.", fact("/inputs/aatype", decode_differs=None))
    yield broken("masked-coordinates-zero", "openfold", "left-over", "Coordinates of atoms that are not there.", filled("/outputs/coordinates", pattern="smooth", seed=3, scale=20.0))
    yield broken("masked-coordinates-zero", "openfold", "described", "One left-over value.", fact("/outputs/coordinates", masked_nonzero=1))
    yield valid("masked-coordinates-zero", "openfold", "unknown", "There is nothing to compare with.", fact("/outputs/coordinates", masked_nonzero=None))
    ranges: dict[str, tuple[str, float | None, float | None, float]] = {
        "/outputs/confidence": ("confidence-range", 0, 100, 0.5),
        "/outputs/predicted_aligned_error": ("error-range", 0, None, 0.5),
        "/outputs/ptm": ("ptm-range", 0, 1, 0.5),
        "/outputs/atom_mask": ("mask-binary", 0, 1, 1),
        f"{TOPK}/weights": ("top-k-range", 0, 1.01, 0.005),
        f"{TOPK}/indices": ("top-k-range", 0, None, 1),
    }
    for path, (rule, low, high, step) in ranges.items():
        name = _slug(path)
        if low is not None:
            yield broken(rule, "openfold", f"{name}-below", f"A value of {path} just below {low}.", fact(path, minimum=low - step))
            yield valid(rule, "openfold", f"{name}-lowest", f"{path} begins at {low}.", fact(path, minimum=low))
        if high is not None:
            yield broken(rule, "openfold", f"{name}-above", f"A value of {path} just above {high}.", fact(path, maximum=high + step))
            yield broken(rule, "openfold", f"{name}-both", f"Values of {path} on both sides: one fault.", fact(path, minimum=-3, maximum=high + 3))
            yield valid(rule, "openfold", f"{name}-highest", f"{path} ends at {high}.", fact(path, maximum=high))
    yield from _contents()
    yield valid("confidence-range", "openfold", "nothing-finite", "There is no finite value.", fact("/outputs/confidence", minimum=None, maximum=None), fact("/outputs/ptm", minimum=None, maximum=None))
    yield broken("confidence-scale", "openfold", "exactly-one", "No confidence above 1.", fact("/outputs/confidence", maximum=1))
    yield valid("confidence-scale", "openfold", "little-more", "A confidence of 1.5.", fact("/outputs/confidence", maximum=1.5))
    for kind in KINDS:
        path = f"/attention_topk/{kind}/layer_00"
        yield broken("top-k-range", "openfold", f"{_slug(kind)}-past", f"An index of {kind} past the last.", *moved_topk(kind), fact(f"{path}/indices", beyond_axis=1))
        yield broken("top-k-range", "openfold", f"{_slug(kind)}-weight", f"A weight of {kind} above 1.", *moved_topk(kind), fact(f"{path}/weights", maximum=1.9))
        yield broken("openfold-facts-measured", "openfold", f"{_slug(kind)}-indices", "beyond_axis was not measured.", *moved_topk(kind), unmeasured(f"{path}/indices", "facts", "beyond_axis"))
    yield valid("top-k-range", "openfold", "unknown", "There is nothing to compare with.", fact(f"{TOPK}/indices", beyond_axis=None))
    yield broken("openfold-facts-measured", "openfold", "aatype", "decode_differs was not measured.", unmeasured("/inputs/aatype", "facts", "decode_differs"))
    for dtype in ("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64"):
        yield broken("openfold-facts-measured", "openfold", f"aatype-{dtype}", f"decode_differs of {dtype} was not measured.", put("/inputs/aatype", "dtype", dtype), unmeasured("/inputs/aatype", "facts", "decode_differs"))
    for dtype in ("float32", "float64"):
        yield broken("openfold-pairs-measured", "openfold", f"coordinates-{dtype}", "masked_nonzero was not measured.", put("/outputs/coordinates", "dtype", dtype), unmeasured("/outputs/coordinates", "facts", "masked_nonzero"))


def _contents() -> Iterator[Break]:
    yield broken("confidence-scale", "openfold", "zero-to-one", "Confidence from 0 to 1.", filled("/outputs/confidence", pattern="uniform", seed=3, low=0.2, high=0.9))
    yield broken("confidence-range", "openfold", "negative", "Confidence below 0.", filled("/outputs/confidence", pattern="uniform", seed=3, low=-50.0, high=50.0))
    yield broken("confidence-range", "openfold", "more-than-hundred", "Confidence above 100.", filled("/outputs/confidence", pattern="uniform", seed=3, low=50.0, high=300.0))
    yield broken("error-range", "openfold", "logits", "Logits of an error.", filled("/outputs/predicted_aligned_error", pattern="normal", seed=3))
    yield broken("ptm-range", "openfold", "percent", "A TM score in percent.", filled("/outputs/ptm", pattern="constant", value=87.0))
    yield broken("mask-binary", "openfold", "counts", "A mask of 0, 1 and 2.", filled("/outputs/atom_mask", pattern="classes", count=3, seed=4))
    yield broken("top-k-range", "openfold", "past-last-residue", "An index past the last residue.", filled(f"{TOPK}/indices", pattern="listed", values=[0, 12, 3]))
    yield broken("top-k-range", "openfold", "negative-index", "An index below 0.", filled(f"{TOPK}/indices", pattern="listed", values=[0, -1, 3]))
    yield broken("top-k-range", "openfold", "scores", "Weights above 1.", filled(f"{TOPK}/weights", pattern="uniform", seed=4, low=0.5, high=3.0))
    yield valid("top-k-range", "openfold", "last-residue", "The last residue.", filled(f"{TOPK}/indices", pattern="listed", values=[0, 11, 3]))
