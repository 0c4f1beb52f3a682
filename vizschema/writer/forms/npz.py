"""NPZ: `.npy` members, stored, so that any part can be read on its own; axes and attributes in `vizschema.json`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.containers.accounts import NAME
from vizschema.writer.forms.base import Form, PlannedArray, unchunked


class NpzWriter:
    """A new file at `path`, which must not exist; readable once it is finished."""

    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path, "x", zipfile.ZIP_STORED)
        self._nodes: dict[str, dict[str, Any]] = {}

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Do nothing: the document is written last."""

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Note a group."""
        self._nodes[path] = {"kind": "group", "attributes": dict(attributes)}

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write a member, range by range."""
        axes = None if planned.axes is None else list(planned.axes)
        self._nodes[path] = {"kind": "array", "axes": axes, "attributes": planned.marked}
        header = {
            "descr": np.lib.format.dtype_to_descr(planned.stored_dtype.newbyteorder("<")),
            "fortran_order": False,
            "shape": planned.shape,
        }
        with self._file.open(zipfile.ZipInfo(f"{path[1:]}.npy"), "w", force_zip64=True) as member:
            np.lib.format.write_array_header_2_0(member, header)  # 1.0 holds no header of 64 KiB
            for region in planned.rows():
                values = planned.part(region)
                member.write(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group."""
        self._nodes[path]["attributes"].update(attributes)

    def finish(self) -> None:
        """Write `vizschema.json`."""
        document = json.dumps({"nodes": self._nodes}, ensure_ascii=False, allow_nan=False)
        member = zipfile.ZipInfo(NAME)
        self._file.writestr(member, document.encode(), zipfile.ZIP_DEFLATED)

    def close(self) -> None:
        """Write the directory of the file, and close it."""
        self._file.close()


NPZ = Form(
    name="npz",
    identity={"format": "npz", "version": None, "store": "file", "consolidated": False},
    shards=False,
    storage=unchunked,
    begin=NpzWriter,
)
