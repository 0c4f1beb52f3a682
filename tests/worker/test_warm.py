"""The warm process that workers are forked from: what they share, what they do not, and what becomes of its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from support import traces

import vizschema
from vizschema.bounds import Bounds
from vizschema.conformance.examples import write_example
from vizschema.containers.formats import FORMATS
from vizschema.worker import warm
from vizschema.worker.process import Worker

PARENT = """
import os, sys
from vizschema.worker.process import Worker
with Worker([sys.argv[1]]) as worker:
    print(worker._pid, worker._warm._process.pid, flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return str(traces.written(tmp_path, "zarr-v3"))


def ends(pid: int) -> bool:
    """Whether a process has ended, or does so soon."""
    for _ in range(600):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_every_archive_has_a_worker_of_its_own_from_one_process(archive: str) -> None:
    with Worker([archive]) as one, Worker([archive]) as other:
        assert one._pid != other._pid
        assert one._warm is other._warm


def test_a_worker_inherits_no_pipe_of_another(archive: str) -> None:
    with Worker([archive]) as one, Worker([archive]) as other:
        pipes = [
            {
                str(each.readlink())
                for each in Path(f"/proc/{worker._pid}/fd").iterdir()
                if "pipe" in str(each.readlink())
            }
            for worker in (one, other)
        ]
    assert pipes[0]
    assert not pipes[0] & pipes[1]


def test_the_warm_process_has_one_thread_and_never_saw_the_archive(archive: str) -> None:
    assert vizschema.validate(archive, isolated=True).conforms
    assert vizschema.validate(archive, isolated=True).conforms  # its imports are done for this one
    pid = warm.warmed()._process.pid
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
    assert not any(archive in str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())
    assert Path(f"/proc/{pid}/environ").read_bytes().count(b"\0") < 12


@pytest.mark.parametrize("suffix", sorted({form.suffixes[0] for form in FORMATS}))
def test_each_format_has_a_sample_that_is_the_example(suffix: str, tmp_path: Path) -> None:
    write_example("trace", tmp_path / f"example{suffix}")
    sample = warm.SAMPLES / f"sample{suffix}"
    assert vizschema.validate(sample).conforms
    example = tmp_path / f"example{suffix}"
    assert vizschema.digest(sample, values_only=True) == vizschema.digest(example, values_only=True)


@pytest.mark.parametrize("suffix", [".zarr", ".h5"])
def test_after_many_workers_a_sample_is_read_once(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_example("trace", tmp_path / f"example{suffix}")
    asked = []
    ask = warm.Warm._ask

    def noted(self: warm.Warm, request: list[object], pipes: Sequence[int] = ()) -> None:
        asked.append(request[0])
        ask(self, request, pipes)

    monkeypatch.setattr(warm.Warm, "_ask", noted)
    monkeypatch.setattr(warm, "_shared", None)
    many = [tmp_path / f"example{suffix}"] * (warm.OFTEN + 3)
    assert {report.verdict for report in vizschema.validate_many(many, jobs=1)} == {"conforms"}
    assert asked.count("rehearse") == 1
    assert asked.index("rehearse") > len(many) - 3
    assert len(list(Path(f"/proc/{warm.warmed()._process.pid}/task").iterdir())) == 1


def test_a_sample_that_cannot_be_read_harms_nothing(
    archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sample.zarr").mkdir()
    (tmp_path / "sample.zarr" / "zarr.json").write_text("{")
    monkeypatch.setattr(warm, "SAMPLES", tmp_path)
    monkeypatch.setattr(warm, "_shared", None)
    reports = list(vizschema.validate_many([archive] * (warm.OFTEN + 3), jobs=1))
    assert {report.verdict for report in reports} == {"conforms"}


def test_workers_end_with_the_process_that_asked_for_them(archive: str) -> None:
    killed = subprocess.run([sys.executable, "-P", "-c", PARENT, archive], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert all(ends(int(pid)) for pid in killed.stdout.split())


def test_a_warm_process_that_ended_is_followed_by_another(archive: str) -> None:
    with Worker([archive]) as worker:
        before = worker._warm
        os.kill(before._process.pid, signal.SIGKILL)
        assert ends(worker._pid)
    assert vizschema.validate(archive, isolated=True).conforms
    assert warm.warmed() is not before


def test_the_module_that_runs_is_not_imported_anew(archive: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, vizschema\n"
        "print('imported', __name__)\n"
        f"print(vizschema.validate({archive!r}, isolated=True).verdict)\n"
    )
    ran = subprocess.run([sys.executable, "-P", script], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["imported __main__", "conforms"], ran.stderr


def test_a_process_that_was_forked_has_a_warm_process_of_its_own(archive: str) -> None:
    ours = warm.warmed()
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            conforms = vizschema.validate(archive, isolated=True).conforms
            os.write(write, b"yes" if conforms and warm.warmed() is not ours else b"no")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with open(read, "rb") as stream:  # noqa: PTH123
        assert stream.read() == b"yes"
    assert ours.alive


def test_a_worker_that_ended_is_known_by_what_it_spent(archive: str) -> None:
    with Worker([archive], Bounds()) as worker:
        pass
    assert worker.ended().code == -signal.SIGKILL
    assert worker.peak_memory > 4 << 20
