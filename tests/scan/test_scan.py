"""Scanning: facts whatever the threads, memory that holds, damage that does not stop it, interrupts, partners."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import google_crc32c
import numpy as np
import pytest
import zarr
from support import traces

import vizschema
from vizschema import Array
from vizschema.bounds import Bounds, Reading
from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.containers.base import Limits
from vizschema.containers.opening import open_container
from vizschema.containers.values import Block, ChunkDamaged, Piece
from vizschema.rules.verdict import choose, report_of
from vizschema.scan.array import facts_of_unread
from vizschema.scan.coverage import Scanned, describe_scanned
from vizschema.scan.threads import scan
from vizschema.worker.client import Session
from vizschema.worker.process import WorkerDied

NPZ = {"format": "npz", "version": None}
ENTRIES = [
    {"at": "^/", "measure": ["non_finite", "range", "constant", "row_sum"]},
    {"at": "^/", "measure": ["duplicate_slices"], "along": "^head$"},
]


def scanned(path: Path | str, entries: Any = ENTRIES, reading: Reading = Reading(2), **more: Any) -> Scanned:  # noqa: B008
    description = vizschema.describe(path)
    with closing(open_container(str(path))) as container:
        return scan(container, description, entries, reading, **more)


def softmax(*shape: int, seed: int = 0) -> Any:
    values = np.exp(np.random.default_rng(seed).normal(size=shape) * 3)
    return (values / values.sum(axis=-1, keepdims=True)).astype(np.float32)


def archive(path: Path, **options: Any) -> Path:
    arrays = {
        "/attention/self/layer_00": Array(
            softmax(2, 4, 40, 40),
            ["sample", "head", "token:query", "token:key"],
            {"normalization": "softmax", "source": "captured"},
            **options,
        ),
        "/activations/layer_00": Array(
            np.random.default_rng(1).normal(size=(2, 40, 64)).astype(np.float16), ["sample", "token", "hidden"]
        ),
    }
    attributes = {
        "/metadata": traces.METADATA,
        "/attention/self": {"num_layers": 1},
        "/activations": {"num_layers": 1},
    }
    vizschema.write(path, arrays, attributes, profile="trace")
    return path


def chunks_of(path: Path, array: str = "attention/self/layer_00") -> list[Path]:
    return sorted(file for file in (path / array / "c").rglob("*") if file.is_file())


def test_the_result_does_not_depend_on_threads_or_memory(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 16, 13])
    results = {
        json.dumps(scanned(path, reading=Reading(jobs, Bounds(memory))), sort_keys=True)
        for jobs in (1, 2, 7)
        for memory in (1 << 14, 192 << 20)
    }
    assert len(results) == 1


def test_the_facts_are_those_of_numpy(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 16, 13])
    facts = scanned(path).facts["/attention/self/layer_00"]
    values = softmax(2, 4, 40, 40)
    assert facts["minimum"] == values.min()
    assert facts["maximum"] == values.max()
    assert facts["row_sum_minimum"] == pytest.approx(values.astype(np.float64).sum(-1).min(), abs=1e-6)
    assert facts["non_finite"] == facts["duplicate_slices"] == facts["absent_chunks"] == 0
    assert facts["damaged_chunks"] == []


def test_coverage_counts_chunks_and_bytes(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 40, 40])
    found = scanned(path)
    total = 2 * 4 * 40 * 40 * 4 + 2 * 40 * 64 * 2
    description = vizschema.describe(path)
    chunks = sum(node["storage"]["chunk_count"] for node in description["nodes"].values() if node["kind"] == "array")
    assert found.coverage == {"chunks_read": chunks, "chunks": chunks, "bytes_read": total, "bytes": total}
    assert describe_scanned(description, found)["values"] == "read"


def test_damage_does_not_stop_the_scan(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 40, 40])
    first, second, *_ = chunks_of(path)
    first.write_bytes(first.read_bytes()[:-3])
    second.unlink()
    found = scanned(path)
    facts = found.facts["/attention/self/layer_00"]
    (problem,) = facts["damaged_chunks"]
    assert (problem["key"], problem["reason"]) == ("c/0/0/0/0", "truncated")
    assert facts["absent_chunks"] == 1
    assert facts["absent_keys"] == ["c/0/1/0/0"]
    assert facts["minimum"] == 0
    assert facts["constant"] is False
    assert found.coverage["chunks_read"] == found.coverage["chunks"] - 1
    assert found.coverage["bytes_read"] == found.coverage["bytes"] - 40 * 40 * 4


def test_one_value_beside_a_damaged_chunk_is_in_the_facts_and_is_not_called_constant(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("x", shape=(4, 8), chunks=(2, 8), dtype="f4")[:] = 0.5
    second = tmp_path / "a.zarr" / "x" / "c" / "1" / "0"
    second.write_bytes(second.read_bytes()[:-3])
    facts = scanned(tmp_path / "a.zarr").facts["/x"]
    assert (facts["minimum"], facts["maximum"], facts["constant"]) == (0.5, 0.5, False)
    assert [damage["key"] for damage in facts["damaged_chunks"]] == ["c/1/0"]


@pytest.mark.parametrize("jobs", [1, 4])
def test_chunks_that_were_never_written_are_named_and_shards_once(tmp_path: Path, jobs: int) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    group.create_array("plain", shape=(40, 8), chunks=(1, 8), dtype="f4")[20:] = 1
    group.create_array("sharded", shape=(16, 8), chunks=(1, 8), shards=(4, 8), dtype="f4")[5:10] = 1
    facts = scanned(tmp_path / "a.zarr", reading=Reading(jobs)).facts
    assert (facts["/plain"]["absent_chunks"], facts["/sharded"]["absent_chunks"]) == (20, 11)
    assert facts["/plain"]["absent_keys"] == [f"c/{row}/0" for row in range(16)]
    assert facts["/sharded"]["absent_keys"] == [f"c/{row}/0" for row in range(4)]


def test_only_the_first_sixteen_damaged_chunks_are_told_in_storage_order(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 10, 10])
    for file in chunks_of(path):
        file.write_bytes(b"")
    problems = scanned(path, reading=Reading(7)).facts["/attention/self/layer_00"]["damaged_chunks"]
    expected = [f"c/0/0/{row}/{column}" for row in range(4) for column in range(4)]
    assert [problem["key"] for problem in problems] == expected


def test_a_chunk_over_the_bound_is_not_read_and_says_how_to_raise_it(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 40, 40])
    found = scanned(path, reading=Reading(2, Bounds(6399)))
    problems = found.facts["/attention/self/layer_00"]["damaged_chunks"]
    assert [problem["reason"] for problem in problems] == ["over-limit"] * 8
    assert "6400 bytes to decode at once, and the bound is 6399: raise it (--memory 1M)" in problems[0]["detail"]
    assert found.coverage["chunks_read"] == 0
    assert main(["validate", "--trust", "--memory", "4K", str(path)]) == 1


def test_arrays_without_values_have_facts_too(tmp_path: Path) -> None:
    vizschema.write(
        tmp_path / "a.zarr",
        {**traces.arrays()},
        traces.attributes(),
        profile="trace",
    )
    facts = scanned(tmp_path / "a.zarr").facts["/extra/empty"]
    assert facts["minimum"] is facts["row_sum_minimum"] is None
    assert facts["absent_chunks"] == facts["non_finite"] == 0


@pytest.mark.parametrize("profile", ["trace", "mnist", "openfold"])
def test_an_array_that_no_worker_could_read_has_the_facts_of_one_whose_chunks_are_all_damaged(
    profile: str, tmp_path: Path
) -> None:
    path = tmp_path / "trace.zarr"
    write_example(profile, path)
    for chunk in path.glob("**/c/**/*"):
        if chunk.is_file():
            os.truncate(chunk, 0)
    description = vizschema.describe(path)
    entries = choose(description, profile=profile).profile.facts
    found = scanned(path, entries).facts
    damaged = {array: facts for array, facts in found.items() if facts["damaged_chunks"]}
    assert any("minimum" in facts for facts in damaged.values())
    for array, facts in damaged.items():
        damage = [{"key": array, "reason": "over-limit", "detail": "it takes too long"}]
        lost = facts_of_unread(description, array, entries, "over-limit", "it takes too long")
        assert lost == facts | {"damaged_chunks": damage}


def test_partners_are_compared_and_a_missing_or_damaged_one_gives_null(tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(6, 10)).astype(np.float32)
    predictions = logits.argmax(-1)
    predictions[2] = (predictions[2] + 1) % 10
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        group = zarr.open_group("a.zarr", mode="w", zarr_format=3)
        for name, values in (("logits", logits), ("predictions", predictions), ("labels", np.arange(6) * 3)):
            group.create_array(
                f"outputs/{name}",
                data=values,
                dimension_names=["sample", "class"][: values.ndim],
                chunks=(2,) * values.ndim,
            )
    entries = [
        {"at": "predictions", "measure": ["argmax_differs"], "with": "/outputs/logits"},
        {"at": "labels", "measure": ["beyond_axis"], "axis": "class"},
        {"at": "labels", "measure": ["argmax_differs"], "with": "/outputs/nothing"},
    ]
    facts = scanned(tmp_path / "a.zarr", entries).facts
    assert facts["/outputs/predictions"]["argmax_differs"] == 1
    assert facts["/outputs/labels"]["beyond_axis"] == 2
    assert facts["/outputs/labels"]["argmax_differs"] is None
    next((tmp_path / "a.zarr" / "outputs" / "logits" / "c").rglob("0")).joinpath("0").write_bytes(b"x")
    assert scanned(tmp_path / "a.zarr", entries).facts["/outputs/predictions"]["argmax_differs"] is None
    assert (
        scanned(tmp_path / "a.zarr", entries, Reading(1, Bounds(128))).facts["/outputs/predictions"]["argmax_differs"]
        is None
    )


def test_numbers_past_an_axis_are_those_past_its_size_in_the_scope_of_their_array(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    for name, size in (("few", 3), ("many", 5)):
        group = root.create_group(name, attributes={"scope_token": name})
        group.create_array("hidden", data=np.zeros(size), dimension_names=["token"])
        group.create_array("start", data=np.arange(6), dimension_names=["edge"])
    root.create_array("start", data=np.arange(6), dimension_names=["edge"])
    entries = [{"at": "start$", "measure": ["beyond_axis"], "axis": "token"}]
    facts = scanned(tmp_path / "a.zarr", entries).facts
    beyond = {path: facts[path]["beyond_axis"] for path in ("/few/start", "/many/start", "/start")}
    assert beyond == {"/few/start": 3, "/many/start": 1, "/start": None}


class _Endless:
    """Values whose pieces never end."""

    shape = (1 << 40,)
    dtype = np.dtype(np.float32)

    def pieces(self) -> Iterator[Piece]:
        for index in range(1 << 40):
            yield Piece(index, str(index), 4, 1)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        yield ChunkDamaged("truncated", "nothing here", piece.key)


class _Holding:
    """A container of one array."""

    def __init__(self, values: Any) -> None:
        self._values = values

    def values(self, _: str) -> Any:
        return self._values


def test_an_array_of_nothing_but_damage_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizschema.scan.threads._DAMAGED", 1000)
    node = {"kind": "array", "dtype": "float32", "shape": [1 << 40], "bytes": 1 << 42, "axes": None, "storage": None}
    description = {"nodes": {"/x": node}, "axes": {}, "container": NPZ}
    found = scan(_Holding(_Endless()), description, ENTRIES)  # type: ignore[arg-type]
    facts = found.facts["/x"]
    assert len(facts["damaged_chunks"]) == 16
    assert found.coverage["chunks_read"] == 0
    monkeypatch.setattr("vizschema.scan.threads._DAMAGED", 1 << 40)
    monkeypatch.setattr("vizschema.scan.threads._PIECES", 100)
    assert scan(_Holding(_Endless()), description, ENTRIES).coverage["chunks_read"] == 0  # type: ignore[arg-type]


def test_a_scan_holds_its_bound(tmp_path: Path) -> None:
    """Pieces in flight never decode to more than the bound together, though there are threads enough."""
    held, most, lock = 0, 0, threading.Lock()

    class Slow:
        shape = (64, 1 << 18)
        dtype = np.dtype(np.float32)

        def pieces(self) -> Iterator[Piece]:
            return (Piece(index, str(index), 1 << 20, 1) for index in range(64))

        def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
            nonlocal held, most
            with lock:
                held += piece.decoded_bytes
                most = max(most, held)
            time.sleep(0.002)
            yield Block((piece.index, 0), np.zeros((1, 1 << 18), np.float32))
            with lock:
                held -= piece.decoded_bytes

    node = {
        "kind": "array",
        "dtype": "float32",
        "shape": [64, 1 << 18],
        "bytes": 64 << 20,
        "axes": None,
        "storage": None,
    }
    found = scan(
        _Holding(Slow()),
        {"nodes": {"/x": node}, "axes": {}, "container": NPZ},
        ENTRIES,
        Reading(16, Bounds(8 << 20)),
    )  # type: ignore[arg-type]
    assert found.facts["/x"]["constant"] is True
    assert 0 < most <= 4 << 20


class _Rows:
    """An array of 64 rows that nobody stored; `reading` is told of every piece that is read."""

    shape = (64, 1 << 16)
    dtype = np.dtype(np.float32)
    node: ClassVar = {"kind": "array", "dtype": "float32", "shape": [64, 1 << 16], "bytes": 16 << 20}

    def __init__(self, reading: Callable[[int], object]) -> None:
        self._reading = reading

    def pieces(self) -> Iterator[Piece]:
        return (Piece(index, str(index), 1 << 18, 1) for index in range(64))

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        self._reading(piece.index)
        yield Block((piece.index, 0), np.ones((1, 1 << 16), np.float32))

    def scanned(self, jobs: int) -> Scanned:
        node = {**self.node, "axes": None, "storage": None}
        return scan(
            _Holding(self),
            {"nodes": {"/x": node}, "axes": {}, "container": NPZ},
            ENTRIES,
            Reading(jobs),
        )


def scanning() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("scan_")]


@pytest.mark.parametrize("jobs", [1, 3])
def test_as_many_threads_read_as_were_asked_for(jobs: int) -> None:
    meeting, names = threading.Barrier(jobs), set()

    def reading(index: int) -> None:
        names.add(threading.current_thread().name)
        if 0 < index <= jobs * 4 and index % 4 == 0:  # one piece of every batch but the first
            meeting.wait(20)

    assert _Rows(reading).scanned(jobs).facts["/x"]["constant"] is True
    assert len(names) == jobs
    assert scanning() == []


@pytest.mark.parametrize("at", [0, 30])
@pytest.mark.parametrize("jobs", [1, 4])
def test_a_mistake_of_ours_in_a_thread_is_raised_and_no_thread_stays(jobs: int, at: int) -> None:
    def reading(index: int) -> None:
        if index == at:
            raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        _Rows(reading).scanned(jobs)
    assert scanning() == []


def test_a_scan_does_with_the_threads_that_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    names, start = set(), threading.Thread.start

    def started(thread: threading.Thread) -> None:
        if thread.name == "scan_1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", started)
    found = _Rows(lambda _: names.add(threading.current_thread().name)).scanned(4)
    assert (found.facts["/x"]["constant"], names) == (True, {"scan_0"})


def test_no_thread_at_all_is_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    with pytest.raises(MemoryError, match="no thread can be started"):
        _Rows(lambda _: None).scanned(4)


# Interrupts


def test_an_interrupt_gives_what_was_measured_until_then(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zarr", chunks=[1, 1, 4, 4])
    description = vizschema.describe(path)
    seen = []

    def interrupting(done: int) -> None:
        seen.append(done)
        if len(seen) == 70:
            signal.raise_signal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else os.kill(
                os.getpid(), signal.SIGINT
            )

    with closing(open_container(str(path))) as container:
        found = scan(container, description, ENTRIES, Reading(1, progress=lambda _: interrupting))
    assert not found.complete
    assert scanning() == []
    assert 0 < found.coverage["chunks_read"] < found.coverage["chunks"]
    partial = describe_scanned(description, found)
    assert partial["values"] == "partial"
    whole = scanned(path).facts
    for place, facts in found.facts.items():
        assert facts in ({"damaged_chunks": []}, whole[place])
    report = report_of(partial, str(path), choose(partial, profile="trace"))
    assert report.verdict == "structure conforms"
    assert report.exit_code == 130


_INTERRUPTED = """
import contextlib, os, signal, sys
from vizschema.cli import main, progress

@contextlib.contextmanager
def of(bars, name):
    told = []
    def advance(done):
        if not told:
            told.append(done)
            os.kill(os.getpid(), signal.SIGINT)
    yield lambda total: advance

progress.Bars.of = of
sys.exit(main.main(sys.argv[1:]))
"""
"""The command line, interrupted at the first news of how far it is."""


@pytest.mark.parametrize("trust", [["--trust"], []], ids=["here", "by a worker"])
def test_ctrl_c_gives_a_partial_report_and_130(tmp_path: Path, trust: list[str]) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=3)
    # Chunks of one byte: each takes a moment, and there are a great many of them.
    count, shards = 1 << 14, 64
    group.create_array("extra/x", shape=(count * shards,), dtype="u1", chunks=(1,), shards=(count,), compressors=None)
    index = np.stack([np.arange(count), np.ones(count)], axis=1).astype("<u8").tobytes()
    shard = bytes(count) + index + struct.pack("<I", google_crc32c.value(index))
    (path / "extra/x/c").mkdir()
    for number in range(shards):
        (path / f"extra/x/c/{number}").write_bytes(shard)
    command = [sys.executable, "-c", _INTERRUPTED, "validate", str(path), "--format", "json", "--no-config", *trust]
    ended = subprocess.run(command, text=True, capture_output=True, timeout=60)
    assert ended.returncode == 130, ended.stderr
    document = json.loads(ended.stdout)
    assert document["exit_code"] == 130
    (report,) = document["archives"]
    assert report["values"] == "partial"
    assert report["coverage"]["chunks_read"] < report["coverage"]["chunks"]


# Progress


def test_progress_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vizschema.cli import progress

    with progress.bar("a.zarr") as begin:
        assert begin is None
    monkeypatch.setattr(progress, "watched", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.bar("[red]a.zarr") as begin:
        assert begin is not None
        advance = begin(100)
        advance(60)
        advance(40)
    assert "[red]a.zarr" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_progress_is_silent_in_ci_and_on_dumb_terminals(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from vizschema.cli import progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert progress.watched()
    monkeypatch.setenv(name, value)
    assert not progress.watched()


# Rules


@pytest.mark.parametrize("profile", ["trace", "mnist", "vit", "openfold"])
@pytest.mark.parametrize("isolated", [False, True])
def test_every_example_conforms_with_its_values_read(tmp_path: Path, profile: str, isolated: bool) -> None:
    write_example(profile, tmp_path / "example.zarr")
    report = vizschema.validate(tmp_path / "example.zarr", isolated=isolated)
    assert report.verdict == "conforms"
    assert not report.findings


def broken(path: Path, array: str, change: Any) -> set[tuple[str, str, str]]:
    """The findings once `change` was done to an array of the example of the profile that the path is named after."""
    write_example(path.stem, path)
    opened = zarr.open_array(path / array.lstrip("/"), mode="r+")
    values = opened[...]
    opened[...] = change(values)
    return {(found.severity, found.rule, found.path) for found in vizschema.validate(path).findings}


def with_nan(values: Any) -> Any:
    values.reshape(-1)[3] = np.nan
    return values


def with_equal_heads(values: Any) -> Any:
    values[..., 1, :, :] = values[..., 0, :, :]
    return values


BREAKS: list[tuple[str, str, Any, tuple[str, str]]] = [
    ("vit", "/activations/layer_00", with_nan, ("error", "finite")),
    ("vit", "/activations/layer_00", lambda values: values * 0, ("warning", "values-vary")),
    ("vit", "/attention/self/layer_00", lambda values: values * 0.9, ("error", "attention-row-sum")),
    ("vit", "/attention/self/layer_00", lambda values: values - 0.5, ("error", "attention-range")),
    ("vit", "/attention/self/layer_00", with_equal_heads, ("warning", "heads-differ")),
    ("vit", "/outputs/predictions", lambda values: (values + 1) % 10, ("error", "predictions-follow-logits")),
    ("mnist", "/inputs/labels", lambda values: values + 10, ("error", "labels-within-classes")),
    ("openfold", "/inputs/sequence", lambda values: values * 0 + 200, ("error", "sequence-letters")),
    ("openfold", "/inputs/aatype", lambda values: values * 0 + 19, ("error", "residue-types-follow-sequence")),
    ("openfold", "/outputs/confidence", lambda values: values + 100, ("error", "confidence-range")),
    ("openfold", "/outputs/confidence", lambda values: values / 100, ("warning", "confidence-scale")),
    ("openfold", "/outputs/atom_mask", lambda values: values * 3, ("error", "mask-binary")),
    ("openfold", "/outputs/coordinates", lambda values: values + 1, ("warning", "masked-coordinates-zero")),
]


@pytest.mark.parametrize(("profile", "array", "change", "rule"), BREAKS)
def test_one_fault_in_the_values_is_one_finding(
    tmp_path: Path, profile: str, array: str, change: Any, rule: tuple[str, str]
) -> None:
    findings = broken(tmp_path / f"{profile}.zarr", array, change)
    assert (*rule, array) in findings
    # A sequence of no letters does not fit the residue types either.
    entailed = {("error", "residue-types-follow-sequence", "/inputs/aatype")} if array == "/inputs/sequence" else set()
    assert findings == {(*rule, array), *entailed}


def test_a_missing_chunk_is_a_warning_and_a_damaged_one_an_error(tmp_path: Path) -> None:
    path = tmp_path / "vit.zarr"
    write_example("vit", path)
    chunks_of(path, "inputs/images")[0].unlink()
    # The only chunk of this array: what is left is one value everywhere.
    expected = {("warning", "chunks-written"), ("warning", "values-vary")}
    assert {(found.severity, found.rule) for found in vizschema.validate(path).findings} == expected
    chunks_of(path, "outputs/logits")[0].write_bytes(b"")
    report = vizschema.validate(path)
    (error,) = [found for found in report.errors if found.rule == "chunk-readable"]
    assert error.path == "/outputs/logits"
    assert "truncated" in error.found
    assert report.exit_code == 1


def test_the_real_softmax_sums_to_one_and_the_uniform_noise_does_not(real: Path) -> None:
    trained = scanned(real / "published" / "vit_mnist_trace.zarr").facts
    for layer in range(6):
        facts = trained[f"/attention/layer_{layer}"]
        assert facts["row_sum_minimum"] == pytest.approx(1, abs=1e-6)
        assert facts["row_sum_maximum"] == pytest.approx(1, abs=1e-6)
        assert 0 <= facts["minimum"] < facts["maximum"] <= 1
    noise = scanned(real / "published" / "1ubq_metadata_restored.zarr").facts["/attention/triangle_start/layer_00"]
    assert noise["row_sum_minimum"] > 30


# Workers


class _Dies:
    """A worker that dies over some arrays; the others are read by those that come after it."""

    started = 0
    fatal = "/b"
    asked: ClassVar[list[list[str]]] = []
    description: ClassVar[Any] = {}
    notes = ()
    alive = True

    def __init__(self, *_: Any, **__: Any) -> None:
        type(self).started += 1

    def close(self) -> None:
        self.alive = False

    def run(self, function: str, request: Any) -> Iterator[list[Any]]:
        if function == "describe":
            assert request["silent"]
            yield ["end", {**NPZ, "store": "file", "consolidated": False}]
            return
        paths = list(self.description["nodes"]) if request["paths"] is None else request["paths"]
        self.asked.append(paths)
        for path in paths:
            yield ["reading", path]
            if path.startswith(self.fatal):
                self.alive = False
                raise WorkerDied("crashed", "it ended by the signal SIGSEGV")
            yield ["facts", path, {"damaged_chunks": []}, [1, 4]]
            yield ["progress", 4]
        yield ["end", True]


def session(monkeypatch: pytest.MonkeyPatch, paths: Sequence[str], fatal: str) -> Session:
    """A session whose workers die over the arrays whose paths begin so."""
    monkeypatch.setattr("vizschema.worker.client.Worker", _Dies)
    for name, value in {"started": 0, "fatal": fatal, "asked": []}.items():
        monkeypatch.setattr(_Dies, name, value)
    found = Session("x.zarr", Limits(), Bounds())
    node = {"kind": "array", "dtype": "float32", "shape": [1], "bytes": 4, "axes": None, "storage": None}
    _Dies.description = found.description = {"nodes": dict.fromkeys(paths, node), "axes": {}, "container": NPZ}
    found.workers.append(_Dies())  # type: ignore[arg-type]
    return found


def test_a_worker_that_dies_over_one_array_costs_that_array_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    found = session(monkeypatch, ["/a", "/b", "/c"], "/b").scan(ENTRIES, Reading(1, progress=lambda _: told.append))
    assert found is not None
    assert found.complete
    assert found.facts["/a"] == found.facts["/c"] == {"damaged_chunks": []}
    (problem,) = found.facts["/b"]["damaged_chunks"]
    assert problem == {"key": "/b", "reason": "undecodable", "detail": "it ended by the signal SIGSEGV"}
    assert found.coverage == {"chunks_read": 2, "chunks": 3, "bytes_read": 8, "bytes": 12}
    assert sum(told) == 8
    assert _Dies.asked == [["/a", "/b", "/c"], ["/c"]]


def test_arrays_that_were_being_read_are_read_alone_after_a_death(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(self: _Dies, function: str, request: Any) -> Iterator[list[Any]]:
        if function == "scan" and request["paths"] is None:
            yield ["facts", "/a", {"damaged_chunks": []}, [1, 4]]
            yield from (["reading", path] for path in ("/b", "/c"))
            self.alive = False
            raise WorkerDied("crashed", "it ended by the signal SIGSEGV")
        yield from whole(self, function, request)

    whole = _Dies.run
    monkeypatch.setattr(_Dies, "run", run)
    found = session(monkeypatch, ["/a", "/b", "/c", "/d", "/e"], "/c").scan(ENTRIES, Reading(2))
    assert found is not None
    assert [path for path, facts in found.facts.items() if facts["damaged_chunks"]] == ["/c"]
    assert _Dies.asked == [["/b"], ["/c"], ["/d", "/e"]]
    assert _Dies.started == 3


def test_workers_that_die_again_and_again_come_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [f"/b{number}" for number in range(20)]
    found = session(monkeypatch, paths, "/b").scan(ENTRIES, Reading(1))
    assert found is not None
    assert _Dies.started < 10
    assert {facts["damaged_chunks"][0]["reason"] for facts in found.facts.values()} == {"undecodable"}
    assert set(found.facts) == set(paths)
