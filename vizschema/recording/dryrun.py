"""A model's shapes, run on the device meta: nothing is computed, and the model stays as it was. Imports torch."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch

from vizschema.errors import UsageError
from vizschema.recording.weights import Kernels

_SHOWN = 12

Shape = tuple[int, ...]

FAILURES = (
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
    ZeroDivisionError,
)
"""How a model fails that looks at its values, which the device meta does not have, or that is given other sizes."""


@dataclass(slots=True)
class Shapes:
    """What one call of a model showed, by the name of the module.

    `taken` has the shape of the first tensor that a module was given, `returned` those of the tensors that it returned,
    by their place in it, `called` how often it was called. `kernels` are the shapes of weights by the innermost
    module that computed them, `soft` those of results of a softmax along the last dimension.
    """

    taken: dict[str, Shape] = field(default_factory=dict)
    returned: dict[str, dict[str, Shape]] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)
    kernels: dict[str, list[Shape]] = field(default_factory=dict)
    soft: dict[str, list[Shape]] = field(default_factory=dict)

    def sizes(self) -> set[int]:
        """All sizes that occur."""
        shapes = [*self.taken.values(), *(each for returned in self.returned.values() for each in returned.values())]
        return {size for shape in shapes for size in shape}


def tensors(value: Any, place: str = "") -> dict[str, Any]:
    """Return the tensors in a value by their places, such as `[0].keys`: of mappings, whose keys are names, too."""
    if isinstance(value, torch.Tensor):
        return {place: value}
    if isinstance(value, Mapping):
        inner = [(f"{place}.{key}", each) for key, each in value.items() if isinstance(key, str) and key.isidentifier()]
    elif isinstance(value, list | tuple):
        inner = [(f"{place}[{number}]", each) for number, each in enumerate(value)]
    elif is_dataclass(value) and not isinstance(value, type):
        inner = [(f"{place}.{each.name}", getattr(value, each.name)) for each in fields(value)]
    else:
        return {}
    return {at: tensor for each, part in inner for at, tensor in tensors(part, each).items()}


def replaced(value: Any, others: Mapping[str, Any], place: str = "") -> Any:
    """Return a copy of a value with other tensors at some places."""
    if isinstance(value, torch.Tensor):
        return others.get(place, value)
    if isinstance(value, dict):
        return {key: replaced(each, others, f"{place}.{key}") for key, each in value.items()}
    if isinstance(value, list | tuple):
        parts = [replaced(each, others, f"{place}[{number}]") for number, each in enumerate(value)]
        if isinstance(value, list):
            return parts
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if is_dataclass(value) and not isinstance(value, type):
        other = copy.copy(value)
        names = [each.name for each in fields(value)]
        vars(other).update({name: replaced(getattr(value, name), others, f"{place}.{name}") for name in names})
        return other
    return value


_WAYS = tuple(
    (truth, dtype, hooked) for hooked in (False, True) for dtype in (None, torch.bfloat16) for truth in (True, False)
)
"""The answer to a model that asks whether something is true, its dtype, since some kernels take one alone, and whether
it has the hooks that its own package has set, some of which collect what it returns."""


class DryRun:
    """Calls of a model with arguments of other shapes; the first one that works says how the others are made."""

    def __init__(self, modules: Mapping[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._modules = modules
        self._given = [tuple(args), dict(kwargs)]
        self._way: tuple[bool, Any, bool] | None = None
        self.given = {place: tuple(each.shape) for place, each in tensors(self._given).items()}

    def run(self, sizes: Mapping[str, Shape]) -> Shapes:
        """Return the shapes of a call in which the tensors at the places `sizes` have other shapes.

        Places are those in `[args, kwargs]`. Raises one of `FAILURES`, as the model does in the first way.
        """
        if self._way is None:
            self._way = self._working()
        seen: Shapes = self._run(sizes, *self._way)
        return seen

    def _working(self) -> tuple[bool, Any, bool]:
        """The first way in which the call works; the first of all where none does."""
        for way in _WAYS:
            with suppress(*FAILURES):
                self._run({}, *way)
                return way
        return _WAYS[0]

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _run(self, sizes: Mapping[str, Shape], truth: bool, dtype: Any, hooked: bool) -> Shapes:
        def other(tensor: Any, shape: Shape) -> Any:
            kind = dtype if dtype is not None and tensor.dtype.is_floating_point else tensor.dtype
            return torch.zeros(shape, dtype=kind, device="meta")

        meta = {
            place: other(tensor, sizes.get(place, self.given[place])) for place, tensor in tensors(self._given).items()
        }
        seen = Shapes()
        positional, named = replaced(self._given, meta)
        with (
            torch.random.fork_rng(devices=[]),
            _without_values(self._modules, dtype, hooked=hooked),
            _watched(self._modules, seen, truth=truth),
            without_fast_path(),
            torch.device("meta"),
        ):
            output = self._modules[""](*positional, **named)
        seen.returned[""] = {place: tuple(tensor.shape) for place, tensor in tensors(output).items()}
        return seen


@contextmanager
def _without_values(modules: Mapping[str, Any], dtype: Any, *, hooked: bool) -> Iterator[None]:
    """While it is entered, all tensors of the modules are on the device meta; afterwards, all is as it was.

    Floats have the dtype `dtype`, if it is not None. Hooks are taken away, since those of a caller expect values; if
    `hooked`, those of the model's own package stay.
    """
    package = _package(type(modules[""]))
    kept = [(module, dict(vars(module))) for module in {id(module): module for module in modules.values()}.values()]
    twins: dict[int, Any] = {}

    def twin(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            kind = dtype if value.dtype.is_floating_point else None
            is_part = hasattr(value, "full_tensor")  # of a sharded model, of which each rank has a part
            whole = torch.empty(value.shape, dtype=value.dtype, device="meta") if is_part else value.detach()
            other = whole.to("meta", dtype=kind)
            made = torch.nn.Parameter(other, requires_grad=False) if isinstance(value, torch.nn.Parameter) else other
            return twins.setdefault(id(value), made)
        if type(value) in (list, tuple):
            return type(value)(twin(each) for each in value)
        if type(value) is dict:
            return {key: twin(each) for key, each in value.items()}
        return copy.copy(value) if isinstance(value, dict | list | set | deque) else value

    try:
        for module, attributes in kept:
            for key, value in attributes.items():
                if key == "_modules" or "hooks" in key:
                    continue
                vars(module)[key] = twin(value)
            for hooks in ("_forward_pre_hooks", "_forward_hooks"):
                kept_hooks = {
                    key: hook for key, hook in attributes[hooks].items() if hooked and _package(hook) == package
                }
                vars(module)[hooks] = type(attributes[hooks])(kept_hooks)
        yield
    finally:
        for module, attributes in kept:
            vars(module).clear()
            vars(module).update(attributes)


@contextmanager
def without_fast_path() -> Iterator[None]:
    """While it is entered, `torch.nn.TransformerEncoder` calls its layers, and gives them padded tensors."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _package(value: Any) -> str:
    """The package that a class or a function was made in."""
    return str(getattr(value, "__module__", "")).partition(".")[0]


@contextmanager
def _watched(modules: Mapping[str, Any], seen: Shapes, *, truth: bool) -> Iterator[None]:
    stack: list[str] = []

    def before(name: str) -> Any:
        def hook(_module: Any, args: Any, kwargs: Any) -> None:
            stack.append(name)
            seen.called[name] = seen.called.get(name, 0) + 1
            given = next(iter(tensors([args, kwargs]).values()), None)
            if given is not None:
                seen.taken.setdefault(name, tuple(given.shape))

        return hook

    def after(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            stack.pop()
            seen.returned.setdefault(name, {at: tuple(each.shape) for at, each in tensors(output).items()})

        return hook

    def kernel(shape: Shape, *, is_kernel: bool) -> None:
        (seen.kernels if is_kernel else seen.soft).setdefault(stack[-1] if stack else "", []).append(shape)

    with ExitStack() as hooks:
        for name, module in modules.items():
            hooks.callback(module.register_forward_pre_hook(before(name), with_kwargs=True).remove)
            hooks.callback(module.register_forward_hook(after(name)).remove)
        hooks.enter_context(Kernels(kernel, truth=truth))
        yield


def listed(names: Sequence[str], limit: int) -> str:
    """Return names in words, the first ones of many."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


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
