"""Breaks of the rules of the profiles mnist and vit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    axes,
    broken,
    fact,
    filled,
    found_at,
    group,
    no_attribute,
    sized,
    unmeasured,
    valid,
    weights,
    without,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
SELF = "/attention/self/layer_00"
IMAGES = "/inputs/images"
LABELS = "/inputs/labels"
LOGITS = "/outputs/logits"
PREDICTIONS = "/outputs/predictions"
FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
OTHERS = ("bool", "complex64", "complex128")
PLAIN = {"pattern": "listed", "values": [0, 1, 1]}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for profile in ("mnist", "vit"):
        yield from _classifier(profile)
        yield from _right(profile)
        yield from (replace(each, values=True) for each in _values(profile))
    yield from _mnist()
    yield from _vit()


def _classifier(profile: str) -> Iterator[Break]:
    for path in (IMAGES, LOGITS, PREDICTIONS):
        yield broken("classifier-nodes", profile, f"{_slug(path)}-absent-{profile}", f"There is no {path}.", without(path), *_alone(path))
    yield broken("labels-recommended", profile, f"absent-{profile}", "There are no labels.", without(LABELS))
    yield broken("classifier-nodes", profile, f"inputs-absent-{profile}", "There is no /inputs.", without("/inputs"), also=("labels-recommended",))
    for path in ("/outputs/logits", "/outputs/predictions", "/outputs"):
        declared = attribute("/", "not_captured", [f"{path}: a model without a head"])
        yield broken("declared-absence", profile, f"{_slug(path)}-{profile}", f"{path} is missing, and declared.", without(path), *_alone(path), declared)
        yield broken("not-captured-absent", profile, f"{_slug(path)}-{profile}", f"{path} is declared, and there.", declared)
    yield broken("classifier-nodes", profile, f"another-declared-{profile}", "The logits are missing, and the predictions are declared too.", without("/outputs"), attribute("/", "not_captured", ["/outputs/predictions: none"]), also=("declared-absence",))
    yield broken("classifier-nodes", profile, f"logits-declared-{profile}", "The predictions are missing, and the logits are declared too.", without("/outputs"), attribute("/", "not_captured", ["/outputs/logits: none"]), also=("declared-absence",))
    yield broken("classifier-nodes", profile, f"images-declared-{profile}", "Images are needed, also where they are declared.", without("/inputs/images"), *_alone("/inputs/images"), attribute("/", "not_captured", ["/inputs/images: too large"]), also=("declared-absence",))
    yield valid("classifier-nodes", profile, f"more-in-extra-{profile}", "What the profile has no name for lies below /extra.", add("/extra/patches", array("sample")))
    for path in (IMAGES, LABELS, LOGITS, PREDICTIONS):
        holder = (without(path), *_alone(path), add(path, group()), add(f"{path}/x", array("sample", "int64", PLAIN)))
        yield broken("array-node", profile, f"{_slug(path)}-{profile}", f"A group instead of {path}.", *holder)
    for path in ("/inputs", "/outputs", "/activations"):
        yield broken("group-node", profile, f"{_slug(path)}-{profile}", f"An array instead of {path}.", without(path), add(path, array("sample")))
    yield broken("axes-unique", profile, f"images-{profile}", "Two dimensions of one name: one fault, not two.", axes(IMAGES, "sample height height channel"))
    for names in ("sample height width channel", "sample channel width height", "height width", "sample channel height width color"):
        yield broken("classifier-axes", profile, f"images-{names.replace(' ', '-')}-{profile}", "The axes of the images.", axes(IMAGES, names))
    for path, turned in ((LABELS, ("class", "sample token", "")), (LOGITS, ("class sample", "sample", "class")), (PREDICTIONS, ("class", "sample class", ""))):
        for wrong in turned:
            yield broken("classifier-axes", profile, f"{_slug(path)}-{wrong.replace(' ', '-') or 'none'}-{profile}", f"The axes of {path}.", *_alone(path), axes(path, wrong))
    for dtype in (*OTHERS, *FLOATS):
        yield broken("integer-dtype", profile, f"labels-{dtype}-{profile}", f"Labels as {dtype}.", add(LABELS, array("sample", dtype, PLAIN)))
        yield broken("integer-dtype", profile, f"predictions-{dtype}-{profile}", f"Predictions as {dtype}.", add(PREDICTIONS, array("sample", dtype, PLAIN)))
    for dtype in INTEGERS:
        yield valid("integer-dtype", profile, f"labels-{dtype}-{profile}", f"Labels as {dtype}.", add(LABELS, array("sample", dtype, PLAIN)))
        yield broken("float-dtype", profile, f"logits-{dtype}-{profile}", f"Logits as {dtype}.", axes(LOGITS, "sample class", dtype))
        if dtype != "uint8":
            yield broken("image-dtype", profile, f"{dtype}-{profile}", f"Images as {dtype}.", axes(IMAGES, "sample channel height width", dtype))
    for dtype in OTHERS:
        yield broken("image-dtype", profile, f"{dtype}-{profile}", f"Images as {dtype}.", axes(IMAGES, "sample channel height width", dtype))
        yield broken("float-dtype", profile, f"logits-{dtype}-{profile}", f"Logits as {dtype}.", axes(LOGITS, "sample class", dtype))
    for dtype in (*FLOATS, "uint8"):
        yield valid("image-dtype", profile, f"valid-{dtype}-{profile}", f"Images as {dtype}.", axes(IMAGES, "sample channel height width", dtype))
    for path in (IMAGES, LABELS, LOGITS, PREDICTIONS):
        yield broken(
            "portable-dtype",
            profile,
            f"{_slug(path)}-text-{profile}",
            f"{path} as text: one fault, not two.",
            add(path, array("sample class" if path == LOGITS else "sample channel height width" if path == IMAGES else "sample", "bytes", {"pattern": "zeros"})),
        )


def _alone(path: str) -> tuple[Edit, ...]:
    """What else has to change where an array goes that others are made of."""
    return (filled(PREDICTIONS, pattern="classes", axis="class", seed=9),) if path == LOGITS else ()


def _right(profile: str) -> Iterator[Break]:
    """What is right after all, where a rule asks for axes or arrays."""
    sizes = (sized("height", 4), sized("width", 4), sized("channel", 4))
    yield valid("classifier-axes", profile, f"equal-sizes-{profile}", "Height, width and channel of one size: names tell them apart.", *sizes)
    yield valid("array-node", profile, f"one-sample-{profile}", "An array of one sample is an array.", sized("sample", 1), attribute("/metadata", "size_sample", 1))
    yield valid("labels-recommended", profile, f"of-one-class-{profile}", "All labels are the same.", filled(LABELS, pattern="zeros"))
    yield valid("classifier-facts-measured", profile, f"no-labels-{profile}", "Where there are no predictions that are integers, nothing is compared.", add("/extra", group()), add("/extra/labels", array("sample", "int64", PLAIN)))


def _slug(path: str) -> str:
    return path.rpartition("/")[2].replace("_", "-")


def _values(profile: str) -> Iterator[Break]:
    yield broken("labels-within-classes", profile, f"past-{profile}", "A label past the last class.", filled(LABELS, pattern="listed", values=[0, 10, 3]))
    yield broken("labels-within-classes", profile, f"negative-{profile}", "A label below 0.", filled(LABELS, pattern="listed", values=[0, -1, 3]))
    yield valid("labels-within-classes", profile, f"last-{profile}", "The first and the last class.", filled(LABELS, pattern="listed", values=[0, 9, 0]))
    yield valid("labels-within-classes", profile, f"unknown-{profile}", "There is nothing to compare with.", fact(LABELS, beyond_axis=None))
    yield broken(
        "predictions-follow-logits",
        profile,
        f"one-differs-{profile}",
        "One prediction is not the largest logit.",
        filled(LOGITS, pattern="listed", values=[float(i) for i in range(30)]),
        filled(PREDICTIONS, pattern="listed", values=[9, 9, 0]),
    )
    yield broken("predictions-follow-logits", profile, f"described-{profile}", "One prediction differs.", fact(PREDICTIONS, argmax_differs=1))
    yield valid("predictions-follow-logits", profile, f"unknown-{profile}", "There is nothing to compare with.", fact(PREDICTIONS, argmax_differs=None))
    yield valid(
        "predictions-follow-logits", profile, f"follow-{profile}", "The largest logit is the last.", filled(LOGITS, pattern="listed", values=[float(i) for i in range(30)]), filled(PREDICTIONS, pattern="listed", values=[9])
    )
    for path, name in ((LABELS, "beyond_axis"), (PREDICTIONS, "argmax_differs")):
        for dtype in INTEGERS:
            yield broken("classifier-facts-measured", profile, f"{_slug(path)}-{dtype}-{profile}", f"{name} was not measured.", add(path, array("sample", dtype, {"pattern": "zeros"})), unmeasured(path, "facts", name))


def _mnist() -> Iterator[Break]:
    for slug, edits in {
        "inputs": (add("/inputs/preds", array("sample", "int64", PLAIN)),),
        "outputs": (add("/outputs/probs", array("sample class")),),
        "root": (add("/weights", group()), add("/weights/conv1", array("fc1_unit"))),
        "attention": (add("/attention", group()), add("/attention/x", array("sample token:query token:key", normalization="none", source="unknown"))),
        "array-at-root": (add("/logits", array("sample class")),),
        "similar-input": (add("/inputs/images_raw", array("sample channel height width")),),
        "similar-output": (add("/outputs/logits2", array("sample class")),),
        "similar-group": (add("/outputs2", group()), add("/outputs2/x", array("sample"))),
        "prefixed": (add("/my_inputs", group()), add("/my_inputs/x", array("sample"))),
    }.items():
        yield broken("mnist-known-nodes", "mnist", slug, "A node that the profile has no name for.", *edits)
    yield broken("activations-present", "mnist", "coordinate-only", "A coordinate is not an activation.", without("/activations"), add("/activations", group()), add("/activations/sample", array("sample", "int64", {"pattern": "ramp"})))
    yield valid("activation-axes", "mnist", "coordinate", "A coordinate beside activations is not an activation.", add("/activations/conv1_channel", array("conv1_channel", "int64", {"pattern": "ramp"})))
    yield valid("mnist-known-nodes", "mnist", "any-activation", "Activations may be of any layer.", add("/activations/pool2", array("sample fc1_unit")))
    yield valid("mnist-known-nodes", "mnist", "in-extra", "Below /extra any node may be.", add("/extra", group()), add("/extra/Weights", group()), add("/extra/Weights/W", array("sample")))
    yield broken("node-name", "mnist", "capital", "An invalid name: one fault, not two.", add("/inputs/Images", array("sample")))
    yield broken("node-name", "mnist", "space-inside", "An invalid name: one fault, not two.", add("/inputs/my images", array("sample")))
    for dtype in (*INTEGERS, *OTHERS):
        yield broken("float-dtype", "mnist", f"activation-{dtype}", f"An activation as {dtype}.", axes("/activations/conv1", "sample conv1_channel conv1_height conv1_width", dtype))
    for names in ("fc1_unit sample", "sample", ""):
        yield broken("activation-axes", "mnist", f"fc-{names.replace(' ', '-').replace('_', '-') or 'none'}", "The axes of an activation.", axes("/activations/fc1", names))
    yield broken("activation-axes", "mnist", "conv-last", "Samples last.", axes("/activations/conv1", "conv1_channel conv1_height conv1_width sample"))
    for names in ("sample pool1_channel", "sample fc1_unit token", "sample p q r s"):
        yield valid("activation-axes", "mnist", f"valid-{names.replace(' ', '-').replace('_', '-')}", "Samples first, and anything after.", add("/activations/x", array(names)))
    yield broken("axes-named", "mnist", "activation", "An activation without names: one fault, not two.", add("/activations/x", {**array(""), "axes": None, "shape": [3, 4]}))
    yield broken("activations-present", "mnist", "absent", "There is no /activations.", without("/activations"))
    yield valid("activations-present", "mnist", "one", "One activation is enough.", without("/activations/conv1"))


def _vit() -> Iterator[Break]:
    for slug, edits in {
        "cls": (add("/activations/cls_output", array("sample hidden")),),
        "layer-like": (add("/activations/layerx", array("sample token hidden")),),
        "layer-without-number": (add("/activations/layer_", array("sample token hidden")),),
        "cross-attention": (add("/attention/cross", group()), add("/attention/cross/layer_00", array("sample head token:query token:key", normalization="none", source="unknown"))),
        "mlp": (add("/mlp", group()), add("/mlp/layer_00", array("sample token hidden"))),
        "in-self": (add("/attention/self/mean", array("sample token:query token:key", normalization="none", source="unknown")),),
        "embedding-like": (add("/activations/embeddings", array("sample token hidden")),),
        "input": (add("/inputs/patches", array("sample token hidden")),),
        "output": (add("/outputs/attention_rollout", array("sample token")),),
    }.items():
        yield broken("vit-known-nodes", "vit", slug, "A node that the profile has no name for.", *edits, **({"also": ("series-declared",)} if slug in ("cross-attention", "mlp") else {}))
    yield broken("vit-known-nodes", "vit", "axis-of-another", "An array that is called after an axis, and has another one.", add("/activations/token", array("sample", "int64", {"pattern": "ramp"})))
    yield broken("vit-known-nodes", "vit", "group-called-after-an-axis", "A group that is called after an axis is not a coordinate.", add("/activations/token", group()), add("/activations/token/token", array("token", "int64", {"pattern": "ramp"})))
    for place in ("", "/activations", "/attention", "/attention/self", "/inputs"):
        yield valid("vit-known-nodes", "vit", f"coordinate{place.replace('/', '-') or '-at-the-root'}", "A coordinate may stand anywhere.", add(f"{place}/token", array("token", "int64", {"pattern": "ramp"})))
    yield valid("vit-known-nodes", "vit", "in-extra", "Below /extra any node may be.", add("/extra", group()), add("/extra/cls_output", array("sample hidden")))
    yield broken("node-name", "vit", "capital", "An invalid name: one fault, not two.", add("/activations/CLS", array("sample hidden")))
    for path in ("/activations/embedding", LAYER):
        for names in ("token sample hidden", "sample hidden token", "sample token", "token hidden"):
            yield broken("hidden-state-axes", "vit", f"{_slug(path)}-{names.replace(' ', '-')}", f"The axes of {path}.", axes(path, names))
        for dtype in (*INTEGERS, *OTHERS):
            also = ("series-dtype",) if path == LAYER else ()
            yield broken("float-dtype", "vit", f"{_slug(path)}-{dtype}", f"{path} as {dtype}.", axes(path, "sample token hidden", dtype), also=also)
    for names in ("sample token:query token:key head", "head sample token:query token:key", "sample head token:key token:query", "head token:query token:key"):
        yield broken(
            "self-attention-axes",
            "vit",
            names.replace(" ", "-").replace(":", "-"),
            "The axes of self-attention.",
            add(SELF, {**array(names, contents=weights(names, 3), normalization="softmax", source="captured"), "chunks": [1, 1, 1, 1][: len(names.split())]}),
        )
    for path in ("/activations/embedding", LAYER, SELF):
        also = ("series-kind",) if path != "/activations/embedding" else ()
        yield broken("array-node", "vit", _slug(path) + ("-self" if path == SELF else ""), f"A group instead of {path}.", without(path), add(path, group()), add(f"{path}/x", array("sample token:query token:key", normalization="none", source="unknown")), also=also)
    for path in ("/attention", "/attention/self"):
        yield broken("group-node", "vit", path.strip("/").replace("/", "-"), f"An array instead of {path}.", without(path), add(path, array("token:query token:key", normalization="none", source="unknown")))
    yield valid("hidden-state-axes", "vit", "square", "As many hidden units as tokens: names tell them apart.", sized("hidden", 5))
    yield valid("self-attention-axes", "vit", "square", "As many heads and samples as tokens: names tell them apart.", sized("head", 5), sized("sample", 5), attribute("/metadata", "size_sample", 5))
    for path, of in (("/activations/embedding", ("/activations/embedding",)), ("/activations", ("/activations",)), ("/attention", ("/attention",)), ("/attention/self", ("/attention",))):
        declared = attribute("/", "not_captured", [f"{path}: fused kernels return none"])
        yield broken("declared-absence", "vit", f"{path.strip('/').replace('/', '-')}-vit", f"{path} is missing, and declared.", without(*of), declared)
        yield broken("not-captured-absent", "vit", f"{path.strip('/').replace('/', '-')}-vit", f"{path} is declared, and there.", declared)
    yield broken("embedding-present", "vit", "attention-declared", "The embedding is missing, and another node is declared.", without("/activations/embedding", "/attention"), attribute("/", "not_captured", ["/attention: lost"]), also=("declared-absence",))
    yield broken("vit-layers-present", "vit", "activations-declared", "Attention is missing, and hidden states are declared.", without("/attention", "/activations"), attribute("/", "not_captured", ["/activations: lost"]), also=("declared-absence",))
    yield broken("vit-layers-present", "vit", "attention-declared", "Hidden states are missing, and attention is declared.", *(without(LAYER, "/activations/layer_01"), no_attribute("/activations", "num_layers")), without("/attention"), attribute("/", "not_captured", ["/attention: lost"]), also=("declared-absence",))
    yield broken("embedding-present", "vit", "absent", "There is no embedding.", without("/activations/embedding"))
    yield valid("embedding-present", "vit", "one-token", "An embedding of one token.", sized("token", 1), filled("/activations/embedding", pattern="normal", seed=8))
    both = (without(LAYER, "/activations/layer_01"), no_attribute("/activations", "num_layers"))
    yield broken("vit-layers-present", "vit", "no-hidden-states", "There are no hidden states.", *both)
    yield broken("vit-layers-present", "vit", "no-attention", "There is no /attention.", without("/attention"))
    yield broken("vit-layers-present", "vit", "no-self-attention", "There is no self-attention.", without("/attention"), add("/attention", group(num_layers=0)))
    yield broken("vit-layers-present", "vit", "none-declared", "No hidden state is declared, and there is none.", without(LAYER, "/activations/layer_01"), attribute("/activations", "num_layers", 0))
    yield broken("vit-layers-present", "vit", "partial-without-any", "A partial group without any hidden state.", without(LAYER, "/activations/layer_01"), attribute("/activations", "partial", True))
    yield broken("vit-layers-present", "vit", "self-attention-partial", "A partial group without any layer of attention.", without(SELF, "/attention/self/layer_01"), attribute("/attention/self", "partial", True))
    yield broken("vit-layers-present", "vit", "self-attention-none-declared", "No layer of attention is declared, and there is none.", without(SELF, "/attention/self/layer_01"), attribute("/attention/self", "num_layers", 0))
    yield broken("series-gap", "vit", "self-attention-missing", "Attention is declared, and there is none: one fault, not two.", without(SELF, "/attention/self/layer_01"))
    yield valid("vit-layers-present", "vit", "partial", "One layer of a partial capture.", without("/activations/layer_01"), attribute("/activations", "partial", True))
    yield broken("damaged", "vit", "only-layer", "The only layer cannot be read, and counts as there.", without("/activations/layer_01"), attribute("/activations", "num_layers", 1), found_at(LAYER, "damaged"))
