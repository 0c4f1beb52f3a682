"""Arrays that are written region by region, and arrays whose axes grow."""

from __future__ import annotations

import errno
import shutil
import threading
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support.traces import METADATA, STEPWISE, growing, hidden, listing, values

import vizschema
from vizschema import NotConforming, Slot, Trace, UsageError
from vizschema.writer import fit

GIVEN = {"/metadata": METADATA}
AXES = ["sample", "token", "hidden"]
MAPS = ["sample", "head", "token:query", "token:key"]
UNKNOWN = {"normalization": "none", "source": "unknown"}

container = pytest.mark.parametrize("container", STEPWISE)


def begin(path: Path, container: str, **options: Any) -> Any:
    return vizschema.create(path, profile="trace", container=container, attributes=GIVEN, **options)


def read(path: Path, node: str) -> Any:
    with vizschema.open(path) as archive:
        return np.asarray(archive[node][...])


@container
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_values_are_appended_along_an_axis(container: str, dtype: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    x = values(7, 5, 4).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    with begin(path, container) as trace:
        for start, end in ((0, 2), (2, 3), (3, 3), (3, 7)):
            trace.append("/activations/layer_00", x[start:end], "sample", AXES, {"module": "h.0"})
            trace.append("/activations/layer_01", x[start:end], "sample", AXES, chunks=[2, 3, 4])
    assert vizschema.validate(path).errors == ()
    for layer in range(2):
        found = read(path, f"/activations/layer_{layer:02}")
        assert (found.dtype, found.tobytes()) == (x.dtype, x.tobytes())
    assert vizschema.describe(path)["nodes"]["/activations/layer_00"]["attributes"] == {"module": "h.0"}
    assert listing(tmp_path) == [path.name]


@container
def test_two_axes_grow_at_once(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    whole = np.tril(values(1, 2, 11, 11))
    with begin(path, container) as trace:
        for start, end in ((0, 4), (4, 5), (5, 6), (6, 9), (9, 11)):
            rows = whole[:, :, start:end, :end]
            trace.append("/attention/layer_00", rows, ["token:query", "token:key"], MAPS, UNKNOWN, chunks=[1, 1, 4, 3])
            trace.append("/inputs/ids", np.arange(start, end), "token", ["token"])
    assert np.array_equal(read(path, "/attention/layer_00"), whole)
    assert vizschema.validate(path).errors == ()


def test_what_does_not_fit_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with begin(path, "zarr-v3") as trace:
        trace.append("/activations/x", values(2, 5, 4), "sample", AXES)
        for data, axis, words in (
            (values(2, 6, 4), "sample", "values that fit the shape .2, 5, 4. along all axes but sample"),
            (values(2, 5), "sample", "expected one axis name per dimension"),
            (values(2, 5, 4, dtype="f8"), "sample", "expected values of float32 to append, found float64"),
            (values(2, 5, 4), "batch", "expected an axis of the array to append along .sample, token, hidden."),
            (values(2, 3, 4), ["sample", "token"], "values that fit the shape"),
            (values(2, 5, 4), [], "an axis to append along"),
        ):
            with pytest.raises(UsageError, match=words):
                trace.append("/activations/x", data, axis, AXES)
        with pytest.raises(UsageError, match="expected an array to append to, found a group"):
            trace.append("/activations", values(2, 5, 4), "sample")
    assert read(path, "/activations/x").shape == (2, 5, 4)


def test_sizes_that_differ_at_the_end_are_refused_then(tmp_path: Path) -> None:
    def run() -> None:
        with begin(tmp_path / "a.zarr", "zarr-v3") as trace:
            trace.append("/activations/x", values(2, 5, 4), "sample", AXES)
            trace.append("/activations/y", values(3, 5, 4), "sample", AXES)

    with pytest.raises(NotConforming, match="axis-one-size"):
        run()


def test_values_that_were_appended_are_judged_at_the_end(tmp_path: Path) -> None:
    def run() -> None:
        with begin(tmp_path / "a.zarr", "zarr-v3") as trace:
            trace.append("/activations/x", values(2, 5, 4), "sample", AXES)
            trace.append("/activations/x", np.full((1, 5, 4), np.nan, "f4"), "sample")

    with pytest.raises(NotConforming, match="not finite"):
        run()


@container
def test_an_append_that_failed_leaves_the_array_as_it_was(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / STEPWISE[container]
    first, second = values(3, 5, 4), values(4, 5, 4, seed=1)

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with begin(path, container) as trace:
        trace.append("/activations/x", first, "sample", AXES, chunks=[2, 5, 4])
        with monkeypatch.context() as patched:
            patched.setattr("vizschema.writer.growing.replace_document", fail)
            with pytest.raises(OSError, match="No space"):
                trace.append("/activations/x", second, "sample")
        assert np.array_equal(read(growing(path), "/activations/x"), first)
        shutil.copytree(growing(path), tmp_path / "copy.zarr")
    assert np.array_equal(read(path, "/activations/x"), first)
    report = vizschema.validate(path)
    assert {finding.rule for finding in report.findings} <= {"recommended-metadata"}
    # As a kill leaves it: chunks beyond the size.
    copy = tmp_path / "copy.zarr"
    of_zarr = "zarr-v2" if container == "zarr-v2" else "zarr-v3"
    with vizschema.create(copy, profile="trace", container=of_zarr, resume=True) as trace:
        trace.append("/activations/x", second, "sample")
    assert np.array_equal(read(copy, "/activations/x"), np.concatenate([first, second]))
    assert vizschema.validate(copy).errors == ()


@container
def test_a_complete_archive_grows(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    x = values(5, 5, 4)
    vizschema.write(path, {"/activations/x": vizschema.Array(x[:2], AXES)}, GIVEN, profile="trace", container=container)
    with vizschema.create(path, profile="trace", container=container, extend=True) as trace:
        trace.append("/activations/x", x[2:], "sample")
    assert np.array_equal(read(path, "/activations/x"), x)
    assert vizschema.validate(path).errors == ()


@container
def test_regions_come_in_any_order_from_several_threads(container: str, tmp_path: Path) -> None:
    path = tmp_path / STEPWISE[container]
    x = values(16, 6, 4)

    def work(slot: Slot, start: int) -> None:
        slot[start : start + 2, :3] = x[start : start + 2, :3]
        slot[start : start + 2, 3:] = x[start : start + 2, 3:]

    with begin(path, container) as trace:
        slot = trace.reserve("/activations/x", x.shape, "float32", AXES, chunks=[3, 6, 4])
        workers = [threading.Thread(target=work, args=(slot, start)) for start in reversed(range(0, 16, 2))]
        for worker in workers:
            worker.start()
        assert "/activations/y" not in trace
        for worker in workers:
            worker.join()
        assert "/activations/x" in trace
    assert np.array_equal(read(path, "/activations/x"), x)
    assert vizschema.validate(path).errors == ()


def test_a_region_is_written_once_and_every_one_of_them(tmp_path: Path) -> None:
    def run(trace: Trace) -> Slot:
        slot = trace.reserve("/activations/x", (4, 5, 4), "float32", AXES)
        slot[:2] = values(2, 5, 4)
        with pytest.raises(UsageError, match="regions that do not overlap"):
            slot[1:3] = values(2, 5, 4)
        with pytest.raises(UsageError, match="a slice without step"):
            slot[::2] = values(2, 5, 4)
        with pytest.raises(UsageError, match=r"float32 of the shape .1, 5, 4. for the region, found float64"):
            slot[2:3] = values(1, 5, 4, dtype="f8")
        with pytest.raises(UsageError, match="exists already"):
            trace.add("/activations/x", values(4, 5, 4), AXES)
        return slot

    path = tmp_path / "a.zarr"
    with begin(path, "zarr-v3") as trace:
        slot = run(trace)
        slot[2:, ...] = values(2, 5, 4)
        with pytest.raises(UsageError, match="is whole"):
            slot[:1] = values(1, 5, 4)
    with (
        pytest.raises(UsageError, match=r"expected 80 values, found 40; or call"),
        begin(tmp_path / "b.zarr", "zarr-v3") as trace,
    ):
        run(trace)
    assert "/activations" not in vizschema.describe(tmp_path / "b.zarr")["nodes"]
    with begin(tmp_path / "b.zarr", "zarr-v3", resume=True) as trace:
        run(trace).discard()
        trace.add("/activations/x", hidden().data, AXES)
    assert read(tmp_path / "b.zarr", "/activations/x").shape == (2, 5, 4)


def test_a_slot_whose_values_do_not_conform_is_discarded(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    with begin(path, "zarr-v3") as trace:
        slot = trace.reserve("/activations/x", (2, 5, 4), "float32", AXES)
        slot[:1] = values(1, 5, 4)
        with pytest.raises(NotConforming, match="not finite"):
            slot[1:] = np.full((1, 5, 4), np.inf, "f4")
        trace.add("/activations/x", hidden().data, AXES)
    assert vizschema.validate(path).errors == ()


@pytest.mark.parametrize("container", ["npz", "asdf", "zarr-v3-zip"])
def test_other_containers_refuse_to_grow(container: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=f"{container} cannot be written array by array"),
        vizschema.create(tmp_path / "a", profile="trace", container=container, extend=True),
    ):
        pass


def test_an_append_takes_as_many_steps_however_many_arrays_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    plain = fit.axis_key
    monkeypatch.setattr(fit, "axis_key", lambda *given: calls.append(given[1]) or plain(*given))
    rows = values(1, 5, 4)
    counts = []
    with begin(tmp_path / "x.zarr", "zarr-v3") as trace:
        for number in range(12):
            calls.clear()
            trace.append(f"/activations/x{number}", rows, "sample", AXES)
            trace.append(f"/activations/x{number}", rows, "sample")
            counts.append(len(calls))
    assert len(set(counts[1:])) == 1


def test_an_axis_that_grows_is_not_judged_before_the_end_whatever_is_labelled_later(tmp_path: Path) -> None:
    rows = values(2, 5, 4)
    with begin(tmp_path / "x.zarr", "zarr-v3") as trace:
        trace.annotate("/activations", note="n")
        trace.append("/activations/x", rows, "sample", AXES)
        trace.annotate("/activations", scope_sample="a")
        trace.append("/activations/x", rows, "sample")
        trace.add("/activations/y", values(6, 5, 4), AXES)
        trace.append("/activations/x", rows, "sample")
    assert vizschema.validate(tmp_path / "x.zarr").errors == ()
