"""`create`, whatever happens in between: half an archive never conforms, and nothing that was written is lost.

A state machine appends, annotates, is killed (what lies on the disk at that moment is all that is left), goes on and
finishes. A killed process is real in the last test: SIGKILL, at any time.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.traces import METADATA, STEPWISE, growing

import vizschema
from vizschema import NotConforming, Trace, UsageError
from vizschema.writer.forms.base import PlannedArray, Region

AXES = ["token", "hidden"]
DTYPES = ["float32", "bfloat16"]


class Killed(BaseException):
    """Nobody survives it, so that nobody may catch it."""


def layer(seed: int, dtype: str = "float32", tokens: int = 3) -> Any:
    """The values of a layer: several chunks, and none of them all zeros."""
    import ml_dtypes

    values = np.random.default_rng(seed).normal(size=(tokens, 4)) + 5
    return values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


def same(read: Any, written: Any) -> bool:
    return read.dtype == written.dtype and read.tobytes() == written.tobytes()


class Writing(RuleBasedStateMachine):
    """One archive, and what its writer was told that it has written."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.arrays: dict[str, Any] = {}
        self.attributes: dict[str, dict[str, Any]] = {"/metadata": METADATA}
        self.layers = self.recycles = self.lives = 0
        self.declared: int | None = None
        self.writer: Any = None
        self.trace: Trace | None = None
        self.finished = False

    # What happens.

    @initialize(container=st.sampled_from(sorted(STEPWISE)), dtype=st.sampled_from(DTYPES))
    def begin(self, container: str, dtype: str) -> None:
        self.container, self.dtype = container, dtype
        self.path = self.folder / STEPWISE[container]
        self.open(attributes={"/metadata": METADATA})

    def open(self, **options: Any) -> None:
        self.writer = vizschema.create(self.path, profile="trace", container=self.container, **options)
        self.trace = self.writer.__enter__()

    @precondition(lambda self: self.trace)
    @rule(seed=st.integers(0, 9))
    def append_a_layer(self, seed: int) -> None:
        if self.declared == self.layers:
            with pytest.raises(NotConforming, match="series-undeclared"):
                self.add(f"/activations/layer_{self.layers:02}", layer(seed, self.dtype))
            return
        self.add(f"/activations/layer_{self.layers:02}", layer(seed, self.dtype))
        self.layers += 1

    @precondition(lambda self: self.trace)
    @rule(seed=st.integers(0, 9))
    def append_a_recycle(self, seed: int) -> None:
        self.add(f"/recycle/recycle_{self.recycles:02}/state", layer(seed, self.dtype))
        self.recycles += 1

    @precondition(lambda self: self.trace)
    @rule()
    def append_what_does_not_fit(self) -> None:
        with pytest.raises(NotConforming):
            self.add("/activations/other", layer(0, tokens=4) if self.arrays else np.array(["text"]))

    @precondition(lambda self: self.trace)
    @rule()
    def append_what_is_there(self) -> None:
        for path in list(self.arrays)[:1]:
            with pytest.raises(UsageError, match="exists already"):
                self.add(path, layer(0))

    @precondition(lambda self: self.trace)
    @rule(more=st.integers(0, 2))
    def declare_the_layers(self, more: int) -> None:
        self.declared = self.layers + more
        self.trace.annotate("/activations", num_layers=self.declared)
        self.attributes["/activations"] = {"num_layers": self.declared}

    @precondition(lambda self: self.trace)
    @rule()
    def be_killed(self) -> None:
        self.survive_as(self.copied())
        with suppress(Killed):
            self.writer.__exit__(Killed, Killed(), None)  # in its own copy of the world

    @precondition(lambda self: self.trace and self.declared != self.layers)
    @rule(chunks=st.integers(0, 2))
    def be_killed_while_a_layer_is_written(self, chunks: int) -> None:
        """After so many chunks of it."""
        asked: list[Region] = []
        plain = PlannedArray.part

        def dying(planned: PlannedArray, region: Region) -> Any:
            asked.append(region)
            if len(asked) > chunks or planned.shards is not None:
                self.survive_as(self.copied())
                raise Killed
            return plain(planned, region)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("vizschema.writer.forms.base.AT_ONCE", 1)
            patched.setattr(PlannedArray, "part", dying)
            with pytest.raises(Killed):
                self.add(f"/activations/layer_{self.layers:02}", layer(1, self.dtype), chunks=[1, 4])
        with suppress(Killed):
            self.writer.__exit__(Killed, Killed(), None)

    @precondition(lambda self: not self.trace and not self.finished)
    @rule()
    def go_on(self) -> None:
        self.open(resume=True)
        assert all(path in self.trace for path in (*self.arrays, *self.attributes))
        assert f"/activations/layer_{self.layers:02}" not in self.trace

    # Recycles alone are a trace, but for a group /activations that a killed write left without members.
    @precondition(lambda self: self.trace and (self.layers or not self.recycles))
    @rule()
    def finish(self) -> None:
        whole = self.layers > 0 and self.declared in (None, self.layers)
        with ExitStack() as stack:
            if not whole:
                stack.enter_context(pytest.raises(NotConforming))
            self.writer.__exit__(None, None, None)
        self.writer = self.trace = None
        self.finished = whole

    @precondition(lambda self: self.finished)
    @rule()
    def go_on_with_what_is_complete(self) -> None:
        with pytest.raises(UsageError, match="the archive is complete"):
            self.open(resume=True)
        self.writer = self.trace = None

    # What has to hold.

    @invariant()
    def a_reader_is_told_the_truth(self) -> None:
        if self.writer is None and not hasattr(self, "path"):
            return
        path = self.path if self.trace is None else self.copied()
        path = path if self.finished else growing(path)
        report = vizschema.validate(path, jobs=1)
        assert report.conforms == self.finished
        if not self.finished:
            assert "capture-complete" in {finding.rule for finding in report.errors}
        with vizschema.open(path) as archive:
            found = {place: archive[place] for place in archive.paths()}
            for place, written in self.arrays.items():
                assert same(np.asarray(found[place][...]), written), place
                assert found[place].axes == tuple(AXES)
            for place, attributes in self.attributes.items():
                assert attributes.items() <= found[place].attributes.items()
            if self.trace is not None or self.finished:
                assert {place for place, node in found.items() if hasattr(node, "shape")} == set(self.arrays)

    # How.

    def add(self, path: str, values: Any, **more: Any) -> None:
        self.trace.add(path, values, AXES if values.ndim == 2 else ["one"], **more)
        self.arrays[path] = values

    def copied(self) -> Path:
        """What a reader, or whoever comes after a kill, finds on the disk now."""
        self.lives += 1
        target = self.folder / f"{self.lives}-{self.path.name.partition('-')[2] or self.path.name}"
        shutil.copytree(growing(self.path), growing(target))
        return target

    def survive_as(self, path: Path) -> None:
        self.path, self.trace = path, None

    def teardown(self) -> None:
        if self.trace is not None:
            with suppress(Killed):
                self.writer.__exit__(Killed, Killed(), None)
        self.stack.close()


TestWriting = Writing.TestCase
TestWriting.settings = settings(max_examples=50, stateful_step_count=15, deadline=None)


WRITER = """
import sys
import numpy as np
import vizschema
given = {"/metadata": {"model_name": "a", "model_version": "1"}}
with vizschema.create(sys.argv[1], profile="trace", container=sys.argv[2], attributes=given) as trace:
    for number, _ in enumerate(sys.stdin):
        values = np.full((64, 64), number + 0.5)
        values[0] = 0
        trace.add(f"/activations/layer_{number:03}", values, ["token", "hidden"], chunks=[4, 64])
        print(number, flush=True)
"""


@pytest.mark.parametrize("container", ["zarr-v2", "zarr-v3", "hdf5"])
def test_a_process_that_is_killed_at_any_time_loses_nothing_that_it_had_written(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    command = [sys.executable, "-c", WRITER, str(path), container]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("next\n" * 900)
        process.stdin.flush()
        written = [process.stdout.readline() for _ in range(3)]
        time.sleep(0.05)
        process.kill()
        written += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    assert not vizschema.validate(growing(path)).conforms
    given: dict[str, Any] = {"/metadata": METADATA}
    with vizschema.create(path, profile="trace", container=container, resume=True, attributes=given) as trace:
        for number in range(len(written)):
            assert f"/activations/layer_{number:03}" in trace
    assert vizschema.validate(path).errors == ()
    with vizschema.open(path) as archive:
        for number in range(len(written)):
            assert (np.asarray(archive[f"/activations/layer_{number:03}"][1:]) == number + 0.5).all()
