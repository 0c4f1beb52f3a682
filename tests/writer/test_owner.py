"""One writer at a time: the second is told who writes; a writer that is gone is taken over."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import METADATA, listing

import vizschema
from vizschema import UsageError
from vizschema.writer.owner import found_owner, owner_path

GIVEN = {"/metadata": METADATA}
X = np.arange(40, dtype="f4").reshape(2, 5, 4)
AXES = ["sample", "token", "hidden"]


@pytest.mark.parametrize("suffix", ["zarr", "h5"])
def test_the_second_writer_is_told_who_writes(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"run.{suffix}"
    other = tmp_path / "other.npz"
    vizschema.write(other, {"/activations/x": vizschema.Array(X, AXES)}, GIVEN, profile="trace")
    said = f"is being written by process {os.getpid()} on {socket.gethostname()} since 20"
    with vizschema.create(path, profile="trace", attributes=GIVEN) as trace:
        trace.add("/activations/x", X, AXES)
        for how in ({"resume": True}, {"overwrite": True}, {"extend": True}):
            with (
                pytest.raises(UsageError, match=said),
                vizschema.create(path, profile="trace", attributes=GIVEN, **how),  # type: ignore[arg-type]
            ):
                pass
        with pytest.raises(UsageError, match=said):
            vizschema.convert(other, path, overwrite=True)
        with pytest.raises(UsageError, match=said):
            vizschema.write(path, {"/activations/x": vizschema.Array(X, AXES)}, GIVEN, profile="trace", overwrite=True)
        trace.add("/activations/y", X, AXES)
    assert vizschema.validate(path).errors == ()
    assert listing(tmp_path) == [other.name, path.name]


LEFT = """
import os, sys, vizschema
with vizschema.create(sys.argv[1], profile="trace", attributes={"/metadata": {"model_name": "m"}}):
    os._exit(0)
"""


def test_a_writer_whose_process_is_gone_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    subprocess.run([sys.executable, "-c", LEFT, str(path)], check=True)
    owner, held = found_owner(path)
    assert (owner is not None, held) == (True, False)
    with vizschema.create(path, profile="trace", attributes=GIVEN, resume=True) as trace:
        trace.add("/activations/x", X, AXES)
    assert listing(tmp_path) == [path.name]


def test_one_of_another_machine_is_taken_over_only_where_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    elsewhere = {"host": "node7", "pid": 12, "since": "2026-11-21T09:00:00+00:00"}
    owner_path(path).write_text(json.dumps(elsewhere))
    said = (
        "is being written by process 12 on node7 since 2026-11-21T09:00:00.00:00, another machine; pass take_over=True"
    )
    with pytest.raises(UsageError, match=said), vizschema.create(path, profile="trace"):
        pass
    assert json.loads(owner_path(path).read_text()) == elsewhere
    with vizschema.create(path, profile="trace", attributes=GIVEN, take_over=True) as trace:
        trace.add("/activations/x", X, AXES)
    assert listing(tmp_path) == [path.name]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"host": 1}'])
def test_a_malformed_owner_file_is_taken_over(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    owner_path(path).write_bytes(content)
    with vizschema.create(path, profile="trace", attributes=GIVEN) as trace:
        trace.add("/activations/x", X, AXES)
    assert listing(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "before", [b"", json.dumps({"host": socket.gethostname(), "pid": 2**22, "since": "2026"}).encode()]
)
def test_one_who_has_just_begun_is_waited_for_until_it_says_who_it_is(before: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "since": "2026-11-28T04:00:00+00:00"}
    owner_path(path).write_bytes(before)
    with owner_path(path).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        later = threading.Timer(0.2, lambda: owner_path(path).write_text(json.dumps(mine)))
        later.start()
        with (
            pytest.raises(UsageError, match=f"is being written by process {os.getpid()} on "),
            vizschema.create(path, profile="trace"),
        ):
            pass
        later.join()


def test_a_forked_child_does_not_keep_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    context = multiprocessing.get_context("fork")
    with vizschema.create(path, profile="trace", attributes=GIVEN) as trace:
        child = context.Process(target=time.sleep, args=(60,), daemon=True)
        child.start()
        trace.add("/activations/x", X, AXES)
    try:
        with vizschema.create(path, profile="trace", attributes=GIVEN, extend=True) as trace:
            trace.add("/activations/y", X, AXES)
    finally:
        child.kill()
        child.join()


RACE = """
import sys, numpy as np, vizschema
print("ready", flush=True)
sys.stdin.readline()
try:
    with vizschema.create(sys.argv[1], profile="trace", attributes={"/metadata": {"model_name": "m"}}) as trace:
        print("won", flush=True)
        sys.stdin.readline()
        trace.add("/activations/x", np.full((2, 3), float(sys.argv[2]), "f4"), ["token", "hidden"])
except vizschema.UsageError as error:
    print("told", error.reason, flush=True)
"""


@pytest.mark.parametrize("count", [2, 8])
def test_of_several_processes_one_writes_and_the_others_are_told(count: int, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([sys.executable, "-c", RACE, str(path), str(n)], **pipes) for n in range(count)]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = [writer.stdout.readline() for writer in writers]
    for writer in writers:
        writer.communicate("end\n" if writer.poll() is None else None)
    assert sorted(line.split()[0] for line in said) == ["told"] * (count - 1) + ["won"]
    winner = said.index("won\n")
    assert all(f"is being written by process {writers[winner].pid} " in line for line in said if line[0] == "t")
    with vizschema.open(path) as archive:
        assert (np.asarray(archive["/activations/x"][...]) == winner).all()
    assert listing(tmp_path) == [path.name]
