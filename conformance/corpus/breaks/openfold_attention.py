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
    weights,
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
            node = {**array(names, contents=weights(names, 6), normalization="softmax", source="captured", anchor="mean"), "chunks": [1] * len(names.split())}
            yield broken("attention-roles" if slug == "other-roles" else rule, "openfold", f"{slug_of(kind)}-{slug}", f"{path} over {names}.", add(path, node))
        if kind.startswith("triangle"):
            yield from _triangle(kind)
    yield from _words("attention-normalization", "normalization", ("softmax_masked", "softmax_truncated", "softmax_sink", "softmax", "sigmoid", "none"))
    yield from _words("attention-source", "source", ("captured", "recomputed", "proxy", "top_k", "unknown"))
    yield from _roles()


def _words(rule: str, name: str, words: tuple[str, ...]) -> Iterator[Break]:
    """An attribute of attention that is one of a few words."""
    own = "/attention/self/layer_00"
    yield broken(rule, "trace", "absent", f"An attention array without {name}.", no_attribute(own, name))
    for slug, value in (("relu", "relu"), ("number", 1), ("empty", ""), ("list", [words[0]]), ("capital", words[0].capitalize()), ("boolean", True)):
        yield broken(rule, "trace", slug, f"{name} is {value!r}.", attribute(own, name, value))
    yield broken(rule, "trace", "array-at-attention", "/attention itself is an array.", without("/attention"), add("/attention", array("token:query token:key", **{each: "unknown" if each == "source" else "none" for each in ("normalization", "source") if each != name})))
    for value in words:
        yield valid(rule, "trace", f"valid-{slug_of(value)}", f"{name} is {value!r}.", attribute(own, name, value))
    yield valid(rule, "trace", "similar-name", "A group whose name only begins alike.", add("/attention_maps/x", array("token:query token:key")))
    yield valid(rule, "trace", "elsewhere", "A group of the name below another.", add("/outputs/attention/x", array("token:query token:key")))


def _roles() -> Iterator[Break]:
    own, marks = "/attention/self/layer_00", {"normalization": "none", "source": "unknown"}
    for slug, names in {
        "none": "sample head row column",
        "other-roles": "sample head token:i token:j",
        "query-alone": "sample head token:query row",
        "key-alone": "sample head row token:key",
        "two-queries": "head token:query row:query token:key",
        "two-keys": "head token:query token:key row:key",
        "values-themselves": "sample head token head_channel",
        "longer": "head token:query_block token:key_block",
        "no-axes": "",
    }.items():
        node = array(names, contents={"pattern": "constant", "value": 0.5} if not names else None, **marks)
        yield broken("attention-roles", "trace", slug, f"Attention over {names or 'no axes'}.", add(own, node))
    yield broken("attention-roles", "trace", "array-at-attention", "/attention itself is an array.", without("/attention"), add("/attention", array("row column", **marks)))
    for slug, names in {
        "cross": "sample head token:query source_token:key",
        "keys-first": "sample head token:key token:query",
        "heads-last": "token:query token:key head",
        "anchor": "head token:anchor token:query token:key",
        "flat": "token:query token:key",
    }.items():
        marked = {"normalization": "softmax", "source": "captured"}
        node = {**array(names, contents=weights(names, 6), **marked), "chunks": [1] * len(names.split())}
        yield valid("attention-roles", "trace", slug, f"Attention over {names}.", add(own, node), values=True)
    yield valid("attention-roles", "trace", "values-elsewhere", "Queries, keys and values in groups of their own.", *(add(f"/heads/{name}/x", array("sample token head head_channel")) for name in ("query", "key", "value")))
    yield valid("attention-roles", "trace", "in-extra", "Below /extra attention may have any axes.", add("/extra/attention/x", array("row column")))


def _triangle(kind: str) -> Iterator[Break]:
    path, other = f"/attention/{kind}/layer_00", f"/attention/{kind}/layer_01"
    flat, whole = f"{kind}_head residue:query residue:key", f"{kind}_head residue:anchor residue:query residue:key"
    name = slug_of(kind)
    soft, last = {"pattern": "softmax", "seed": 6}, f"{kind}_head residue:query residue:key residue:anchor"
    yield broken("triangle-attention-axes", "openfold", f"{name}-anchor-last", "The anchors last.", add(path, array(last, contents=weights(last, 6), normalization="softmax", source="captured")))
    yield broken("triangle-attention-anchor", "openfold", f"{name}-absent", "A map of one anchor, or a mean: the archive does not say which.", add(path, array(flat, contents=soft, normalization="softmax", source="captured")))
    for slug, value in (("text", "first"), ("negative", -1), ("fraction", 1.5), ("boolean", True), ("list", [1]), ("empty", ""), ("capital", "Mean")):
        yield broken("triangle-attention-anchor", "openfold", f"{name}-{slug}", f"anchor is {value!r}.", add(path, array(flat, contents=soft, normalization="softmax", source="captured", anchor=value)))
    yield broken("triangle-attention-anchor", "openfold", f"{name}-anchor-object", "anchor is an object.", add(path, array(flat, contents=soft, normalization="softmax", source="captured", anchor={"index": 1})))
    for slug, value in (("zero", 0), ("index", 7), ("mean", "mean")):
        yield valid("triangle-attention-anchor", "openfold", f"{name}-valid-{slug}", f"anchor is {value!r}.", add(path, array(flat, contents=soft, normalization="softmax", source="captured", anchor=value)))
    for number, at in enumerate((path, other)):
        yield valid("triangle-attention-axes", "openfold", f"{name}-whole-{number}", "Attention of every anchor needs no anchor.", add(at, array(whole, contents=soft, normalization="softmax", source="captured")))


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
                "array-node", "openfold", f"topk-{slug_of(kind)}-{name}", f"A group instead of {path}/{name}.", *moved_topk(kind), without(f"{path}/{name}"), add(f"{path}/{name}", group()), add(f"{path}/{name}/x", array("residue"))
            )
    yield broken("empty-group", "openfold", "topk-layer", "A layer of top-k attention without anything: one fault, not two.", without(f"{TOPK}/indices", f"{TOPK}/weights"))
