"""`write`: a whole archive at once, judged before it takes its place. Home of the writers' interface."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vizschema.description import Description, Node
from vizschema.errors import NotConforming, UsageError
from vizschema.findings import Report
from vizschema.rules import versions
from vizschema.rules.verdict import Chosen, report_of
from vizschema.rules.versions import Profile, Spec
from vizschema.writer import plan
from vizschema.writer.axes import with_axes
from vizschema.writer.create import create
from vizschema.writer.forms import form_of
from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.judging import Passing, with_facts
from vizschema.writer.plan import Array
from vizschema.writer.refusal import refusal
from vizschema.writer.spool import spooled
from vizschema.writer.target import replacing, require_free
from vizschema.writer.trace import Trace

__all__ = ["Array", "Trace", "create", "write"]


def write(
    path: str | os.PathLike[str],
    arrays: Mapping[str, Array],
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    profile: str,
    container: str | None = None,
    spec: str | None = None,
    overwrite: bool = False,
    values: bool = True,
) -> Report:
    """Write a whole archive at once, if it conforms, and return its report.

    Parameters:
        path: Where to write.
        arrays: The arrays by path. Iterators of blocks, as of `Trace.add`, are kept in a temporary folder first.
        attributes: Attributes by the path of their group or array. Those of the root that name version,
            profile, time and software are filled in.
        profile: A profile, or the folder of your own profile.
        container: Such as `zarr-v3`, `hdf5` or `npz`, as `vizschema convert --help` lists them (None: by the suffix of
            `path`).
        spec: A released version, such as "1.0.0" (None: the first that has the profile).
        overwrite: Replace an archive at `path`.
        values: Judge the values too, as they are written (False: the structure only, which is faster).

    Returns:
        The report on the archive, which conforms.

    Raises:
        NotConforming: The archive would not conform; nothing is written.
        UsageError: The target exists, or the arguments do not fit.
        SpecError: `spec` or `profile` does not exist.

    Examples:
        >>> logits = vizschema.Array(np.eye(3, dtype="float32"), ["sample", "class"])
        >>> attributes = {"/metadata": {"model_name": "m", "model_version": "1"}}
        >>> report = vizschema.write("logits.h5", {"/outputs/logits": logits}, attributes, profile="trace")
        >>> report.verdict
        'conforms'
    """
    target = Path(path)
    form = form_of(target, container)
    require_free(target, overwrite=overwrite)
    version = versions.version_for(spec, profile)
    judged = version.profile(profile)
    chosen = Chosen(version, "requested", judged, "requested")
    with ExitStack() as stack:
        whole = _without_iterators(arrays, stack)
        named = {place: with_axes(place, item, judged) for place, item in whole.items()}
        groups, planned = plan_whole(named, attributes or {}, form, version, judged)
        return write_judged(target, form, groups, planned, chosen, overwrite=overwrite, values=values)


def _without_iterators(arrays: Mapping[str, Array], stack: ExitStack) -> Mapping[str, Array]:
    """The arrays, those of blocks kept in a temporary folder that `stack` removes."""
    iterators = [place for place, item in arrays.items() if isinstance(item.data, Iterator)]
    if not iterators:
        return arrays
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="vizschema-")))
    kept = {
        place: replace(arrays[place], data=spooled(place, arrays[place].data, folder / str(number)))
        for number, place in enumerate(iterators)
    }
    return {**arrays, **kept}


def write_judged(
    target: Path,
    form: Form,
    groups: Mapping[str, Mapping[str, Any]],
    planned: Mapping[str, PlannedArray],
    chosen: Chosen,
    *,
    overwrite: bool,
    values: bool,
) -> Report:
    """Write what was planned, if it conforms, and return its report; raises as `write` does."""
    nodes: dict[str, Node] = {place: plan.plan_group(place, group) for place, group in groups.items()}
    nodes.update((place, plan.plan_node(place, item, form)) for place, item in planned.items())
    description = plan.plan_description(nodes, form)
    report = _required(description, target, chosen)
    plan.require_portable(planned)
    plan.require_held(groups, planned, form)
    with replacing(target, overwrite=overwrite) as temporary:
        if not values:
            write_planned(temporary, form, groups, planned)
            return report
        entries = chosen.profile.facts
        passing = {place: Passing(place, nodes[place], entries) for place in planned}
        watched = {place: replace(item, watch=passing[place].see) for place, item in planned.items()}
        write_planned(temporary, form, groups, watched)
        facts = {place: each.facts() for place, each in passing.items() if each.is_whole}
        return _required(with_facts(description, facts, entries, temporary), target, chosen)


def _required(description: Description, target: Path, chosen: Chosen) -> Report:
    """Return the report on `description`; raise `NotConforming` if it does not conform."""
    report = report_of(description, str(target), chosen)
    if not report.conforms:
        raise NotConforming(f"nothing was written: {refusal(report)}", report, path=target)
    return report


def plan_whole(
    arrays: Mapping[str, Array],
    attributes: Mapping[str, Mapping[str, Any]],
    form: Form,
    version: Spec,
    profile: str | Profile,
) -> tuple[dict[str, Mapping[str, Any]], dict[str, PlannedArray]]:
    """The groups with their attributes, parents first, and the arrays, as they will be written; nothing is judged.

    Raises `UsageError` where the arguments do not fit each other.
    """
    given = {plan.node_path(place): value for place, value in attributes.items()}
    name = profile if isinstance(profile, str) else profile.name
    digests = {} if isinstance(profile, str) else plan.digests_of(version, profile)
    given["/"] = plan.root_attributes(given.get("/", {}), version.version, name, digests)
    planned = _plan_arrays(arrays, given, form, versions.layout_of(version))
    return _plan_groups(planned, given), planned


def _plan_arrays(
    arrays: Mapping[str, Array], given: Mapping[str, Mapping[str, Any]], form: Form, layout: Mapping[str, Any]
) -> dict[str, PlannedArray]:
    planned: dict[str, PlannedArray] = {}
    for name, item in arrays.items():
        place = plan.node_path(name)
        if place in planned:
            raise UsageError(path=place, expected="one array under this path", found="two")
        planned[place] = plan.plan_array(place, item, given.get(place, {}), form, layout)
    for place in planned:
        for above in plan.ancestors(place):
            if above in planned:
                raise UsageError(path=above, expected="an array or a group", found=f"both: there is also {place}")
    if "/" in planned:
        raise UsageError(path="/", expected="a group", found="an array", fix="give it a name, like /outputs/logits")
    return planned


def _plan_groups(
    planned: Mapping[str, PlannedArray], given: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """Every group, parents first, with its attributes."""
    places = {above for place in (*planned, *given) for above in plan.ancestors(place)}
    places.update(place for place in given if place not in planned)
    for place in given:
        for above in plan.ancestors(place):
            if above in planned:
                raise UsageError(
                    path=above, expected="a group", found="an array", fix=f"{place} has attributes below it"
                )
    return {place: plan.plain_attributes(place, given.get(place, {})) for place in sorted(places)}


def write_planned(
    path: Path, form: Form, groups: Mapping[str, Mapping[str, Any]], planned: Mapping[str, PlannedArray]
) -> None:
    """Write what `plan_whole` gave to `path`, where nothing is yet."""
    writer = form.begin(path)
    try:
        writer.outline(groups, planned)
        for place, attributes in groups.items():
            writer.group(place, attributes)
        for place, item in planned.items():
            writer.array(place, item)
        writer.finish()
    finally:
        writer.close()
