"""What becomes of the values that hooks see: calls of the model, and arrays that grow from one to the next."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vizschema.errors import UsageError
from vizschema.recording.queued import Queue
from vizschema.recording.recording import Recording
from vizschema.recording.shapes import shaped
from vizschema.recording.taps import Plan, Tap
from vizschema.recording.tensors import Copies, dtype_named, require_plain
from vizschema.recording.weights import Weights
from vizschema.writer.trace import Trace

SAMPLE, TOKEN = "sample", "token"

Append = str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run records: `append` is "auto", "sample", "token" or None, `cast` the dtype of nodes by pattern."""

    append: Append
    cast: Mapping[str, str]
    memory: int
    resume: bool = False


@dataclass(slots=True)
class Pass:
    """One call of the model: the sizes that its arrays have, and which nodes it brought.

    `grows` is the axis along which values follow those of the pass before; `begins` says that they will be followed.
    `held` puts, at its end, the values of which the last call counts, by node.
    """

    grows: str | None = None
    begins: str | None = None
    is_generated: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)
    held: dict[str, Callable[[], None]] = field(default_factory=dict)


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
        self._numbered_nodes: set[str] = set()
        self._errors: dict[str, float] = {}
        self._pass: Pass | None = None
        self._depth = 0
        self._lock = threading.RLock()
        self._named = {value for tap in plan.taps for value in tap.row.attributes.values()}
        self._masks: dict[str, tuple[Any, tuple[str, ...]]] = {}
        self._ahead = self._resumed() if settings.resume else {}
        self._generated: int | None = None
        self._has_generated = False

    def _resumed(self) -> dict[str, int]:
        """How many samples each array has that others lack, which a recording that failed left.

        What all arrays have counts as recorded before.
        """
        sizes: dict[str, int] = {}
        shapes: dict[str, dict[str, int]] = {}
        for tap in self._plan.taps:
            shape = self._trace.shape(tap.node)
            names = [part for axis in tap.axes for part in axis.split("*") if part != "1"]
            if shape is None and tap.row.optional != "value":
                sizes[tap.node] = 0
            elif shape is not None and SAMPLE in names:
                sizes[tap.node] = shape[names.index(SAMPLE)]
                shapes[tap.node] = dict(zip(names, shape, strict=True))
        done = min(sizes.values(), default=0)
        if done:
            self.passes = 1
            self._seen = {node: {**each, SAMPLE: done} for node, each in shapes.items()}
            self._first = set(self._seen)
        return {node: size - done for node, size in sizes.items() if size > done}

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
        append = self._settings.append
        generates = self._generated is not None
        grows = None
        if self.passes > 0:
            grows = TOKEN if self._generated or (continues and not generates) or append == TOKEN else SAMPLE
            if append is None or (append == SAMPLE and grows == TOKEN) or (grows == SAMPLE and self._has_generated):
                what = "continues the tokens of the one before" if grows == TOKEN else "brings other samples"
                fix = "record each in an archive of its own"
                fix += "" if self._has_generated else f', or with append="{grows}"'
                raise UsageError(f"call {self.passes + 1} of the model {what}", fix=fix)
        if is_root:
            self.passes += 1
            self._generated = None if self._generated is None else self._generated + 1
        begins = TOKEN if append == TOKEN or generates else SAMPLE if append == SAMPLE else None
        return Pass(grows, begins, generates)

    def begin_generation(self) -> None:
        """Take the passes that follow as those of one call of `generate`."""
        if self.passes > 0 or self._settings.resume:
            fix = "record each generation in an archive of its own"
            raise UsageError("the archive has values of other calls already", path="generate", fix=fix)
        self._generated, self._has_generated = 0, True

    def end_generation(self, taps: Sequence[Tap], tokens: Callable[[int], Any] | None) -> None:
        """End what `begin_generation` began; `tokens` gives the new tokens of so many passes (None: it failed)."""
        passes, self._generated = self._generated or 0, None
        if tokens is None or not passes:
            return
        self._pass = Pass()
        for tap in taps:
            self.put(tap, tokens(passes))
        self._pass = None

    def end(self, *, is_root: bool, failed: bool) -> None:
        """End what `begin` began; of the whole model, check that it brought what the pass before did."""
        try:
            self._depth -= 1
            current = self._pass
            if self._depth or not is_root or current is None:
                return
            for put in [] if failed else current.held.values():
                put()
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
        """Take the value of a tap, or hold it until the pass ends; `own` says that no model has it."""
        if not tap.row.last or self._pass is None:
            self._put(tap, value, own=own, more=more)
            return
        held, wait = self._copies.copy(require_plain(tap.node, value), own=own)

        def put() -> None:
            if wait is not None:
                wait()
            self._put(tap, held, own=True, more=more)

        self._pass.held[tap.node] = put

    def _put(self, tap: Tap, value: Any, *, own: bool, more: Mapping[str, Any] | None) -> None:
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
        if node in self._named:
            self._masks[node] = tensor, names
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
            node = node.replace("{call}", f"{call:02}")
            self._numbered_nodes.add(node)
            return node
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
        if tap.row.letters is not None:
            tensor = _spelled(node, tensor, tap.row.letters)
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
        absent = self._plan.names - known
        return {key: value for key, value in every.items() if value not in absent}

    def _store(
        self, current: Pass, node: str, tensor: Any, names: Sequence[str], attributes: Mapping[str, Any], *, own: bool
    ) -> None:
        before = self._seen.get(node)
        if current.grows is not None and before is None and node not in self._numbered_nodes:
            raise UsageError(
                path=node,
                expected="values in every call of the model",
                found=f"none before call {self.passes}",
                fix="pass the same arguments in each call (a mask, for example)",
            )
        if self._ahead.get(node, 0) > 0:
            self._ahead[node] -= tensor.shape[list(names).index(SAMPLE)]
            self._remember(node, names, tensor, [SAMPLE])
            return
        held, wait = self._copies.copy(tensor, own=own)
        grows = current.grows if before is not None else current.begins
        along = _along(grows, names) if grows else []
        if current.is_generated and "new_token" in names:
            along = ["new_token"]
        self._remember(node, names, tensor, along)

        def job() -> None:
            if wait is not None:
                wait()
            self._annotate_above(node)
            if before is None and not along:
                self._trace.add(node, held, names, attributes)
            else:
                self._trace.append(node, held, along, names, attributes)

        self._queue.put(held.numel() * held.element_size(), job)

    def _remember(self, node: str, names: Sequence[str], tensor: Any, along: Sequence[str]) -> None:
        """Note the sizes that an array has after `tensor` was added to it."""
        before = self._seen.get(node)
        lengths = dict(before or {})
        for axis, size in zip(names, tensor.shape, strict=True):
            lengths[axis] = lengths[axis] + size if before is not None and along[:1] == [axis] else size
        if before is None:
            self.nodes = sorted([*self.nodes, node])
        self._seen[node] = lengths

    def _annotate_above(self, node: str) -> None:
        for group, attributes in self._plan.groups.items():
            if group not in self._annotated and node.startswith(f"{group}/"):
                self._annotated.add(group)
                self._trace.annotate(group, attributes)

    def put_weights(self, tap: Tap, found: Weights, given: Mapping[str, Any]) -> None:
        """Take weights that were computed again."""
        more: dict[str, Any] = {"source": "recomputed", "recomputed": True, "recomputed_error": found.error, **given}
        if tap.row.attributes.get("normalization") == "softmax" and found.is_masked:
            mask = self._masks.get(str(tap.row.attributes.get("mask")))
            if mask is None or not _any_left_out(found.values, tap.axes, *mask):
                more["normalization"] = "softmax_masked"
        current = self._pass
        values = found.values if current is None else _unpacked(tap, found.values, current.sizes)
        self._errors[tap.node] = max(found.error, self._errors.get(tap.node, 0.0))
        self.put(tap, values, own=True, more=more)

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
        if self._settings.resume:
            self._trace.annotate("/", failure=None)

    def stop(self, failure: str) -> None:
        """Write what is pending after an exception, and say in the archive what happened."""
        self._queue.stop()
        self._trace.annotate("/", failure=failure)


def _spelled(node: str, numbers: Any, letters: str) -> Any:
    """The codes of letters, of which `numbers` has the places in `letters`."""
    numbers = numbers.to(dtype_named("int64"))
    wrong = numbers[(numbers < 0) | (numbers >= len(letters))]
    if wrong.numel():
        raise UsageError(path=node, expected=f"numbers of the {len(letters)} letters {letters}", found=int(wrong[0]))
    return numbers.new_tensor(list(letters.encode("ascii")), dtype=dtype_named("uint8"))[numbers]


def _along(axis: str, names: Sequence[str]) -> list[str]:
    """The axes of this name that grow: the one without the role key first."""
    found = [name for name in names if name.partition(":")[0] == axis]
    return sorted(found, key=lambda name: name.endswith(":key"))


def _spread(tensor: Any, names: Sequence[str], sizes: Mapping[str, int]) -> Any:
    """`tensor` with one entry along the samples repeated for all of them, as the model reads it."""
    if names[:1] == (SAMPLE,) and tensor.shape[0] == 1 and sizes.get(SAMPLE, 1) > 1:
        return tensor.expand(sizes[SAMPLE], *tensor.shape[1:])
    return tensor


def _unpacked(tap: Tap, values: Any, sizes: Mapping[str, int]) -> Any:
    """Weights with one row per token and head; of one token, a kernel may have been given the heads of a group as rows.

    Raises `UsageError` where the rows are neither.
    """
    at = next((number for number, axis in enumerate(tap.axes) if axis.endswith(":query")), None)
    count = None if at is None else sizes.get(tap.axes[at].partition(":")[0])
    if at is None or count is None or values.shape[at] == count or values.ndim != len(tap.axes):
        return values
    if count == 1 and at == 2:
        return values.reshape(values.shape[0], -1, 1, values.shape[3])
    raise UsageError(
        path=tap.node,
        expected=f"{count} queries, one per token",
        found=f"{values.shape[at]} in what the kernel was given",
        fix='load the model with attn_implementation="eager"',
    )


def _any_left_out(values: Any, names: Sequence[str], mask: Any, axes: Sequence[str]) -> bool:
    """Whether any of `values` is not 0 where `mask` is false, read along each axis of its name."""
    counts = mask.new_ones(values.shape)
    for role in range(len(names)):
        base = names[role].partition(":")[0]
        if base not in axes[1:] or mask.ndim != 2:
            continue
        size = values.shape[role]
        shape = [values.shape[0], *(size if each == role else 1 for each in range(1, values.ndim))]
        counts = counts & mask[:, -size:].reshape(shape)
    return bool((values.masked_fill(counts, 0) != 0).any())
