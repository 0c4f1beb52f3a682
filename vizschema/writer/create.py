"""`create`: an archive that is written array by array while a model runs, in the memory of one array.

Every array is judged on its own before it is written, and the whole at the end. Until then the root says
`complete: false`.
"""

from __future__ import annotations

import os
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from vizschema.description import Node, axis_key
from vizschema.errors import NotConforming, UsageError, VizschemaError
from vizschema.findings import Report
from vizschema.rules import versions
from vizschema.rules.verdict import Chosen, report_of
from vizschema.rules.versions import Profile, Spec
from vizschema.writer import plan
from vizschema.writer.axes import with_axes
from vizschema.writer.forms import FORMS, form_of
from vizschema.writer.forms.base import Form, Writer
from vizschema.writer.plan import Array
from vizschema.writer.refusal import family, lasting, refusal
from vizschema.writer.resume import is_there, unfinished
from vizschema.writer.target import remove, require_free

COMPLETE = "complete"

_FIXED = ("spec_version", "profile", COMPLETE)


@contextmanager
def create(
    path: str | os.PathLike[str],
    *,
    profile: str,
    container: str | None = None,
    spec: str | None = None,
    overwrite: bool = False,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    resume: bool = False,
) -> Iterator[Trace]:
    """Open a new archive to write arrays one by one, in a `with` block.

    The archive grows at `path`, with the root attribute `complete: false`, and keeps what was added whatever happens.
    At the end of the block the whole is judged, and marked complete if it conforms.

    Parameters:
        path: Where to write.
        profile: A profile, or the folder of your own profile.
        container: `zarr-v3`, `zarr-v3-sharded`, `zarr-v2` or `hdf5` (None: by the suffix of `path`).
        spec: A released version, such as "1.0.0" (None: the newest).
        overwrite: Replace an archive at `path`.
        attributes: Attributes that are known from the start, by the path of their group.
        resume: Continue an archive that was never completed, after reading its values once; begin one if there is none.

    Yields:
        The trace that takes the arrays; `path in trace` says whether it has one already.

    Raises:
        NotConforming: The whole does not conform, at the end of the block.
        UsageError: The target exists, or an argument does not fit.
        SpecError: `spec` or `profile` does not exist.

    Examples:
        >>> attributes = {"/metadata": {"model_name": "m", "model_version": "1"}, "/activations": {"num_layers": 2}}
        >>> with vizschema.create("new.zarr", profile="trace", attributes=attributes) as trace:
        ...     for layer in range(2):
        ...         values = np.full((4, 8), layer + 0.5, "float32")  # [token, hidden]
        ...         trace.add(f"/activations/layer_{layer:02}", values, axes=["token", "hidden"])
    """
    target = Path(path)
    form = form_of(target, container)
    if not form.stepwise:
        steps = ", ".join(name for name, other in FORMS.items() if other.stepwise)
        raise UsageError(
            (
                f"{form.name} cannot be written array by array; capture in one of {steps}, and convert the "
                "complete archive"
            ),
            path=target,
        )
    version = versions.newest() if spec is None else versions.load(spec)
    judged = version.profile(profile)
    given = {plan.node_path(place): dict(value) for place, value in (attributes or {}).items()}
    if resume and overwrite:
        raise UsageError(path=target, expected="either resume or overwrite", found="both")
    resumed = resume and is_there(target)
    if resumed:
        trace = _resumed(target, form, version, judged, given)
    else:
        root = plan.root_attributes(given.pop("/", {}), version.version, judged.name)
        require_free(target, overwrite=overwrite or resume)
        remove(target)
        trace = Trace(target, form, version, judged, form.begin(target))
        trace.begin({**root, COMPLETE: False})
    try:
        _annotate_first(trace, given, None if resumed else target)
        yield trace
        trace.complete()
    finally:
        trace.close()


def _resumed(target: Path, form: Form, version: Spec, profile: Profile, given: dict[str, dict[str, Any]]) -> Trace:
    """The trace of what is at `target`; `given` keeps what is still to be set."""
    if form.resume is None:
        raise UsageError(f"cannot resume in {form.name}", path=target)
    nodes = unfinished(target, form)
    own = {**nodes["/"]["attributes"], **given.get("/", {})}
    plan.root_attributes(own, version.version, profile.name)
    if "/" in given:
        given["/"] = {key: value for key, value in given["/"].items() if key not in _FIXED}
    trace = Trace(target, form, version, profile, form.resume(target))
    trace.go_on(nodes)
    return trace


def _annotate_first(trace: Trace, given: Mapping[str, Mapping[str, Any]], new: Path | None) -> None:
    """Set the first attributes; if one is refused, remove a `new` archive, in which nothing is captured yet."""
    try:
        for place, values in given.items():
            trace.annotate(place, values)
    except VizschemaError:
        trace.close()
        if new is not None:
            remove(new)
        raise


class Trace:
    """An archive that is being written; returned by `create`.

    Examples:
        >>> with vizschema.create("new.zarr", profile="trace") as trace:
        ...     trace.annotate("/metadata", model_name="m", model_version="1")
        ...     trace.add("/outputs/logits", np.eye(3, dtype="float32"), axes=["sample", "class"])
        ...     print("/outputs/logits" in trace)
        True
    """

    def __init__(self, target: Path, form: Form, version: Spec, profile: Profile, writer: Writer) -> None:
        self._target = target
        self._form = form
        self._chosen = Chosen(version, "requested", profile, "requested")
        self._layout = versions.read_json(version.folder / "layout.json")
        self._writer: Writer | None = writer
        self._attributes: dict[str, dict[str, Any]] = {}
        self._nodes: dict[str, Node] = {}
        self._witnesses: dict[str, str] = {}

    def __contains__(self, path: str) -> bool:
        """Whether there is an array or a group at `path`."""
        return plan.node_path(path) in self._nodes

    def begin(self, root: Mapping[str, Any]) -> None:
        """Write the root; called by `create`."""
        self._group(self._open(), "/", plan.plain_attributes("/", root))

    def go_on(self, nodes: Mapping[str, Node]) -> None:
        """Take over what is there; called by `create`."""
        for place, node in nodes.items():
            if node["kind"] == "group":
                self._attributes[place] = dict(node["attributes"])
            self._keep(place, node)

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
        """Write one array, and the groups above it; the operating system has it when this returns.

        Parameters:
            path: The path of the array in the archive.
            data: The values: a NumPy array, or anything that NumPy converts; also one of `ml_dtypes`.
            axes: One name per dimension, such as `["head", "token:query", "token:key"]`; empty: the profile's.
                the path).
            attributes: Attributes of the array.
            chunks: Chunk lengths along the axes (None: by the meaning of the axes).
            shards: Shard lengths along the axes, for Zarr v3 (None: no shards).

        Raises:
            NotConforming: No later call could make this array conform; nothing is written.
            UsageError: There is a node at this path already, or an argument does not fit.
        """
        writer = self._open()
        place = plan.node_path(path)
        if place in self._nodes:
            raise UsageError("exists already, and arrays cannot be changed", path=place)
        self._require_groups_above(place)
        given = with_axes(place, Array(data, axes, attributes or {}, chunks, shards), self._chosen.profile)
        planned = plan.plan_array(place, given, {}, self._form, self._layout)
        node = plan.plan_node(place, planned, self._form)
        self._require_fit(place, node, planned.axes or ())
        plan.require_portable({place: planned})
        plan.require_held({}, {place: planned}, self._form)
        for above in plan.ancestors(place):
            if above not in self._nodes:
                self._group(writer, above, {})
        writer.array(place, planned)
        self._keep(place, node)

    def annotate(self, path: str, attributes: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Set attributes of a group; a group that does not exist is created.

        Parameters:
            path: The path of the group.
            attributes: Attributes by name.
            more: Further attributes, by keyword.

        Raises:
            NotConforming: An attribute does not conform; nothing is written.
            UsageError: The node is an array, or `create` itself sets the attribute.
        """
        writer = self._open()
        place = plan.node_path(path)
        values = plan.plain_attributes(place, {**(attributes or {}), **more})
        fixed = [key for key in _FIXED if place == "/" and key in values]
        if fixed:
            raise UsageError(f"the attribute {fixed[0]} is set by create itself; leave it out", path="/")
        if place in self._nodes and place not in self._attributes:
            raise UsageError(path=place, expected="a group", found="an array", fix="pass its attributes to add")
        self._require_groups_above(place)
        merged = {**self._attributes.get(place, {}), **values}
        sizes = [key.removeprefix("size_") for key in values if key.startswith("size_")]
        changed = plan.plan_group(place, merged)
        self._require_fit(place, changed, sizes, attributes=values)
        plan.require_held({place: merged}, {}, self._form)
        for above in plan.ancestors(place):
            if above not in self._nodes:
                self._group(writer, above, {})
        if place not in self._nodes:
            self._group(writer, place, values)
        elif values:
            writer.annotate(place, values)
        self._attributes[place] = merged
        scopes = place in self._nodes and any(key.startswith("scope_") for key in values)
        self._keep(place, plan.plan_group(place, merged))
        if scopes:  # the arrays below have another scope from now on
            self._witnesses.clear()
            for each, node in self._nodes.items():
                self._keep(each, node)

    def complete(self) -> Report:
        """Judge the whole, mark it complete and return the report; called by `create` at the end of the block.

        Raises:
            NotConforming: The whole does not conform; it stays marked `complete: false`.
        """
        writer = self._open()
        root = {**self._attributes["/"], COMPLETE: True}
        nodes = {**self._nodes, "/": plan.plan_group("/", root)}
        description = plan.plan_description(nodes, self._form)
        report = report_of(description, str(self._target), self._chosen)
        if not report.conforms:
            raise NotConforming(f"is not complete: {refusal(report)}", report, path=self._target)
        writer.annotate("/", {COMPLETE: True})
        writer.finish()
        self.close()
        return report

    def close(self) -> None:
        """Let go of every file; what was added stays, under `complete: false` unless `complete` was called."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self) -> Writer:
        if self._writer is None:
            raise UsageError("is closed; add and annotate inside the with block of create", path=self._target)
        return self._writer

    def _group(self, writer: Writer, place: str, attributes: Mapping[str, Any]) -> None:
        writer.group(place, attributes)
        self._attributes[place] = dict(attributes)
        self._keep(place, plan.plan_group(place, attributes))

    def _keep(self, place: str, node: Node) -> None:
        """Remember the node, and that it can bear witness: to the sizes of its axes, and to the form of its series."""
        self._nodes[place] = node
        self._witnesses.setdefault(family(place), place)
        for name in node.get("axes") or ():
            self._witnesses.setdefault(axis_key(self._nodes, place, name), place)

    def _require_groups_above(self, place: str) -> None:
        for above in plan.ancestors(place):
            if above in self._nodes and above not in self._attributes:
                raise UsageError(path=above, expected="a group", found="an array", fix=f"{place} cannot be below it")

    def _require_fit(
        self, place: str, node: Node, axes: Sequence[str | None], attributes: Mapping[str, Any] | None = None
    ) -> None:
        """Raise `NotConforming` for faults of `node` alone, or of its axes and series together with existing nodes.

        The nodes looked at are the node, those above it, `/metadata`, and one witness for each axis and for the series:
        a few, however many were written. With `attributes`, only they are looked at.
        """
        known = ChainMap({place: node}, self._nodes)
        keys = [axis_key(known, place, name) for name in axes if name]
        shown = ["/", "/metadata", *(self._witnesses.get(key, "/") for key in (family(place), *keys))]
        nodes: dict[str, Node] = {}
        for each in (*shown, place):
            for above in (*plan.ancestors(each), each):
                nodes[above] = dict(self._nodes.get(above) or plan.plan_group(above, {}))
        nodes[place] = node
        description = plan.plan_description(nodes, self._form)
        report = report_of(description, str(self._target), self._chosen)
        findings = tuple(filter(lasting(place, keys, attributes), report.errors))
        if findings:
            refused = replace(report, findings=findings)
            raise NotConforming(f"was not written: {refusal(refused)}", refused, path=place)
