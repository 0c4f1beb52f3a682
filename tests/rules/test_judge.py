"""Every rule, broken alone: exactly its finding, by both engines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from support import descriptions
from support.descriptions import Nodes, array

from vizschema import description
from vizschema.conformance.corpus.locator import Locator
from vizschema.conformance.strength.second_opinion import second_opinion
from vizschema.errors import SpecError
from vizschema.findings import Finding, Rule
from vizschema.rules import versions
from vizschema.rules.judge import Fault, judge, settle
from vizschema.rules.versions import Profile

SPEC = versions.load("1.0.0")
DESCRIPTION = jsonschema.Draft202012Validator(versions.read_json(versions.root() / "description.schema.json"))
Break = Callable[[Nodes], object]


def put(path: str, *keys: str, value: Any) -> Break:
    """A break that sets one field of one node."""

    def apply(nodes: Nodes) -> None:
        target: Any = nodes[path]
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value

    return apply


def attribute(path: str, name: str, value: Any) -> Break:
    return put(path, "attributes", name, value=value)


def drop(path: str, *keys: str) -> Break:
    """A break that removes a node with its members, or one field of a node."""

    def apply(nodes: Nodes) -> None:
        if not keys:
            for name in [name for name in nodes if name == path or name.startswith(f"{path}/")]:
                del nodes[name]
            return
        target: Any = nodes[path]
        for key in keys[:-1]:
            target = target[key]
        del target[keys[-1]]

    return apply


def add(path: str, node: dict[str, Any]) -> Break:
    return lambda nodes: nodes.update({path: node})


def move(source: str, target: str) -> Break:
    return lambda nodes: nodes.update({target: nodes.pop(source)})


def axes(path: str, names: str, dtype: str = "float32") -> Break:
    """A break that gives an array other axes, of their right sizes."""
    return lambda nodes: nodes.update({path: array(names, dtype, **nodes[path]["attributes"])})


def resize(path: str, axis: int, size: int) -> Break:
    return put_item(path, "shape", axis, size)


def put_item(path: str, key: str, index: int, value: Any) -> Break:
    return lambda nodes: nodes[path][key].__setitem__(index, value)


def fact(path: str, name: str, value: Any) -> Break:
    return put(path, "facts", name, value=value)


def both(*breaks: Break) -> Break:
    return lambda nodes: [apply(nodes) for apply in breaks]


IPA = "/attention/ipa/layer_00"
TRIANGLE = "/attention/triangle_start/layer_00"
SELF = "/attention/self/layer_00"
LAYER = "/activations/layer_00"
FULL = [1, 2, 3]

# rule, profile, where it is found, what breaks it
STRUCTURE: list[tuple[str, str, str, Break]] = [
    ("spec-version", "trace", "/", drop("/", "attributes", "spec_version")),
    ("spec-version", "trace", "/", attribute("/", "spec_version", "1.0")),
    ("spec-version", "trace", "/", attribute("/", "spec_version", "2.0.0")),
    ("profile-declared", "trace", "/", drop("/", "attributes", "profile")),
    ("profile-declared", "trace", "/", attribute("/", "profile", 3)),
    ("profile-known", "trace", "/", attribute("/", "profile", "gpt2")),
    ("creation-time", "trace", "/", drop("/", "attributes", "created_at")),
    ("creation-time", "trace", "/", attribute("/", "created_at", "2026-03-08T20:21:03")),
    ("creation-time", "trace", "/", attribute("/", "created_at", "2026-13-08T20:21:03Z")),
    ("generator", "trace", "/", drop("/", "attributes", "generator")),
    ("generator", "trace", "/", attribute("/", "generator", "")),
    ("digest-attributes", "trace", "/", attribute("/", "spec_digest", f"sha256:{'0' * 63}")),
    ("digest-attributes", "trace", "/", attribute("/", "profile_digest", "0" * 64)),
    ("digest-attributes", "trace", "/", attribute("/", "profile_url", "")),
    ("capture-complete", "trace", "/", attribute("/", "complete", False)),
    ("metadata-group", "trace", "/metadata", drop("/metadata")),
    ("metadata-group", "trace", "/metadata", add("/metadata", array("token"))),
    ("metadata-attributes-only", "trace", "/metadata/sequence", add("/metadata/sequence", array("token"))),
    ("model-identity", "trace", "/metadata", drop("/metadata", "attributes", "model_name")),
    ("model-identity", "trace", "/metadata", attribute("/metadata", "model_version", "")),
    ("size-attribute", "trace", "/metadata", attribute("/metadata", "size_token", "5")),
    ("size-attribute", "trace", "/metadata", attribute("/metadata", "size_window", -1)),
    ("size-attribute", "trace", "/metadata", attribute("/metadata", "size_token", 5.5)),
    ("axis-one-size", "trace", "/metadata", attribute("/metadata", "size_token", 6.0)),
    ("scope-attribute", "trace", "/", attribute("/", "scope_token", "a")),
    ("scope-attribute", "trace", "/activations", attribute("/activations", "scope_window", "a")),
    ("not-captured", "trace", "/", attribute("/", "not_captured", ["/nowhere"])),
    ("not-captured-absent", "trace", LAYER, attribute("/", "not_captured", [f"{LAYER}: too large"])),
    ("declared-absence", "trace", "/inputs/images", attribute("/", "not_captured", ["/inputs/images: there are none"])),
    ("module-attribute", "trace", LAYER, attribute(LAYER, "module", 1)),
    ("present-attribute", "trace", "/activations", attribute("/activations", "present", [0, 1, 1])),
    ("scope-shared", "trace", LAYER, attribute(LAYER, "scope_hidden", "a")),
    ("count-attribute", "trace", "/activations", attribute("/activations", "num_layers", -1)),
    ("count-attribute", "trace", "/activations", attribute("/activations", "num_layers", True)),
    ("indices-attribute", "trace", LAYER, attribute(LAYER, "indices", [0, 2, 2])),
    ("spec-version", "trace", "/", attribute("/", "spec_version", None)),
    ("attention-source", "trace", SELF, attribute(SELF, "source", {"kind": "captured"})),
    ("creation-time", "trace", "/", attribute("/", "created_at", "2026-02-30T20:21:03Z")),
    ("profile-declared", "trace", "/", attribute("/", "profile", "My Model")),
    ("axis-term", "trace", LAYER, add(LAYER, array("tokens hidden"))),
    ("group-node", "trace", "/extra", both(drop("/extra"), add("/extra", array("token")))),
    ("float-dtype", "trace", SELF, axes(SELF, "sample head token:query token:key", "int8")),
    ("no-machine-names", "trace", "/metadata", attribute("/metadata", "files", ["a.pt", "/tmp/b.pt"])),
    ("axes-named", "trace", SELF, both(put_item(SELF, "axes", 2, None), put_item(SELF, "axes", 3, None))),
    ("series-undeclared", "trace", "/activations/layer_*", both(drop(LAYER), add("/activations/layer_02", array("token hidden")))),
    ("series-declared", "trace", "/activations/layer_*", both(drop("/activations", "attributes", "num_layers"), attribute("/metadata", "num_layers", 48))),
    ("data-present", "trace", "/", both(drop("/attention"), drop("/activations"), add("/outputs", description.group({})), add("/outputs/x", description.array("float32", [0], ["entry"], {}, None)))),
    ("count-attribute", "trace", "/activations", attribute("/activations", "num_blocks", "2")),
    ("partial-attribute", "trace", "/activations", attribute("/activations", "partial", "yes")),
    ("portable-attribute", "trace", "/metadata", put("/metadata", "unsupported", value={"config": "compound"})),
    ("portable-attribute", "trace", LAYER, put(LAYER, "unsupported", value={"config": "alias"})),
    ("printable-text", "trace", LAYER, put(LAYER, "escaped", value=["attributes/title"])),
    ("attribute-name", "trace", "/metadata", attribute("/metadata", "Depth", 3)),
    ("no-machine-names", "trace", "/metadata", attribute("/metadata", "checkpoint", "/home/ada/model.pt")),
    ("no-machine-names", "trace", "/metadata", attribute("/metadata", "checkpoint", "C:\\models\\model.pt")),
    ("no-machine-names", "trace", "/metadata", attribute("/metadata", "checkpoint", "~/model.pt")),
    ("no-machine-names", "trace", "/metadata", attribute("/metadata", "machine", "gpu7.cluster.local")),
    ("no-machine-names", "trace", "/metadata", attribute("/metadata", "hostname", "gpu7")),
    ("recommended-metadata", "trace", "/metadata", drop("/metadata", "attributes", "seed")),
    ("node-name", "trace", "/activations/Conv", add("/activations/Conv", array("token"))),
    ("distinct-names", "trace", "/extra", both(add("/extra/Size", array("token")), add("/extra/size", array("token")))),
    ("distinct-names", "trace", "/extra/é", both(add("/extra/é", description.group({})), add("/extra/é/e\u0301", array("token")))),
    ("node-name", "trace", "/activations/a b", add("/activations/a b", array("token"))),
    ("index-width", "trace", "/activations/layer_*", both(move(LAYER, "/activations/layer_0"), move("/activations/layer_01", "/activations/layer_1"))),
    ("index-width", "trace", "/activations/layer_*", move("/activations/layer_01", "/activations/layer_001")),
    ("series-gap", "trace", "/activations/layer_*", drop(LAYER)),
    ("series-gap", "trace", "/activations/layer_*", attribute("/activations", "num_layers", 48)),
    ("series-gap", "trace", "/outputs/layer_*", add("/outputs", description.group({"num_layers": 48}))),
    ("series-undeclared", "trace", "/activations/layer_*", attribute("/activations", "num_layers", 1)),
    ("series-dtype", "trace", "/activations/layer_*", axes("/activations/layer_01", "token hidden", "float16")),
    ("series-dtype", "openfold", "/recycle/recycle_*", axes("/recycle/recycle_01/pair", "residue:i residue:j pair_channel")),
    ("series-kind", "trace", "/activations/layer_*", both(drop(LAYER), add(LAYER, description.group({})), add(f"{LAYER}/hidden", array("token")))),
    ("series-declared", "trace", "/activations/layer_*", drop("/activations", "attributes", "num_layers")),
    ("series-alike", "openfold", "/recycle/recycle_*", drop("/recycle/recycle_01/pair")),
    ("series-elsewhere", "trace", "/activations/block_*", attribute("/activations", "num_blocks", 2)),
    ("data-present", "trace", "/", both(drop("/activations"), drop("/attention"))),
    ("empty-group", "trace", "/outputs", add("/outputs", description.group({}))),
    ("portable-dtype", "trace", "/inputs", add("/inputs", description.array("string", [5], ["token"], {}, None, item_bytes=4))),
    ("portable-dtype", "trace", "/extra/x", add("/extra/x", description.array("compound", [5], ["token"], {}, None, item_bytes=8))),
    ("axes-named", "trace", LAYER, both(put(LAYER, "axes", value=None), put(LAYER, "storage", value=None))),
    ("axes-named", "trace", LAYER, put_item(LAYER, "axes", 0, None)),
    ("axes-named", "openfold", IPA, put_item(IPA, "axes", 2, None)),
    ("axes-unique", "trace", SELF, put_item(SELF, "axes", 3, "token:query")),
    ("axes-unique", "vit", SELF, put_item(SELF, "axes", 3, "token:query")),
    ("axis-name", "trace", LAYER, put_item(LAYER, "axes", 1, "Hidden")),
    ("axis-name", "vit", LAYER, put_item(LAYER, "axes", 1, "a b")),
    ("axis-one-size", "trace", LAYER, resize(LAYER, 0, 9)),
    ("axis-one-size", "openfold", "/outputs/confidence", resize("/outputs/confidence", 0, 11)),
    ("axis-one-size", "openfold", "/metadata", attribute("/metadata", "size_residue", 13)),
    ("fixed-axis-size", "openfold", "/outputs/coordinates", both(*(resize(path, 2, 4) for path in ("/outputs/coordinates", "/recycle/recycle_00/coordinates", "/recycle/recycle_01/coordinates")))),
    ("attention-source", "trace", SELF, drop(SELF, "attributes", "source")),
    ("attention-source", "trace", SELF, attribute(SELF, "source", "softmax")),
    ("attention-normalization", "trace", SELF, drop(SELF, "attributes", "normalization")),
    ("attention-normalization", "trace", SELF, attribute(SELF, "normalization", "relu")),
    ("masked-value", "trace", LAYER, attribute(LAYER, "masked_value", -1e9)),
    ("reference-path", "trace", LAYER, attribute(LAYER, "mask", "mask")),
    ("reference-fits", "trace", LAYER, attribute(LAYER, "mask", "/inputs/mask")),
    ("text-starts", "trace", LAYER, attribute(LAYER, "starts", "/inputs/start")),
    ("reference-fits", "trace", SELF, attribute(SELF, "sink", LAYER)),
    ("attention-roles", "trace", SELF, axes(SELF, "sample head token hidden")),
    ("attention-roles", "trace", SELF, axes(SELF, "head token:query token:key hidden:key")),
    ("attention-roles", "vit", SELF, axes(SELF, "sample head token hidden")),
    ("attention-roles", "openfold", IPA, axes(IPA, "ipa_head residue:i residue:j")),
    ("chunk-maximum", "trace", LAYER, put(LAYER, "storage", "chunk_bytes", value=16 * 1024 * 1024 + 1)),
    ("chunk-one-head", "trace", SELF, put(SELF, "storage", "chunk_of", "head", value=2)),
    ("chunk-one-head", "openfold", IPA, put(IPA, "storage", "chunk_of", "ipa_head", value=3)),
    ("portable-codec", "trace", LAYER, put(LAYER, "storage", "codecs", value=["bytes", "numcodecs.zlib"])),
    ("chunk-one-sample", "trace", SELF, put(SELF, "storage", "chunk_of", "sample", value=2)),
    ("chunk-minimum", "trace", LAYER, both(put(LAYER, "bytes", value=65536), put(LAYER, "storage", "split", value=["token", "hidden"]))),
    ("portable-codec", "trace", LAYER, put(LAYER, "storage", "codecs", value=["hdf5-32001"])),
    ("shard-maximum", "trace", LAYER, put(LAYER, "storage", "shards", value={"shape": [5, 8], "bytes": 2**30 + 1, "count": 1})),
    ("root-group", "trace", "/", lambda nodes: (nodes.clear(), nodes.update({"/": array("token")}))),
    *((reason, "trace", "/extra/x" if reason != "stray-file" else "/extra", add("/extra/x", description.fault(reason, "for a reason"))) for reason in description.REASONS),
    ("stray-file", "openfold", "/pair", add("/pair/.DS_Store", description.fault("stray-file", "a file"))),
    ("stray-file", "vit", "/", add("/README.md", description.fault("stray-file", "a file"))),
    ("group-node", "openfold", "/attention_topk/ipa", both(drop("/attention_topk/ipa"), add("/attention_topk/ipa", array("residue")))),
    ("array-node", "vit", "/activations/embedding", both(add("/activations/embedding/x", array("sample token hidden")), add("/activations/embedding", description.group({})))),
    ("float-dtype", "mnist", "/activations/conv1", axes("/activations/conv1", "sample conv1_channel conv1_height conv1_width", "int8")),
    ("integer-dtype", "mnist", "/inputs/labels", axes("/inputs/labels", "sample")),
    ("image-dtype", "mnist", "/inputs/images", axes("/inputs/images", "sample channel height width", "int16")),
    ("classifier-axes", "mnist", "/inputs/images", axes("/inputs/images", "sample height width channel")),
    ("classifier-axes", "vit", "/outputs/logits", axes("/outputs/logits", "class sample")),
    ("classifier-nodes", "mnist", "/outputs/logits", drop("/outputs/logits")),
    ("labels-recommended", "mnist", "/inputs/labels", drop("/inputs/labels")),
    ("mnist-known-nodes", "mnist", "/inputs/preds", add("/inputs/preds", array("sample", "int64"))),
    ("mnist-known-nodes", "mnist", "/weights", both(add("/weights", description.group({})), add("/weights/conv1", array("fc1_unit")))),
    ("activation-axes", "mnist", "/activations/fc1", axes("/activations/fc1", "fc1_unit sample")),
    ("activation-axes", "mnist", "/activations/fc1", axes("/activations/fc1", "sample")),
    ("activations-present", "mnist", "/", drop("/activations")),
    ("damaged", "mnist", "/outputs", both(drop("/outputs"), add("/outputs", description.fault("damaged", "x")))),
    ("damaged", "openfold", "/inputs", both(drop("/inputs"), add("/inputs", description.fault("damaged", "x")))),
    ("damaged", "trace", "/activations", both(drop("/activations"), drop("/attention"), add("/activations", description.fault("damaged", "x")))),
    ("damaged", "openfold", "/attention/ipa", both(drop("/attention"), add("/attention", description.group({})), add("/attention/ipa", description.fault("damaged", "x")))),
    ("damaged", "openfold", "/pair", both(drop("/pair"), add("/pair", description.fault("damaged", "x")))),
    ("damaged", "openfold", "/attention", both(drop("/attention"), add("/attention", description.fault("damaged", "x")))),
    ("array-node", "openfold", "/inputs/msa", both(add("/inputs/msa/x", array("residue")), add("/inputs/msa", description.group({})))),
    ("portable-dtype", "openfold", "/inputs/sequence", add("/inputs/sequence", description.array("string", [12], ["residue"], {}, None, item_bytes=1))),
    ("vit-known-nodes", "vit", "/activations/cls_output", add("/activations/cls_output", array("sample hidden"))),
    ("hidden-state-axes", "vit", "/activations/embedding", axes("/activations/embedding", "token sample hidden")),
    ("self-attention-axes", "vit", SELF, axes(SELF, "sample token:query token:key head")),
    ("embedding-present", "vit", "/activations/embedding", drop("/activations/embedding")),
    ("vit-layers-present", "vit", "/attention/self/layer_*", drop("/attention")),
    ("vit-layers-present", "vit", "/activations/layer_*", both(drop(LAYER), drop("/activations/layer_01"), drop("/activations", "attributes", "num_layers"))),
    ("vit-known-nodes", "vit", "/activations/layerx", add("/activations/layerx", array("sample token hidden"))),
    ("openfold-known-nodes", "openfold", "/outputs/coords", add("/outputs/coords", array("residue atom xyz"))),
    ("openfold-known-nodes", "openfold", "/attention/cross", add("/attention/cross", array("ipa_head residue:query residue:key", normalization="softmax", source="captured"))),
    ("openfold-nodes", "openfold", "/inputs/msa", drop("/inputs/msa")),
    ("attention-present", "openfold", "/", drop("/attention")),
    ("representations-present", "openfold", "/single/layer_*", drop("/single")),
    ("representations-present", "openfold", "/pair/layer_*", both(*(drop(f"/pair/layer_{i:02}") for i in range(2)), attribute("/pair", "num_layers", 0))),
    ("top-k-pair", "openfold", "/attention_topk/ipa/layer_00", drop("/attention_topk/ipa/layer_00/weights")),
    ("sequence-dtype", "openfold", "/inputs/sequence", axes("/inputs/sequence", "residue", "int32")),
    ("coordinate-dtype", "openfold", "/outputs/coordinates", axes("/outputs/coordinates", "residue atom xyz", "float16")),
    ("mask-dtype", "openfold", "/outputs/atom_mask", axes("/outputs/atom_mask", "residue atom", "float32")),
    ("top-k-index-dtype", "openfold", "/attention_topk/ipa/layer_00/indices", axes("/attention_topk/ipa/layer_00/indices", "ipa_head entry end", "int64")),
    ("input-axes", "openfold", "/inputs/msa", axes("/inputs/msa", "residue sequence", "int32")),
    ("representation-axes", "openfold", "/pair/layer_01", axes("/pair/layer_01", "pair_channel residue:i residue:j")),
    ("attention-axes", "openfold", IPA, axes(IPA, "residue:query residue:key ipa_head")),
    ("triangle-attention-axes", "openfold", TRIANGLE, axes(TRIANGLE, "residue:query residue:key triangle_start_head")),
    ("triangle-attention-anchor", "openfold", TRIANGLE, drop(TRIANGLE, "attributes", "anchor")),
    ("triangle-attention-anchor", "openfold", TRIANGLE, attribute(TRIANGLE, "anchor", "first")),
    ("top-k-axes", "openfold", "/attention_topk/ipa/layer_00/weights", axes("/attention_topk/ipa/layer_00/weights", "entry ipa_head", "float16")),
    ("output-axes", "openfold", "/outputs/coordinates", axes("/outputs/coordinates", "atom residue xyz")),
]  # fmt: skip

VALUES: list[tuple[str, str, str, Break]] = [
    ("finite", "trace", LAYER, fact(LAYER, "non_finite", 1)),
    ("finite", "trace", LAYER, both(attribute(LAYER, "masked_value", "-inf"), fact(LAYER, "nan", 1), fact(LAYER, "positive_infinite", 2))),
    ("extra-finite", "trace", "/extra/Anything, even Größe", fact("/extra/Anything, even Größe", "non_finite", 1)),
    ("chunk-readable", "trace", LAYER, fact(LAYER, "damaged_chunks", [{"key": "0/0", "reason": "truncated", "detail": "x"}])),
    ("chunk-keys", "trace", LAYER, fact(LAYER, "damaged_chunks", [{"key": "0/0", "reason": "misplaced", "detail": "x"}])),
    ("stray-file", "trace", LAYER, fact(LAYER, "stray", ["note.txt"])),
    ("chunks-written", "trace", LAYER, fact(LAYER, "absent_chunks", 1)),
    ("values-vary", "trace", LAYER, fact(LAYER, "constant", True)),
    ("values-vary", "trace", SELF, both(fact(SELF, "constant", True), fact(SELF, "duplicate_slices", 1))),
    ("attention-range", "trace", SELF, both(fact(SELF, "minimum", -9), fact(SELF, "maximum", 9), fact(SELF, "row_sum_minimum", -3), fact(SELF, "row_sum_maximum", 40))),
    ("attention-row-sum", "trace", SELF, both(fact(SELF, "row_sum_minimum", 0.3), fact(SELF, "row_sum_maximum", 1.4))),
    ("recommended-facts-measured", "trace", LAYER, drop(LAYER, "facts", "absent_chunks")),
    ("recommended-facts-measured", "trace", LAYER, drop(LAYER, "facts", "constant")),
    ("confidence-scale", "openfold", "/outputs/confidence", fact("/outputs/confidence", "maximum", 0.9)),
    ("confidence-range", "openfold", "/outputs/confidence", both(fact("/outputs/confidence", "minimum", -5), fact("/outputs/confidence", "maximum", 105))),
    ("heads-differ", "trace", SELF, fact(SELF, "duplicate_slices", 1)),
    ("attention-row-sum", "trace", SELF, fact(SELF, "row_sum_minimum", 0.99)),
    ("attention-masked", "trace", SELF, both(attribute(SELF, "normalization", "softmax_masked"), fact(SELF, "left_out_nonzero", 1))),
    ("all-equal", "trace", SELF, attribute(SELF, "all_equal", True)),
    ("attention-row-sum", "trace", SELF, both(put(SELF, "dtype", value="float16"), fact(SELF, "row_sum_maximum", 1.003))),
    ("attention-row-sum", "trace", SELF, both(put(SELF, "dtype", value="bfloat16"), fact(SELF, "row_sum_maximum", 1.02))),
    ("attention-row-sum", "trace", SELF, both(put(SELF, "dtype", value="float16"), fact(SELF, "row_length", 40000), fact(SELF, "row_sum_maximum", 1.006))),
    ("attention-row-sum", "trace", SELF, both(attribute(SELF, "normalization", "softmax_masked"), fact(SELF, "nonzero_row_sum_minimum", 0.9))),
    ("attention-row-sum", "trace", SELF, both(attribute(SELF, "normalization", "softmax_sink"), fact(SELF, "row_sum_maximum", 1.1))),
    ("attention-range", "trace", SELF, fact(SELF, "minimum", -0.1)),
    ("attention-range", "trace", SELF, both(attribute(SELF, "normalization", "sigmoid"), fact(SELF, "maximum", 1.5))),
    ("facts-measured", "trace", LAYER, drop(LAYER, "facts", "non_finite")),
    ("facts-measured", "trace", SELF, drop(SELF, "facts", "row_sum_minimum")),
    ("facts-measured", "trace", SELF, drop(SELF, "facts", "minimum")),
    ("facts-measured", "trace", "/extra/Anything, even Größe", drop("/extra/Anything, even Größe", "facts", "non_finite")),
    ("integer-dtype", "mnist", "/inputs/labels", both(put("/inputs/labels", "dtype", value="float32"), drop("/inputs/labels", "facts", "beyond_axis"))),
    ("labels-within-classes", "mnist", "/inputs/labels", fact("/inputs/labels", "beyond_axis", 2)),
    ("labels-within-classes", "mnist", "/inputs/labels", fact("/inputs/labels", "minimum", -1)),
    ("predictions-follow-logits", "vit", "/outputs/predictions", fact("/outputs/predictions", "argmax_differs", 1)),
    ("classifier-facts-measured", "mnist", "/outputs/predictions", drop("/outputs/predictions", "facts", "argmax_differs")),
    ("sequence-letters", "openfold", "/inputs/sequence", fact("/inputs/sequence", "minimum", 45)),
    ("residue-types-follow-sequence", "openfold", "/inputs/aatype", fact("/inputs/aatype", "decode_differs", 1)),
    ("confidence-range", "openfold", "/outputs/confidence", fact("/outputs/confidence", "maximum", 100.5)),
    ("error-range", "openfold", "/outputs/predicted_aligned_error", fact("/outputs/predicted_aligned_error", "minimum", -0.5)),
    ("ptm-range", "openfold", "/outputs/ptm", fact("/outputs/ptm", "maximum", 87)),
    ("mask-binary", "openfold", "/outputs/atom_mask", fact("/outputs/atom_mask", "maximum", 2)),
    ("top-k-range", "openfold", "/attention_topk/ipa/layer_00/indices", fact("/attention_topk/ipa/layer_00/indices", "beyond_axis", 1)),
    ("masked-coordinates-zero", "openfold", "/outputs/coordinates", fact("/outputs/coordinates", "masked_nonzero", 4)),
    ("openfold-facts-measured", "openfold", "/inputs/aatype", drop("/inputs/aatype", "facts", "decode_differs")),
    ("openfold-pairs-measured", "openfold", "/outputs/coordinates", drop("/outputs/coordinates", "facts", "masked_nonzero")),
]  # fmt: skip


def described(profile: str, apply: Break | None, values: str) -> description.Description:
    nodes = descriptions.PROFILES[profile]()
    if values == "read":
        descriptions.with_facts(nodes)
    if apply is not None:
        apply(nodes)
    return descriptions.complete(nodes, values)


def agreed(document: description.Description, profile: str) -> tuple[Finding, ...]:
    """The findings, once both engines came to the same ones."""
    assert [error.message for error in DESCRIPTION.iter_errors(document)] == []
    findings = judge(document, SPEC.profile(profile))
    second = second_opinion(document, SPEC.profile(profile))
    assert [(finding.rule, finding.instance) for finding in findings] == [
        (fault.rule.id, fault.pointer) for fault in second
    ]
    return findings


@pytest.mark.parametrize("values", ["not_read", "read"])
@pytest.mark.parametrize("profile", descriptions.PROFILES)
def test_a_conforming_description_has_no_finding(profile: str, values: str) -> None:
    assert agreed(described(profile, None, values), profile) == ()


@pytest.mark.parametrize(
    ("rule", "profile", "path", "apply"),
    STRUCTURE,
    ids=[f"{case[0]}-{case[1]}-{i}" for i, case in enumerate(STRUCTURE)],
)
def test_one_fault_of_structure_is_one_finding(rule: str, profile: str, path: str, apply: Break) -> None:
    findings = agreed(described(profile, apply, "not_read"), profile)
    assert [(finding.rule, finding.path) for finding in findings] == [(rule, path)]


@pytest.mark.parametrize(
    ("rule", "profile", "path", "apply"), VALUES, ids=[f"{case[0]}-{case[1]}-{i}" for i, case in enumerate(VALUES)]
)
def test_one_fault_of_values_is_one_finding(rule: str, profile: str, path: str, apply: Break) -> None:
    findings = agreed(described(profile, apply, "read"), profile)
    assert [(finding.rule, finding.path) for finding in findings] == [(rule, path)]


def test_every_rule_of_the_version_is_broken_alone() -> None:
    rules = {rule for name in SPEC.profiles for rule in SPEC.profile(name).rules}
    assert rules == {case[0] for case in STRUCTURE + VALUES} | {"container-readings"}


def test_what_other_readers_read_otherwise_is_found_at_the_root() -> None:
    document = described("trace", None, "not_read")
    document["container"]["readings"] = [f"{number} bytes from byte 9 belong to no member" for number in range(5)]
    (finding,) = agreed(document, "trace")
    assert (finding.rule, finding.path, finding.instance) == ("container-readings", "/", "/container/readings")
    assert finding.found == "; ".join(document["container"]["readings"][:3]) + "; and 2 more"


def test_of_groups_that_differ_each_member_is_told_once() -> None:
    apply = both(drop("/recycle/recycle_01/pair"), drop("/recycle/recycle_01/single"))
    findings = agreed(described("openfold", apply, "not_read"), "openfold")
    expected = "the same members, dtypes and shapes in each"
    assert [(finding.rule, finding.expected, finding.found) for finding in findings] == [
        ("series-alike", expected, f"no {name} in number 1") for name in ("pair", "single")
    ]


def finding(rule: str, profile: str, apply: Break, values: str = "not_read") -> Finding:
    """The one finding of this rule."""
    (found,) = (each for each in agreed(described(profile, apply, values), profile) if each.rule == rule)
    return found


def test_a_finding_says_where_what_was_expected_and_found_and_how_to_mend_it() -> None:
    rules = SPEC.profile("trace").rules
    assert finding("node-name", "trace", add("/Activations", description.group({}))) == Finding(
        rule="node-name",
        severity="error",
        path="/Activations",
        instance="/nodes/~1Activations",
        expected=f"“{rules['node-name'].title.removesuffix('.')}”",
        found="a group of 0",
        title=rules["node-name"].title,
        fix=rules["node-name"].fix,
    )
    warned = finding("values-vary", "trace", fact(LAYER, "constant", True), "read")
    assert (warned.severity, warned.title, warned.fix) == (
        "warning",
        rules["values-vary"].title,
        rules["values-vary"].fix,
    )
    assert (warned.expected, warned.found) == ("values that differ", "0 everywhere")
    nowhere = both(fact(LAYER, "constant", True), fact(LAYER, "minimum", None))
    assert finding("values-vary", "trace", nowhere, "read").found == "one value everywhere"
    for count, keys, words in (
        (1, None, "1 that is not"),
        (2, ["c/0/0", "c/0/1"], "2 that are not: c/0/0, c/0/1"),
        (9, ["c/0/0", "c/0/1", "c/0/2", "c/0/3"], "9 that are not: c/0/0, c/0/1, c/0/2, …"),
    ):
        given = fact(LAYER, "absent_chunks", count)
        unwritten = finding(
            "chunks-written", "trace", given if keys is None else both(given, fact(LAYER, "absent_keys", keys)), "read"
        )
        assert (unwritten.expected, unwritten.found) == ("all chunks to be written", words)
    absent = finding("generator", "trace", drop("/", "attributes", "generator"))
    assert (absent.instance, absent.expected) == ("/nodes/~1/attributes/generator", "the attribute generator")


def small_profile(must: Any, **rules: str) -> Profile:
    """A profile of these schemas by hand, with a rule of each name."""
    url, empty = "https://example.org/must.json", "https://example.org/should.json"
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    documents = {url: {**dialect, "$id": url, **must}, empty: {**dialect, "$id": empty}}
    named = {
        name: Rule(name, "error" if level == "must" else "warning", name, "", "", "x") for name, level in rules.items()
    }
    return Profile("x", "1.0.0", url, empty, documents, named, ())


AWKWARD = {
    "$ref": "#/$defs/whole",
    "$defs": {
        "whole": {
            "$anchor": "whole",
            "type": "object",
            "properties": {
                # Names that are keywords too, and keywords below them that are keywords again.
                "$ref": {"$anchor": "reference", "type": "integer"},
                "properties": {"$anchor": "inner", "properties": {"properties": {"$anchor": "innermost", "const": 1}}},
                "$defs": {"allOf": [{"$ref": "#/$defs/properties"}, {"$anchor": "second", "maxLength": 3}]},
                "plain": {"$ref": "#/$defs/chain"},
            },
        },
        "properties": {"$anchor": "target", "type": "string"},
        "chain": {"$ref": "#/$defs/link"},
        "link": {"properties": {"$anchor": {"type": "boolean"}}, "$anchor": "linked", "required": ["$anchor"]},
    },
}


@pytest.mark.parametrize(
    ("document", "rules"),
    [
        ([], {"whole"}),
        ({"$ref": "text"}, {"reference"}),
        ({"properties": {"properties": 2}}, {"innermost"}),
        ({"$defs": 1}, {"target"}),
        ({"$defs": "long text"}, {"second"}),
        ({"plain": {}}, {"linked"}),
        ({"plain": {"$anchor": 1}}, {"linked"}),
        ({"$ref": 1, "properties": {"properties": 1}, "$defs": "abc", "plain": {"$anchor": True}}, set()),
    ],
)
def test_names_that_are_keywords_lead_to_their_rule(document: Any, rules: set[str]) -> None:
    names = ("whole", "reference", "inner", "innermost", "second", "target", "linked")
    profile = small_profile(AWKWARD, **dict.fromkeys(names, "must"))
    engine = jsonschema.Draft202012Validator(AWKWARD)
    locator = Locator(profile)
    assert {each.rule.id for each in second_opinion(document, profile)} == rules
    # The path of an engine may name the steps through references, or leave them out.
    for error in engine.iter_errors(document):
        path = ("allOf", 0, "$ref", *error.absolute_schema_path)
        short = tuple(token for number, token in enumerate(path) if token != "$ref" or path[number - 1] == "properties")
        assert {locator.fault(each, (), None).rule.id for each in (path, short)} <= rules


def test_an_assertion_that_no_rule_holds_is_a_fault_of_the_profile() -> None:
    profile = small_profile({"allOf": [{"type": "array"}]})
    with pytest.raises(SpecError) as caught:
        Locator(profile).fault(("allOf", 0, "allOf", 0, "type"), (), None)
    message = "https://example.org/must.json: an assertion that no rule holds, at allOf/0/allOf/0/type"
    assert str(caught.value) == message


_MEASURED = """
import pathlib, sys
from vizschema import description
from vizschema.rules import versions
from vizschema.rules.judge import judge

nodes = {"/": description.group({}), **{f"/odd_{number}x": description.group({}) for number in range(int(sys.argv[1]))}}
findings = judge(description.complete({}, nodes), versions.load("1.0.0").profile("openfold"))
status = pathlib.Path("/proc/self/status").read_text()
print(len(findings), status.partition("VmHWM:")[2].split()[0])
"""


def test_the_memory_of_judging_grows_with_the_nodes_alone() -> None:
    """Errors of engines hold the value at fault, which is here the map of all nodes, once for each of them."""
    (few, less), (many, more) = (
        map(int, subprocess.check_output([sys.executable, "-c", _MEASURED, count], text=True).split())
        for count in ("10", "5000")
    )
    assert many - few == 2 * 4990  # unknown, and empty
    assert more - less < 50 << 10  # KiB


def test_no_schema_is_ever_fetched() -> None:
    profile = small_profile({"allOf": [{"$ref": "https://elsewhere.example/a.json"}]})
    words = r"https://elsewhere\.example/a\.json is not part of the installed specification, and schemas are never"
    with pytest.raises(ValueError, match=words):
        judge({"nodes": {}}, profile)


def test_faults_are_settled_by_place_and_rule_errors_first() -> None:
    error, warning = Rule("b", "error", "", "", "", ""), Rule("a", "warning", "", "", "", "")

    def fault(rule: Rule, *instance: str | int, name: str | None = None, keyword: str = "pattern") -> Fault:
        return Fault(rule, instance, name, keyword, None)

    plain = [fault(warning, "x"), fault(error, "y", 1), fault(error, "y", 0), fault(error, "y", 0)]
    assert [each.pointer for each in settle(plain)] == ["/y/0", "/y/1", "/x"]
    assert fault(error, "a/b~c", name="/d").pointer == "/a~1b~0c/~1d"
    named = [fault(error, "nodes", name=name) for name in ("/A/b/c/d", "/A", "/A/b", "/B/c", "/", "A/b")]
    assert [each.name for each in settle(named)] == ["A/b", "/", "/A", "/B/c"]
    for keyword in ("not", "enum", "const"):
        members = [fault(error, "nodes", name=name, keyword=keyword) for name in ("/A", "/A/b")]
        assert [each.name for each in settle(members)] == ["/A"]
    apart = [
        fault(error, "nodes", name="/A"),
        fault(warning, "nodes", name="/A/b"),
        fault(error, "nodes", name="/A/c", keyword="required"),
    ]
    assert [each.name for each in settle(apart)] == ["/A", "/A/c", "/A/b"]
    missing = [fault(error, "nodes", name="/A", keyword="required"), fault(error, "nodes", name="/A/b")]
    assert [each.name for each in settle(missing)] == ["/A", "/A/b"]


def test_a_reference_that_a_description_contradicts_leads_to_no_array() -> None:
    """A worker, or another program, may say that an array is there which no node is."""
    nodes = descriptions.trace()
    node = nodes["/attention/self/layer_00"]
    node["attributes"] = {**node["attributes"], "mask": "/inputs/none"}
    node["references"] = {"mask": {"path": "/inputs/none", "exists": True, "dtype": "bool", "axes_fit": False}}
    described = description.complete({"format": "zarr", "version": 3, "store": "directory"}, nodes)
    found = [finding.found for finding in judge(described, SPEC.profile("trace")) if "/inputs/none" in finding.expected]
    assert found == ["no array"]
