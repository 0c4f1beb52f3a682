"""`recover`: what killed writers leave is found, and restored or removed on request."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.traces import METADATA, STEPWISE, hidden, listing

import vizschema
from vizschema import UsageError
from vizschema.cli.main import main
from vizschema.writer.target import Work

GIVEN = {"/metadata": METADATA}
AXES = ["sample", "token", "hidden"]

KILLED = """
import os, sys
import numpy as np
import vizschema
given = {"/metadata": {"model_name": "a", "model_version": "1"}}
options = {"overwrite": True} if len(sys.argv) > 3 else {}
with vizschema.create(sys.argv[1], profile="trace", container=sys.argv[2], attributes=given, **options) as trace:
    trace.add("/activations/x", np.ones((2, 5, 4), "float32"), ["sample", "token", "hidden"])
    slot = trace.reserve("/activations/y", (2, 5, 4), "float32", ["sample", "token", "hidden"])
    slot[:1] = np.ones((1, 5, 4), "float32")
    os._exit(9)
"""


def kill(path: Path, container: str, *more: str) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED, str(path), container, *more], check=False).returncode == 9


def kinds(path: Path, **options: bool) -> dict[str, str | None]:
    return {each.kind: each.done for each in vizschema.recover(path, **options)}


@pytest.mark.parametrize("container", STEPWISE)
def test_what_a_killed_capture_leaves_is_found_restored_and_continued(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    kill(path, container)
    before = {str(each): each.lstat().st_mtime_ns for each in tmp_path.rglob("*")}
    where = "capture" if container == "hdf5" else "unfinished"
    assert kinds(path) == {"owner": None, where: None, "stage": None}
    assert {str(each): each.lstat().st_mtime_ns for each in tmp_path.rglob("*")} == before
    done = kinds(path, restore=True)
    assert done == {"owner": "removed", where: "restored" if container == "hdf5" else None, "stage": "removed"}
    assert listing(tmp_path) == [path.name]
    nodes = vizschema.describe(path)["nodes"]
    assert (nodes["/"]["attributes"]["complete"], "/activations/x" in nodes) == (False, True)
    with vizschema.create(path, profile="trace", container=container, extend=True) as trace:
        trace.add("/activations/y", hidden().data, AXES)
    assert vizschema.validate(path).errors == ()
    assert kinds(path) == {}


def test_an_unfinished_capture_does_not_replace_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    vizschema.write(path, {"/activations/x": vizschema.Array(np.zeros((2, 3)), AXES[:2])}, GIVEN, profile="trace")
    kill(path, "zarr-v3", "overwrite")
    assert kinds(path, restore=True) == {"owner": "removed", "capture": None, "stage": "removed"}
    assert vizschema.validate(path).conforms
    assert kinds(path, remove=True) == {"capture": "removed"}
    assert listing(tmp_path) == ["a.zarr"]
    assert vizschema.validate(path).conforms


def test_an_archive_that_was_being_replaced_is_put_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.zarr"
    vizschema.write(path, {"/activations/x": vizschema.Array(np.zeros((2, 3)), AXES[:2])}, GIVEN, profile="trace")
    work = Work(path)
    work.replaced.parent.mkdir(parents=True)
    path.rename(work.replaced)  # between the two renames
    with pytest.raises(UsageError, match="was being replaced when its writer was killed"):
        vizschema.write(path, {"/x": vizschema.Array(np.zeros(2), ["n"])}, GIVEN, profile="trace", overwrite=True)
    assert main(["recover", str(path)]) == 1
    assert "the only archive, which was being replaced" in capsys.readouterr().out
    assert main(["recover", str(path), "--restore"]) == 0
    assert vizschema.validate(path).conforms
    assert listing(tmp_path) == ["a.zarr"]
    assert main(["recover", str(path)]) == 0
    assert "nothing to recover" in capsys.readouterr().out


def test_what_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with vizschema.create(path, profile="trace", attributes=GIVEN) as trace:
        with pytest.raises(UsageError, match=f"is being written by process {os.getpid()}"):
            vizschema.recover(path, remove=True)
        trace.add("/activations/x", hidden().data, AXES)
    with pytest.raises(UsageError, match="expected one of restore, remove, found both"):
        vizschema.recover(path, restore=True, remove=True)


def test_a_work_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").touch()
    (tmp_path / "other" / "capture").mkdir()
    (tmp_path / ".a.zarr.partial").symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match="is a symbolic link"), vizschema.create(tmp_path / "a.zarr", profile="trace"):
        pass
    assert kinds(tmp_path / "a.zarr", remove=True) == {"stage": "removed"}
    assert listing(tmp_path / "other") == ["capture", "precious"]
