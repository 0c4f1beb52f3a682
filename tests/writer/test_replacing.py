"""What is at a target stays until a new archive is complete, and is then replaced at once."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import CONTAINERS, METADATA, STEPWISE, growing, hidden, listing

import vizschema
from vizschema import NotConforming, UsageError
from vizschema.writer.target import Work

GIVEN = {"/metadata": METADATA}
AXES = ["sample", "token", "hidden"]


def capture(path: Path, number: float, **options: Any) -> None:
    with vizschema.create(path, profile="trace", attributes=GIVEN, **options) as trace:
        trace.add("/activations/x", np.full((2, 5, 4), number, "f4"), AXES)


def write(path: Path, number: float, **options: Any) -> None:
    item = vizschema.Array(np.full((2, 5, 4), number, "f4"), AXES)
    vizschema.write(path, {"/activations/x": item}, GIVEN, profile="trace", **options)


def number_of(path: Path) -> float:
    with vizschema.open(path) as archive:
        return float(np.asarray(archive["/activations/x"][0, 0, 0]))


@pytest.mark.parametrize("container", STEPWISE)
def test_the_old_archive_stays_while_a_new_one_is_captured(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    capture(path, 1, container=container)

    def fail(error: Exception | None, **options: Any) -> None:
        with vizschema.create(
            path, profile="trace", container=container, attributes=GIVEN, overwrite=True, **options
        ) as trace:
            trace.annotate("/activations", num_layers=3)
            trace.add("/activations/layer_00", hidden().data, AXES)
            assert number_of(path) == 1
            if error is not None:
                raise error

    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
    with pytest.raises(NotConforming, match="series-gap"):
        fail(None)
    assert number_of(path) == 1
    with pytest.raises(UsageError, match="an unfinished capture of it lies beside it; continue with resume=True"):
        capture(path, 2, container=container)
    with vizschema.create(path, profile="trace", container=container, resume=True) as trace:
        assert "/activations/layer_00" in trace
        for number in (1, 2):
            trace.add(f"/activations/layer_{number:02}", hidden(number).data, AXES)
    assert "/activations/layer_02" in vizschema.describe(path)["nodes"]
    assert listing(tmp_path) == [path.name]


def test_what_is_refused_at_the_start_leaves_the_old_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    capture(path, 1)
    with (
        pytest.raises(NotConforming),
        vizschema.create(path, profile="trace", attributes={"/metadata": {"model_name": ""}}, overwrite=True),
    ):
        pass
    assert number_of(path) == 1
    assert listing(tmp_path) == [path.name]


@pytest.mark.parametrize("before", CONTAINERS)
@pytest.mark.parametrize("after", ["zarr-v3", "hdf5"])
def test_any_container_is_replaced_by_any_other(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    write(path, 1, container=before)
    write(path, 2, container=after, overwrite=True)
    assert number_of(path) == 2
    capture(path, 3, container=after, overwrite=True)
    assert number_of(path) == 3
    assert listing(tmp_path) == ["archive"]


def test_a_reader_finds_an_archive_at_every_moment(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    write(path, 0)
    ended = threading.Event()
    missed: list[str] = []

    def look() -> None:
        while not ended.is_set():
            if not (path / "zarr.json").exists():
                missed.append("")

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 6):
        write(path, number, overwrite=True)
    ended.set()
    reader.join()
    assert missed == []


@pytest.mark.parametrize("kind", ["file", "below", "group", "link", "chunks"])
def test_a_folder_with_anything_else_is_never_replaced(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    capture(path, 1)
    make: dict[str, Callable[[], object]] = {
        "file": lambda: (path / "notes.txt").write_text("precious"),
        "below": lambda: (path / "activations/x/c/notes.txt").write_text("precious"),
        "group": lambda: (path / "notes").mkdir() or (path / "notes/a.txt").write_text("precious"),
        "link": lambda: (path / "linked").symlink_to(tmp_path),
        "chunks": lambda: shutil.copytree(path / "activations/x/c", path / "other/c"),
    }
    make[kind]()
    for call in (capture, write):
        with pytest.raises(UsageError, match="expected an archive to replace, found"):
            call(path, 2, overwrite=True)
    assert number_of(path) == 1


def test_a_capture_that_was_exchanged_is_not_taken_for_an_unfinished_one(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    capture(path, 1)
    work = Work(path)
    work.folder.mkdir()
    shutil.copytree(path, work.capture)
    work.mark()
    assert work.has_capture
    os.rename(work.capture, tmp_path / "new")  # noqa: PTH104  (as an exchange does it)
    shutil.move(path, work.capture)
    os.rename(tmp_path / "new", path)  # noqa: PTH104
    assert not work.has_capture
    with (
        pytest.raises(UsageError, match="the archive is complete"),
        vizschema.create(path, profile="trace", resume=True),
    ):
        pass
    assert listing(tmp_path) == [path.name]


def test_a_complete_archive_is_extended(tmp_path: Path) -> None:
    for name in STEPWISE.values():
        path = tmp_path / name
        container = next(each for each, given in STEPWISE.items() if given == name)
        capture(path, 1, container=container)
        with vizschema.create(path, profile="trace", container=container, extend=True) as trace:
            assert not vizschema.validate(growing(path)).conforms
            trace.add("/activations/y", hidden().data, AXES)
        assert vizschema.validate(path).errors == ()
        assert {"/activations/x", "/activations/y"} <= vizschema.describe(path)["nodes"].keys()
        shutil.rmtree(path) if path.is_dir() else path.unlink()
