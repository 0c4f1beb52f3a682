"""Hooks on the modules of a model, and what becomes of the values that they see. Imports torch."""

from __future__ import annotations

import inspect
import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from vizschema.errors import UsageError
from vizschema.recording import places
from vizschema.recording.queued import Queue
from vizschema.recording.recording import Recording
from vizschema.recording.shapes import shaped
from vizschema.recording.taps import Plan, Tap
from vizschema.recording.tensors import Copies, dtype_named, require_plain
from vizschema.recording.weights import Watch, Weights, dropped, has_dropout, hidden
from vizschema.writer.trace import Trace

SAMPLE, TOKEN = "sample", "token"

Append = str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run records: `append` is "auto", "sample", "token" or None, `cast` the dtype of nodes by pattern."""

    append: Append
    cast: Mapping[str, str]
    memory: int


@dataclass(slots=True)
class Pass:
    """One call of the model: the sizes that its arrays have, and which nodes it brought.

    `grows` is the axis along which values follow those of the pass before; `begins` says that they will be followed.
    """

    grows: str | None = None
    begins: str | None = None
    is_generated: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)
    masks: dict[str, Any] = field(default_factory=dict)


class Run(Recording):
    """A recording in progress."""

    def __init__(self, path: Path, trace: Trace, plan: Plan, settings: Settings, *, table: str, profile: str) -> None:
        super().__init__(path, table, profile)
        self._trace = trace
        self._plan = plan
        self._settings = settings
        self._cast = [(re.compile(pattern), dtype_named(name)) for pattern, name in settings.cast.items()]
        self._queue = Queue(settings.memory)
        self._copies = Copies()
        self._annotated: set[str] = set()
        self._seen: dict[str, dict[str, int]] = {}
        self._first: set[str] = set()
        self._errors: dict[str, float] = {}
        self._pass: Pass | None = None
        self._depth = 0
        self._lock = threading.RLock()
        self.generation: Pass | None = None

    # Passes

    def begin(self, *, is_root: bool, continues: bool) -> None:
        """Begin a call of a module outside any other one; `continues` says that a cache has earlier tokens."""
        self._lock.acquire()
        self._depth += 1
        if self._depth > 1:
            return
        if is_root or self._pass is None:
            self._pass = self._next(is_root=is_root, continues=continues)

    def _next(self, *, is_root: bool, continues: bool) -> Pass:
        append, again = self._settings.append, self.passes > 0
        grows = None
        if again:
            grows = TOKEN if continues or append == TOKEN else SAMPLE
            if append is None or (append == SAMPLE and grows == TOKEN):
                word = "continues the tokens of the one before" if grows == TOKEN else "is another one"
                raise UsageError(f'this call of the model {word}; record with append="{grows}", or each in an archive')
        if grows == SAMPLE and self.generation is not None:
            raise UsageError("the archive has a generation already; record each one in an archive of its own")
        if is_root:
            self.passes += 1
        begins = TOKEN if append == TOKEN or self.generation is not None else SAMPLE if append == SAMPLE else None
        return Pass(grows, begins, self.generation is not None)

    def end(self, *, is_root: bool, failed: bool) -> None:
        """End what `begin` began; of the whole model, check that it brought what the pass before did."""
        try:
            self._depth -= 1
            current = self._pass
            if self._depth or not is_root or current is None:
                return
            self._pass = None
            if failed:
                return
            if current.grows is None:
                self._first = current.seen
                return
            lost = [
                node
                for node in sorted(self._first - current.seen)
                if current.grows == SAMPLE or any(axis.startswith(TOKEN) for axis in self._seen[node])
            ]
            if lost:
                raise UsageError(
                    path=lost[0],
                    expected="values in every call of the model",
                    found=f"none in call {self.passes}",
                    fix="pass the same arguments in each call (a mask, for example)",
                )
        finally:
            self._lock.release()

    # Values

    def put(self, tap: Tap, value: Any, *, own: bool = False, more: Mapping[str, Any] | None = None) -> None:
        """Take the value of a tap; `own` says that no model has it."""
        self._queue.require_sound()
        current = self._pass
        if current is None:
            raise UsageError(path=tap.node, expected="a call of the model", found=f"a call of {tap.module} alone")
        target, axes = tap.node, tap.axes
        if current.is_generated and tap.generated is not None:
            target, axes = tap.generated.node, tap.generated.axes
        node = self._numbered(current, tap, target)
        tensor = require_plain(node, value)
        tensor, names = shaped(node, self._converted(node, tap, tensor), axes, current.sizes)
        own = own or tensor.untyped_storage().data_ptr() != value.untyped_storage().data_ptr()
        if tap.module == "" and tap.kind == "in":
            tensor = _spread(tensor, names, current.sizes)
        if tap.row.attributes.get("normalization") is None and node.endswith("/mask"):
            current.masks[node] = tensor
        tensor = self._new_part(current, tap, node, tensor, names)
        for axis, size in zip(names, tensor.shape, strict=True):
            current.sizes.setdefault(axis.partition(":")[0], size)
        current.seen.add(node)
        attributes = self._attributes(current, tap, more or {})
        self._store(current, node, tensor, names, attributes, own=own)

    def _numbered(self, current: Pass, tap: Tap, node: str) -> str:
        """The node with the number of the call; a second value of a node in one pass is refused."""
        if "{call}" in node:
            call = current.calls[tap.node] = current.calls.get(tap.node, -1) + 1
            return node.replace("{call}", f"{call:02}")
        if node in current.seen:
            raise UsageError(
                path=node,
                expected="one value in a call of the model",
                found=f"another one of {tap.module or 'the model'}, which was called again",
                fix="number the calls with {call} in the node of a row of your own, or leave the array out with select",
            )
        return node

    def _converted(self, node: str, tap: Tap, tensor: Any) -> Any:
        if tap.kind == "argmax":
            tensor = tensor.argmax(-1)
        if tap.row.cast == "bool":
            tensor = tensor != 0
        for pattern, dtype in self._cast:
            if pattern.search(node) and tensor.dtype.is_floating_point:
                tensor = tensor.to(dtype)
        return tensor

    def _new_part(self, current: Pass, tap: Tap, node: str, tensor: Any, names: Sequence[str]) -> Any:
        """What a pass that continues brings of an array, once it is clear that it follows what is there."""
        if current.is_generated and tap.generated is not None:
            return tensor.narrow(names.index("new_token"), tensor.shape[names.index("new_token")] - 1, 1)
        before = self._seen.get(node)
        if current.grows is None or before is None:
            return tensor
        along = _along(current.grows, names)
        if not along:
            raise UsageError(
                path=node,
                expected=f"an axis {current.grows} along which the values of this call follow those before",
                found=" ".join(names) or "no axes",
                fix="record each call in an archive of its own, or leave the array out with select",
            )
        if tap.row.whole and current.grows == TOKEN:
            at = names.index(along[0])
            return tensor.narrow(at, before[along[0]], tensor.shape[at] - before[along[0]])
        for axis in along[1:]:
            total, found = before[along[0]] + tensor.shape[names.index(along[0])], tensor.shape[names.index(axis)]
            if current.grows == TOKEN and found != total:
                raise UsageError(
                    path=node,
                    expected=f"{total} entries along {axis}, one per token so far",
                    found=found,
                    fix="a static or sliding cache has others: record one call over the whole text instead",
                )
        return tensor

    def _attributes(self, current: Pass, tap: Tap, more: Mapping[str, Any]) -> dict[str, Any]:
        """The attributes of a tap, without those that name a node which brought nothing."""
        known = self._seen.keys() | current.seen
        every = {**tap.attributes, **more}
        nodes = {each.node for each in self._plan.taps}
        return {key: value for key, value in every.items() if value not in nodes or value in known}

    def _store(
        self, current: Pass, node: str, tensor: Any, names: Sequence[str], attributes: Mapping[str, Any], *, own: bool
    ) -> None:
        held, wait = self._copies.copy(tensor, own=own)
        before = self._seen.get(node)
        grows = current.grows if before is not None else current.begins
        along = _along(grows, names) if grows else []
        if current.is_generated and "new_token" in names:
            along = ["new_token"]
        lengths = dict(before or {})
        for axis, size in zip(names, tensor.shape, strict=True):
            lengths[axis] = lengths[axis] + size if before is not None and along[:1] == [axis] else size
        if before is None:
            self.nodes = sorted([*self.nodes, node])
        if before is None:
            self.nodes = sorted([*self.nodes, node])
        self._seen[node] = lengths

        def job() -> None:
            if wait is not None:
                wait()
            self._annotate_above(node)
            if before is None and not along:
                self._trace.add(node, held, names, attributes)
            else:
                self._trace.append(node, held, along, names, attributes)

        self._queue.put(held.numel() * held.element_size(), job)

    def _annotate_above(self, node: str) -> None:
        for group, attributes in self._plan.groups.items():
            if group not in self._annotated and node.startswith(f"{group}/"):
                self._annotated.add(group)
                self._trace.annotate(group, attributes)

    def put_weights(self, tap: Tap, found: Weights) -> None:
        """Take weights that were computed again."""
        more: dict[str, Any] = {"source": "recomputed", "recomputed": True, "recomputed_error": found.error}
        if tap.row.attributes.get("normalization") == "softmax" and found.is_masked:
            current = self._pass
            mask = None if current is None else current.masks.get(str(tap.row.attributes.get("mask")))
            if mask is None or not _any_left_out(found.values, mask):
                more["normalization"] = "softmax_masked"
        self._errors[tap.node] = max(found.error, self._errors.get(tap.node, 0.0))
        self.put(tap, found.values, own=True, more=more)

    # The end

    def finish(self) -> None:
        """Write what is pending; raise `UsageError` where a tap brought nothing."""
        self._queue.finish()
        lost = [
            tap
            for tap in self._plan.taps
            if "{call}" not in tap.node
            and tap.row.optional != "value"
            and tap.node not in self._seen
            and not (tap.generated is not None and tap.generated.node in self._seen)
        ]
        if lost:
            named = "; ".join(f"{tap.node} ({tap.row.value} of {tap.module or 'the model'})" for tap in lost[:4])
            more = f" and {len(lost) - 4} more" if len(lost) > 4 else ""
            fix = "call the model in the with block, or leave them out with select or a table of your own"
            raise UsageError(f"brought nothing: {named}{more}", fix=fix)

    def stop(self, failure: str) -> None:
        """Write what is pending after an exception, and say in the archive what happened."""
        self._queue.stop()
        self._trace.annotate("/", failure=failure)


def _along(axis: str, names: Sequence[str]) -> list[str]:
    """The axes of this name that grow: the one without the role key first."""
    found = [name for name in names if name.partition(":")[0] == axis]
    return sorted(found, key=lambda name: name.endswith(":key"))


def _spread(tensor: Any, names: Sequence[str], sizes: Mapping[str, int]) -> Any:
    """`tensor` with one entry along the samples repeated for all of them, as the model reads it."""
    if names[:1] == (SAMPLE,) and tensor.shape[0] == 1 and sizes.get(SAMPLE, 1) > 1:
        return tensor.expand(sizes[SAMPLE], *tensor.shape[1:])
    return tensor


def _any_left_out(weights: Any, mask: Any) -> bool:
    """Whether weights [sample, head, query, key] are not 0 at a query or key where `mask` [sample, token] is false."""
    rows = mask[:, -weights.shape[2] :] if mask.shape[1] >= weights.shape[2] else None
    if rows is None or mask.shape[0] != weights.shape[0] or mask.shape[1] != weights.shape[3]:
        return True
    counts = rows[:, None, :, None] & mask[:, None, None, :]
    return bool((weights.masked_fill(counts, 0) != 0).any())


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

    def __enter__(self) -> Hooks:
        for name, module in self._modules.items():
            taps = self._taps.get(name, [])
            self._stack.callback(
                module.register_forward_pre_hook(self._before(name, module, taps), with_kwargs=True).remove
            )
            self._stack.callback(
                module.register_forward_hook(self._after(name, module, taps), with_kwargs=True, always_call=True).remove
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _before(self, name: str, module: Any, taps: Sequence[Tap]) -> Callable[..., None]:
        order = tuple(inspect.signature(module.forward).parameters)
        inputs = [tap for tap in taps if tap.kind == "in"]
        weights = [tap for tap in taps if tap.kind == "weights"]

        def hook(_module: Any, args: Any, kwargs: Any) -> None:
            self._run.begin(is_root=name == "", continues=name == "" and _continues(kwargs))
            for tap in inputs:
                value = places.argument(tap.place, args, kwargs, order)
                if value is not None and value is not places.ABSENT:
                    self._run.put(tap, value)
            if weights:
                if has_dropout(module):
                    raise dropped(weights[0].node)
                seen: list[Weights] = []
                watch = Watch(weights[0].node, seen.append)
                watch.__enter__()
                self._watches.setdefault(name, []).append((watch, seen))

        return hook

    def _after(self, name: str, module: Any, taps: Sequence[Tap]) -> Callable[..., None]:
        outputs = [tap for tap in taps if tap.kind in ("out", "argmax")]
        weights = [tap for tap in taps if tap.kind == "weights"]

        def hook(_module: Any, _args: Any, _kwargs: Any, output: Any) -> None:
            failed = output is None
            try:
                seen = self._leave(name) if weights else []
                if not failed:
                    for tap in weights:
                        self._weights(tap, module, output, seen)
                    for tap in outputs:
                        value = places.at(output, tap.place)
                        if value is not None and value is not places.ABSENT:
                            self._run.put(tap, _first(value) if not tap.place else value)
            finally:
                self._run.end(is_root=name == "", failed=failed)

        return hook

    def _leave(self, name: str) -> list[Weights]:
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
            self._run.put_weights(tap, seen[0])
        elif captured:
            self._run.put(tap, captured[-1], more={"source": "captured"})
        elif tap.row.optional != "value":
            config = getattr(module, "config", None) or getattr(self._model, "config", None)
            kernel = getattr(config, "_attn_implementation", None) or type(module).__name__
            raise hidden(tap.node, f"{kernel}, of which {tap.module} returns none")


def _is_row(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _first(value: Any) -> Any:
    """The first tensor of what a module returns: the value itself, or the first entry of a tuple or mapping."""
    while not isinstance(value, torch.Tensor) and (_is_row(value) or isinstance(value, Mapping)) and value:
        value = next(iter(value.values())) if isinstance(value, Mapping) else value[0]
    return value


def _continues(kwargs: Mapping[str, Any]) -> bool:
    """Whether a call is given a cache with earlier tokens."""
    for key in ("past_key_values", "cache", "cache_params"):
        length = getattr(kwargs.get(key), "get_seq_length", None)
        if length is not None:
            found = length()
            return bool(found) and not math.isnan(float(found))
    return False
