"""Nodes of open HDF5 groups and datasets: layout first, then type, shape, chunks, attributes and the axes among them.

Opens no link and reads no value of a dataset.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from h5py import h5d, h5s

from vizschema import description
from vizschema.containers.attributes import JSON_NAMES, STORED, Attributes, Unsupported, clean_attributes, real_dtype
from vizschema.containers.base import Limits, Unreadable, parse_value, too_many_chunks
from vizschema.containers.hdf5.attributes import OverLimit, message, read_attributes, some_attributes
from vizschema.containers.hdf5.scales import Scales, is_dimension, is_own
from vizschema.containers.hdf5.types import LIBRARY_ERRORS, filter_name, type_name
from vizschema.description import Node, fault
from vizschema.text import escape_text, shorten

_LABELS = "DIMENSION_LABELS"
_MAXIMUM = 1 << 63

SAY_WHAT = ("CLASS", "NAME", STORED)
"""The attributes of a dataset that say what it is: a dimension, and what its integers hold."""


class Layout(NamedTuple):
    """What libhdf5 says of a dataset: canonical dtype, size of an item, shape, chunk (or None), type, properties."""

    dtype: str
    item_bytes: int
    shape: tuple[int, ...]
    chunks: tuple[int, ...] | None
    kind: Any
    creation: Any


class NoAttributes(NamedTuple):
    """Stands for attributes that cannot be had, and holds the node that says why."""

    node: Node


def group_node(group: Any, limits: Limits, scales: Scales) -> tuple[Node, list[str]]:
    """The node of an open group, and what was escaped in it."""
    raw = _attributes(group, limits, single=scales.netcdf)
    if isinstance(raw, NoAttributes):
        return raw.node, []
    cleaned = _clean(raw, limits)
    return cleaned.of(description.group({})), cleaned.escaped


def array_node(
    dataset: Any, layout: Layout | Node, limits: Limits, scales: Scales | None = None
) -> tuple[Node, list[str]] | None:
    """The node of an open dataset of this layout, and what was escaped in its attributes.

    None for a dimension that is not a variable. Without `scales` no axes are named by them.
    """
    if isinstance(layout, dict):
        return layout, []
    raw = _attributes(dataset, limits, single=scales is not None and scales.netcdf)
    if isinstance(raw, NoAttributes):
        return raw.node, []
    dtype, item_bytes, shape, chunks, _, creation = layout
    if is_dimension(raw, len(shape)):
        return None
    dtype = real_dtype(dtype, raw)
    axes, detail = _axes(raw.pop(_LABELS, None), len(shape))
    if scales is not None:
        axes, detail = _with_scales(axes, detail, *scales.names(dataset, len(shape), raw), first=scales.netcdf)
    storage = None
    if chunks is not None:
        codecs = [filter_name(creation.get_filter(i)[0]) for i in range(creation.get_nfilters())]
        storage = description.storage(shape, axes, item_bytes, chunks=chunks, shard=None, codecs=codecs)
    cleaned = _clean(raw, limits)
    node = cleaned.of(description.array(dtype, shape, axes, {}, storage, item_bytes=item_bytes))
    excess = too_many_chunks(node, limits)
    if excess is not None:
        return fault("over-limit", excess), []
    if detail is not None:
        node["axes_detail"] = detail
    return node, cleaned.escaped


def value_layout(dataset: Any, limits: Limits, *, netcdf: bool) -> Layout | Node | None:
    """The layout of the values of an open dataset, their dtype as `array_node` has it, or the node in their place.

    None for a dimension that is not a variable.
    `netcdf` is whether that library wrote the file. Raises one of `LIBRARY_ERRORS`.
    """
    layout = _layout(dataset)
    if isinstance(layout, dict):
        return layout
    raw = _without_lists(some_attributes(dataset, SAY_WHAT, limits), single=netcdf)
    return None if is_dimension(raw, len(layout.shape)) else layout._replace(dtype=real_dtype(layout.dtype, raw))


def _clean(raw: Mapping[str, Any], limits: Limits) -> Attributes:
    """Attributes fit for a description, without those that the libraries keep for themselves."""
    own = {key: value for key, value in raw.items() if not is_own(key)}
    return clean_attributes(_nested(own, own.pop(JSON_NAMES, None), limits), limits)


def _nested(raw: dict[str, Any], names: Any, limits: Limits) -> dict[str, Any]:
    """`raw`, with the values of those attributes that are JSON text, which are listed in `names`."""
    if names is None:
        return raw
    listed = [names] if isinstance(names, str) else names  # netCDF stores a list of one text as a text
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        return {**raw, JSON_NAMES: Unsupported("no list of the names of attributes")}
    return {**raw, **{name: _parsed(name, raw.get(name), limits) for name in listed}}


def _parsed(name: str, text: Any, limits: Limits) -> Any:
    if isinstance(text, Unsupported):
        return text
    if not isinstance(text, str):
        return Unsupported(f"listed in {JSON_NAMES}, and not a JSON text")
    try:
        return parse_value(text.encode("utf-8", "surrogateescape"), name, limits)
    except Unreadable as error:
        return Unsupported(error.detail)


def _attributes(owner: Any, limits: Limits, *, single: bool) -> dict[str, Any] | NoAttributes:
    """Raw attributes, or the node that stands for their owner if they cannot be had; lists of one as `single` values.

    netCDF has no other scalars: it stores a number as a list of one.
    """
    try:
        return _without_lists(read_attributes(owner, limits), single=single)
    except OverLimit as error:
        return NoAttributes(fault("over-limit", str(error)))
    except LIBRARY_ERRORS as error:
        return NoAttributes(fault("damaged", f"its attributes cannot be listed: {message(error)}"))


def _without_lists(raw: dict[str, Any], *, single: bool) -> dict[str, Any]:
    if not single:
        return raw
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in raw.items()}


def layout_of(dataset: Any) -> Layout | Node:
    """The layout of an open dataset, or the node that stands for it where its values lie elsewhere or it is damaged."""
    try:
        return _layout(dataset)
    except LIBRARY_ERRORS as error:
        return fault("damaged", message(error))


def _layout(dataset: Any) -> Layout | Node:
    """The same; raises one of `LIBRARY_ERRORS`."""
    creation = dataset.get_create_plist()
    layout = creation.get_layout()
    if layout == h5d.VIRTUAL:
        return fault("virtual-dataset", f"values assembled from {creation.get_virtual_count()} sources")
    if creation.get_external_count():
        file = creation.get_external(0)[0].decode("utf-8", "surrogateescape")
        return fault("external-storage", f"values in the file {shorten(escape_text(file))}")
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5s.NULL:
        return fault("unsupported", "a null dataspace holds no value")
    kind = dataset.get_type()
    shape = space.get_simple_extent_dims()
    chunks = None
    if layout == h5d.CHUNKED:
        chunks = creation.get_chunk()
        if len(chunks) != len(shape):
            return fault("damaged", f"chunks of {len(chunks)} dimensions for a shape of {len(shape)}")
    item_bytes = kind.get_size()
    for name, sizes in (("shape", shape), ("chunk", chunks or ())):
        if math.prod(size or 1 for size in sizes) * item_bytes >= _MAXIMUM:
            return fault("metadata-invalid", f"the {name} {shorten(str(list(sizes)))} is one of 2^63 bytes or more")
    return Layout(type_name(kind), item_bytes, shape, chunks, kind, creation)


def _axes(labels: Any, rank: int) -> tuple[list[str | None] | None, str | None]:
    """The axes that labels give an array of this rank, and why they give none where they should."""
    if labels is None:
        return None if rank else [], None
    if isinstance(labels, Unsupported):
        return None, f"{_LABELS} cannot be read: {labels.kind}"
    if isinstance(labels, str) and rank == 1:
        labels = [labels]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        return None, f"{_LABELS} is not a list of text"
    if len(labels) != rank:
        return None, f"{_LABELS} has {len(labels)} entries for {rank} dimensions"
    return [label or None for label in labels] if any(labels) or not rank else None, None


def _with_scales(
    labels: list[str | None] | None,
    detail: str | None,
    names: list[str | None],
    problem: str | None,
    *,
    first: bool,
) -> tuple[list[str | None] | None, str | None]:
    """The axes by labels and by scales, and what is wrong with them.

    Where both name a dimension the label holds, but in a file of netCDF the scale: that library keeps its scales, and
    carries labels along as any text.
    """
    if not any(names):
        return labels, detail or problem
    known = labels or [None] * len(names)
    pairs = list(enumerate(zip(known, names, strict=True)))
    axes = [(name or label) if first else (label or name) for _, (label, name) in pairs]
    differing = next((each for each in pairs if each[1][0] and each[1][1] and each[1][0] != each[1][1]), None)
    if differing is not None:
        axis, (label, name) = differing
        holds = "scale" if first else "label"
        detail = escape_text(f"dimension {axis} has the label {label} and the scale {name}: the {holds} holds")
    return axes, None if first and differing is None else detail
