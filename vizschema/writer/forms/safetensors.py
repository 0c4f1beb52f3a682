"""safetensors: the header first, then the values of the arrays without a gap, those of wide dtypes first (aligned).

Axes and attributes are one JSON text in `__metadata__`, the document that NPZ has as `vizschema.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vizschema.containers.safetensors import DTYPES, KEY, LENGTH
from vizschema.description import ITEM_BYTES, STORED_AS
from vizschema.writer.forms.base import Form, PlannedArray, unchunked

_NAMES: Mapping[str, str] = {name: own for own, (name, _, _) in DTYPES.items()}
_ALIGNED = 8


class SafetensorsWriter:
    """A new file at `path`, which must not exist. Its header is written by `outline`, so that values can follow it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._places: dict[str, int] = {}

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Write the header, with the place of each array."""
        listed: dict[str, Any] = {path: {"kind": "group", "attributes": dict(given)} for path, given in groups.items()}
        header: dict[str, Any] = {}
        at = 0
        for path in sorted(arrays, key=lambda path: (-ITEM_BYTES[arrays[path].dtype], path)):
            planned = arrays[path]
            attributes = planned.attributes if planned.dtype in _NAMES else planned.marked
            axes = None if planned.axes is None else list(planned.axes)
            listed[path] = {"kind": "array", "axes": axes, "attributes": dict(attributes)}
            dtype = _NAMES.get(planned.dtype) or _NAMES[STORED_AS[planned.dtype]]
            end = at + math.prod(planned.shape) * ITEM_BYTES[planned.dtype]
            header[path[1:]] = {"dtype": dtype, "shape": list(planned.shape), "data_offsets": [at, end]}
            self._places[path], at = at, end
        document = json.dumps({"nodes": listed}, ensure_ascii=False, allow_nan=False)
        raw = json.dumps({"__metadata__": {KEY: document}, **header}, ensure_ascii=False).encode()
        raw += b" " * (-len(raw) % _ALIGNED)
        self._file.write(len(raw).to_bytes(LENGTH, "little") + raw)
        self._start = LENGTH + len(raw)

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Do nothing: groups are in the header."""

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write the values of an array at its place, range by range."""
        self._file.seek(self._start + self._places[path])
        for region in planned.rows():
            values = planned.part(region)
            self._file.write(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Nothing can be added to a header that values follow: only `create` would, and it writes other containers."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing to sum up: the header says where all values are."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


SAFETENSORS = Form(
    name="safetensors",
    identity={"format": "safetensors", "version": None, "store": "file", "consolidated": False},
    shards=False,
    storage=unchunked,
    begin=SafetensorsWriter,
    lacks=frozenset(ITEM_BYTES) - _NAMES.keys() - STORED_AS.keys(),
)
