"""`create`: an archive that is written array by array while a model runs, in the memory of one array.

Every array is judged on its own before it is written, and the whole at the end. Until then the root says
`complete: false`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from vizschema.containers.opening import recognise
from vizschema.errors import UsageError
from vizschema.rules import versions
from vizschema.rules.verdict import Chosen
from vizschema.writer import plan
from vizschema.writer.capture import Capture
from vizschema.writer.convert import copied
from vizschema.writer.forms import FORMS, form_of
from vizschema.writer.forms.base import Form
from vizschema.writer.owner import owned
from vizschema.writer.resume import is_there, reopened
from vizschema.writer.target import Work, require_free
from vizschema.writer.trace import COMPLETE, FIXED, Trace


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
    extend: bool = False,
    values: bool = True,
    take_over: bool = False,
) -> Iterator[Trace]:
    """Open an archive to write arrays one by one, in a `with` block, as the only writer of it.

    The archive grows with the root attribute `complete: false`, and keeps what was added whatever happens: a Zarr
    folder at `path`, unless it is to replace another; else in the hidden folder `.NAME.partial` beside it, as Zarr. At
    the end of the block the whole is judged, marked complete if it conforms, and put at `path`.

    Parameters:
        path: Where to write.
        profile: A profile, or the folder of your own profile.
        container: `zarr-v3`, `zarr-v3-sharded`, `zarr-v2` or `hdf5` (None: by the suffix of `path`).
        spec: A released version, such as "1.0.0" (None: the first that has the profile).
        overwrite: Replace an archive at `path`, which stays until the new one is complete.
        attributes: Attributes that are known from the start, by the path of their group.
        resume: Continue an archive that was never completed, after reading its values once; begin one if there is none.
        extend: Continue an archive that is complete, too; HDF5 is copied to Zarr first.
        values: Judge the values too, as they are written (False: the structure only, which is faster).
        take_over: Write although a process of another machine is said to do so.

    Yields:
        The trace that takes the arrays; `path in trace` says whether it has one already.

    Raises:
        NotConforming: The whole does not conform, at the end of the block.
        UsageError: The target exists, another process writes it, or an argument does not fit.
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
    if form.captured is None:
        steps = ", ".join(name for name, other in FORMS.items() if other.captured is not None)
        raise UsageError(
            (
                f"{form.name} cannot be written array by array; capture in one of {steps}, and convert the "
                "complete archive"
            ),
            path=target,
        )
    version = versions.version_for(spec, profile)
    chosen = Chosen(version, "requested", version.profile(profile), "requested")
    given = {plan.node_path(place): dict(value) for place, value in (attributes or {}).items()}
    if overwrite and (resume or extend):
        raise UsageError(path=target, expected="either resume or overwrite", found="both")
    with ExitStack() as stack:
        if target.parent.is_dir():
            stack.enter_context(owned(target, take_over=take_over))
        work = Work(target)
        stack.callback(work.leave, keep_capture=True)
        if (resume or extend) and (work.has_capture or is_there(target)):
            trace = _resumed(work, form, chosen, given, extend=extend, values=values)
        else:
            require_free(target, overwrite=overwrite or (resume and not is_there(target)))
            trace = _begun(work, form, chosen, given, values=values)
        stack.callback(trace.close)
        yield trace
        trace.complete()


Given = dict[str, dict[str, Any]]


def _begun(work: Work, form: Form, chosen: Chosen, given: Given, *, values: bool) -> Trace:
    """A trace with its first attributes; where one is refused, nothing is left."""
    digests = plan.digests_of(chosen.version, chosen.profile)
    root = plan.root_attributes(given.pop("/", {}), chosen.version.version, chosen.profile.name, digests)
    work.clear()
    capture = Capture(work.capture, work.stage, form.captured or 3)
    trace = Trace(work, form, chosen, capture, values=values)
    try:
        trace.begin({**root, COMPLETE: False})
        for place, attributes in given.items():
            trace.annotate(place, attributes)
        if form.in_place and not is_there(work.target):
            capture.move(work.target)
    except BaseException:
        trace.close()
        work.leave()
        raise
    return trace


def _resumed(work: Work, form: Form, chosen: Chosen, given: Given, *, extend: bool, values: bool) -> Trace:
    """The trace of what is there, with further attributes."""
    root = work.target if form.in_place and not work.has_capture else work.capture
    work.clear(keep_capture=True)
    capture = Capture(root, work.stage, form.captured or 3)
    if root == work.capture and not work.has_capture:
        _copy_complete(work, form, extend=extend)
    nodes = reopened(capture, work.target, form.name, complete=extend or root == work.capture)
    own = {**nodes["/"]["attributes"], **given.get("/", {})}
    plan.root_attributes(own, chosen.version.version, chosen.profile.name)
    if "/" in given:
        given["/"] = {key: value for key, value in given["/"].items() if key not in FIXED}
    trace = Trace(work, form, chosen, capture, values=values)
    trace.go_on(nodes)
    for place, attributes in given.items():
        trace.annotate(place, attributes)
    return trace


def _copy_complete(work: Work, form: Form, *, extend: bool) -> None:
    """Copy a complete archive at the target to the capture, which grows in its stead."""
    found = recognise(os.fspath(work.target)).form
    if found != form.identity["format"]:
        raise UsageError(path=work.target, expected=f"{form.name} to resume", found=found)
    if not extend:
        message = "cannot resume: the archive is complete; add to it with extend=True"
        raise UsageError(message, path=work.target)
    copy = work.stage / "copy"
    copy.parent.mkdir(parents=True)
    copied(work.target, copy, FORMS["zarr-v3"], {COMPLETE: False})
    copy.rename(work.capture)
