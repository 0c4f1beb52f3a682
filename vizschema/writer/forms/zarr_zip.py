"""Zarr in a zip file: written as a folder beside the target, then packed; chunks are compressed, members stored."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from vizschema.writer.forms.base import Form, PlannedArray
from vizschema.writer.forms.zarr import ZARR_V2, ZARR_V3, ZarrWriter


class ZarrZipWriter:
    """A new file at `path`, which must not exist, and a folder beside it until it is closed."""

    def __init__(self, path: Path, version: Literal[2, 3]) -> None:
        self._path = path
        self._folder = path.with_name(f"{path.name}.unpacked")
        self._writer = ZarrWriter(self._folder, version)

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Do nothing: documents and chunks are separate files."""

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Write a group."""
        self._writer.group(path, attributes)

    def array(self, path: str, planned: PlannedArray) -> None:
        """Write an array."""
        self._writer.array(path, planned)

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group."""
        self._writer.annotate(path, attributes)

    def finish(self) -> None:
        """Consolidate the metadata, and pack the folder: the root is at the top of the zip file."""
        self._writer.finish()
        with zipfile.ZipFile(self._path, "x", zipfile.ZIP_STORED) as file:
            for folder, folders, names in os.walk(self._folder):
                folders.sort()
                for name in sorted(names):
                    path = Path(folder, name)
                    member = zipfile.ZipInfo(path.relative_to(self._folder).as_posix())
                    with path.open("rb") as source, file.open(member, "w", force_zip64=True) as target:
                        shutil.copyfileobj(source, target, 1 << 20)

    def close(self) -> None:
        """Close the store, and remove the folder."""
        self._writer.close()
        shutil.rmtree(self._folder)


def _zipped(form: Form, version: Literal[2, 3]) -> Form:
    return replace(
        form,
        name=f"{form.name}-zip",
        identity={**form.identity, "store": "zip"},
        begin=partial(ZarrZipWriter, version=version),
        captured=None,
        in_place=False,
    )


ZARR_V2_ZIP = _zipped(ZARR_V2, 2)
ZARR_V3_ZIP = _zipped(ZARR_V3, 3)
