"""Writes a result whose chunks are those of its source, and proves that they are the same files."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from vizschema.containers.base import Limits
from vizschema.containers.zarr.metadata import parse_v3
from vizschema.errors import NotConforming, Refused, UsageError
from vizschema.findings import Report
from vizschema.migration.linking.source import Chunk, Link, Linked, LinkedSource
from vizschema.migration.linking.stored import Stored, stored
from vizschema.migration.plan import Plan
from vizschema.rules import versions
from vizschema.validation import validate
from vizschema.writer import plan
from vizschema.writer.axes import with_axes
from vizschema.writer.forms import form_of
from vizschema.writer.forms.zarr_documents import replace_document
from vizschema.writer.plan import Array
from vizschema.writer.write import plan_whole

FORM = "zarr-v3"


def links_of(found: Plan) -> dict[str, Linked]:
    """The arrays of a plan that are linked, by their path in the result."""
    return {
        place: Linked(each.link, each.axes, each.attributes)
        for place, each in found.arrays.items()
        if each.link is not None
    }


def require_linkable(target: Path, container: str | None) -> None:
    """Raise `UsageError` for a result that is not a Zarr v3 folder."""
    name = form_of(target, container).name
    if name != FORM:
        raise UsageError(path="--link", expected=f"a result of the form {FORM}", found=name, fix="name it NAME.zarr")


def write_linked(
    path: Path,
    source: LinkedSource,
    links: Mapping[str, Linked],
    arrays: Mapping[str, Array],
    attributes: Mapping[str, Mapping[str, Any]],
    spec: str,
    profile: str,
) -> Report:
    """Write an archive of `arrays` and of links at `path`; the report on it, values not read.

    Raises `NotConforming` where it would not conform; nothing is there then.
    """
    form, version = form_of(path, FORM), versions.version_for(spec, profile)
    judged = version.profile(profile)
    named = {place: with_axes(place, item, judged) for place, item in arrays.items()}
    above = {group: dict[str, Any]() for place in links for group in plan.ancestors(place)}
    groups, planned = plan_whole(named, {**above, **attributes}, form, version, judged)
    writer = form.begin(path)
    try:
        writer.outline(groups, planned)
        for place, group in groups.items():
            writer.group(place, group)
        for place, item in planned.items():
            writer.array(place, item)
        for place, each in links.items():
            folder = path / place.strip("/")
            folder.mkdir(parents=True)
            given = plan.plain_attributes(place, each.attributes)
            document = each.link.moved.document(each.axes, given)
            replace_document(folder / "zarr.json", {**document, "fill_value": _filled(document["fill_value"])})
            _linked(folder, source, each.link)
        writer.finish()
    finally:
        writer.close()
    report = validate(path, spec, profile, values=False)
    if not report.conforms:
        shutil.rmtree(path)
        raise NotConforming("nothing was written", report, path=path)
    return report


def _filled(fill: Any) -> Any:
    return 0 if fill is None else fill  # every chunk is there: it is never used


def _linked(folder: Path, source: LinkedSource, link: Link) -> None:
    """Link every chunk of an array under its key in the result."""
    for place, handle, name in source.chunks(link):
        try:
            os.link(name, f"{folder}/{_key(link, place)}", src_dir_fd=handle, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise UsageError(
                    f"files cannot be linked: {error.strerror}; leave out --link, or use one file system", path=folder
                ) from None
            raise


def _key(link: Link, place: Chunk) -> str:
    """The key of a chunk in the result: with dots, since folders take longer to make than links."""
    return ".".join(["c", *("0" if axis is None else str(place[axis]) for axis in link.axes)])


def prove_linked(path: Path, source: LinkedSource, links: Mapping[str, Linked]) -> int:
    """How many files of the result are those of the source; raises `Refused` where one is not.

    The documents that were written are undone, and compared with those of the source.
    """
    count = 0
    for place, each in links.items():
        folder = path / place.strip("/")
        array = parse_v3(orjson.loads((folder / "zarr.json").read_bytes()), Limits()).array
        written = None if array is None else stored(array)
        undone = None if written is None else written.moved(_inverse(each.link, len(written.shape)))
        now = source.stored(each.link.path)
        if undone is None or now is None or not undone.same(_with_fill(now)):
            raise Refused([f"{place}: undone, its metadata are not those of {each.link.path}"])
        found = 0
        for chunk, handle, name in source.chunks(each.link):
            one, other = os.stat(name, dir_fd=handle), os.stat(f"{folder}/{_key(each.link, chunk)}")  # noqa: PTH116  (a handle)
            if (one.st_dev, one.st_ino) != (other.st_dev, other.st_ino):
                raise Refused([f"{place}: a chunk is not the file of {each.link.path}"])
            found += 1
        if sum(len(files) for _, _, files in os.walk(folder)) != found + 1:
            raise Refused([f"{place}: it has other files than {each.link.path}"])
        count += found
    return count


def _inverse(link: Link, rank: int) -> list[int | None]:
    """For each axis of the source, that of the result, or None for one that the result does not have."""
    places = {axis: place for place, axis in zip(range(rank), link.axes, strict=True) if axis is not None}
    return [places.get(axis) for axis in range(len(link.stored.shape))]


def _with_fill(found: Stored) -> Stored:
    return replace(found, fill=_filled(found.fill))
