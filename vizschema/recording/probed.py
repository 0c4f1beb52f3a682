"""A table for any module, from the inputs of its first call: what is recorded, and under which names. Imports torch."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import torch

from vizschema.recording.dryrun import FAILURES, DryRun, Shapes, listed_modules, refused, tensors
from vizschema.recording.inferred import Names, Runs, evidence, found, weights_of
from vizschema.recording.layers import Draft, add_blocks, add_layers, add_weights, blocks, list_of, nodes, sizes_of
from vizschema.recording.taps import node_name
from vizschema.recording.tensors import require_plain
from vizschema.recording.weights import ROLES

_MOST = 16


def probe(modules: Mapping[str, Any], name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Draft:
    """Return a table for the model that is called with these arguments; raise `UsageError` where an axis is unsure."""
    for tensor in tensors([args, kwargs]).values():
        require_plain(name, tensor)
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
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(modules[""].forward).parameters.values()
    order = tuple(each.name for each in parameters if each.kind in kinds)
    places = {place: _argument(place, order) for place in dry.given}
    params = {place: node_name(argument, "input") for place, argument in places.items()}
    names = Names(runs, modules, params, _samples(name, runs, modules, places))
    draft = Draft()
    embedded = _inputs(draft, names, places, params, modules)
    lists = blocks(modules, runs)
    weights = weights_of(runs)
    if any(list_of(place, lists) for place in weights):
        for prefix, count in lists.items():
            add_blocks(draft, names, name, prefix, count, alone=len(lists) == 1)
        add_weights(draft, names, lists, weights)
    else:
        add_layers(draft, names, modules)
        add_weights(draft, names, {}, weights)
    for place in weights_of(runs, again=True).keys() - weights.keys():
        draft.absent[f"/{ROLES}/{node_name(place, 'weights')}"] = f"{place} computes several"
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


def _outputs(draft: Draft, names: Names, name: str, embedded: Any) -> None:
    """Add rows of the outputs, and choose the profile."""
    runs = names.runs
    outputs = runs.first.returned[""]
    for place in outputs:
        sizes = sizes_of(runs, "", place)
        word = node_name(place or "output", "output")
        axes = None if sizes is None else names.of(sizes, word)
        if axes is None:
            draft.absent[f"/outputs/{word}"] = f"two dimensions of {list(outputs[place])} follow one input"
            continue
        is_text = embedded is not None and axes[:2] == ["sample", "token"] and len(axes) == 3
        if is_text and outputs[place][2] == embedded.num_embeddings and "/outputs/logits" not in nodes(draft):
            word, axes = "logits", ["sample", "token", "vocabulary"]
        else:
            axes = _like_blocks(draft, sizes) or axes
        row = {"module": "", "value": f"out{place}", "node": f"/outputs/{word}", "axes": " ".join(axes), "always": True}
        draft.rows.append(row)
    if not outputs:
        raise refused(name, "what it returns has no tensor that a name or a number leads to", [])
    if not any(node.startswith("/outputs/") for node in nodes(draft)):
        raise refused(name, f"two dimensions of its outputs {list(outputs.values())} follow one input", [])
    rows = {row["node"]: row["axes"].split() for row in draft.rows}
    known = {"/inputs/token", "/outputs/logits", "/activations/layer_{0}", f"/{ROLES}/self/layer_{{0}}"}
    is_text = rows.get("/outputs/logits", [])[1:] == ["token", "vocabulary"] and set(rows) <= known
    if is_text and rows.get("/activations/layer_{0}") == ["sample", "token", "hidden"] and not draft.absent:
        draft.profile = "lm"


def _like_blocks(draft: Draft, sizes: Any) -> list[str] | None:
    """The axes of the blocks, of an output that has their sizes in every run."""
    return next((axes for shape, axes in draft.streams if shape == sizes), None)
