"""The scan on a Dask cluster: two real processes on this machine find what this process finds, to the byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import vizschema
from vizschema import Array
from vizschema.cli.main import main
from vizschema.conformance.benchmarks.engine.store_server import store_server
from vizschema.errors import UsageError
from vizschema.scan import cluster, dask

distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed (2026-11-21)")

CONTAINERS = {"zarr-v3": "trace.zarr", "hdf5": "trace.h5", "npz": "trace.npz", "zarr-v3-sharded": "sharded.zarr"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a scheduler with two worker processes, on loopback."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as running:
        yield running.scheduler_address


@pytest.fixture(autouse=True)
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of 64 KiB, so that a small archive makes many tasks."""
    monkeypatch.setattr(dask, "RANGE_BYTES", 64 << 10)


def write(path: Path, container: str) -> Path:
    """A trace whose arrays make one task and many; one is cut across the logical order, one has a partner."""
    rng = np.random.default_rng(0)
    weights = rng.random((2, 4, 60, 60), dtype=np.float32)
    weights /= weights.sum(axis=-1, keepdims=True)
    chunked = container != "npz"
    arrays = {
        "/attention/self/layer_00": Array(
            weights,
            ["sample", "head", "token:query", "token:key"],
            {"normalization": "softmax", "source": "captured"},
            chunks=[1, 1, 60, 60] if chunked else None,
        ),
        "/activations/layer_00": Array(
            rng.normal(size=(130, 70, 80)).astype("f4"),
            ["row", "column", "hidden"],
            chunks=[40, 20, 80] if chunked else None,
        ),
        "/outputs/logits": Array(rng.normal(size=(2, 10)), ["sample", "class"]),
        "/outputs/loss": Array(np.float64(0.5), []),
        "/extra/half": Array(rng.normal(size=(50, 9)).astype(ml_dtypes.bfloat16), ["row_of_extra", "nine"]),
        "/extra/empty": Array(np.zeros((0, 3)), ["none", "three"]),
    }
    attributes: dict[str, dict[str, Any]] = {
        "/": {"created_at": "2026-11-21T09:00:00Z"},
        "/metadata": {"model_name": "tiny", "model_version": "1"},
        "/attention/self": {"num_layers": 1},
        "/activations": {"num_layers": 1},
    }
    vizschema.write(path, arrays, attributes, profile="trace", container=container)
    return path


def test_a_scan_leaves_no_client_as_the_default(address: str, tmp_path: Path) -> None:
    """What the caller computes with Dask afterwards is not sent to a cluster that may be gone."""
    path = write(tmp_path / "a.zarr", "zarr-v3")
    assert vizschema.validate(path, dask=address).verdict == "conforms"
    with pytest.raises(ValueError, match="No clients found"):
        distributed.default_client()


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_cluster_gives_the_same_report_to_the_byte(
    address: str, container: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(write(tmp_path / CONTAINERS[container], container))
    printed = []
    for more in ([], ["--dask", address]):
        assert main(["validate", path, "--trust", "--digest", "--format", "json", *more]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    archive = json.loads(printed[0])["archives"][0]
    assert archive["verdict"] == "conforms"
    assert archive["digest"] is not None


def test_a_cluster_gives_the_same_facts(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "trace.zarr", "zarr-v3"))
    printed = []
    for more in ([], ["--dask", address]):
        assert main(["describe", path, "--values", "--trust", *more]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    facts = json.loads(printed[1])["nodes"]["/attention/self/layer_00"]["facts"]
    assert facts["row_sum_maximum"] == pytest.approx(1)
    assert facts["duplicate_slices"] == 0


def test_a_cluster_finds_the_same_damage(address: str, tmp_path: Path) -> None:
    path = write(tmp_path / "trace.zarr", "zarr-v3")
    chunks = sorted(file for file in (path / "activations" / "layer_00" / "c").rglob("*") if file.is_file())
    chunks[0].write_bytes(b"no chunk")
    chunks[5].unlink()
    chunks[9].write_bytes(chunks[9].read_bytes()[:-20])
    here = vizschema.validate(path, digest=True)
    assert vizschema.validate(path, digest=True, dask=address) == here
    assert {"chunk-readable", "chunks-written"} <= {finding.rule for finding in here.findings}
    assert here.digest is None


def test_every_range_is_one_task_and_the_cluster_does_them_all(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "trace.zarr", "zarr-v3")
    submitted: list[str] = []
    submit = distributed.Client.submit

    def counted(self: Any, function: Any, *arguments: Any, **named: Any) -> Any:
        submitted.append(function.__name__)
        return submit(self, function, *arguments, **named)

    monkeypatch.setattr(distributed.Client, "submit", counted)
    report = vizschema.validate(path, dask=address)
    assert report.coverage is not None
    assert report.coverage["bytes_read"] == report.coverage["bytes"]
    assert submitted.count("read_range") > 15


def test_a_grid_across_the_logical_order_is_hashed_by_the_cluster(address: str, tmp_path: Path) -> None:
    path = write(tmp_path / "trace.zarr", "zarr-v3")
    # A slab of the activations has 900 KiB: in 1 MiB it does not fit beside another one, and is read again.
    assert vizschema.digest(path, dask=address, memory=1 << 20) == vizschema.digest(path)


def test_progress_counts_every_byte(address: str, tmp_path: Path) -> None:
    path = write(tmp_path / "trace.zarr", "zarr-v3")
    totals: list[int] = []
    done: list[int] = []

    def begin(total: int) -> Any:
        totals.append(total)
        return done.append

    vizschema.validate(path, dask=address, progress=begin)
    assert [sum(done)] == totals


def test_a_cluster_of_our_own_is_started_for_the_call(tmp_path: Path) -> None:
    path = write(tmp_path / "trace.h5", "hdf5")
    assert vizschema.validate(path, jobs=1, dask="local") == vizschema.validate(path)


def test_an_interrupt_gives_a_partial_report(address: str, tmp_path: Path) -> None:
    path = write(tmp_path / "trace.zarr", "zarr-v3")

    def begin(_: int) -> Any:
        def interrupt(_: int) -> None:
            raise KeyboardInterrupt

        return interrupt

    report = vizschema.validate(path, dask=address, progress=begin)
    assert report.values == "partial"
    assert report.verdict == "structure conforms"


def test_a_scheduler_that_does_not_answer_is_said_to_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "trace.h5", "hdf5")
    monkeypatch.setattr(cluster, "_PATIENCE", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        report = vizschema.validate(path, dask=address)
        assert report.exit_code == 2
        assert f"or the address of a scheduler that answers, found '{address}'" in str(report.error)


def test_an_archive_that_the_cluster_does_not_reach_is_said_to_be_so(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "trace.h5", "hdf5")
    submit = distributed.Client.submit

    def hidden(self: Any, *arguments: Any, **named: Any) -> Any:
        if path.exists():
            shutil.move(path, tmp_path / "elsewhere.h5")
        return submit(self, *arguments, **named)

    monkeypatch.setattr(distributed.Client, "submit", hidden)
    report = vizschema.validate(path, dask=address)
    assert report.exit_code == 2
    assert "expected an archive that every process of the cluster reaches" in str(report.error)


def test_a_cluster_is_not_confined_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "trace.h5", "hdf5"))
    assert main(["validate", path, "--dask", "local"]) == 2
    assert "not sandboxed: expected --trust" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(UsageError, match="expected --trust"):
        vizschema.digest(path, dask="local", isolated=True)


def test_without_the_extra_the_message_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "trace.h5", "hdf5")
    monkeypatch.setattr("vizschema.errors._is_installed", lambda _: False)
    assert "in a copy of the repository: pip install '.[dask]'" in str(vizschema.validate(path, dask="local").error)


@pytest.mark.parametrize("container", ["zarr-v3", "hdf5"])
def test_a_cluster_reads_from_s3_what_one_machine_does(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / CONTAINERS[container], container)
    with store_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
            server.put("cluster", file.relative_to(tmp_path).as_posix(), file.read_bytes())
        url = f"s3://cluster/{path.name}"
        options = ["--trust", "--digest", "--no-config", "--format", "json"]
        assert main(["validate", url, *options]) == 0
        alone, requests = capsys.readouterr().out, len(server.requests)
        # Started here, so that its processes have the endpoint and the credentials in their environment.
        assert main(["validate", url, *options, "--dask", "local", "--jobs", "2"]) == 0
        assert capsys.readouterr().out == alone
        fetched = [request.path for request in server.requests[requests:]]
        assert len(fetched) >= requests  # the processes opened the archive themselves, for every range
        for row in range(8 if container == "zarr-v3" else 0):
            key = f"/cluster/{path.name}/attention/self/layer_00/c/{row // 4}/{row % 4}/0/0"
            assert fetched.count(key) == 1, key
