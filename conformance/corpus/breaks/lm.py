"""Breaks of the rules of the profile lm, each by what it names and by what lies beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    filled,
    group,
    put,
    unmeasured,
    valid,
    without,
)
from vizschema.conformance.corpus.cases import base

# A table reads better with a case a line.
# fmt: off

SPEC = "1.1.0"
ABOVE = {
    "/inputs/token": 11,
    "/inputs/vocabulary/id": 11,
    "/router/choice/layer_00": 4,
    "/outputs/token": 11,
    "/sae/one/layer_00/index": 20,
    "/attention_topk/self/layer_00/index": 6,
    "/attention_topk/cross/layer_00/index": 4,
    "/attention_topk/encoder/layer_00/index": 4,
    "/lens_topk/layer_00/index": 11,
}
"""The first number that an index may not be."""
PADDED = tuple(path for path in ABOVE if path.endswith("/index") or "/choice/" in path)
RAGGED = "lm_ragged"
"""The base of prompts one behind another."""
NEGATIVE = ("/inputs/position", "/inputs/vocabulary/start", "/router/weight/layer_00", "/inputs/source_token")
NEGATIVE_RAGGED = ("/inputs/start", "/inputs/source_start", "/outputs/start")
SHARES = ("/attention_topk/self/layer_00/weight", "/attention_topk/cross/layer_00/weight", "/attention_topk/encoder/layer_00/weight", "/attention_sink/layer_00")
"""Weights, which are at most 1.01."""

TEXT = (
    add("/inputs/text/bytes", {**array("text_byte", "uint8", {"pattern": "ramp", "start": 65}, starts="/inputs/text/start"), "shape": [9]}),
    add("/inputs/text/start", {**array("text_edge", "int64", {"pattern": "listed", "values": [0, 4, 9]}), "shape": [3]}),
)
"""The prompts of two samples, as bytes."""


def _entries(layer: str, count: int) -> tuple[Edit, ...]:
    """Features of a layer of another autoencoder, each active one as an entry."""
    integers = {"pattern": "listed", "values": [0, 1, 1]}
    dtypes = {"index": "int32", "value": "float32", "sample": "int32", "token": "int32"}
    nodes = {name: {**array("entry", dtype, None if dtype == "float32" else integers), "shape": [count]} for name, dtype in dtypes.items()}
    return add(layer, group(scope_entry=layer.rpartition("/")[2])), *(add(f"{layer}/{name}", node) for name, node in nodes.items())


ENTRIES = (add("/sae/two", group(num_layers=1)), attribute("/metadata", "size_feature", 20), *_entries("/sae/two/layer_00", 7))
STATES = (attribute("/state/ssm", "num_layers", 2), add("/state/ssm/layer_01", array("sample head head_channel state")))
ENTRIES_OF_NEXT = (add("/sae/two", group(num_layers=2)), *_entries("/sae/two/layer_01", 4))


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _versions()
    yield from _nodes()
    yield from _axes()
    yield from _ragged()
    for each in _values():
        yield Break(each.rule, each.profile, each.slug, each.why, each.edits, each.kind, True, each.also, each.base)


def _slug(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("_", "-")


def _versions() -> Iterator[Break]:
    yield valid("spec-version", "lm", "earlier", "An archive of the version that this one builds on.", attribute("/", "spec_version", "1.0.0"))
    for version in ("1.2.0", "1.1", "2.0.0", ""):
        yield broken("spec-version", "lm", f"lm-{version or 'empty'}".replace(".", "-"), f"{version!r} is not a version that this one accepts.", attribute("/", "spec_version", version))


def _nodes() -> Iterator[Break]:
    yield broken("lm-nodes", "lm", "no-tokens", "There are no tokens.", without("/inputs/token"))
    yield broken("lm-nodes", "lm", "no-layers", "There are no hidden states.", without("/activations"))
    yield broken("declared-absence", "lm", "layers-lm", "There are no hidden states, and that is declared.", without("/activations"), attribute("/", "not_captured", ["/activations: logits alone"]))
    yield broken("lm-nodes", "lm", "no-outputs", "There are neither logits nor tokens.", without("/outputs"), attribute("/metadata", "size_vocabulary", 11))
    for path in ("/outputs/logits", "/outputs/token", "/outputs/heads"):
        others = [each for each in ("/outputs/logits", "/outputs/token", "/outputs/heads") if each != path]
        yield valid("lm-nodes", "lm", f"without-{_slug(path)}", "One of the outputs is not there.", without(path), attribute("/metadata", "size_vocabulary", 11))
        yield valid("lm-nodes", "lm", f"only-{_slug(path)}", "One of the outputs is enough.", without(*others), attribute("/metadata", "size_vocabulary", 11))
        yield broken("lm-nodes", "lm", f"instead-of-{_slug(path)}", "The outputs lie below /extra.", without("/outputs"), add("/extra", group()), add(f"/extra/{path.rpartition('/')[2]}", array("sample token")), attribute("/metadata", "size_vocabulary", 11))
    yield broken("lm-nodes", "lm", "half-vocabulary", "A vocabulary without its starts.", without("/inputs/vocabulary/start"))
    for kind in ("self", "cross", "encoder"):
        yield broken("lm-nodes", "lm", "half-top-k" if kind == "self" else f"half-top-k-{kind}", "Top-k attention without its weights.", without(f"/attention_topk/{kind}/layer_00/weight"), also=("scope-shared",) if kind == "self" else ())
    yield broken("lm-nodes", "lm", "half-lens", "The largest logits of a lens without their values.", without("/lens_topk/layer_00/value"))
    for path in ("/inputs/mask", "/residual", "/heads", "/sae", "/router", "/state", "/cache", "/attention", "/inputs/vocabulary", "/encoder", "/inputs/source_token", "/inputs/features", "/lens_topk", "/gradients"):
        yield valid("lm-nodes", "lm", f"optional-{_slug(path)}", f"{path} is optional.", without(path))
    for path in ("/inputs/tokens", "/residual/post/layer_00", "/heads/output/layer_00", "/cache/keys/layer_00", "/probe"):
        yield broken("lm-known-nodes", "lm", _slug(path), f"The profile has no name for {path}.", *(() if path.count("/") < 3 or path.startswith(("/inputs", "/probe")) else (add(path.rpartition("/")[0], group(num_layers=1)),)), add(path, array("sample")))
    yield broken("lm-nodes", "lm", "half-text", "A text without its starts.", add("/inputs/text/bytes", array("text_byte", "uint8", {"pattern": "ramp", "start": 65})))
    yield valid("lm-nodes", "lm", "text", "The text of the prompts, with its starts.", *TEXT)
    yield valid("lm-axes", "lm", "features-as-entries", "One entry for each active feature.", *ENTRIES)
    yield valid("lm-axes", "lm", "features-as-entries-of-each-layer", "Each layer has as many entries as it has active features.", *ENTRIES, *ENTRIES_OF_NEXT)
    yield broken("axis-one-size", "lm", "features-as-entries-unscoped", "The entries of features are not those of the vocabulary.", *ENTRIES, put("/sae/two/layer_00", "attributes", {}))
    yield broken("lm-axes", "lm", "features-as-entries-of-tokens", "The tokens of entries, over another axis.", *ENTRIES, put("/sae/two/layer_00/token", "axes", ["unit"]))
    yield valid("lm-known-nodes", "lm", "coordinate", "A coordinate says what tokens are.", add("/activations/token", array("token", "int64", {"pattern": "ramp"})))


def _axes() -> Iterator[Break]:
    for path, node in base(SPEC, "lm")["nodes"].items():
        if node["kind"] == "array" and len(node["axes"]) > 1:
            yield broken("lm-axes", "lm", f"turned-{_slug(path)}", f"{path} has its first two axes in another order.", put(path, "axes", [node["axes"][1], node["axes"][0], *node["axes"][2:]]))
    yield broken("lm-dtypes", "lm", "mask", "A mask of integers.", add("/inputs/mask", array("sample token", "uint8", {"pattern": "listed", "values": [1, 0, 1]})))
    yield broken("lm-dtypes", "lm", "bytes", "Bytes with a sign.", add("/inputs/vocabulary/bytes", array("byte", "int8", {"pattern": "ramp", "start": 65})))
    for path, axis, also in (("/sae/one/layer_00", "feature", ("scope-attribute", "scope-shared")), ("/sae/one", "token", ()), ("/attention_topk", "rank", ())):
        sizes = {"token": 6, "feature": 20}
        size = (attribute(path, f"size_{axis}", sizes[axis]),) if axis in sizes else ()
        yield broken("lm-scopes", "lm", f"{_slug(path)}-{axis}", f"A scope of {axis} on {path}.", attribute(path, f"scope_{axis}", "other"), *size, also=also)
    yield from _scopes()
    yield valid("lm-axes", "lm", "states-of-heads", "States of heads, as Mamba 2 has them.", *STATES)
    yield broken("lm-axes", "lm", "turned-states-of-heads", "States of heads, with their channels before the heads.", *STATES, put("/state/ssm/layer_01", "axes", ["sample", "head_channel", "head", "state"]))
    for dtype in ("bool", "int32"):
        yield valid("lm-dtypes", "lm", f"features-of-{dtype}", f"Inputs of another kind, as {dtype}.", add("/inputs/features/track", array("sample token", dtype, {"pattern": "listed", "values": [0, 1, 1]})))
    yield broken("lm-dtypes", "lm", "features-complex", "Inputs of another kind, as complex numbers.", add("/inputs/features/track", array("sample token", "complex64")))
    yield broken("lm-dtypes", "lm", "source-mask", "A mask of source tokens, as integers.", add("/inputs/source_mask", array("sample source_token", "uint8", {"pattern": "listed", "values": [1, 0, 1]})))


def _scopes() -> Iterator[Break]:
    """A scope of another axis than those of the table, on each array; and those that the table has."""
    nodes = base(SPEC, "lm")["nodes"]
    for path, node in nodes.items():
        if path.startswith(("/attention_topk/", "/lens_topk/", "/sae/")) and node["kind"] == "array":
            axis = "source_token" if "source_token:query" in node["axes"] else "token"
            yield broken("lm-scopes", "lm", f"{_slug(path)}-{axis.replace('_', '-')}", f"A scope of {axis} on {path}.", attribute(path, f"scope_{axis}", "other"), attribute(path, f"size_{axis}", 4 if axis == "source_token" else 6))
    for path in ("/attention_topk/cross/layer_00", "/attention_topk/encoder/layer_00", "/lens_topk"):
        yield valid("lm-scopes", "lm", f"{_slug(path)}-own-rank", f"A scope of rank on {path}.", attribute(path, "scope_rank", "other"))
    for name in ("index", "value", "sample", "token"):
        path = f"/sae/two/layer_00/{name}"
        yield broken("lm-scopes", "lm", f"{_slug(path)}-entry", f"A scope of entry on {path} alone.", *ENTRIES, attribute(path, "scope_entry", "other"), attribute(path, "size_entry", 7))


def _ragged() -> Iterator[Break]:
    """Prompts one behind another, without the axis sample."""
    nodes = base(SPEC, RAGGED)["nodes"]
    paths = [path for path, node in nodes.items() if node["kind"] == "array" and len(node["axes"]) > 1]
    found = [valid("lm-axes", "lm", "ragged", "Two prompts one behind the other, with their attention.", attribute("/metadata", "task", "language modelling"))]
    found += [broken("lm-axes", "lm", f"ragged-{_slug(path)}", f"{path} of prompts one behind another has its first two axes in another order.", put(path, "axes", [nodes[path]["axes"][1], nodes[path]["axes"][0], *nodes[path]["axes"][2:]]), *_resized(path, nodes[path])) for path in paths]
    found.append(broken("axis-one-size", "lm", "ragged-prompt", "A prompt is shorter than its scope says.", put("/attention/prompt_01/self/layer_00", "shape", [2, 4, 4])))
    found.append(broken("series-gap", "lm", "ragged-prompt", "The attention of a prompt is not there.", without("/attention/prompt_01"), attribute("/attention", "num_prompts", 3), also=()))
    found.append(broken("lm-known-nodes", "lm", "ragged-activations", "Hidden states of each prompt lie one behind another.", add("/activations/prompt_00", group(num_layers=1, scope_token="prompt_00")), add("/activations/prompt_00/layer_00", {**array("token hidden"), "shape": [4, 16]})))
    yield from (replace(each, base=RAGGED) for each in found)
    found = [broken("text-starts", "lm", "ragged", "The starts of prompts end before the tokens do.", filled("/inputs/start", pattern="listed", values=[0, 4, 8]))]
    found += [broken("lm-values", "lm", f"negative-{_slug(path)}", f"{path} is negative.", fact(path, minimum=-1)) for path in NEGATIVE_RAGGED]
    found.append(broken("lm-values", "lm", "above-attention-sink-prompt", "A share of a sink is above 1.", fact("/attention_sink/prompt_00/layer_00", maximum=1.02)))
    found.append(broken("lm-values", "lm", "below-attention-sink-prompt", "A share of a sink is negative.", fact("/attention_sink/prompt_01/layer_00", minimum=-0.5)))
    yield from (replace(each, base=RAGGED, values=True) for each in found)


def _resized(path: str, node: Mapping[str, Any]) -> tuple[Edit, ...]:
    """The shape of an array that has one of its own, with its first two axes in the other order."""
    shape = node.get("shape")
    return (put(path, "shape", [shape[1], shape[0], *shape[2:]]),) if shape else ()


def _values() -> Iterator[Break]:
    for path, above in ABOVE.items():
        yield broken("lm-values", "lm", f"past-{_slug(path)}", f"{path} is past the end of its axis.", filled(path, pattern="listed", values=[0, above]))
        yield valid("lm-values", "lm", f"last-{_slug(path)}", f"{path} is the last of its axis.", filled(path, pattern="listed", values=[0, above - 1]))
        low = -2 if path in PADDED else -1
        yield broken("lm-values", "lm", f"below-{_slug(path)}", f"{path} holds {low}.", filled(path, pattern="listed", values=[0, low]))
        yield broken("lm-facts-measured", "lm", _slug(path), f"beyond_axis of {path} was not measured.", unmeasured(path, "facts", "beyond_axis"))
        yield valid("lm-values", "lm", f"unknown-{_slug(path)}", "There is nothing to compare with.", fact(path, beyond_axis=None))
    yield broken("text-starts", "lm", "text-lm", "The starts of a text end before it does.", *TEXT, filled("/inputs/text/start", pattern="listed", values=[0, 4, 8]))
    for name, size in (("sample", 2), ("token", 6), ("index", 20)):
        path = f"/sae/two/layer_00/{name}"
        yield broken("lm-values", "lm", f"past-sae-entry-{name}", f"{path} is past the end of its axis.", *ENTRIES, filled(path, pattern="listed", values=[0, size]))
        yield valid("lm-values", "lm", f"last-sae-entry-{name}", f"{path} is the last of its axis.", *ENTRIES, filled(path, pattern="listed", values=[0, size - 1]))
        yield broken("lm-facts-measured", "lm", f"sae-entry-{name}", f"beyond_axis of {path} was not measured.", *ENTRIES, unmeasured(path, "facts", "beyond_axis"))
    yield broken("lm-values", "lm", "negative-inputs-text-start", "/inputs/text/start is negative.", *TEXT, fact("/inputs/text/start", minimum=-1))
    for path in NEGATIVE:
        yield broken("lm-values", "lm", f"negative-{_slug(path)}", f"{path} is negative.", fact(path, minimum=-1))
    for path in SHARES:
        yield broken("lm-values", "lm", "weight-above" if "/self/" in path else f"above-{_slug(path)}", f"{path} is above 1.", fact(path, maximum=1.02))
        yield broken("lm-values", "lm", f"below-{_slug(path)}", f"{path} is negative.", fact(path, minimum=-0.5))
