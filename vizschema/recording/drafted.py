"""A table for a model of transformers that no table knows: axes by running its shapes with sizes that differ.

Nothing is computed and no weight is copied: the model runs on the device meta. An axis has a name only where a size
follows an input or is the only one of the configuration; what stays unsure is refused. Imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vizschema.recording.dryrun import DryRun, refused
from vizschema.recording.probed import first_run
from vizschema.recording.weights import MASK, ROLES, SELF

SIZES = ({"sample": 7, "token": 13}, {"sample": 11, "token": 13}, {"sample": 7, "token": 17})
"""Primes that no model has as a width: the first run, and one for each axis that moves."""

_CONFIGURED = {"hidden": "hidden_size", "vocabulary": "vocab_size", "class": "num_labels"}

Seen = Mapping[str, tuple[int, ...]]
"""Shapes of the first run and the others, by place."""


def is_drafted(modules: Mapping[str, Any]) -> bool:
    """Return whether a model is one of transformers whose only input is an array of tokens, with one list of blocks."""
    model = modules[""]
    is_text = getattr(model, "main_input_name", None) == "input_ids" and hasattr(model, "config")
    return is_text and not getattr(model.config, "is_encoder_decoder", False) and bool(_blocks(modules))


def draft(model: Any, modules: Mapping[str, Any], name: str) -> tuple[list[dict[str, Any]], str, dict[str, str]]:
    """Return rows for a model, the profile, and what is not captured, with the reason.

    Raises `UsageError`, with what to write, where an axis is unsure.
    """
    blocks = _blocks(modules)
    runs = [_run(modules, name, sizes) for sizes in SIZES]
    pattern = re.sub(r"[0-9]+$", "([0-9]+)", re.escape(blocks[0]).replace(r"\.", "[.]"))
    axes = _Axes(name, model.config, runs)
    rows = [
        {"module": "", "value": "in.input_ids", "node": "/inputs/token", "axes": "sample token", "always": True},
        dict(MASK),
    ]
    for block in blocks:
        axes.require(block, ("sample", "token", "hidden"))
    hidden = "sample token hidden"
    rows.append({"module": pattern, "value": "out", "node": "/activations/layer_{0}", "axes": hidden})
    weights, absent = _weights(runs, modules, blocks, pattern)
    rows += weights
    head = axes.of(".logits")
    profile = "trace"
    if head == ("sample", "token", "vocabulary"):
        profile = "lm"
        other = {"node": "/extra/generation/logits", "axes": "sample new_token vocabulary"}
        rows.append(_output("sample token vocabulary") | {"generated": other})
        rows.append(
            {
                "module": "",
                "value": "generated",
                "node": "/outputs/token",
                "axes": "sample new_token",
                "optional": "value",
            }
        )
    elif head is not None:
        rows.append(_output(" ".join(head)))
    return rows, profile, absent


def _output(axes: str) -> dict[str, Any]:
    return {"module": "", "value": "out.logits", "node": "/outputs/logits", "axes": axes, "always": True}


class _Axes:
    """Names of the dimensions of what was seen in three runs."""

    def __init__(self, name: str, config: Any, runs: Sequence[Seen]) -> None:
        self._name = name
        self._runs = runs
        self._sizes: dict[int, set[str]] = {}
        for axis, key in _CONFIGURED.items():
            if isinstance(size := getattr(config, key, None), int):
                self._sizes.setdefault(size, set()).add(axis)

    def of(self, place: str) -> tuple[str, ...] | None:
        """The axes at a place; None where nothing was seen there. Raises `UsageError` where one is unsure."""
        shapes = [run[place] for run in self._runs if place in run]
        if len(shapes) < len(self._runs):
            return None
        first, other, longer = shapes
        names = []
        for number, size in enumerate(first):
            moved = [axis for axis, run in (("sample", other), ("token", longer)) if run[number] != size]
            if any(sizes[axis] != run[number] for axis in moved for sizes, run in zip(SIZES, shapes, strict=True)):
                found = f"follows {' and '.join(moved)}, and has another size"
                raise refused(self._name, f"{place}: dimension {number} of {list(first)} {found}", [])
            fitting = moved if moved else sorted(self._sizes.get(size, ()))
            if number == len(first) - 1 and len(first) == 3 and not moved and "hidden" in fitting:
                fitting = ["hidden"] if place != ".logits" else [each for each in fitting if each != "hidden"]
            if len(fitting) != 1:
                found = " or ".join(fitting) or f"nothing of size {size}"
                raise refused(self._name, f"{place}: dimension {number} of {list(first)} is {found}", [])
            names.append(fitting[0])
        return tuple(names)

    def require(self, place: str, axes: tuple[str, ...]) -> None:
        """Raise `UsageError` unless the axes at a place are these."""
        found = self.of(place)
        if found != axes:
            what = "nothing" if found is None else " ".join(found)
            raise refused(self._name, f"{place} returns {what}, not {' '.join(axes)}", [])


def _weights(
    runs: Sequence[Seen], modules: Mapping[str, Any], blocks: Sequence[str], pattern: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows for the weights in the blocks: of kernels that were called, or returned in four dimensions.

    They are of one module that the blocks have, or some of them, as in a model with blocks of two kinds.

    Beside them, what of it is not captured, with the reason.
    """
    tails = set()
    for block in blocks:
        inner = [place for place in runs[0] if place.startswith(f"{block}.") and place.endswith(".weights")]
        tails |= {place.removeprefix(block).removesuffix(".weights") for place in inner}
    innermost = [tail for tail in tails if not any(other.startswith(f"{tail}.") for other in tails)]
    fitting = [tail for tail in innermost if _has_weights(runs, modules, blocks, tail)]
    if len(fitting) != 1:
        why = f"the blocks have not one module whose weights have the axes of {SELF['axes']}"
        return [], {f"/{ROLES}": why} if innermost else {}
    module = pattern + fitting[0].replace(".", "[.]")
    return [{"module": module, **SELF}], {}


def _has_weights(runs: Sequence[Seen], modules: Mapping[str, Any], blocks: Sequence[str], tail: str) -> bool:
    """Whether all modules of the blocks that are called `tail` in them have weights."""
    return all(_is_weights(runs, f"{block}{tail}.weights") for block in blocks if f"{block}{tail}" in modules)


def _is_weights(runs: Sequence[Seen], place: str) -> bool:
    """Whether a shape is sample, any, token, token in each run."""
    wanted = [(sizes["sample"], sizes["token"], sizes["token"]) for sizes in SIZES]
    found = [run.get(place, ()) for run in runs]
    return all(len(shape) == 4 for shape in found) and [(a, c, d) for a, _, c, d in found] == wanted


def _run(modules: Mapping[str, Any], name: str, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shapes of what modules return first, by their names, and of the weights in them."""
    ids = torch.zeros(sizes["sample"], sizes["token"], dtype=torch.long)
    found = first_run(DryRun(modules, (), {"input_ids": ids}), name, modules)
    again = [block for block in _blocks(modules) if found.called.get(block) != 1]
    if again:
        raise refused(name, f"{again[0]} is called {found.called.get(again[0], 0)} times", [])
    seen = {}
    for module, returned in found.returned.items():
        shapes = list(returned.values())
        if next(iter(returned), None) in ("", "[0]"):
            seen[module] = shapes[0]
        square = [each for each in shapes[1:] if len(each) == 4 and each[2] == each[3]]
        if square:
            seen[f"{module}.weights"] = square[-1]
    for module, kernels in found.kernels.items():
        seen[f"{module}.weights"] = kernels[-1]
    if logits := found.returned[""].get(".logits"):
        seen[".logits"] = logits
    return seen


def _blocks(modules: Mapping[str, Any]) -> list[str]:
    """The names of the members of the longest list of modules of one class, if no other list is as long."""
    lists = [
        [f"{name}.{number}" if name else str(number) for number in range(len(module))]
        for name, module in modules.items()
        if isinstance(module, torch.nn.ModuleList) and len({type(each) for each in module}) == 1
    ]
    lists.sort(key=len, reverse=True)
    lists = [each for each in lists if not any(each[0].startswith(f"{other[0]}.") for other in lists)]
    if not lists or (len(lists) > 1 and len(lists[0]) == len(lists[1])):
        return []
    return lists[0]
