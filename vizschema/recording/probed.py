"""A table for any module, from the inputs of its first call: what is recorded, and under which names. Imports torch."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from vizschema.errors import UsageError
from vizschema.recording.dryrun import FAILURES, DryRun, Shapes, listed
from vizschema.recording.inferred import (
    RECURRENT,
    Names,
    Runs,
    Sizes,
    evidence,
    found,
    own_words,
    stem_of,
    weights_of,
)
from vizschema.recording.taps import node_name
from vizschema.recording.weights import ROLES

Rows = list[dict[str, Any]]

_NORMS = re.compile(".*(Norm|Dropout|Identity|Embedding)[0-9a-zA-Z]*")
_SHOWN = 12
_LEAST = 2
_MOST = 16


@dataclass(slots=True)
class Draft:
    """Rows, the profile, and what is not captured: the path of a node, and why.

    `streams` are the sizes of what blocks return, and their axes.
    """

    rows: Rows = field(default_factory=list)
    profile: str = "trace"
    absent: dict[str, str] = field(default_factory=dict)
    streams: list[tuple[list[Sizes], list[str]]] = field(default_factory=list)


def probe(modules: Mapping[str, Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Draft:
    """Return a table for the model that is called with these arguments; raise `UsageError` where an axis is unsure."""
    dry = DryRun(modules, args, kwargs)
    if not dry.given:
        raise refused(name, "its first call has no tensor", listed_modules(modules))
    first = first_run(dry, name, modules)

    def attempt(shapes: Mapping[str, tuple[int, ...]]) -> Shapes | None:
        try:
            return dry.run(shapes)
        except FAILURES:
            return None

    runs = found(dry.given, first, attempt)
    order = tuple(inspect.signature(modules[""].forward).parameters)
    places = {place: _argument(place, order) for place in dry.given}
    params = {place: node_name(argument, "input") for place, argument in places.items()}
    names = Names(runs, modules, params, _samples(name, runs, modules, places))
    draft = Draft()
    embedded = _inputs(draft, names, places, params, modules)
    lists = _blocks(modules, runs)
    weights = weights_of(runs)
    if any(_list_of(place, lists) for place in weights):
        for prefix, count in lists.items():
            _block_rows(draft, names, name, prefix, count, alone=len(lists) == 1)
        _weight_rows(draft, names, lists, weights)
    else:
        _layer_rows(draft, names, modules)
        _weight_rows(draft, names, {}, weights)
    _outputs(draft, names, name, embedded)
    if len(draft.absent) > _MOST:
        kept = dict(list(draft.absent.items())[: _MOST - 1])
        kept["/extra"] = f"and {len(draft.absent) - len(kept)} more"
        draft.absent = kept
    return draft


def first_run(dry: DryRun, name: str, modules: Mapping[str, Any]) -> Shapes:
    """Return the shapes of a call as it is; raise `UsageError` where they cannot be run without values."""
    try:
        return dry.run({})
    except FAILURES as error:
        words = (str(error).splitlines() or [""])[0][:120]
        why = f"its shapes cannot be run without values ({type(error).__name__}: {words})"
        raise refused(name, why, listed_modules(modules)) from error


def _argument(place: str, order: tuple[str, ...]) -> str:
    """The place of an input as a row has it: `[0][1].a` is `mask.a`, if `mask` is the second parameter."""
    kind, rest = place[1], place[3:]
    if kind == "1":
        return rest.removeprefix(".")
    match = re.match(r"\[([0-9]+)\]", rest)
    number = int(match[1]) if match else 0
    stem = order[number] if number < len(order) else f"[{number}]"
    return stem + rest[match.end() if match else 0 :]


def _samples(name: str, runs: Runs, modules: Mapping[str, Any], places: Mapping[str, str]) -> frozenset[int]:
    """The number of the axis that is the sample, or of several, one for each of several inputs.

    Raises `UsageError` where it is unsure.
    """
    seen = evidence(runs, modules)
    samples = seen.samples - seen.sequences
    inputs = [place for number in samples for place, _ in runs.axes[number]]
    if samples and len(set(inputs)) == len(inputs):
        return samples
    listed = [
        " and ".join(f"dimension {at} of {places[place]} {list(runs.given[place])}" for place, at in sorted(each))
        for each in runs.axes
    ]
    if not listed:
        raise refused(name, "no axis of its inputs can have another size", listed_modules(modules))
    raise refused(name, f"it is unsure which axis is the sample: {'; '.join(listed)}", listed_modules(modules))


def _inputs(
    draft: Draft, names: Names, places: Mapping[str, str], params: Mapping[str, str], modules: Mapping[str, Any]
) -> Any:
    """Add rows of the inputs; return the embedding that the one input of tokens is given to, if there is one."""
    embedded = [
        module
        for each, module in modules.items()
        if isinstance(module, torch.nn.Embedding) and names.runs.first.taken.get(each) in names.runs.given.values()
    ]
    for place, argument in places.items():
        axes = names.of_input(place, params[place])
        if axes is None:
            draft.absent[f"/inputs/{params[place]}"] = "two of its dimensions follow one input"
            continue
        node = params[place]
        if axes == ["sample", "token"] and len(places) == 1 and embedded:
            node = "token"
        elif axes[1:] in (["channel", "height", "width"],):
            node = "images" if len(places) == 1 else node
        value = f"in{'' if argument.startswith('[') else '.'}{argument}"
        row = {"module": "", "value": value, "node": f"/inputs/{node}", "axes": " ".join(axes), "always": True}
        draft.rows.append(row)
    is_text = draft.rows and draft.rows[0]["node"] == "/inputs/token"
    return max(embedded, key=lambda each: each.num_embeddings) if is_text else None


def _blocks(modules: Mapping[str, Any], runs: Runs) -> dict[str, int]:
    """The outermost lists of modules of one class, each called once, by name, and how many modules they have."""
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


def _list_of(place: str, lists: Mapping[str, int]) -> str | None:
    """The list that a module is in."""
    return next((name for name in lists if re.match(re.escape(_member(name, "")) + "[0-9]", place)), None)


def _pattern(prefix: str, tail: str = "") -> str:
    return re.escape(_member(prefix, "")).replace(r"\.", "[.]") + "([0-9]+)" + re.escape(tail).replace(r"\.", "[.]")


def _first_place(runs: Runs, module: str) -> str | None:
    return next(iter(runs.first.returned.get(module, {})), None)


def _sizes(runs: Runs, module: str, place: str) -> list[Sizes] | None:
    return runs.sizes_of(lambda each: each.returned.get(module, {}).get(place))


def _block_rows(draft: Draft, names: Names, name: str, prefix: str, count: int, *, alone: bool) -> None:
    """Add the row of the outputs of a list of blocks; raise `UsageError` where an axis is unsure."""
    runs = names.runs
    stem = "layer" if alone else stem_of(prefix)
    members = [_member(prefix, number) for number in range(count)]
    places = {_first_place(runs, each) for each in members}
    place = next(iter(places))
    shapes = [None if place is None else _sizes(runs, each, place) for each in members]
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


def _weight_rows(draft: Draft, names: Names, lists: Mapping[str, int], weights: Mapping[str, list[Sizes]]) -> None:
    """Add rows of weights: of modules that every block has, and of others by their own names."""
    runs = names.runs
    done: set[str] = set()
    for place, sizes in weights.items():
        prefix = _list_of(place, lists)
        tail = "" if prefix is None else re.sub("^[0-9]+", "", place.removeprefix(_member(prefix, "")))
        module = re.escape(place) if prefix is None else _pattern(prefix, tail)
        if module in done:
            continue
        done.add(module)
        kind = "self" if sizes[-1] == sizes[-2] else "cross"
        stem = "layer" if len(lists) == 1 else stem_of(prefix or "")
        node = f"/{ROLES}/{node_name(place, 'weights')}" if prefix is None else f"/{ROLES}/{kind}/{stem}_{{0}}"
        if node in _nodes(draft):
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


def _layer_rows(draft: Draft, names: Names, modules: Mapping[str, Any]) -> None:
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
        sizes = None if place is None else _sizes(runs, name, place)
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


def _outputs(draft: Draft, names: Names, name: str, embedded: Any) -> None:
    """Add rows of the outputs, and choose the profile."""
    runs = names.runs
    outputs = runs.first.returned[""]
    for place in outputs:
        sizes = _sizes(runs, "", place)
        word = node_name(place or "output", "output")
        axes = None if sizes is None else names.of(sizes, word)
        if axes is None:
            draft.absent[f"/outputs/{word}"] = f"two dimensions of {list(outputs[place])} follow one input"
            continue
        is_text = embedded is not None and axes[:2] == ["sample", "token"] and len(axes) == 3
        if is_text and outputs[place][2] == embedded.num_embeddings and "/outputs/logits" not in _nodes(draft):
            word, axes = "logits", ["sample", "token", "vocabulary"]
        else:
            axes = _like_blocks(draft, sizes) or axes
        row = {"module": "", "value": f"out{place}", "node": f"/outputs/{word}", "axes": " ".join(axes), "always": True}
        draft.rows.append(row)
    if not any(node.startswith("/outputs/") for node in _nodes(draft)):
        raise refused(name, f"two dimensions of its outputs {list(outputs.values())} follow one input", [])
    rows = {row["node"]: row["axes"].split() for row in draft.rows}
    known = {"/inputs/token", "/outputs/logits", "/activations/layer_{0}", f"/{ROLES}/self/layer_{{0}}"}
    is_text = rows.get("/outputs/logits", [])[1:] == ["token", "vocabulary"] and set(rows) <= known
    if is_text and rows.get("/activations/layer_{0}") == ["sample", "token", "hidden"] and not draft.absent:
        draft.profile = "lm"


def _like_blocks(draft: Draft, sizes: Any) -> list[str] | None:
    """The axes of the blocks, of an output that has their sizes in every run."""
    return next((axes for shape, axes in draft.streams if shape == sizes), None)


def _nodes(draft: Draft) -> Sequence[str]:
    return [row["node"] for row in draft.rows]


def listed_modules(modules: Mapping[str, Any]) -> list[str]:
    """Return the names and classes of the outer modules."""
    return [f"{name} ({type(module).__name__})" for name, module in modules.items() if name.count(".") < 2 and name]


def refused(name: str, why: str, known: Sequence[str]) -> UsageError:
    """The refusal of a model, with a row to begin with."""
    has = f"; its modules are {listed(known, _SHOWN)}" if known else ""
    row = (
        '{"module": "layers[.]([0-9]+)", "value": "out", "node": "/activations/layer_{0}", '
        '"axes": "sample token hidden"}'
    )
    return UsageError(
        path=name,
        expected="a table for this class, or axes that its shapes say",
        found=f"none: {why}{has}",
        fix=f"pass a list of rows, one per array, with the names of all axes: table=[{row}, …]",
    )
