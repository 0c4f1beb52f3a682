"""Breaks of the rules of the profile lm, each by what it names and by what lies beside it."""

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
ABOVE = {"/inputs/token": 11, "/inputs/vocabulary/id": 11, "/router/choice/layer_00": 4, "/outputs/token": 11, "/sae/one/layer_00/index": 20, "/attention_topk/self/layer_00/index": 6}
"""The first number that an index may not be."""
PADDED = ("/sae/one/layer_00/index", "/attention_topk/self/layer_00/index")

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
ENTRIES_OF_NEXT = (add("/sae/two", group(num_layers=2)), *_entries("/sae/two/layer_01", 4))


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _versions()
    yield from _nodes()
    yield from _axes()
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
    for path in ("/outputs/logits", "/outputs/token"):
        yield valid("lm-nodes", "lm", f"without-{_slug(path)}", "One of the outputs is enough.", without(path), attribute("/metadata", "size_vocabulary", 11))
    yield broken("lm-nodes", "lm", "half-vocabulary", "A vocabulary without its starts.", without("/inputs/vocabulary/start"))
    yield broken("lm-nodes", "lm", "half-top-k", "Top-k attention without its weights.", without("/attention_topk/self/layer_00/weight"), also=("scope-shared",))
    for path in ("/inputs/mask", "/residual", "/heads", "/sae", "/router", "/state", "/cache", "/attention", "/inputs/vocabulary"):
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
    for path, axis, also in (("/sae/one/layer_00", "feature", ("scope-attribute", "scope-shared")), ("/sae/one", "token", ()), ("/attention_topk", "rank", ("scope-attribute",))):
        sizes = {"token": 6, "feature": 20}
        size = (attribute(path, f"size_{axis}", sizes[axis]),) if axis in sizes else ()
        yield broken("lm-scopes", "lm", f"{_slug(path)}-{axis}", f"A scope of {axis} on {path}.", attribute(path, f"scope_{axis}", "other"), *size, also=also)


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
    for path in ("/inputs/position", "/inputs/vocabulary/start", "/router/weight/layer_00"):
        yield broken("lm-values", "lm", f"negative-{_slug(path)}", f"{path} is negative.", fact(path, minimum=-1))
    yield broken("lm-values", "lm", "weight-above", "A weight of top-k attention is above 1.", fact("/attention_topk/self/layer_00/weight", maximum=1.02))
