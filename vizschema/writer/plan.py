"""From what a caller hands over to what will be written, and to the description that the archive will have. No IO."""

from __future__ import annotations

import importlib.metadata
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import numpy as np

from vizschema.containers.attributes import DEPTH, JSON_NAMES, STORED, clean_attributes
from vizschema.containers.base import name_node
from vizschema.containers.values import dtype_of
from vizschema.description import ITEM_BYTES, STORED_AS, Description, Node, array, complete, group, parent_of
from vizschema.errors import UsageError
from vizschema.rules.chunking import default_chunks
from vizschema.rules.versions import Profile, Spec
from vizschema.text import escape_name, escape_text, shorten
from vizschema.writer.arraylike import readable
from vizschema.writer.forms.base import Form, PlannedArray

RESERVED = ("_ARRAY_DIMENSIONS", "DIMENSION_LABELS", "DIMENSION_LIST", STORED, JSON_NAMES)
"""Attributes by which containers carry axes, stored dtypes, nested values: a writer sets them, a caller does not."""

# NumPy's kinds of dtypes that no array of the standard may have, by the names of `docs/architecture.md`.
_UNPORTABLE = {"U": "string", "T": "string", "S": "bytes", "M": "datetime", "m": "timedelta", "O": "object"}


@dataclass(frozen=True, slots=True)
class Array:
    """An array to be written by `write`.

    Attributes:
        data: The values: a NumPy array, or anything that NumPy converts; also one of `ml_dtypes`.
        axes: One name per dimension, such as `["head", "token:query", "token:key"]` (empty: those of the profile).
        attributes: Attributes of the array.
        chunks: Chunk lengths along the axes (None: by the meaning of the axes).
        shards: Shard lengths along the axes, for Zarr v3 (None: no shards).

    Examples:
        >>> weights = np.full((2, 5, 5), 0.2, "float32")
        >>> array = vizschema.Array(weights, ["head", "token:query", "token:key"], {"normalization": "softmax"})
    """

    data: Any
    axes: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    chunks: Sequence[int] | None = None
    shards: Sequence[int] | None = None


def node_path(path: str) -> str:
    """`path` with one leading slash and no trailing one; raises `UsageError` for one that leads nowhere."""
    if not isinstance(path, str):
        raise UsageError(path="path", expected="a text like /outputs/logits", found=repr(path))
    names = path.strip("/").split("/") if path.strip("/") else []
    for name in names:
        if not name or name.startswith((".", "__")) or name == "zarr.json":
            raise UsageError(
                (
                    "expected names between single slashes, like /outputs/logits, none of them reserved (a leading dot "
                    "or two underscores, zarr.json)"
                ),
                path=shorten(escape_text(path)),
            )
    return "/" + "/".join(names)


def ancestors(path: str) -> list[str]:
    """The groups above `path`, the root first."""
    above = []
    while path != "/":
        path = parent_of(path)
        above.append(path)
    return above[::-1]


def plain_attributes(path: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`attributes` as JSON: NumPy scalars and arrays as numbers and lists; raises `UsageError` for anything else."""
    for key in attributes:
        if not isinstance(key, str):
            raise UsageError(path=path, expected="attributes with names", found=f"the key {key!r}")
        if key in RESERVED:
            raise UsageError(f"the attribute {key} is set by the writer; pass axes and data instead", path=path)
    return {_plain(path, ascii(key), key): _plain(path, key, value) for key, value in attributes.items()}


def _plain(path: str, key: str, value: Any, depth: int = DEPTH) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        found = f"the surrogate in {shorten(value, 80)!a}"
        raise UsageError(f"attribute {key}", path=path, expected="a text that UTF-8 can store", found=found)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if not depth and isinstance(value, list | tuple | Mapping):
        found = "more, or a value that contains itself"
        raise UsageError(f"attribute {key}", path=path, expected=f"at most {DEPTH} levels of nesting", found=found)
    if isinstance(value, list | tuple):
        return [_plain(path, key, item, depth - 1) for item in value]
    if isinstance(value, Mapping):
        return {_plain(path, key, str(name)): _plain(path, key, item, depth - 1) for name, item in value.items()}
    found = type(value).__name__
    raise UsageError(
        f"attribute {key}",
        path=path,
        expected="a JSON value: a number, a text, a boolean, None, a list or a mapping",
        found=found,
    )


def digests_of(version: Spec, judged: Profile) -> dict[str, str]:
    """The digests that the root carries: of a released version, and of a profile that is not part of it."""
    return {
        **({"spec_digest": f"sha256:{version.digest}"} if version.released else {}),
        **({} if judged.name in version.profiles else {"profile_digest": judged.digest}),
    }


def root_attributes(
    given: Mapping[str, Any], spec: str, profile: str, digests: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """The attributes of the root, with what the caller did not say: version, profile, time and software; `digests`."""
    for key, chosen in (("spec_version", spec), ("profile", profile)):
        if given.get(key, chosen) != chosen:
            raise UsageError(
                path="/", expected=f"the attribute {key} to be {chosen!r}, as the call says", found=repr(given[key])
            )
    return {
        "spec_version": spec,
        "profile": profile,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "generator": f"vizschema {importlib.metadata.version('vizschema')}",
        **digests,
        **given,
    }


def plan_array(
    path: str, given: Array, attributes: Mapping[str, Any], form: Form, layout: Mapping[str, Any]
) -> PlannedArray:
    """`given`, with further `attributes`, ready to be written; raises `UsageError` where its parts do not fit."""
    values = readable(path, given.data)
    axes = () if given.axes is None else tuple(given.axes)
    if isinstance(given.axes, str) or len(axes) != len(values.shape) or not all(isinstance(name, str) for name in axes):
        raise UsageError(path=path, expected=f"one axis name per dimension of {values.shape}", found=repr(given.axes))
    if given.shards is not None and not form.shards:
        raise UsageError(f"{form.name} has no shards; leave them out, or write zarr-v3", path=path)
    dtype = canonical_dtype(values.dtype)
    chosen = _cut(path, "chunks", given.chunks, values.shape)
    if chosen is None:
        chosen = default_chunks(path, values.shape, axes, values.dtype.itemsize, layout)
    chunks = tuple(min(length, max(1, size)) for length, size in zip(chosen, values.shape, strict=True))
    shards = _cut(path, "shards", given.shards, values.shape)
    if shards is None:
        shards = form.default_shards(values.shape, chunks, values.dtype.itemsize)
    if shards is not None and any(shard % chunk for shard, chunk in zip(shards, chunks, strict=True)):
        raise UsageError(path=path, expected=f"shards that are multiples of the chunks {chunks}", found=shards)
    plain = plain_attributes(path, {**given.attributes, **attributes})
    return PlannedArray(values, dtype, axes, plain, chunks, shards, getattr(values, "cut", None))


def canonical_dtype(dtype: np.dtype[Any]) -> str:
    """The name of a dtype in a description."""
    if dtype.name in STORED_AS:
        return dtype.name
    if dtype.names is not None:
        return "compound"
    return _UNPORTABLE.get(dtype.kind, dtype.name)


def plan_node(path: str, planned: PlannedArray, form: Form) -> Node:
    """The node that `planned` becomes in a description."""
    cleaned = clean_attributes(planned.attributes)
    portable = planned.dtype in ITEM_BYTES
    node = array(
        planned.dtype,
        planned.shape,
        planned.axes,
        {},
        form.storage(planned) if portable else None,
        item_bytes=planned.values.dtype.itemsize,
    )
    return _named(cleaned.of(node), path, cleaned.escaped)


def plan_group(path: str, attributes: Mapping[str, Any]) -> Node:
    """The node that a group with `attributes` becomes in a description."""
    cleaned = clean_attributes(attributes)
    return _named(cleaned.of(group({})), path, cleaned.escaped)


def plan_description(nodes: Mapping[str, Node], form: Form) -> Description:
    """The description that an archive of `nodes` (by their paths as they are written) will have in the container."""
    return complete(form.identity, {escape_name(path): node for path, node in nodes.items()})


def require_portable(planned: Mapping[str, PlannedArray]) -> None:
    """Raise `UsageError` for values that no container supports."""
    for path, item in planned.items():
        if item.dtype not in ITEM_BYTES:
            raise UsageError(path=path, expected=f"one of {', '.join(ITEM_BYTES)}", found=item.dtype)


def require_held(groups: Mapping[str, Mapping[str, Any]], planned: Mapping[str, PlannedArray], form: Form) -> None:
    """Raise `UsageError` for a node that the container does not support."""
    for path, attributes in {**groups, **{path: item.attributes for path, item in planned.items()}}.items():
        why = form.why_not(path, attributes, planned[path].dtype if path in planned else None)
        if why is not None:
            raise UsageError(why, path=path)


def given_dtype(path: str, dtype: Any) -> np.dtype[Any]:
    """The dtype that a caller names, as NumPy or this specification does; raises `UsageError` where neither does."""
    try:
        return dtype_of(dtype) if isinstance(dtype, str) else np.dtype(dtype)
    except TypeError:
        raise UsageError(path=path, expected=f"one of {', '.join(ITEM_BYTES)}", found=repr(dtype)) from None


def whole_numbers(path: str, word: str, given: Sequence[int]) -> tuple[int, ...]:
    """The integers that were `given`; raises `UsageError` for anything else, which is never rounded."""
    try:
        return tuple(operator.index(each) for each in given)
    except TypeError:
        raise UsageError(path=path, expected=f"{word} in integers", found=repr(given)) from None


def _cut(path: str, word: str, given: Sequence[int] | None, shape: Sequence[int]) -> tuple[int, ...] | None:
    if given is None:
        return None
    lengths = whole_numbers(path, word, given)
    if len(lengths) != len(shape) or min(lengths, default=1) < 1:
        raise UsageError(
            path=path, expected=f"{word} of 1 or more along each dimension of {tuple(shape)}", found=lengths
        )
    return lengths


def _named(node: Node, path: str, escaped: list[str]) -> Node:
    """`node`, marked with what is shown escaped; the root has no name that could be."""
    return name_node(node, path.rpartition("/")[2] or "/", escaped)[1]
