"""Hooks on the modules of a model, for as long as a recording lasts. Imports torch."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from vizschema.errors import UsageError
from vizschema.recording import generation, places
from vizschema.recording.dryrun import without_fast_path
from vizschema.recording.run import Run
from vizschema.recording.taps import Tap
from vizschema.recording.weights import OWN_CACHE, Softmaxes, Watch, Weights, dropped, has_dropout, hidden

_CACHES = ("past_key_values", "cache", "cache_params")
"""Arguments by which models are given what they computed of earlier tokens."""


class _Entered(threading.local):
    """How often each module was entered and not left, in this thread."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}


class Hooks:
    """The hooks of a run on a model, while it is entered."""

    def __init__(self, run: Run, model: Any, taps: Sequence[Tap], modules: Mapping[str, Any]) -> None:
        self._run = run
        self._model = model
        self._taps: dict[str, list[Tap]] = {}
        for tap in taps:
            self._taps.setdefault(tap.module, []).append(tap)
        self._modules = {name: modules[name] for name in {"", *self._taps}}
        self._stack = ExitStack()
        self._watches: dict[str, list[Any]] = {}
        self._modes: dict[str, list[Any]] = {}
        self._entered = _Entered()

    def __enter__(self) -> Hooks:
        for name, module in self._modules.items():
            taps = self._taps.get(name, [])
            self._stack.callback(
                module.register_forward_pre_hook(self._before(name, module, taps), with_kwargs=True).remove
            )
            self._stack.callback(
                module.register_forward_hook(self._after(name, module, taps), with_kwargs=True, always_call=True).remove
            )
        # What is compiled calls no hook of an inner module, without a word.
        self._stack.enter_context(torch.compiler.set_stance("force_eager"))
        self._stack.enter_context(without_fast_path())
        if callable(getattr(self._model, "generate", None)) and hasattr(self._model, "generation_config"):
            self._stack.enter_context(self._generating())
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Begin the call of the model that is in progress, which was not hooked when it began."""
        self._before("", self._model, self._taps.get("", []))(self._model, args, kwargs)

    @contextmanager
    def _generating(self) -> Iterator[None]:
        """While it is entered, the model's own `generate` is one that is recorded as such."""
        generate, own = self._model.generate, "generate" in vars(self._model)
        signature = inspect.signature(generate)
        taps = [tap for tap in self._taps.get("", []) if tap.kind == "generated"]

        @functools.wraps(generate)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind_partial(*args, **kwargs).arguments
            generation.require_plain(self._model, {**bound, **bound.get("kwargs", {})})
            self._run.begin_generation()
            tokens = None
            try:
                output = generate(*args, **kwargs)
                tokens = functools.partial(generation.new_tokens, output)
            finally:
                self._run.end_generation(taps, tokens)
            return output

        self._model.generate = recorded
        try:
            yield
        finally:
            if own:
                self._model.generate = generate
            else:
                del self._model.generate

    def _before(self, name: str, module: Any, taps: Sequence[Tap]) -> Callable[..., None]:
        order = tuple(inspect.signature(module.forward).parameters)
        inputs = [tap for tap in taps if tap.kind == "in"]
        weights = [tap for tap in taps if tap.kind == "weights"]
        soft = [tap for tap in taps if tap.kind == "softmax"]

        def hook(_module: Any, args: Any, kwargs: Any) -> None:
            if _is_backward():
                return
            self._entered.counts[name] = self._entered.counts.get(name, 0) + 1
            self._run.begin(is_root=name == "", continues=name == "" and _continues(kwargs))
            for tap in inputs:
                value = places.argument(tap.place, args, kwargs, order)
                if value is not None and value is not places.ABSENT:
                    self._run.put(tap, value, more=_read(tap, module))
            if weights:
                if has_dropout(module):
                    raise dropped(weights[0].node)
                seen: list[Weights] = []
                watch = Watch(weights[0].node, seen.append)
                watch.__enter__()
                self._watches.setdefault(name, []).append((watch, seen))
            for tap in soft:
                more = {"source": "captured", **_read(tap, module)}
                mode = Softmaxes(len(tap.axes), functools.partial(self._run.put, tap, more=more))
                mode.__enter__()
                self._modes.setdefault(name, []).append(mode)

        return hook

    def _after(self, name: str, module: Any, taps: Sequence[Tap]) -> Callable[..., None]:
        outputs = [tap for tap in taps if tap.kind in ("out", "argmax")]
        weights = [tap for tap in taps if tap.kind == "weights"]

        def hook(_module: Any, _args: Any, _kwargs: Any, output: Any) -> None:
            if _is_backward() or not self._entered.counts.get(name):  # or a hook before this one raised
                return
            self._entered.counts[name] -= 1
            failed = output is None
            try:
                for mode in reversed(self._modes.pop(name, [])):
                    mode.__exit__(None, None, None)
                seen = self._leave(name)
                if not failed:
                    for tap in weights:
                        self._weights(tap, module, output, seen)
                    for tap in outputs:
                        value = places.at(output, tap.place)
                        if value is not None and value is not places.ABSENT:
                            self._run.put(tap, _first(value) if not tap.place else value, more=_read(tap, module))
            finally:
                self._run.end(is_root=name == "", failed=failed)

        return hook

    def _leave(self, name: str) -> list[Weights]:
        """Stop watching for weights in a module; return what was seen."""
        if not self._watches.get(name):
            return []
        watch, seen = self._watches[name].pop()
        watch.__exit__(None, None, None)
        found: list[Weights] = seen
        return found

    def _weights(self, tap: Tap, module: Any, output: Any, seen: Sequence[Weights]) -> None:
        """Take the weights of a module: what it returns, else what was computed again of the one kernel in it."""
        size = len(tap.axes)
        given = list(output.values()) if isinstance(output, Mapping) else list(output) if _is_row(output) else []
        captured = [each for each in given[1:] if isinstance(each, torch.Tensor) and each.ndim == size]
        if len(seen) > 1:
            found = f"{len(seen)} calls of one in {tap.module}"
            raise UsageError(path=tap.node, expected="one kernel per module", found=found, fix="name an inner module")
        if seen:
            self._run.put_weights(tap, seen[0], _read(tap, module))
        elif captured:
            self._run.put(tap, captured[-1], more={"source": "captured", **_read(tap, module)})
        elif tap.row.optional != "value":
            config = getattr(module, "config", None) or getattr(self._model, "config", None)
            kernel = getattr(config, "_attn_implementation", None) or type(module).__name__
            raise hidden(tap.node, f"{kernel}, of which {tap.module} returns none")


def _is_backward() -> bool:
    """Whether a backward pass runs, which calls again what a checkpoint has left out."""
    return bool(torch._C._current_graph_task_id() != -1)  # there is no public name


def _read(tap: Tap, module: Any) -> dict[str, Any]:
    """The attributes that a row reads from its module."""
    found = {key: places.first(module, alternatives) for key, alternatives in tap.read.items()}
    return {key: value for key, value in found.items() if isinstance(value, str | int | float)}


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _first(value: Any) -> Any:
    """The first tensor of what a module returns: the value itself, or the first entry of a tuple or mapping."""
    while not isinstance(value, torch.Tensor) and (_is_row(value) or isinstance(value, Mapping)) and value:
        value = next(iter(value.values())) if isinstance(value, Mapping) else value[0]
    return value


def _continues(kwargs: Mapping[str, Any]) -> bool:
    """Whether a call is given a cache with earlier tokens."""
    caches = [kwargs[key] for key in _CACHES if kwargs.get(key) is not None]
    return any(_is_filled(getattr(cache, OWN_CACHE, cache)) for cache in caches)


def _is_filled(cache: Any) -> bool:
    if isinstance(cache, list | tuple):  # of older versions: a pair of tensors for each layer
        return bool(cache)
    layers = getattr(cache, "layers", None)
    for each in [cache] if layers is None else layers:
        length = getattr(each, "get_seq_length", None)
        state = getattr(each, "has_previous_state", None)
        if (length is not None and int(length()) > 0) or (isinstance(state, Mapping) and any(state.values())):
            return True
    return False
