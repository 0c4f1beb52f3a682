"""Breaks of the rules of the profile openfold on attention: whole, of one anchor, and the largest weights alone."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    add,
    array,
    attribute,
    broken,
    group,
    no_attribute,
    valid,
    without,
)
from vizschema.conformance.corpus.breaks.openfold import KINDS, PLAIN, TOPK, moved_topk, slug_of

# A table reads better with a case a line.
# fmt: off


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _attention()
    yield from _topk()


def _attention() -> Iterator[Break]:
    for kind in KINDS:
        path = f"/attention/{kind}/layer_00"
        over = "sequence" if kind == "msa_column" else "residue"
        rule = "triangle-attention-axes" if kind.startswith("triangle") else "attention-axes"
        head = f"{kind}_head"
        wrongs = {"heads-last": f"{over}:query {over}:key {head}", "keys-first": f"{head} {over}:key {over}:query", "no-heads": f"{over}:query {over}:key", "other-roles": f"{head} {over}:i {over}:j"}
        for slug, names in wrongs.items():
            node = {**array(names, contents={"pattern": "softmax", "seed": 6}, source="softmax", anchor="mean"), "chunks": [1] * len(names.split())}
            yield broken(rule, "openfold", f"{slug_of(kind)}-{slug}", f"{path} over {names}.", add(path, node))
        if kind.startswith("triangle"):
            yield from _triangle(kind)
    yield broken("attention-source", "trace", "absent", "An attention array does not say where its numbers come from.", no_attribute("/attention/self/layer_00", "source"))
    for slug, value in (("relu", "relu"), ("number", 1), ("empty", ""), ("list", ["softmax"]), ("capital", "Softmax"), ("boolean", True)):
        yield broken("attention-source", "trace", slug, f"source is {value!r}.", attribute("/attention/self/layer_00", "source", value))
    yield broken("attention-source", "trace", "array-at-attention", "/attention itself is an array.", without("/attention"), add("/attention", array("token:query token:key")))
    for value in ("softmax", "proxy", "top_k", "unknown"):
        yield valid("attention-source", "trace", f"valid-{slug_of(value)}", f"source is {value!r}.", attribute("/attention/self/layer_00", "source", value))
    yield valid("attention-source", "trace", "similar-name", "A group whose name only begins alike.", add("/attention_maps/x", array("token:query token:key")))
    yield valid("attention-source", "trace", "elsewhere", "A group of the name below another.", add("/outputs/attention/x", array("token:query token:key")))


def _triangle(kind: str) -> Iterator[Break]:
    path, other = f"/attention/{kind}/layer_00", f"/attention/{kind}/layer_01"
    flat, whole = f"{kind}_head residue:query residue:key", f"{kind}_head residue:anchor residue:query residue:key"
    name = slug_of(kind)
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
        yield valid("top-k-axes", "openfold", f"of-{slug_of(kind)}", f"Top-k attention of {kind}.", *moved_topk(kind))
        wrong = array(f"entry {kind}_head end", "int32", PLAIN)
        yield broken("top-k-axes", "openfold", f"{slug_of(kind)}-indices", f"{path}/indices with its entries first.", *moved_topk(kind, indices=wrong))
        turned = array(f"entry {kind}_head", "float16", {"pattern": "uniform", "seed": 5})
        yield broken("top-k-axes", "openfold", f"{slug_of(kind)}-weights", f"{path}/weights with its entries first.", *moved_topk(kind, weights=turned))
        for name in ("indices", "weights"):
            yield broken("top-k-pair", "openfold", f"{slug_of(kind)}-{name}-absent", f"There is no {path}/{name}.", *moved_topk(kind), without(f"{path}/{name}"))
            yield broken(
                "array-node", "openfold", f"topk-{slug_of(kind)}-{name}", f"A group stands for {path}/{name}.", *moved_topk(kind), without(f"{path}/{name}"), add(f"{path}/{name}", group()), add(f"{path}/{name}/x", array("residue"))
            )
    yield broken("empty-group", "openfold", "topk-layer", "A layer of top-k attention without anything: one fault, not two.", without(f"{TOPK}/indices", f"{TOPK}/weights"))
