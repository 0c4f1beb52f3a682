"""A Zarr folder that grows node by node: each is written beside it, and counts once it is moved in by one rename."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from vizschema.containers.attributes import registered
from vizschema.writer.forms.zarr import ZarrWriter, annotated
from vizschema.writer.forms.zarr_documents import (
    ATTRIBUTES_V2,
    COPY_V2,
    COPY_V3,
    ROOT_V3,
    complete_documents,
    read_document,
    set_attributes,
)

_NAME = "node"


class Capture:
    """The folder `root`, in version 2 or 3 of Zarr; `stage`, beside it, is where its nodes are written first."""

    def __init__(self, root: Path, stage: Path, version: int) -> None:
        self.root = root
        self.version = version
        self.stage = stage
        self._numbers = itertools.count()

    def begin(self, attributes: Mapping[str, Any]) -> None:
        """Write the root, which must not exist, or be an empty folder."""
        self._group(registered(attributes)).rename(self.root)

    def move(self, root: Path) -> None:
        """Go on at another place, which must not exist, or be an empty folder."""
        self.root.rename(root)
        self.root = root

    def without_copy(self) -> bool:
        """Remove the consolidated copy of an unfinished archive of v2; whether there is one that is to be taken back.

        A writer that is killed as it completes the archive leaves it.
        """
        if self.version == 3:
            return COPY_V3 in self._document(ROOT_V3)
        copy = self.root / COPY_V2
        if copy.is_file() and self._document(ATTRIBUTES_V2).get("complete") is False:
            copy.unlink()
        return copy.is_file()

    def _document(self, name: str) -> Mapping[str, Any]:
        """A document of the root; nothing where it cannot be read, which describing the archive reports."""
        try:
            found = read_document(self.root / name)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def commit(self, place: str, node: Path, missing: Sequence[str] = ()) -> None:
        """Move a node into the archive, and with it the groups above it that are `missing`, outermost first."""
        for path in reversed(missing):
            group = self._group({})
            node.rename(group / place.rpartition("/")[2])
            node, place = group, path
        node.rename(self.at(place))

    def group(self, place: str, attributes: Mapping[str, Any], missing: Sequence[str] = ()) -> None:
        """Write a group, and the groups above it that are `missing`."""
        self.commit(place, self._group(attributes), missing)

    def annotate(self, place: str, attributes: Mapping[str, Any]) -> None:
        """Set attributes of a group that is there, and keep its others."""
        set_attributes(self.at(place), self.version, annotated(place, attributes), self.stage)

    def complete(self, attributes: Mapping[str, Any]) -> None:
        """Set attributes of the root, and consolidate the metadata."""
        complete_documents(self.root, self.version, attributes, self.stage)

    def discard(self, folder: Path) -> None:
        """Remove a new folder, as far as it can be: it lies beside the archive."""
        with suppress(OSError):
            shutil.rmtree(folder)

    def at(self, place: str) -> Path:
        """The folder of the node at `place`."""
        return self.root / place.strip("/")

    def new_folder(self) -> Path:
        """A new folder beside the archive."""
        folder = self.stage / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder

    def writer(self, folder: Path) -> ZarrWriter:
        """What writes nodes to a folder."""
        return ZarrWriter(folder, 2 if self.version == 2 else 3, resume=True)

    def _group(self, attributes: Mapping[str, Any]) -> Path:
        folder = self.new_folder()
        self.writer(folder).group(_NAME, attributes)
        return folder / _NAME


def discard(root: Path, places: Iterable[str]) -> None:
    """Remove the folders of these nodes, files that were not renamed to what they are of, and folders of nothing."""
    for place in places:
        shutil.rmtree(root / place.strip("/"))
    for folder, _, files in os.walk(root, topdown=False):
        for name in files:
            if name.endswith(".partial"):
                Path(folder, name).unlink()
        if not any(Path(folder).iterdir()):
            Path(folder).rmdir()
