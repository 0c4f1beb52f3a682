"""Breaks that two rules could claim: one fault is one finding, of the rule that is nearest to it.

For every array that a profile knows: axes that are missing, repeated or misspelt, which no rule on the axes of that array may
report as well; a root that cannot be read, of which nothing else is asked; parts that are absent, of which no fact is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from vizschema import description
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
    measured,
    on_description,
    on_document,
    unmeasured,
    valid,
)
from vizschema.conformance.corpus.breaks.openfold import KINDS, TABLE, moved_topk, unmasked

# A table reads better with a case a line.
# fmt: off

PLAIN = {"pattern": "listed", "values": [0, 1, 1]}
ARRAYS: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "mnist": {"/inputs/images": (4, "float32"), "/inputs/labels": (1, "int64"), "/outputs/logits": (2, "float32"), "/outputs/predictions": (1, "int64"), "/activations/conv1": (4, "float32"), "/activations/fc1": (2, "bfloat16")},
    "vit": {"/activations/embedding": (3, "float32"), "/activations/layer_00": (3, "float32"), "/attention/self/layer_00": (4, "float32")},
    "openfold": {
        **{path: (len(axes.split()), dtype) for path, (axes, dtype) in TABLE.items()},
        **{f"/attention/{kind}/layer_00": (4 if kind == "triangle_end" else 3, "float32") for kind in KINDS},
        **{f"/attention_topk/{kind}/layer_00/indices": (3, "int32") for kind in KINDS},
        **{f"/attention_topk/{kind}/layer_00/weights": (2, "float16") for kind in KINDS},
    },
}
"""Every array whose axes a profile prescribes: its dimensions and dtype."""


NO_NAMES: Mapping[str, tuple[str, str]] = {
    "capital": ("Unit0", "in capitals"),
    "hyphen": ("unit-0", "with a hyphen"),
    "capital-role": ("unit0:Role", "with a role in capitals"),
    "hyphen-role": ("unit0:role-a", "with a hyphen in its role"),
    "two-roles": ("unit0:a:b", "with two roles"),
}
"""Names of axes that are none, each near to one in another way."""


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _axes()
    yield from _roots()
    yield from _kinds()
    for each in _values():
        yield replace(each, values=True)


def _slug(path: str) -> str:
    return path.strip("/").replace("/", "-").replace("_", "-")


def _odd(path: str, names: list[str | None] | None, rank: int, dtype: str) -> Edit:
    """Gives an array axes that are none, over a shape of its own, and contents that follow from nothing."""

    def apply(document: dict[str, Any]) -> None:
        node = document["nodes"][path]
        contents = {"pattern": "smooth", "seed": 5} if "float" in dtype else PLAIN
        document["nodes"][path] = {**node, "axes": names, "shape": [4] * rank, "contents": contents}

    return on_document(apply)


def _axes() -> Iterator[Break]:
    for profile, arrays in ARRAYS.items():
        for path, (rank, dtype) in arrays.items():
            others = _others(path)
            if rank:
                name = f"{_slug(path)}-guarded"
                yield broken("axes-named", profile, f"{name}-none", f"{path} without names of axes.", *others, _odd(path, None, rank, dtype))
                words: list[str | None] = [f"unit{number}" for number in range(rank)]
                for slug, (word, why) in NO_NAMES.items():
                    yield broken("axis-name", profile, f"{name}-{slug}", f"{path} with a name of an axis {why}.", *others, _odd(path, [word, *words[1:]], rank, dtype))
            if rank < 2:
                # Two dimensions, since one or none can neither repeat a name nor lack one of several.
                name, slugs, rank = f"{_slug(path)}-guarded-flat", ("capital",) if rank else tuple(NO_NAMES), 2
                words = ["unit0", "unit1"]
                yield broken("axes-named", profile, f"{name}-none", f"{path} of two dimensions, without names.", *others, _odd(path, None, rank, dtype))
                for slug in slugs:
                    word, why = NO_NAMES[slug]
                    yield broken("axis-name", profile, f"{name}-{slug}", f"{path} of two dimensions, with a name of an axis {why}.", *others, _odd(path, [word, "unit1"], rank, dtype))
            if rank > 1:
                yield broken("axes-named", profile, f"{name}-one", f"{path} without the name of one axis.", *others, _odd(path, [None, *words[1:]], rank, dtype))
                yield broken("axes-unique", profile, f"{name}-twice", f"{path} with one axis twice.", *others, _odd(path, ["unit0", "unit0", *words[2:]], rank, dtype))


def _others(path: str) -> tuple[Edit, ...]:
    """What else has to change where an array is replaced that others follow from."""
    if path == "/outputs/logits":
        return (filled("/outputs/predictions", pattern="classes", axis="class", seed=9),)
    if path == "/inputs/sequence":
        return (filled("/inputs/aatype", pattern="classes", count=21, seed=9),)
    if path == "/outputs/atom_mask":
        return (*unmasked(), filled("/outputs/coordinates", pattern="smooth", seed=9))
    if path.startswith("/attention_topk/"):
        edits: tuple[Edit, ...] = moved_topk(path.split("/")[2])
        return edits
    return ()


def _root(reason: str) -> Edit:
    return on_description(lambda parts: parts.__setitem__("nodes", {"/": description.fault(reason, "for a reason")}))


def _roots() -> Iterator[Break]:
    for profile in ("mnist", "vit", "openfold"):
        for reason in ("damaged", "external-link", "special-file"):
            yield broken(reason, profile, f"root-{reason}", "The root itself: nothing else is asked for.", _root(reason))
    # What is absent has no kind to be looked at.
    yield valid("data-present", "trace", "only-outputs-in-groups", "Groups of groups of arrays.", add("/outputs/a/b/c", array("token")))


def _kinds() -> Iterator[Break]:
    """Attributes and names on what is not an array, or not a group, where a rule is about the other."""
    layer, extra = "/activations/layer_00", "/extra/Anything, even Größe"
    yield valid("partial-attribute", "trace", "guarded-array", "An array may have an attribute of that name.", attribute(layer, "partial", "no"), attribute(extra, "partial", 3))
    yield valid("indices-attribute", "trace", "guarded-group", "A group may have an attribute of that name.", attribute("/attention", "indices", "first"), attribute("/extra", "indices", -1))
    yield valid("count-attribute", "trace", "guarded-array", "An array may have an attribute of that name.", attribute(layer, "num_heads", -2), attribute(extra, "num_x", "two"))
    yield valid("attention-source", "trace", "guarded-group", "A group of attention needs no source.", attribute("/attention", "note", "softmax"), add("/attention/more", group()), add("/attention/more/x", array("token:query token:key", normalization="none", source="unknown")))
    for name in ("source", "normalization", "anchor"):
        yield valid("attention-source", "trace", f"other-{name}-of-group", "A group may have an attribute of that name.", attribute("/attention/self", name, 7))


def _values() -> Iterator[Break]:
    layer, own = "/activations/layer_00", "/attention/self/layer_00"
    for dtype in ("bool", "int8", "complex64"):
        contents = PLAIN if dtype != "complex64" else {"pattern": "listed", "values": [1.0, 2.0, 3.0]}
        node = array("token:query token:key", dtype, contents, normalization="none", source="proxy")
        yield valid("attention-range", "trace", f"guarded-{dtype}", f"A proxy of {dtype} has no range.", add("/attention/self/layer_00", node))
    yield valid("attention-range", "trace", "no-facts-asked", "Without values read, nothing is asked.", on_description(_unread))
    for kind in ("proxy", "unknown"):
        yield valid("attention-range", "trace", f"free-{kind}", f"A {kind} that is not normalised has no range.", attribute(own, "normalization", "none"), attribute(own, "source", kind), fact(own, minimum=-9, maximum=9, row_sum_minimum=-3, row_sum_maximum=40))
    yield broken("finite", "trace", "half-and-range", "NaN, beside a range that is kept.", fact(own, non_finite=1))
    yield valid("finite", "trace", "integers", "An integer is finite.", add("/outputs/x", array("token", "int8", PLAIN)), measured("/outputs/x", "facts", "non_finite", value=3))
    yield broken("attention-normalization", "trace", "absent-with-sums", "Without a normalization, sums are not asked for.", fact(own, row_sum_minimum=0.3, minimum=-1), on_description(lambda parts: parts["nodes"][own]["attributes"].pop("normalization")))
    yield valid("recommended-facts-measured", "trace", "integers", "Integers need no share of equal entries.", add("/outputs/x", array("token", "int8", PLAIN)))
    yield broken("facts-measured", "trace", "one-bound", "One of the sums was not measured.", unmeasured(own, "facts", "row_sum_maximum"))
    yield valid("heads-differ", "trace", "described-none", "No copy.", fact(own, duplicate_slices=0), fact(layer, duplicate_slices=3))


def _unread(parts: dict[str, Any]) -> None:
    parts["values"] = "partial"
    for node in parts["nodes"].values():
        node.pop("facts", None)
