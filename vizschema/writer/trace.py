"""An archive that is being captured: what may be added to it, and what happens to it then."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vizschema.containers.values import grid_counts
from vizschema.description import Node
from vizschema.errors import NotConforming, UsageError
from vizschema.findings import Report
from vizschema.rules import versions
from vizschema.rules.chunking import unit_axes
from vizschema.rules.verdict import Chosen, report_of
from vizschema.writer import plan
from vizschema.writer.axes import with_axes
from vizschema.writer.capture import Capture
from vizschema.writer.convert import copied
from vizschema.writer.fit import Nodes
from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.growing import Sized, Slot, axis_numbers, grow, growing_chunks, grown_shape, planned_of, sweep
from vizschema.writer.judging import Passing, with_facts
from vizschema.writer.plan import Array
from vizschema.writer.refusal import refusal
from vizschema.writer.spool import spooled
from vizschema.writer.target import Work, exchange

COMPLETE = "complete"
FIXED = ("spec_version", "profile", COMPLETE)


class Trace:
    """An archive that is being written; returned by `create`. Threads may add different paths at once.

    Examples:
        >>> with vizschema.create("new.zarr", profile="trace") as trace:
        ...     trace.annotate("/metadata", model_name="m", model_version="1")
        ...     trace.add("/outputs/logits", np.eye(3, dtype="float32"), axes=["sample", "class"])
        ...     print("/outputs/logits" in trace)
        True
    """

    def __init__(self, work: Work, form: Form, chosen: Chosen, capture: Capture, *, values: bool) -> None:
        self._work = work
        self._form = form
        self._chosen = chosen
        self._layout = versions.layout_of(chosen.version)
        self._capture: Capture | None = capture
        self._known = Nodes(work.target, form, chosen)
        self._entries = chosen.profile.facts if values else None
        self._facts: dict[str, Node] = {}
        self._claimed: set[str] = set()
        self._slots: dict[str, Slot] = {}
        self._lock = threading.RLock()

    def __contains__(self, path: str) -> bool:
        """Whether there is an array or a group at `path`."""
        return plan.node_path(path) in self._known.nodes

    def shape(self, path: str) -> tuple[int, ...] | None:
        """Return the shape of an array that was added; None where there is none.

        Parameters:
            path: The path of the array in the archive.
        """
        node = self._known.nodes.get(plan.node_path(path))
        return None if node is None or node["kind"] != "array" else tuple(node["shape"])

    def begin(self, root: Mapping[str, Any]) -> None:
        """Write the root; called by `create`."""
        attributes = plan.plain_attributes("/", root)
        self._open().begin(attributes)
        self._known.keep_group("/", attributes)

    def go_on(self, nodes: Mapping[str, Node]) -> None:
        """Take over what is there; called by `create`."""
        for place, node in nodes.items():
            if node["kind"] == "group":
                self._known.keep_group(place, node["attributes"])
            else:
                self._known.keep(place, node | {"storage": self._form.storage(planned_of(node))})

    def add(
        self,
        path: str,
        data: Any,
        axes: Sequence[str] = (),
        attributes: Mapping[str, Any] | None = None,
        *,
        chunks: Sequence[int] | None = None,
        shards: Sequence[int] | None = None,
    ) -> None:
        """Write one array, and the groups above it. After an exception, nothing of it counts, and more can be added.

        Parameters:
            path: The path of the array in the archive.
            data: The values: a NumPy array, a tensor, anything that NumPy converts or that is read by regions (of dask,
                zarr, h5py), or an iterator of blocks that follow each other along the first axis.
            axes: One name per dimension, such as `["head", "token:query", "token:key"]`; empty: the profile's.
            attributes: Attributes of the array.
            chunks: Chunk lengths along the axes (None: by the meaning of the axes).
            shards: Shard lengths along the axes, for Zarr v3 (None: no shards).

        Raises:
            NotConforming: No later call could make this array conform, by its structure or its values.
            UsageError: There is a node at this path already, or an argument does not fit.
            OSError: The system refused to write.
        """
        place = plan.node_path(path)
        with self._claim(place) as capture:
            folder = capture.new_folder()
            try:
                if isinstance(data, Iterator):
                    data = spooled(place, data, folder / "blocks")
                planned, node = self._planned(place, Array(data, axes, attributes or {}, chunks, shards))
                passing = self._passing(place, node)
                watch = None if passing is None else passing.see
                capture.writer(folder).array("node", replace(planned, watch=watch))
                self._commit(place, node, passing, folder / "node")
            finally:
                capture.discard(folder)

    def reserve(
        self,
        path: str,
        shape: Sequence[int],
        dtype: Any,
        axes: Sequence[str] = (),
        attributes: Mapping[str, Any] | None = None,
        *,
        chunks: Sequence[int] | None = None,
        shards: Sequence[int] | None = None,
    ) -> Slot:
        """Reserve a path for an array whose regions are written later, in any order and from several threads.

        Parameters:
            path: The path of the array in the archive.
            shape: The length along every axis.
            dtype: The dtype of the values, as NumPy takes it, or `bfloat16`.
            axes: As of `add`.
            attributes: Attributes of the array.
            chunks: Chunk lengths along the axes; regions of whole chunks are written fastest.
            shards: Shard lengths along the axes, for Zarr v3 (None: no shards).

        Returns:
            What takes the values: `slot[region] = values`.

        Raises:
            NotConforming: No later call could make this array conform.
            UsageError: There is a node at this path already, or an argument does not fit.
        """
        place = plan.node_path(path)
        claim = self._claim(place)
        capture = claim.__enter__()
        try:
            sized = Sized(plan.whole_numbers(place, "a shape", shape), plan.given_dtype(place, dtype))
            planned, node = self._planned(place, Array(sized, axes, attributes or {}, chunks, shards))
            passing = self._passing(place, node)
            folder = capture.new_folder()
            array = capture.writer(folder).empty("node", planned)
        except BaseException:
            claim.__exit__(None, None, None)
            raise

        def end() -> None:
            with self._lock:
                del self._slots[place]
            capture.discard(folder)
            claim.__exit__(None, None, None)

        def done() -> None:
            try:
                self._commit(place, node, passing, folder / "node")
            finally:
                end()

        slot = Slot(place, planned, array, None if passing is None else passing.see, done, end)
        with self._lock:
            self._slots[place] = slot
        return slot

    def append(
        self,
        path: str,
        data: Any,
        axis: str | Sequence[str],
        axes: Sequence[str] = (),
        attributes: Mapping[str, Any] | None = None,
        *,
        chunks: Sequence[int] | None = None,
    ) -> None:
        """Add values to the end of an array; the first call makes it. After an exception, it is as it was before.

        Parameters:
            path: The path of the array in the archive.
            data: The values, as of `add`.
            axis: The axis along which they follow what is there. Of several axes, the first one is that, and along the
                others `data` has the new size: `["token:query", "token:key"]` where each new row is
                longer than those before, which get zeros.
            axes: The axes of the array, in the first call.
            attributes: Attributes of the array, in the first call.
            chunks: Chunk lengths along the axes, in the first call.

        Raises:
            NotConforming: No later call could make this array conform.
            UsageError: An argument does not fit the array.
            OSError: The system refused to write.
        """
        place = plan.node_path(path)
        along = (axis,) if isinstance(axis, str) else tuple(axis)
        with self._claim(place, known=True) as capture:
            folder = capture.new_folder()
            try:
                if isinstance(data, Iterator):
                    data = spooled(place, data, folder / "blocks")
                if place in self._known.nodes:
                    self._grow(capture, place, data, along)
                else:
                    given = Array(data, axes, attributes or {}, chunks)
                    planned, node = self._planned(place, given, along)
                    capture.writer(folder).array("node", planned)
                    self._commit(place, node, None, folder / "node", along)
            finally:
                capture.discard(folder)

    def _grow(self, capture: Capture, place: str, data: Any, along: Sequence[str]) -> None:
        node = self._known.nodes[place]
        if node["kind"] != "array":
            raise UsageError(path=place, expected="an array to append to", found="a group")
        before = planned_of(node)
        numbers = axis_numbers(place, before, along)
        given = Array(data, before.axes or (), {}, before.chunks)  # type: ignore[arg-type]  # the names that it has
        added = plan.plan_array(place, given, {}, self._form, self._layout)
        if added.dtype != before.dtype:
            raise UsageError(path=place, expected=f"values of {before.dtype} to append", found=added.dtype)
        shape = grown_shape(place, before, added.shape, numbers)
        grow(capture, place, before, shape, added, numbers[0])
        grown = replace(before, values=Sized(shape, before.values.dtype))
        with self._lock:
            self._facts.pop(place, None)
            self._known.keep(place, plan.plan_node(place, grown, self._form))
            self._known.grows(place, along)

    def annotate(self, path: str, attributes: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Set attributes of a group; a group that does not exist is created. All of them are set, or none.

        Parameters:
            path: The path of the group.
            attributes: Attributes by name.
            more: Further attributes, by keyword.

        Raises:
            NotConforming: An attribute does not conform; nothing is written.
            UsageError: The node is an array, the container does not support an attribute, or `create` itself sets it.
        """
        place = plan.node_path(path)
        values = plan.plain_attributes(place, {**(attributes or {}), **more})
        fixed = [key for key in FIXED if place == "/" and key in values]
        if fixed:
            raise UsageError(f"the attribute {fixed[0]} is set by create itself; leave it out", path="/")
        with self._lock:
            capture, known = self._open(), self._known
            if place in known.nodes and place not in known.attributes:
                raise UsageError(path=place, expected="a group", found="an array", fix="pass its attributes to add")
            self._require_groups_above(place)
            merged = {**known.attributes.get(place, {}), **values}
            sizes = [key.removeprefix("size_") for key in values if key.startswith("size_")]
            known.require_fit(place, plan.plan_group(place, merged), sizes, attributes=values)
            plan.require_held({place: merged}, {}, self._form)
            missing = known.missing(place)
            if place not in known.nodes:
                capture.group(place, values, missing)
            elif values:
                capture.annotate(place, values)
            for above in missing:
                known.keep_group(above, {})
            known.keep_group(place, values)

    def complete(self) -> Report:
        """Judge the whole, mark it complete and return the report; called by `create` at the end of the block.

        Raises:
            NotConforming: The whole does not conform; it stays marked `complete: false`.
            UsageError: An array that was reserved lacks values.
            OSError: The system refused to write; the archive stays unfinished.
        """
        with self._lock:
            capture = self._open()
            for place, slot in self._slots.items():
                found = slot.given
                raise UsageError(path=place, expected=f"{slot.size} values", found=found, fix="or call discard() of it")
            for place in self._known.growing:
                self._sweep(capture, place)
            report = self._judged(capture)
            if not report.conforms:
                raise NotConforming(f"is not complete: {refusal(report)}", report, path=self._work.target)
            self._finish(capture)
            self.close()
            return report

    def _judged(self, capture: Capture) -> Report:
        root = plan.plan_group("/", {**self._known.attributes["/"], COMPLETE: True})
        description = plan.plan_description({**self._known.nodes, "/": root}, self._form)
        if self._entries is not None:
            description = with_facts(description, self._facts, self._entries, capture.root)
        return report_of(description, str(self._work.target), self._chosen)

    def _finish(self, capture: Capture) -> None:
        """Mark the archive complete, and put it where it was to be."""
        target = self._work.target
        if self._form.in_place:
            capture.complete({COMPLETE: True})
            if capture.root != target:
                self._work.mark()
                exchange(self._work, capture.root)
            return
        self._work.made.parent.mkdir(parents=True, exist_ok=True)
        copied(capture.root, self._work.made, self._form, {COMPLETE: True})
        exchange(self._work, self._work.made)
        with suppress(OSError):
            self._work.remove_capture()

    def close(self) -> None:
        """Let go of every file; what was added stays, under `complete: false` unless `complete` was called."""
        with self._lock:
            slots = list(self._slots.values())
        for slot in slots:
            slot.discard()
        self._capture = None

    def _sweep(self, capture: Capture, place: str) -> None:
        planned = planned_of(self._known.nodes[place])
        sweep(capture.at(place), grid_counts(planned.shape, planned.shards or planned.chunks))

    def _open(self) -> Capture:
        if self._capture is None:
            message = "is closed; add and annotate inside the with block of create"
            raise UsageError(message, path=self._work.target)
        return self._capture

    @contextmanager
    def _claim(self, place: str, *, known: bool = False) -> Iterator[Capture]:
        """Be the only one that writes at `place`; one that is `known` may be there already."""
        with self._lock:
            capture = self._open()
            if place in self._claimed or (place in self._known.nodes and not known):
                raise UsageError("exists already, and arrays cannot be changed", path=place)
            self._require_groups_above(place)
            self._claimed.add(place)
        try:
            yield capture
        finally:
            self._claimed.discard(place)

    def _planned(self, place: str, array: Array, along: Sequence[str] = ()) -> tuple[PlannedArray, Node]:
        """The array as it will be written, and its node; raises where it can never be part of the archive."""
        given = with_axes(place, array, self._chosen.profile)
        planned = plan.plan_array(place, given, {}, self._form, self._layout)
        if along and given.chunks is None:
            units = unit_axes(place, planned.axes or (), self._layout)
            numbers = [number for number in axis_numbers(place, planned, along) if number not in units]
            itemsize = planned.stored_dtype.itemsize
            planned = replace(planned, chunks=growing_chunks(planned.shape, numbers, itemsize, planned.chunks))
        node = plan.plan_node(place, planned, self._form)
        self._require_fit(place, node, along)
        plan.require_portable({place: planned})
        plan.require_held({}, {place: planned}, self._form)
        return planned, node

    def _require_fit(self, place: str, node: Node, along: Sequence[str] = (), facts: Node | None = None) -> None:
        axes = [name for name in node["axes"] or () if name not in along]
        with self._lock:
            self._known.require_fit(place, node, axes, facts=facts)

    def _passing(self, place: str, node: Node) -> Passing | None:
        return None if self._entries is None else Passing(place, node, self._entries)

    def _commit(self, place: str, node: Node, passing: Passing | None, folder: Path, along: Sequence[str] = ()) -> None:
        """Move a node that was written into the archive, if it still fits, and its values do."""
        facts = None if passing is None or not passing.is_whole else passing.facts()
        with self._lock:
            self._require_fit(place, node, along, facts)
            capture, missing = self._open(), self._known.missing(place)
            self._require_groups_above(place)
            capture.commit(place, folder, missing)
            for above in missing:
                self._known.keep_group(above, {})
            self._known.keep(place, node)
            if along:
                self._known.grows(place, along)
            if facts is not None:
                self._facts[place] = facts

    def _require_groups_above(self, place: str) -> None:
        for above in plan.ancestors(place):
            if above in self._claimed or (above in self._known.nodes and above not in self._known.attributes):
                raise UsageError(path=above, expected="a group", found="an array", fix=f"{place} cannot be below it")
