"""A Zarr folder whose chunks are linked: which of its arrays can be, and their files. Links in it are not followed."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from vizschema.containers.base import Unreadable
from vizschema.containers.formats import FOLDER
from vizschema.containers.opening import recognise
from vizschema.containers.zarr.directory import ZarrDirectory, open_zarr_directory
from vizschema.errors import Refused, UsageError
from vizschema.findings import Report
from vizschema.migration.linking.stored import Axes, Stored, moved_axes, stored
from vizschema.sources.item import Item

Chunk = tuple[int, ...]


class Linked(NamedTuple):
    """An array of a result, made of the files of the source."""

    link: Link
    axes: list[str]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """An array whose chunks are linked: how it is stored in the source, and which of its axes the result has."""

    path: str
    stored: Stored
    axes: Axes

    @property
    def moved(self) -> Stored:
        """How the result stores it."""
        found = self.stored.moved(self.axes)
        assert found is not None  # it was checked when it was made  # noqa: S101
        return found


class LinkedSource:
    """The folder at `path`, for the block; raises `UsageError` for what is not a Zarr folder."""

    def __init__(self, path: str) -> None:
        if not Path(path).is_dir() or recognise(path).container["format"] != FOLDER.name:
            raise UsageError("--link", path=path, expected="a Zarr folder", found="another source")
        self._container: ZarrDirectory = open_zarr_directory(path)
        self._copied: set[str] = set()

    def __enter__(self) -> LinkedSource:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()

    def link(self, item: Item, steps: Sequence[Mapping[str, Any]]) -> Link | None:
        """How the chunks of an array can be linked; None where they have to be copied."""
        axes = moved_axes(steps, item.shape)
        found = None if item.path in self._copied else self.stored(item.path)
        return None if axes is None or found is None or found.moved(axes) is None else Link(item.path, found, axes)

    def copy(self, links: Mapping[str, Linked], report: Report) -> bool:
        """Copy from now on what a report has an error about, such as its chunks; whether there is any such array."""
        copied = {links[finding.path].link.path for finding in report.errors if finding.path in links}
        self._copied |= copied
        return bool(copied)

    def stored(self, path: str) -> Stored | None:
        """How an array is stored, by its documents; None where it cannot be linked."""
        try:
            _, array, _ = self._container.stored(path)
            return None if array is None else stored(array)
        except (Unreadable, TypeError):
            return None

    def chunks(self, link: Link) -> Iterator[tuple[Chunk, int, str]]:
        """Of each chunk that is there: its place in the grid, a handle of its folder, and its name.

        A handle is closed when the next one is given. Raises `Refused` for what is not a file, and where chunks are
        not there and have no fill value.
        """
        names, array, handles = self._container.stored(link.path)
        assert array is not None  # it was read before  # noqa: S101
        from vizschema.containers.zarr.layout import layout_of

        layout = layout_of(array)
        last: tuple[str, ...] | None = None
        folder = -1
        try:
            for place in itertools.product(*map(range, link.stored.grid)):
                *above, name = layout.key(place).split("/")
                steps = (*names, *above)
                if steps != last:
                    if folder >= 0:
                        os.close(folder)
                    folder, last = -1, steps
                    folder = _entered(handles, steps, link.path)
                if folder >= 0 and _is_file(folder, name, link.path):
                    yield place, folder, name
                elif link.stored.fill is None:
                    raise Refused([f"{link.path}: chunk {layout.key(place)} is missing, and there is no fill value"])
        finally:
            if folder >= 0:
                os.close(folder)


def _entered(handles: Any, steps: tuple[str, ...], path: str) -> int:
    """A handle of a folder of chunks; -1 where there is none."""
    try:
        handle: int = handles.entered(steps)
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise Refused([f"{path}: a folder of chunks cannot be entered: {error.strerror}"]) from None
    return handle


def _is_file(folder: int, name: str, path: str) -> bool:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise Refused([f"{path}: {name} is not a file, and is not linked"])
    return True
