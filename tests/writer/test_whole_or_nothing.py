"""An add is whole or nothing: after an error of the system nothing of it counts, and the archive goes on."""

from __future__ import annotations

import errno
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import CONTAINERS, METADATA, STEPWISE, arrays, attributes, growing, hidden, listing, values

import vizschema
from vizschema import Array, NotConforming, UsageError
from vizschema.writer.forms.base import PlannedArray
from vizschema.writer.forms.zarr import ZarrWriter

AXES = ["sample", "token", "hidden"]
GIVEN = {"/metadata": METADATA}

container = pytest.mark.parametrize("container", STEPWISE)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file grows beyond so many bytes; the error is the one of a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@container
def test_an_add_that_failed_leaves_nothing_and_the_archive_goes_on(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    large = values(4, 64, 512)
    with vizschema.create(path, profile="trace", container=container, attributes=GIVEN) as trace:
        trace.add("/activations/layer_00", hidden().data, AXES)
        before = vizschema.describe(growing(path))
        with files_of_at_most(20_000), pytest.raises(OSError, match="large"):
            trace.add("/outputs/other/large", large, ["n", "token_of_other", "wide"], chunks=[1, 64, 512])
        assert "/outputs/other/large" not in trace
        assert vizschema.describe(growing(path)) == before
        trace.add("/outputs/other/large", large, ["n", "token_of_other", "wide"])
    with vizschema.open(path) as archive:
        assert np.array_equal(archive["/outputs/other/large"][...], large)
    assert vizschema.validate(path).errors == ()
    assert listing(tmp_path) == [path.name]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_limit_of_the_system_is_an_error_that_leaves_nothing(container: str, tmp_path: Path) -> None:
    given = {**arrays(), "/extra/large": Array(values(4, 64, 512), ["n", "other", "wide"])}
    source = tmp_path / "source.npz"
    vizschema.write(source, given, attributes(), profile="trace")
    target = tmp_path / "to" / CONTAINERS[container]
    target.parent.mkdir()
    for call in (
        lambda: vizschema.write(target, given, attributes(), profile="trace", container=container),
        lambda: vizschema.convert(source, target, container=container),
    ):
        with files_of_at_most(100_000), pytest.raises(OSError, match="large"):
            call()
        assert listing(target.parent) == []


@pytest.mark.parametrize(("version", "shards"), [(2, None), (3, None), (3, (1,))])
def test_an_error_of_one_chunk_leaves_no_other_one_unfinished(version: Any, shards: Any, tmp_path: Path) -> None:
    place = tmp_path / "x" / ("0" if version == 2 else "c/0")
    (place / "in_the_way").mkdir(parents=True)
    count = 400
    planned = PlannedArray(np.arange(count), "int64", ("n",), {}, (1,), shards)
    with pytest.raises(OSError, match=r"directory|exists"):
        ZarrWriter(tmp_path, version, resume=True).array("/x", planned)
    found = {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    time.sleep(0.05)
    assert found == {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    assert not [path for path, size in found.items() if path.name.endswith(".partial") or not size]


FULL = """
import sys
import numpy as np
import vizschema
from vizschema.writer.forms import steady_file
plain, left = steady_file.os.pwrite, [int(sys.argv[2])]
def pwrite(*arguments):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(28, "No space left on device")
    return plain(*arguments)
steady_file.os.pwrite = pwrite
item = vizschema.Array(np.random.default_rng(0).normal(size=(4, 64, 64)).astype("f4"), ["sample", "token", "hidden"])
given = {"/metadata": {"model_name": "m", "model_version": "1"}}
try:
    vizschema.write(sys.argv[1], {f"/activations/x{n}": item for n in "abc"}, given, profile="trace")
except OSError as error:
    print("error", error.errno)
print("goes on")
"""


def test_hdf5_on_a_full_disk_is_an_error_and_the_process_goes_on(tmp_path: Path) -> None:
    for writes in (0, 1, 2, 4):
        command = [sys.executable, "-c", FULL, str(tmp_path / "full.h5"), str(writes)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (found.returncode, found.stdout.split("\n")[:2]) == (0, [f"error {errno.ENOSPC}", "goes on"]), found
        assert listing(tmp_path) == []


@container
def test_attributes_are_all_set_or_none(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / STEPWISE[container]
    with vizschema.create(path, profile="trace", container=container, attributes=GIVEN) as trace:
        trace.add("/activations/layer_00", hidden().data, AXES)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", raises(OSError(errno.EIO, "Input/output error")))
            with pytest.raises(OSError, match="Input"):
                trace.annotate("/metadata", seed=1, task="t")
        trace.annotate("/metadata", kind="k")
    assert vizschema.describe(path)["nodes"]["/metadata"]["attributes"] == {**METADATA, "kind": "k"}


@container
def test_a_completion_that_failed_can_be_resumed(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / STEPWISE[container]

    def run(patched: pytest.MonkeyPatch) -> None:
        with vizschema.create(path, profile="trace", container=container, attributes=GIVEN) as trace:
            trace.add("/activations/layer_00", hidden().data, AXES)
            patched.setattr(Path, "replace", raises(OSError(errno.EIO, "Input/output error")))
            patched.setattr("vizschema.writer.trace.exchange", raises(OSError(errno.EIO, "Input/output error")))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="Input"):
        run(patched)
    assert not vizschema.validate(growing(path)).conforms
    with vizschema.create(path, profile="trace", container=container, resume=True) as trace:
        assert "/activations/layer_00" in trace
    assert vizschema.validate(path).errors == ()


def raises(error: Exception) -> Callable[..., Any]:
    def call(*_: Any) -> None:
        raise error

    return call


@container
def test_values_that_no_later_call_can_fix_are_refused_at_once(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    wrong = hidden().data.copy()
    wrong[0, 0, 0] = np.inf
    rows = np.full((2, 3, 5, 5), 9, "f4")
    maps = ["sample", "head", "token:query", "token:key"]
    with vizschema.create(path, profile="trace", container=container, attributes=GIVEN) as trace:
        trace.add("/activations/layer_00", hidden().data, AXES)
        with pytest.raises(NotConforming, match="not finite") as refused:
            trace.add("/activations/layer_01", wrong, AXES)
        assert {finding.rule for finding in refused.value.report.errors} == {"finite"}
        with pytest.raises(NotConforming, match="attention-range"):
            trace.add("/attention/layer_00", rows, maps, {"normalization": "softmax", "source": "captured"})
        assert "/activations/layer_01" not in trace
        assert "/attention" not in trace
    assert set(vizschema.describe(path)["nodes"]) == {"/", "/metadata", "/activations", "/activations/layer_00"}


@container
def test_values_are_not_judged_where_that_is_not_wanted(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    with vizschema.create(path, profile="trace", container=container, attributes=GIVEN, values=False) as trace:
        trace.add("/activations/layer_00", np.full((2, 5, 4), np.nan, "f4"), AXES)
    assert {finding.rule for finding in vizschema.validate(path).errors} == {"finite"}


@container
def test_what_was_captured_before_is_read_back_and_judged(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]

    def run() -> None:
        with vizschema.create(path, profile="trace", container=container, attributes=GIVEN, values=False) as trace:
            trace.add("/activations/layer_00", np.full((2, 5, 4), np.nan, "f4"), AXES)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    with (
        pytest.raises(NotConforming, match="not finite"),
        vizschema.create(path, profile="trace", container=container, resume=True),
    ):
        pass


def test_facts_that_depend_on_other_arrays_are_read_back(tmp_path: Path) -> None:
    mask = np.array([[True, True, False], [True, False, False]])
    x = np.where(mask[..., None], 1.5, np.nan) * np.arange(1, 5)

    def capture(path: Path, mask: Any) -> None:
        with vizschema.create(path, profile="trace", attributes=GIVEN, overwrite=True) as trace:
            trace.add("/activations/x", x, AXES, {"mask": "/inputs/mask"})
            trace.add("/inputs/mask", mask, ["sample", "token"])

    for path in (tmp_path / "a.zarr", tmp_path / "b.h5"):
        capture(path, mask)
        assert vizschema.validate(path).errors == ()
        with pytest.raises(NotConforming, match="not finite"):
            capture(path, np.ones((2, 3), bool))
        assert vizschema.validate(path).errors == ()  # the old one stays


def test_threads_add_different_paths_and_one_of_them_a_path(tmp_path: Path) -> None:
    refused: list[str] = []
    gate = threading.Barrier(8)

    def work(trace: vizschema.Trace, number: int) -> None:
        gate.wait()
        for layer in range(4):
            trace.add(f"/activations/tower_{number:02}/layer_{layer:02}", hidden(10 * number + layer).data, AXES)
        try:
            trace.add("/outputs/once", hidden(number).data, AXES)
        except UsageError as error:
            refused.append(error.reason)

    with vizschema.create(tmp_path / "a.zarr", profile="trace", attributes=GIVEN) as trace:
        workers = [threading.Thread(target=work, args=(trace, number)) for number in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert refused == ["exists already, and arrays cannot be changed"] * 7
    nodes = vizschema.describe(tmp_path / "a.zarr")["nodes"]
    assert sum(node["kind"] == "array" for node in nodes.values()) == 33
    assert vizschema.validate(tmp_path / "a.zarr").errors == ()


def test_an_interrupt_while_an_array_is_written_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.zarr"
    with vizschema.create(path, profile="trace", attributes=GIVEN) as trace:
        trace.add("/activations/layer_00", hidden().data, AXES)
        with monkeypatch.context() as patched:
            patched.setattr(PlannedArray, "part", raises(KeyboardInterrupt()))  # type: ignore[arg-type]
            with pytest.raises(KeyboardInterrupt):
                trace.add("/activations/layer_01", hidden().data, AXES)
        assert listing(path / "activations") == ["layer_00", "zarr.json"]
    assert vizschema.validate(path).errors == ()
