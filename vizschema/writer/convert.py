"""`convert`: the same archive in another container or chunking, part by part, and shown to be the same.

Nothing is judged: an archive that conforms does so afterwards, except for rules about storage. Values are read a few
MiB at a time; if the target's container does not support the archive, nothing is written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.bounds import Begin
from vizschema.containers.base import Container
from vizschema.containers.opening import open_container
from vizschema.containers.values import dtype_of
from vizschema.describing import describe, describe_open
from vizschema.description import Description, Node
from vizschema.digests import digest, require_portable
from vizschema.errors import NoDigest, NotSupported, UsageError, VizschemaError
from vizschema.rules import versions
from vizschema.rules.chunking import default_chunks
from vizschema.text import archive_name, local_path
from vizschema.writer.forms import form_of
from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.source import SourceValues, problems_of
from vizschema.writer.target import replacing, require_free

KEEP, DEFAULT = "keep", "default"
"""Chunks as in the source (if it has any), or the default chunks of a writer."""

Chunks = str | Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Converted:
    """The result of `convert`.

    Attributes:
        arrays: The number of arrays.
        bytes: The decoded size of all arrays, in bytes.
        digest: The digest of both archives, or None.
        no_digest: Why the archive has no digest, or None.
        left: Paths of files that do not belong to the format of the source; they were not copied.

    Examples:
        >>> converted = vizschema.convert("run.zarr", "run.npz")
        >>> converted.arrays, converted.bytes, converted.left
        (8, 3936, ())
    """

    arrays: int
    bytes: int
    digest: str | None
    no_digest: str | None
    left: tuple[str, ...]


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    container: str | None = None,
    chunks: Chunks = KEEP,
    overwrite: bool = False,
    progress: Begin | None = None,
) -> Converted:
    """Convert an archive to another container or chunking, and check that both have the same description and digest.

    Reads and writes a few chunks at a time, or 32 MiB. Nothing is left at `target` after an exception.

    Parameters:
        source: A file, a folder or a URL.
        target: Where to write.
        container: Such as `zarr-v3`, `hdf5` or `npz`, as `vizschema convert --help` lists them (None: by the suffix of
            `target`).
        chunks: `keep`, `default`, or chunk lengths by the name of an axis without role (others as by default).
        overwrite: Replace an archive at `target`.
        progress: Called with the number of bytes to read; returns a function that is called with every number of
            bytes that was read.

    Returns:
        What was converted.

    Raises:
        NotSupported: The target's container cannot store the archive.
        UsageError: The target exists, or an argument does not fit.
        NotAnArchive: The source cannot be read (`Damaged`: a chunk of it).

    Examples:
        >>> converted = vizschema.convert("run.zarr", "run.h5", chunks={"position": 3})
        >>> converted.digest == vizschema.digest("run.zarr")
        True
    """
    place, path = local_path(os.fspath(source)), Path(target)
    form = form_of(path, container)
    require_free(path, overwrite=overwrite)
    with closing(open_container(place)) as opened:
        description = supported(place, describe_open(opened), form)
        planned = _plan(description, opened, form, chunks)
        with replacing(path, overwrite=overwrite) as temporary:
            _write(temporary, description, planned, form, progress)
            found, why = _compare(place, temporary, description)
    total = sum(node["bytes"] for node in description["nodes"].values() if node["kind"] == "array")
    left = tuple(
        f"{'' if group == '/' else group}/{name}"
        for group, node in description["nodes"].items()
        for name in node.get("stray", ())
    )
    return Converted(len(planned), total, found, why, left)


def _plan(description: Description, opened: Container, form: Form, chunks: Chunks) -> dict[str, PlannedArray]:
    layout = versions.layout_of(versions.default())
    arrays = {path: node for path, node in description["nodes"].items() if node["kind"] == "array"}
    if isinstance(chunks, Mapping):
        known = {name.partition(":")[0] for node in arrays.values() for name in node["axes"] or () if name}
        unknown = [name for name in chunks if name not in known]
        if unknown:
            raise UsageError(
                f"no array has an axis {unknown[0]}; there is {', '.join(sorted(known)) or 'none'}", path="chunks"
            )
    elif chunks not in (KEEP, DEFAULT):
        raise UsageError(path="chunks", expected="keep, default, or lengths of axes like head=1", found=repr(chunks))
    return {path: _planned(path, node, opened, form, chunks, layout) for path, node in arrays.items()}


def _planned(
    path: str, node: Node, opened: Container, form: Form, chunks: Chunks, layout: Mapping[str, Any]
) -> PlannedArray:
    dtype = dtype_of(node["dtype"])
    shape, stored = tuple(node["shape"]), node["storage"]
    axes = None if node["axes"] is None else tuple(node["axes"])
    kept = chunks == KEEP and stored is not None
    chosen = stored["chunks"] if kept else _chosen(path, shape, axes, dtype.itemsize, chunks, layout)
    cut = tuple(min(max(1, length), max(1, size)) for length, size in zip(chosen, shape, strict=True))
    shards = None
    if form.shards and kept and stored["shards"] is not None and tuple(chosen) == cut:
        shards = tuple(stored["shards"]["shape"])
    if shards is None:
        shards = form.default_shards(shape, cut, dtype.itemsize)
    source = None if stored is None else tuple((stored["shards"] or {"shape": stored["chunks"]})["shape"])
    values = SourceValues(path, opened, shape, dtype)
    return PlannedArray(values, node["dtype"], axes, node["attributes"], cut, shards, source)


def _chosen(
    path: str,
    shape: Sequence[int],
    axes: Sequence[str | None] | None,
    item_bytes: int,
    chunks: Chunks,
    layout: Mapping[str, Any],
) -> tuple[int, ...]:
    names = [name or "" for name in (axes or [""] * len(shape))]
    default = default_chunks(path, shape, names, item_bytes, layout)
    lengths = chunks if isinstance(chunks, Mapping) else {}
    return tuple(lengths.get(name.partition(":")[0], length) for name, length in zip(names, default, strict=True))


def _write(
    temporary: Path,
    description: Description,
    planned: Mapping[str, PlannedArray],
    form: Form,
    progress: Begin | None,
) -> None:
    groups = {path: node["attributes"] for path, node in description["nodes"].items() if node["kind"] == "group"}
    total = sum(math.prod(item.shape) * item.stored_dtype.itemsize for item in planned.values())
    done = None if progress is None else progress(total)
    with closing(form.begin(temporary)) as writer:
        writer.outline(groups, planned)
        for path, attributes in groups.items():
            writer.group(path, attributes)
        for path, item in planned.items():
            assert isinstance(item.values, SourceValues)  # noqa: S101  (made above)
            item.values.done = done
            writer.array(path, item)
            item.values.release()
        writer.finish()


def copied(source: Path, target: Path, form: Form, attributes: Mapping[str, Any]) -> None:
    """Write the archive at `source` to `target`, where nothing is yet, in another container.

    Attributes of the root are set to `attributes`.

    Raises `NotSupported`, `OSError`, and `Damaged` for a chunk of the source.
    """
    with closing(open_container(os.fspath(source))) as opened:
        description = supported(os.fspath(source), describe_open(opened), form)
        description["nodes"]["/"]["attributes"].update(attributes)
        _write(target, description, _plan(description, opened, form, KEEP), form, None)


def supported(source: str, description: Description, form: Form) -> Description:
    """Return `description`; raise `NotSupported` where the container of `form` cannot store it."""
    problems = dict(problems_of(description, form))
    if problems:
        raise NotSupported(archive_name(source), form.name, problems)
    return description


def _compare(source: str, written: Path, description: Description) -> tuple[str | None, str | None]:
    """The digest that both have, or why there is none; raises `VizschemaError` where they are not the same."""
    difference = _difference(description, describe(written))
    if difference is not None:
        raise VizschemaError(f"not converted: {difference} would differ; please report it", path=source)
    try:
        require_portable(description)
    except NoDigest as error:
        return None, str(error)
    expected = digest(source)
    found = digest(written)
    if found != expected:
        raise VizschemaError(f"not converted: its digest is {expected}, and would be {found}", path=source)
    return str(found), None


def _difference(one: Description, other: Description) -> str | None:
    """Return the first node that differs in more than its storage, or None."""
    for path in sorted(one["nodes"].keys() | other["nodes"].keys()):
        if _carried(one["nodes"].get(path)) != _carried(other["nodes"].get(path)):
            return str(path)
    return None


def _carried(node: Node | None) -> Node | None:
    return None if node is None else {key: value for key, value in node.items() if key not in ("storage", "stray")}
