"""A case as code: what turns its base into it, by zarr-python or h5py. Code that cannot say all of it says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pprint import pformat
from typing import Any

import numpy as np

from vizschema.conformance.corpus.cases import Case, base
from vizschema.conformance.corpus.documents import raw_nodes
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.description import STORED_AS

_SINGLE = 4
"""Values that are set one by one; of more, all are set at once."""

_WIDTH = 100


def code_of(case: Case) -> list[str]:
    """Return the lines of a program that changes the base of a case, `run.zarr` or `run.h5`, into the case.

    Empty where the change is not one of nodes and values. A line with `…` stands for values that are not written out.
    """
    if case.made is not None or not case.patch:
        return []
    before, after = raw_nodes(base(case.spec, case.base)), raw_nodes(case.document())
    hdf5 = not any(name.startswith("zarr") for name in case.containers)
    lines = [line for path in sorted(before.keys() | after.keys()) for line in _node(path, before, after, hdf5=hdf5)]
    if not lines:
        return []
    if hdf5:
        return ["import h5py", "", 'with h5py.File("run.h5", "r+") as root:', *(f"    {line}" for line in lines)]
    return ["import zarr", "", 'root = zarr.open_group("run.zarr", mode="r+")', *lines]


def _node(path: str, before: Mapping[str, RawNode], after: Mapping[str, RawNode], *, hdf5: bool) -> Iterator[str]:
    """The lines for one node; none for what is below a group that is removed, or that does not change."""
    one, other = before.get(path), after.get(path)
    name = json.dumps(path[1:], ensure_ascii=False)
    if other is None:
        if path.rpartition("/")[0] in ("", *after):
            yield f"del root[{name}]"
    elif one is None:
        yield from _created(name, other, hdf5=hdf5)
    elif _form(one) != _form(other):
        yield f"del root[{name}]"
        yield from _created(name, other, hdf5=hdf5)
    else:
        place = "root" if path == "/" else f"root[{name}]"
        for key in sorted(one.attributes.keys() - other.attributes.keys()):
            yield f"del {place}.attrs[{key!r}]"
        for key, value in other.attributes.items():
            if key not in one.attributes or one.attributes[key] != value:
                yield from _set(f"{place}.attrs[{key!r}]", value)
        if other.values is not None:
            yield from _values(place, one.values, other.values)


def _form(node: RawNode) -> tuple[Any, ...]:
    """What a node has to be made again for."""
    if node.values is None:
        return ("group",)
    axes = None if node.axes is None else tuple(node.axes)
    return ("array", node.dtype, node.values.shape, axes, node.codecs and tuple(node.codecs), node.shards)


def _created(name: str, node: RawNode, *, hdf5: bool) -> Iterator[str]:
    """The lines that make a node with its attributes and values."""
    if node.values is None:
        yield f"root.create_group({name})"
    else:
        dtype = STORED_AS.get(node.dtype or "", node.dtype) if hdf5 else node.dtype
        shape = tuple(map(int, node.values.shape))
        axes = "" if node.axes is None or hdf5 else f", dimension_names={list(node.axes)!r}"
        make = "create_dataset" if hdf5 else "create_array"
        yield f"root.{make}({name}, shape={shape!r}, dtype={dtype!r}{axes})"
        if hdf5:
            for at, axis in enumerate(node.axes or ()):
                yield f"root[{name}].dims[{at}].label = {axis!r}"
        yield f"root[{name}][...] = …  # {node.dtype} of the shape {shape}"
    for key, value in node.attributes.items():
        yield from _set(f"root[{name}].attrs[{key!r}]", value)


def _set(place: str, value: Any) -> Iterator[str]:
    """The lines that set an attribute; a long value takes several."""
    yield from f"{place} = {pformat(value, width=_WIDTH, sort_dicts=False)}".splitlines()


def _values(place: str, before: Any, after: Any) -> Iterator[str]:
    """The lines that change values: few of them one by one."""
    one, other = np.asarray(before), np.asarray(after)
    if one.tobytes() == other.tobytes():
        return
    size = one.dtype.itemsize
    bits = [np.ascontiguousarray(each).reshape(-1).view(np.uint8).reshape(-1, size) for each in (one, other)]
    places = np.flatnonzero((bits[0] != bits[1]).any(axis=1))
    flat = other.reshape(-1)
    if places.size <= _SINGLE:
        for at in places:
            index = ", ".join(map(str, map(int, np.unravel_index(int(at), other.shape)))) or "..."
            yield f"{place}[{index}] = {_shown(flat[at])}"
    elif all(each.tobytes() == flat[0].tobytes() for each in flat):
        yield f"{place}[...] = {_shown(flat[0])}"
    else:
        yield f"{place}[...] = …  # {places.size} of {flat.size} values change"


def _shown(value: Any) -> str:
    """A value as Python code."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return f'float("{plain}")'
    return repr(plain) if isinstance(plain, bool | int | float | complex) else f"{float(value)!r}"
