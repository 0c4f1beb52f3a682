"""A table for a model of transformers that no table knows: axes by running its shapes with sizes that differ.

Nothing is computed and no weight is copied: the model runs on the device meta. An axis has a name only where a size
follows an input or is the only one of the configuration; what stays unsure is refused. Imports torch.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.func import functional_call

from vizschema.errors import UsageError
from vizschema.recording.weights import MASK, SELF, Shapes

SIZES = ({"sample": 7, "token": 13}, {"sample": 11, "token": 13}, {"sample": 7, "token": 17})
"""Primes that no model has as a width: the first run, and one for each axis that moves."""

_CONFIGURED = {"hidden": "hidden_size", "vocabulary": "vocab_size", "class": "num_labels"}
_SHOWN = 12

Seen = Mapping[str, tuple[int, ...]]
"""Shapes of the first run and the others, by place."""


def draft(model: Any, modules: Mapping[str, Any], name: str) -> tuple[list[dict[str, Any]], str]:
    """Return rows for a model, and the profile; raise `UsageError`, with what to write, where an axis is unsure."""
    if getattr(model, "main_input_name", None) != "input_ids" or getattr(model.config, "is_encoder_decoder", False):
        raise _refused(name, "its inputs are not one array of tokens", _listed(modules))
    blocks = _blocks(modules)
    if not blocks:
        raise _refused(name, "it has no list of blocks of one class", _listed(modules))
    runs = [_run(model, modules, name, sizes) for sizes in SIZES]
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
    rows += _weights(runs, blocks, pattern)
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
    return rows, profile


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
        shapes = [run.get(place) for run in self._runs]
        if None in shapes:
            return None
        first, other, longer = (shape or () for shape in shapes)
        names = []
        for number, size in enumerate(first):
            moved = [axis for axis, run in (("sample", other), ("token", longer)) if run[number] != size]
            fitting = moved if moved else sorted(self._sizes.get(size, ()))
            if number == len(first) - 1 and len(first) == 3 and not moved and "hidden" in fitting:
                fitting = ["hidden"] if place != ".logits" else [each for each in fitting if each != "hidden"]
            if len(fitting) != 1:
                found = " or ".join(fitting) or f"nothing of size {size}"
                raise _refused(self._name, f"{place}: dimension {number} of {list(first)} is {found}", [])
            names.append(fitting[0])
        return tuple(names)

    def require(self, place: str, axes: tuple[str, ...]) -> None:
        """Raise `UsageError` unless the axes at a place are these."""
        found = self.of(place)
        if found != axes:
            what = "nothing" if found is None else " ".join(found)
            raise _refused(self._name, f"{place} returns {what}, not {' '.join(axes)}", [])


def _weights(runs: Sequence[Seen], blocks: Sequence[str], pattern: str) -> list[dict[str, Any]]:
    """Rows for the weights in the blocks: of kernels that were called, or returned in four dimensions."""
    tails = set()
    for block in blocks:
        inner = [place for place in runs[0] if place.startswith(f"{block}.") and place.endswith(".weights")]
        tails |= {place.removeprefix(block).removesuffix(".weights") for place in inner}
    innermost = [tail for tail in tails if not any(other.startswith(f"{tail}.") for other in tails)]
    fitting = [tail for tail in innermost if all(_is_weights(runs, f"{block}{tail}.weights") for block in blocks)]
    if len(fitting) != 1:
        return []
    module = pattern + fitting[0].replace(".", "[.]")
    return [{"module": module, **SELF}]


def _is_weights(runs: Sequence[Seen], place: str) -> bool:
    """Whether a shape is sample, any, token, token in each run."""
    wanted = [(sizes["sample"], sizes["token"], sizes["token"]) for sizes in SIZES]
    found = [run.get(place, ()) for run in runs]
    return all(len(shape) == 4 for shape in found) and [(a, c, d) for a, _, c, d in found] == wanted


@torch.no_grad()  # type: ignore[untyped-decorator]
def _run(model: Any, modules: Mapping[str, Any], name: str, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """The shapes of what modules return, by their names, and of the weights in them, on the device meta."""
    seen: dict[str, tuple[int, ...]] = {}
    state = {name: value.to("meta") for name, value in (*model.named_parameters(), *model.named_buffers())}
    ids = torch.zeros(sizes["sample"], sizes["token"], dtype=torch.long, device="meta")
    with _watched(modules, seen):
        try:
            output = functional_call(model, state, (), {"input_ids": ids}, tie_weights=True)
        except (RuntimeError, NotImplementedError, ValueError, TypeError, IndexError) as error:
            # A model that looks at its values, which the device meta does not have, fails in any of these ways.
            why = f"its shapes cannot be run without values ({type(error).__name__})"
            raise _refused(name, why, _listed(modules)) from error
    logits = getattr(output, "logits", None)
    if isinstance(logits, torch.Tensor):
        seen[".logits"] = tuple(logits.shape)
    return seen


@contextmanager
def _watched(modules: Mapping[str, Any], seen: dict[str, tuple[int, ...]]) -> Iterator[None]:
    stack: list[str] = []

    def before(name: str) -> Any:
        return lambda *_: stack.append(name)

    def after(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            stack.pop()
            values = [output] if isinstance(output, torch.Tensor) else list(output) if isinstance(output, tuple) else []
            tensors = [each for each in values if isinstance(each, torch.Tensor)]
            if tensors and values[0] is tensors[0]:
                seen[name] = tuple(tensors[0].shape)
            square = [each for each in tensors[1:] if each.ndim == 4 and each.shape[2] == each.shape[3]]
            if square:
                seen[f"{name}.weights"] = tuple(square[-1].shape)

        return hook

    def kernel(shape: tuple[int, ...]) -> None:
        if stack:
            seen[f"{stack[-1]}.weights"] = shape

    with ExitStack() as hooks:
        for module in modules.values():
            hooks.enter_context(_without_hooks(module))
        for name, module in modules.items():
            hooks.callback(module.register_forward_pre_hook(before(name)).remove)
            hooks.callback(module.register_forward_hook(after(name)).remove)
        hooks.enter_context(Shapes(kernel))
        yield


@contextmanager
def _without_hooks(module: Any) -> Iterator[None]:
    """While it is entered, a module has no hooks: those of the caller expect values."""
    kept = [module._forward_pre_hooks, module._forward_hooks]
    module._forward_pre_hooks, module._forward_hooks = OrderedDict(), OrderedDict()
    try:
        yield
    finally:
        module._forward_pre_hooks, module._forward_hooks = kept


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


def _listed(modules: Mapping[str, Any]) -> list[str]:
    return [f"{name} ({type(module).__name__})" for name, module in modules.items() if name.count(".") < 2 and name]


def _refused(name: str, why: str, known: Sequence[str]) -> UsageError:
    """The refusal of a model, with a row to begin with."""
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    has = f"; its modules are {', '.join(known[:_SHOWN])}{more}" if known else ""
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
