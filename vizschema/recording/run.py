"""What becomes of the values that hooks see: arrays that grow from one call to the next. Imports torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.errors import UsageError
from vizschema.recording.calls import SAMPLE, Append, Calls, Pass
from vizschema.recording.queued import Queue
from vizschema.recording.recording import Recording
from vizschema.recording.shapes import shaped
from vizschema.recording.taps import Plan, Tap
from vizschema.recording.tensors import Copies, dtype_named, require_plain
from vizschema.recording.values import added, along, converted, is_any_left_out, spread, unpacked
from vizschema.recording.weights import Weights
from vizschema.writer.trace import Trace


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run records: `append` is "auto", "sample", "token" or None, `cast` the dtype of nodes by pattern."""

    append: Append
    cast: Mapping[str, str]
    memory: int
    resume: bool = False


class Run(Recording):
    """A recording in progress."""

    def __init__(self, path: Path, settings: Settings) -> None:
        super().__init__(path)
        self._settings = settings
        self._calls = Calls(settings.append, resumes=settings.resume)
        self._cast = [(re.compile(pattern), dtype_named(name)) for pattern, name in settings.cast.items()]
        self._queue = Queue(settings.memory)
        self._copies = Copies()
        self._annotated: set[str] = set()
        self._seen: dict[str, dict[str, int]] = {}
        self._numbered_nodes: set[str] = set()
        self._called: dict[tuple[str, str], int] = {}
        self._errors: dict[str, tuple[float, float]] = {}
        self._masks: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def start(self, trace: Trace, plan: Plan, *, table: str, profile: str) -> None:
        """Give the run what it writes to, and what of the model: before the first call, once that is known."""
        self.table, self.profile = table, profile
        self._trace = trace
        self._plan = plan
        self._named = {value for tap in plan.taps for value in tap.row.attributes.values()}
        self._ahead = self._resumed() if self._settings.resume else {}

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
            self.passes = self._calls.count = 1
            self._seen = {node: {**each, SAMPLE: done} for node, each in shapes.items()}
            self._calls.first = set(self._seen)
        return {node: size - done for node, size in sizes.items() if size > done}

    # Calls

    def begin(self, *, is_root: bool, continues: bool) -> None:
        """Begin a call of a module, as of `Calls`."""
        self._calls.begin(is_root=is_root, continues=continues)
        self.passes = self._calls.count

    def begin_generation(self) -> None:
        """Take the calls that follow as those of one call of `generate`."""
        self._calls.begin_generation()

    def end_generation(self, taps: Sequence[Tap], tokens: Callable[[int], Any] | None) -> None:
        """End what `begin_generation` began; `tokens` gives the new tokens of so many calls (None: it failed)."""
        calls = self._calls.end_generation()
        if tokens is None or not calls:
            return
        self._calls.current = Pass()
        for tap in taps:
            self.put(tap, tokens(calls))
        self._calls.current = None

    def end(self, *, is_root: bool, failed: bool) -> None:
        """End what `begin` began, as of `Calls`."""
        self._calls.end(self._seen, is_root=is_root, failed=failed)

    # Values

    def put(self, tap: Tap, value: Any, *, own: bool = False, more: Mapping[str, Any] | None = None) -> None:
        """Take the value of a tap, or hold it until the pass ends; `own` says that no model has it."""
        if not tap.row.last or self._calls.current is None:
            self._put(tap, value, own=own, more=more)
            return
        held, wait = self._copies.copy(require_plain(tap.node, value), own=own)

        def put() -> None:
            if wait is not None:
                wait()
            self._put(tap, held, own=True, more=more)

        self._calls.current.held[tap.node] = put

    def _put(self, tap: Tap, value: Any, *, own: bool, more: Mapping[str, Any] | None) -> None:
        self._queue.require_sound()
        current = self._calls.current
        if current is None:
            raise UsageError(path=tap.node, expected="a call of the model", found=f"a call of {tap.module} alone")
        target, axes = tap.node, tap.axes
        if current.is_generated and tap.generated is not None:
            target, axes = tap.generated.node, tap.generated.axes
        node = self._numbered(current, tap, target)
        tensor = require_plain(node, value)
        tensor, names = shaped(node, converted(node, tap, tensor, self._cast), axes, current.sizes)
        own = own or tensor.untyped_storage().data_ptr() != value.untyped_storage().data_ptr()
        if tap.module == "" and tap.kind == "in":
            tensor = spread(tensor, names, current.sizes)
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
            group, stem = tap.node.partition("_{call}")[0].rsplit("/", 1)
            self._numbered_nodes.add(node)
            self._called[group, stem] = max(call + 1, self._called.get((group, stem), 0))
            return node
        if node in current.seen:
            raise UsageError(
                path=node,
                expected="one value in a call of the model",
                found=f"another one of {tap.module or 'the model'}, which was called again",
                fix="number the calls with {call} in the node of a row of your own, or leave the array out with select",
            )
        return node

    def _new_part(self, current: Pass, tap: Tap, node: str, tensor: Any, names: Sequence[str]) -> Any:
        """What a pass that continues brings of an array, once it is clear that it follows what is there."""
        if current.is_generated and tap.generated is not None:
            return tensor.narrow(names.index("new_token"), tensor.shape[names.index("new_token")] - 1, 1)
        before = self._seen.get(node)
        if current.grows is None or before is None:
            return tensor
        return added(node, tap, tensor, names, current.grows, before)

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
        rows = along(grows, names) if grows else []
        if current.is_generated and "new_token" in names:
            rows = ["new_token"]
        self._remember(node, names, tensor, rows)

        def job() -> None:
            if wait is not None:
                wait()
            self._annotate_above(node)
            if before is None and not rows:
                self._trace.add(node, held, names, attributes)
            else:
                self._trace.append(node, held, rows, names, attributes)

        self._queue.put(held.numel() * held.element_size(), job)

    def _remember(self, node: str, names: Sequence[str], tensor: Any, rows: Sequence[str]) -> None:
        """Note the sizes that an array has after `tensor` was added to it."""
        before = self._seen.get(node)
        lengths = dict(before or {})
        for axis, size in zip(names, tensor.shape, strict=True):
            lengths[axis] = lengths[axis] + size if before is not None and rows[:1] == [axis] else size
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
            if mask is None or not is_any_left_out(found.values, tap.axes, *mask):
                more["normalization"] = "softmax_masked"
        current = self._calls.current
        values = found.values if current is None else unpacked(tap, found.values, current.sizes)
        first, largest = self._errors.get(tap.node, (found.error, 0.0))
        self._errors[tap.node] = first, max(found.error, largest)
        self.put(tap, values, own=True, more=more)

    # The end

    def finish(self) -> None:
        """Write what is pending; raise `UsageError` where a tap brought nothing."""
        self._queue.finish()
        if not self.table:
            raise UsageError("brought nothing: the model was not called", fix="call the model in the with block")
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
        later: dict[str, float] = {}
        for node, (first, largest) in self._errors.items():
            if largest > first:  # the array has that of the first call
                group = node.rpartition("/")[0]
                later[group] = max(largest, later.get(group, 0.0))
        for group, error in later.items():
            self._trace.annotate(group, recomputed_error=error)
        for (group, stem), count in self._called.items():
            if group:
                self._trace.annotate(group, **{f"num_{stem}s": count})
        if self._settings.resume:
            self._trace.annotate("/", failure=None)

    def stop(self, failure: str) -> None:
        """Write what is pending after an exception, and say in the archive what happened."""
        self._queue.stop()
        if self.table:
            self._trace.annotate("/", failure=failure)
