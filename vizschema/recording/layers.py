"""Rows of a drafted table: what blocks and layers return, and weights. Imports torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from vizschema.recording.dryrun import refused
from vizschema.recording.inferred import RECURRENT, Names, Runs, Sizes, own_words, stem_of, weights_of
from vizschema.recording.taps import node_name
from vizschema.recording.weights import ROLES

Rows = list[dict[str, Any]]

_NORMS = re.compile(".*(Norm|Dropout|Identity|Embedding)[0-9a-zA-Z]*")
_LEAST = 2


@dataclass(slots=True)
class Draft:
    """Rows, the profile, and what is not captured: the path of a node, and why.

    `streams` are the sizes of what blocks return, and their axes.
    """

    rows: Rows = field(default_factory=list)
    profile: str = "trace"
    absent: dict[str, str] = field(default_factory=dict)
    streams: list[tuple[list[Sizes], list[str]]] = field(default_factory=list)


def nodes(draft: Draft) -> Sequence[str]:
    """Return the nodes of the rows so far."""
    return [row["node"] for row in draft.rows]


def blocks(modules: Mapping[str, Any], runs: Runs) -> dict[str, int]:
    """Return the outermost lists of modules of one class, each called once, by name, and how many modules they have."""
    called = runs.first.called
    lists = {
        name: len(module)
        for name, module in modules.items()
        if isinstance(module, torch.nn.ModuleList | torch.nn.Sequential)
        and len(module) >= 1
        and (len({type(each) for each in module}) == 1 or isinstance(module, torch.nn.ModuleList))
        and all(any(True for _ in each.children()) for each in module)
        and all(called.get(_member(name, number)) == 1 for number in range(len(module)))
    }
    return {
        name: count
        for name, count in lists.items()
        if not any(name.startswith(f"{other}." if other else "") for other in lists if other != name)
    }


def _member(name: str, number: int | str) -> str:
    return f"{name}.{number}" if name else str(number)


def list_of(place: str, lists: Mapping[str, int]) -> str | None:
    """Return the list that a module is in."""
    return next((name for name in lists if re.match(re.escape(_member(name, "")) + "[0-9]", place)), None)


def _pattern(prefix: str, tail: str = "") -> str:
    return re.escape(_member(prefix, "")).replace(r"\.", "[.]") + "([0-9]+)" + re.escape(tail).replace(r"\.", "[.]")


def _first_place(runs: Runs, module: str) -> str | None:
    return next(iter(runs.first.returned.get(module, {})), None)


def sizes_of(runs: Runs, module: str, place: str) -> list[Sizes] | None:
    """Return the sizes of what a module returns at a place."""
    return runs.sizes_of(lambda each: each.returned.get(module, {}).get(place))


def add_blocks(draft: Draft, names: Names, name: str, prefix: str, count: int, *, alone: bool) -> None:
    """Add the row of the outputs of a list of blocks; raise `UsageError` where an axis is unsure."""
    runs = names.runs
    stem = "layer" if alone else stem_of(prefix)
    members = [_member(prefix, number) for number in range(count)]
    places = {_first_place(runs, each) for each in members}
    place = next(iter(places))
    shapes = [None if place is None else sizes_of(runs, each, place) for each in members]
    followed = {tuple(runs.axis(each) for each in shape or []) for shape in shapes}
    if len(places) > 1 or place is None or None in shapes or len(followed) > 1:
        raise refused(name, f"{members[0]} and the blocks beside it return different things", [])
    own = [[each for each in shape or [] if runs.axis(each) is None] for shape in shapes]
    queries = {weights[-2] for at, weights in weights_of(runs).items() if at.startswith(_member(prefix, ""))}
    is_sequence = len(own[0]) == _LEAST and any(each[0] in queries and each[1] not in queries for each in own)
    spread = len({tuple(each) for each in own}) > 1
    words = {1: ("hidden",), _LEAST: ("token", "hidden") if is_sequence else ()}.get(len(own[0]), ())
    if spread or not words:
        axes = names.of(shapes[0] or [], "{module}", ())
    else:
        taken = set(names.words.values())
        called = [word if word not in taken and alone else f"{stem}_{word}" for word in words]
        given = iter(called)
        axes = [next(given) if (at := runs.axis(each)) is None else names.words[at] for each in shapes[0] or []]
        draft.streams.append((shapes[0] or [], axes))
    if axes is None or not {names.words[each] for each in names.samples} & set(axes):
        sizes = [each[0] for each in shapes[0] or []]
        raise refused(name, f"{members[0]} returns {sizes}, and which axis is the sample is unsure", [])
    node = f"/activations/{stem}_{{0}}"
    draft.rows.append({"module": _pattern(prefix), "value": f"out{place}", "node": node, "axes": " ".join(axes)})


def add_weights(draft: Draft, names: Names, lists: Mapping[str, int], weights: Mapping[str, list[Sizes]]) -> None:
    """Add rows of weights: of modules that every block has, and of others by their own names."""
    runs = names.runs
    done: set[str] = set()
    for place, sizes in weights.items():
        prefix = list_of(place, lists)
        tail = "" if prefix is None else re.sub("^[0-9]+", "", place.removeprefix(_member(prefix, "")))
        module = re.escape(place) if prefix is None else _pattern(prefix, tail)
        if module in done:
            continue
        done.add(module)
        kind = "self" if sizes[-1] == sizes[-2] else "cross"
        stem = "layer" if len(lists) == 1 else stem_of(prefix or "")
        node = f"/{ROLES}/{node_name(place, 'weights')}" if prefix is None else f"/{ROLES}/{kind}/{stem}_{{0}}"
        if node in nodes(draft):
            node = f"/{ROLES}/{node_name(tail, 'weights')}/{stem}_{{0}}"
        axes = _weight_axes(draft, names, sizes, "head" if len(lists) < _LEAST else f"{stem}_head")
        others = [each for each in runs.first.called if re.fullmatch(module, each) and each not in weights]
        if axes is None or others:
            group = node.rpartition("/")[0] if prefix is not None else node
            draft.absent[group] = f"the axes of {[each[0] for each in sizes]}, the weights of {place}, are unsure"
            continue
        draft.rows.append(
            {
                "module": module,
                "value": "weights" if place in runs.first.kernels else "softmax",
                "node": node,
                "axes": " ".join(axes),
                "attributes": {"normalization": "softmax"},
            }
        )


def _weight_axes(draft: Draft, names: Names, sizes: Sequence[Sizes], head: str) -> list[str] | None:
    """The axes of weights; None where one is unsure."""
    runs = names.runs
    first, inner = runs.axis(sizes[0]), [runs.axis(each) for each in sizes[1:-2]]
    query, key = (_sequence(draft, names, each) for each in sizes[-2:])
    is_unsure = query is None or key is None or (query == key and sizes[-1] != sizes[-2])
    if is_unsure or first not in names.samples or inner not in ([], [None]):
        return None
    return [names.words[first or 0], *([head] if inner else []), f"{query}:query", f"{key}:key"]


def _sequence(draft: Draft, names: Names, sizes: Sizes) -> str | None:
    """The name of the axis of a sequence: one of the inputs, or of what blocks return."""
    axis = names.runs.axis(sizes)
    if axis is not None:
        return names.words[axis]
    found = {axes[at] for shape, axes in draft.streams for at, each in enumerate(shape) if each == sizes}
    return found.pop() if len(found) == 1 else None


def add_layers(draft: Draft, names: Names, modules: Mapping[str, Any]) -> None:
    """Add a row for each layer that has weights of its own, with axes of its name."""
    runs = names.runs
    for name, module in modules.items():
        is_leaf = not any(True for _ in module.children())
        if not name or not is_leaf or not any(True for _ in module.parameters(recurse=False)):
            continue
        kind = type(module).__name__
        if _NORMS.fullmatch(kind) or name not in runs.first.called:
            continue
        own = node_name(name, kind)
        place = _first_place(runs, name)
        sizes = None if place is None else sizes_of(runs, name, place)
        if runs.first.called[name] > 1 or sizes is None:
            draft.absent[f"/activations/{own}"] = "called several times" if sizes is not None else "no tensor"
            continue
        words = ("hidden",) if kind in RECURRENT and runs.axis(sizes[-1]) is None else own_words(module)
        words = words if len(words) < len(sizes) else ()
        axes = names.of(sizes, own, words)
        if axes is None:
            draft.absent[f"/activations/{own}"] = f"two dimensions of {[each[0] for each in sizes]} follow one input"
            continue
        draft.rows.append(
            {
                "module": re.escape(name),
                "value": f"out{place}",
                "node": f"/activations/{own}",
                "axes": " ".join(axes),
            }
        )
