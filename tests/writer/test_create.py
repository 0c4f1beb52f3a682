"""`vizschema.create`: array by array, refused one by one, and never complete unless the whole conforms."""

from __future__ import annotations

import importlib
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import METADATA, arrays, attributes, growing, hidden, listing, values
from support.traces import STEPWISE as CONTAINERS

import vizschema
from vizschema import Array, NotConforming, SpecError, Trace, UsageError

MAPS = ["head", "t:query", "t:key"]
UNKNOWN = {"normalization": "none", "source": "unknown"}

container = pytest.mark.parametrize("container", CONTAINERS)


def begin(folder: Path, container: str = "zarr-v3", **options: Any) -> AbstractContextManager[Trace]:
    given = {"profile": "trace", "attributes": {"/metadata": METADATA}, "container": container, **options}
    return vizschema.create(folder / CONTAINERS[container], **given)


def add(trace: Trace, path: str, item: Array) -> None:
    trace.add(path, item.data, item.axes, item.attributes, chunks=item.chunks, shards=item.shards)


def attributes_of(path: Path, node: str = "/") -> Mapping[str, Any]:
    found: Mapping[str, Any] = vizschema.describe(path)["nodes"][node]["attributes"]
    return found


@container
def test_a_trace_written_array_by_array_is_the_one_written_at_once(container: str, tmp_path: Path) -> None:
    given = {**attributes(), "/": {"created_at": "2026-11-21T09:00:00Z"}}
    with begin(tmp_path, container, attributes=given) as trace:
        for path, item in arrays().items():
            add(trace, path, item)
    path = tmp_path / CONTAINERS[container]
    piecewise = vizschema.describe(path)
    assert piecewise["nodes"]["/"]["attributes"].pop("complete") is True
    vizschema.write(path, arrays(), given, profile="trace", container=container, overwrite=True)
    assert piecewise == vizschema.describe(path)
    assert vizschema.validate(path).errors == ()


@container
def test_until_the_end_the_archive_says_that_it_is_not_complete(container: str, tmp_path: Path) -> None:
    path = tmp_path / CONTAINERS[container]
    with begin(tmp_path, container) as trace:
        add(trace, "/activations/layer_00", hidden())
        shutil.copytree(growing(path), tmp_path / "copy")
    assert {finding.rule for finding in vizschema.validate(tmp_path / "copy").errors} == {"capture-complete"}
    assert attributes_of(tmp_path / "copy")["complete"] is False
    assert attributes_of(path)["complete"] is True


KILLED = """
import os, signal, sys
import h5py
import numpy as np
import vizschema
given = {"/metadata": {"model_name": "a", "model_version": "1"}}
with vizschema.create(sys.argv[1], profile="trace", container=sys.argv[2], attributes=given) as trace:
    for layer in range(3):
        trace.add(f"/activations/layer_{layer:02}", np.full((2, 4), layer, "float32"), ["token", "hidden"])
    trace.annotate("/activations", num_layers=6)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@container
def test_a_killed_writer_leaves_what_it_added_under_complete_false(container: str, tmp_path: Path) -> None:
    path = tmp_path / CONTAINERS[container]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path), container], check=False)
    assert killed.returncode == -signal.SIGKILL
    report = vizschema.validate(growing(path))
    assert {finding.rule for finding in report.errors} == {"capture-complete", "series-gap"}
    with vizschema.open(growing(path)) as archive:
        for layer in range(3):
            read = archive[f"/activations/layer_{layer:02}"]
            assert np.array_equal(read[...], np.full((2, 4), layer, "float32"))
            assert read.axes == ("token", "hidden")
        assert archive["/activations"].attributes["num_layers"] == 6


@container
def test_an_exception_of_the_model_leaves_what_was_added(container: str, tmp_path: Path) -> None:
    def run() -> None:
        with begin(tmp_path, container) as trace:
            add(trace, "/activations/layer_00", hidden())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()
    path = growing(tmp_path / CONTAINERS[container])
    assert attributes_of(path)["complete"] is False
    with vizschema.open(path) as archive:
        assert np.array_equal(archive["/activations/layer_00"][...], hidden().data)


@container
def test_a_whole_that_does_not_conform_stays_incomplete(container: str, tmp_path: Path) -> None:
    def run() -> None:
        with begin(tmp_path, container) as trace:
            trace.annotate("/activations", num_layers=3)
            add(trace, "/activations/layer_00", hidden())

    with pytest.raises(NotConforming, match="is not complete: 1 error by trace") as refused:
        run()
    assert {finding.rule for finding in refused.value.report.errors} == {"series-gap"}
    assert attributes_of(growing(tmp_path / CONTAINERS[container]))["complete"] is False


@pytest.mark.parametrize(
    ("path", "item", "rule"),
    [
        ("/activations/layer_01", hidden(tokens=6), "axis-one-size"),
        ("/activations/layer_1", hidden(), "index-width"),
        ("/activations/layer_05", hidden(), "series-undeclared"),
        ("/recycle/recycle_01", Array(values(4), ["unit"]), "series-kind"),
        ("/Activations/layer_01", hidden(), "node-name"),
        ("/activations/other", Array(np.array(["text"]), ["one"]), "portable-dtype"),
        ("/activations/other", Array(values(2), ["Bad Name"]), "axis-name"),
        ("/activations/other", Array(values(3), ["declared"]), "axis-one-size"),
        ("/attention/self/layer_00", Array(values(2, 3, 3), MAPS, {"normalization": "none"}), "attention-source"),
        ("/attention/self/layer_00", Array(values(2, 3, 3), MAPS, UNKNOWN, [2, 3, 3]), "chunk-one-head"),
        ("/metadata/more", Array(values(3), ["three"]), "metadata-attributes-only"),
        ("/activations/other", Array(values(3), ["three"], {"odd": float("nan")}), "portable-attribute"),
    ],
)  # fmt: skip
def test_an_array_that_can_never_conform_is_refused_at_once(path: str, item: Array, rule: str, tmp_path: Path) -> None:
    with begin(tmp_path, attributes={"/metadata": {**METADATA, "size_declared": 2}}) as trace:
        trace.annotate("/activations", num_layers=4, partial=True)
        add(trace, "/activations/layer_00", hidden())
        add(trace, "/recycle/recycle_00/state", Array(values(4), ["unit"]))
        before = vizschema.describe(tmp_path / "trace.zarr")
        with pytest.raises(NotConforming, match=f"^{path}: was not written: 1 error") as refused:
            add(trace, path, item)
        assert {finding.rule for finding in refused.value.report.errors} == {rule}
        assert vizschema.describe(tmp_path / "trace.zarr") == before
    assert attributes_of(tmp_path / "trace.zarr")["complete"] is True


@pytest.mark.parametrize(
    ("path", "given", "rule"),
    [
        ("/activations", {"num_layers": "many"}, "count-attribute"),
        ("/activations", {"partial": 1}, "partial-attribute"),
        ("/metadata", {"model_name": ""}, "model-identity"),
        ("/metadata", {"size_token": 7}, "axis-one-size"),
        ("/", {"created_at": "yesterday"}, "creation-time"),
        ("/extra", {"odd": float("inf")}, "portable-attribute"),
    ],
)
def test_an_attribute_that_does_not_conform_is_refused_at_once(
    path: str, given: dict[str, Any], rule: str, tmp_path: Path
) -> None:
    with begin(tmp_path) as trace:
        add(trace, "/activations/layer_00", hidden())
        before = vizschema.describe(tmp_path / "trace.zarr")
        with pytest.raises(NotConforming) as refused:
            trace.annotate(path, given)
        assert {finding.rule for finding in refused.value.report.errors} == {rule}
        assert vizschema.describe(tmp_path / "trace.zarr") == before


@container
def test_annotating_adds_to_what_a_group_says(container: str, tmp_path: Path) -> None:
    with begin(tmp_path, container) as trace:
        trace.annotate("/metadata", seed=3)
        trace.annotate("/metadata", {"seed": 4, "task": "test"})
        add(trace, "/outputs/logits", hidden())
        trace.annotate("outputs", note="late")
    path = tmp_path / CONTAINERS[container]
    assert attributes_of(path, "/metadata") == {**METADATA, "seed": 4, "task": "test"}
    assert attributes_of(path, "/outputs") == {"note": "late"}


@container
def test_an_array_is_judged_by_the_scope_that_it_is_added_to(container: str, tmp_path: Path) -> None:
    with begin(tmp_path, container) as trace:
        for step in range(3):
            group = f"/activations/step_{step:02}"
            trace.annotate(group, num_layers=2, scope_token=f"step_{step:02}")
            for layer in range(2):
                trace.add(f"{group}/layer_{layer:02}", values(5 + step, 8), ["token", "hidden"])
        with pytest.raises(NotConforming, match=r"token@step_01 of size 6 .as in /activations/step_01"):
            trace.add("/outputs/loss", values(5), ["token"], {"scope_token": "step_01"})
        with pytest.raises(NotConforming, match="axis-one-size"):
            trace.annotate("/activations/step_02", size_token=5)
        with pytest.raises(NotConforming, match="scope-attribute"):
            trace.add("/outputs/loss", values(5), ["token"], {"scope_head": "step_01"})
        with pytest.raises(NotConforming, match="scope-attribute"):
            trace.annotate("/outputs", scope_token="Step 1")
        trace.annotate("/activations", num_steps=3)
    assert vizschema.validate(tmp_path / CONTAINERS[container]).errors == ()


def test_a_label_that_comes_later_changes_the_scope_of_what_is_there(tmp_path: Path) -> None:
    with begin(tmp_path) as trace:
        for name in ("one", "two"):
            trace.add(f"/activations/a/{name}", values(5, 8), ["token", "hidden"])
        trace.annotate("/activations/a", scope_token="a")
        for name in ("one", "two"):
            trace.add(f"/activations/b/{name}", values(6, 8), ["token", "hidden"])
        with pytest.raises(NotConforming, match="token of size 6"):
            trace.add("/activations/c", values(5, 8), ["token", "hidden"])
    assert vizschema.validate(tmp_path / CONTAINERS["zarr-v3"]).errors == ()


def test_calls_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with begin(tmp_path) as trace:
        add(trace, "/outputs/logits", hidden())
        with pytest.raises(UsageError, match="/outputs/logits: exists already, and arrays cannot"):
            add(trace, "/outputs/logits", hidden())
        with pytest.raises(UsageError, match="/outputs/logits: expected a group, found an array"):
            add(trace, "/outputs/logits/deeper", hidden())
        with pytest.raises(UsageError, match="pass its attributes to add"):
            trace.annotate("/outputs/logits", unit="nat")
        with pytest.raises(UsageError, match="/: the attribute complete is set by create itself"):
            trace.annotate("/", complete=True)
    with pytest.raises(UsageError, match="is closed; add and annotate inside the with block"):
        add(trace, "/outputs/other", hidden())


@container
def test_an_existing_target_is_not_overwritten_unless_asked(container: str, tmp_path: Path) -> None:
    for overwrite in (False, True):
        with begin(tmp_path, container, overwrite=overwrite) as trace:
            add(trace, "/outputs/logits", hidden())
        with pytest.raises(UsageError, match="exists already"), begin(tmp_path, container):
            pass
    assert listing(tmp_path) == [CONTAINERS[container]]


def test_what_is_refused_at_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(NotConforming), begin(tmp_path, attributes={"/metadata": {"model_name": ""}}):
        pass
    with pytest.raises(SpecError), begin(tmp_path, profile="nothing"):
        pass
    with pytest.raises(UsageError), begin(tmp_path, attributes={"/metadata": {"a": object()}}):
        pass
    assert listing(tmp_path) == []


def test_the_memory_of_a_trace_is_that_of_one_array(tmp_path: Path) -> None:
    size = 4 << 20
    tracemalloc.start()
    try:
        with begin(tmp_path) as trace:
            for layer in range(12):
                trace.add(f"/activations/layer_{layer:02}", values(size // 8, dtype=np.float64, seed=layer), ["unit"])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * size


def test_the_thousandth_array_is_judged_beside_a_few_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("vizschema.writer.fit")
    judged = vars(module)["report_of"]
    sizes = []
    monkeypatch.setattr(
        module,
        "report_of",
        lambda description, *a, **k: sizes.append(len(description["nodes"])) or judged(description, *a, **k),
    )
    with begin(tmp_path, "hdf5") as trace:
        for layer in range(50):
            add(trace, f"/activations/layer_{layer:02}", hidden(layer))
        assert max(sizes) < 10


@pytest.mark.parametrize("container", ["npz", "asdf", "zarr-v3-zip"])
def test_a_container_that_is_written_at_once_cannot_be_captured(container: str, tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match=f"{container} cannot be written array by array.*zarr-v3-sharded, hdf5"),
        vizschema.create(tmp_path / "a", profile="trace", container=container),
    ):
        pass
    assert listing(tmp_path) == []


class TestResume:
    """`resume=True` goes on with what a writer left that did not get to its end."""

    def interrupted(self, folder: Path, container: str) -> Path:
        """An archive of two layers of three, whose writer was interrupted."""
        with suppress(ZeroDivisionError), begin(folder, container) as trace:
            trace.annotate("/activations", num_layers=3)
            for number in range(2):
                add(trace, f"/activations/layer_{number:02}", hidden(number))
            raise ZeroDivisionError
        return growing(folder / CONTAINERS[container])

    @container
    def test_what_is_there_stays_and_the_rest_is_added(self, container: str, tmp_path: Path) -> None:
        path = self.interrupted(tmp_path, container)
        created = attributes_of(path)["created_at"]
        added = []
        with begin(tmp_path, container, resume=True, attributes={"/metadata": {"seed": 3}}) as trace:
            for number in range(3):
                if f"activations/layer_{number:02}" not in trace:
                    add(trace, f"/activations/layer_{number:02}", hidden(number))
                    added.append(number)
        assert added == [2]
        path = tmp_path / CONTAINERS[container]
        assert vizschema.validate(path).errors == ()
        assert attributes_of(path)["created_at"] == created
        assert attributes_of(path, "/metadata") == {**METADATA, "seed": 3}
        with vizschema.open(path) as archive:
            for number in range(3):
                assert np.array_equal(archive[f"/activations/layer_{number:02}"][...], hidden(number).data)

    @container
    def test_what_is_added_is_judged_beside_what_is_there(self, container: str, tmp_path: Path) -> None:
        self.interrupted(tmp_path, container)
        with begin(tmp_path, container, resume=True) as trace:
            with pytest.raises(UsageError, match="exists already, and arrays cannot"):
                add(trace, "/activations/layer_00", hidden())
            with pytest.raises(NotConforming, match="axis-one-size"):
                add(trace, "/activations/layer_02", hidden(tokens=7))
            add(trace, "/activations/layer_02", hidden(2))

    @container
    def test_where_nothing_is_there_it_begins(self, container: str, tmp_path: Path) -> None:
        path = tmp_path / CONTAINERS[container]
        if path.suffix == ".zarr":
            path.mkdir()  # as a writer leaves it that was killed at once
        with begin(tmp_path, container, resume=True) as trace:
            add(trace, "/outputs/logits", hidden())
        assert vizschema.validate(path).errors == ()

    @pytest.mark.parametrize("container", ["zarr-v2", "zarr-v3"])
    def test_what_an_interrupted_write_left_is_removed(self, container: str, tmp_path: Path) -> None:
        path = self.interrupted(tmp_path, container)
        (path / "attention/self/layer_00/c").mkdir(parents=True)
        (path / "attention/zarr.0a1b.partial").write_bytes(b"{")
        chunks = (file for file in (path / "activations/layer_01").rglob("*") if file.name in ("0", "0.0.0"))
        next(file for file in chunks if file.is_file()).unlink()
        with begin(tmp_path, container, resume=True) as trace:
            assert "/activations/layer_00" in trace
            assert "/activations/layer_01" not in trace
            for number in (1, 2):
                add(trace, f"/activations/layer_{number:02}", hidden(number))
        report = vizschema.validate(path)
        assert report.errors == ()
        assert "stray-file" not in {finding.rule for finding in report.findings}
        assert not (path / "attention").exists()

    def test_a_damaged_chunk_takes_its_array_with_it(self, tmp_path: Path) -> None:
        chunk = self.interrupted(tmp_path, "hdf5") / "activations/layer_01/c/0/0/0"
        chunk.write_bytes(bytes(chunk.stat().st_size))
        path = tmp_path / CONTAINERS["hdf5"]
        with begin(tmp_path, "hdf5", resume=True) as trace:
            assert "/activations/layer_00" in trace
            assert "/activations/layer_01" not in trace
            for number in (1, 2):
                add(trace, f"/activations/layer_{number:02}", hidden(number))
        assert vizschema.validate(path).errors == ()

    def test_what_cannot_be_gone_on_with_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = self.interrupted(tmp_path, "zarr-v3")
        with (
            pytest.raises(UsageError, match="expected either resume or overwrite"),
            begin(tmp_path, resume=True, overwrite=True),
        ):
            pass
        with (
            pytest.raises(UsageError, match="expected zarr-v2 to resume, found zarr 3 directory"),
            begin(tmp_path, "zarr-v2", resume=True),
        ):
            pass
        with (
            pytest.raises(UsageError, match="expected the attribute profile to be 'mnist'"),
            begin(tmp_path, profile="mnist", resume=True),
        ):
            pass
        with (
            pytest.raises(NotConforming, match="count-attribute"),
            begin(tmp_path, resume=True, attributes={"/activations": {"num_layers": "many"}}),
        ):
            pass
        (path / "activations/layer_00/zarr.json").write_bytes(b"{")
        with (
            pytest.raises(UsageError, match="/activations/layer_00 was not written by `create`"),
            begin(tmp_path, resume=True),
        ):
            pass
        assert (path / "activations/layer_01/zarr.json").is_file()
        with begin(tmp_path, "hdf5") as trace:
            add(trace, "/outputs/logits", hidden())
        with (
            pytest.raises(UsageError, match="cannot resume: the archive is complete; add to it with extend=True"),
            begin(tmp_path, "hdf5", resume=True),
        ):
            pass


class Shrinks:
    """Something that gives less than it says."""

    shape, dtype = (4, 8), np.dtype("float32")

    def __getitem__(self, key: Any) -> Any:
        return np.ones((4, 8), "float32")[key][:1, :1]


class Widens(Shrinks):
    """Something that gives other numbers than it says."""

    def __getitem__(self, key: Any) -> Any:
        return np.ones((4, 8), "complex128")[key]


LOOP: list[Any] = []
LOOP.append(LOOP)

MISUSES = {
    "shape": (lambda trace: trace.add("/extra/x", Shrinks(), ["a", "b"]), r"shape \(4, 8\) for a region, .* \(1, 1\)"),
    "dtype": (lambda trace: trace.add("/extra/x", Widens(), ["a", "b"]), "values of float32, .* found complex128"),
    "path": (lambda trace: trace.add(3, np.ones(2), ["a"]), "a text like /outputs/logits, found 3"),
    "chunks": (lambda trace: trace.add("/extra/x", np.ones(2), ["a"], chunks=[1.5]), r"in integers, found \[1.5\]"),
    "reserve": (lambda trace: trace.reserve("/extra/x", (2.5,), "f4", ["a"]), r"in integers, found \(2.5,\)"),
    "named": (lambda trace: trace.reserve("/extra/x", (2,), "nope", ["a"]), "expected one of bool.* found 'nope'"),
    "loop": (lambda trace: trace.annotate("/extra", x=LOOP), "at most 16 levels of nesting"),
    "surrogate": (lambda trace: trace.annotate("/extra", x="\ud800"), r"UTF-8 can store, .*\\ud800"),
    "key": (lambda trace: trace.annotate("/extra", x={"\ud800": 1}), r"UTF-8 can store, .*\\ud800"),
    "control": (lambda trace: trace.add("/extra/\x1b[2J", np.ones(2), ["b"]), r"/extra/\\u001b\[2J: "),
}


@container
@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_refused_in_words_and_the_archive_goes_on(name: str, container: str, tmp_path: Path) -> None:
    call, words = MISUSES[name]
    path = tmp_path / CONTAINERS[container]
    with begin(tmp_path, container) as trace:
        with pytest.raises((UsageError, NotConforming), match=words) as caught:
            call(trace)
        str(caught.value).encode()
        assert "\x1b" not in str(caught.value)
        assert "/extra/x" not in trace
        trace.add("/activations/y", values(2, 3, 4), ["sample", "token", "hidden"])
    assert vizschema.validate(path).errors == ()
    assert listing(tmp_path) == [path.name]
