"""Sources of migrations that a worker reads: the same items and values as in this process, within its bounds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.torch_files import unpacked

from vizschema.cli.main import main
from vizschema.conformance.migrations.layouts import LAYOUTS
from vizschema.errors import NotAnArchive, UsageError
from vizschema.sources.views import digest
from vizschema.worker import process
from vizschema.worker.process import WorkerDied
from vizschema.worker.source import opened


def seen(path: Path, *, isolated: bool) -> dict[str, Any]:
    """Everything that a source says, with digests for values."""
    with opened(str(path), isolated=isolated, memory=64 << 20) as tree:
        return {
            place: (
                (item.kind, item.dtype, item.shape, item.axes, dict(item.attributes), dict(item.unsupported)),
                (item.size, item.reason, digest(item.values()) if item.kind == "array" else None),
            )
            for place, item in tree.items()
        }


@pytest.mark.parametrize("name", ["issue39", "openfold-text", "openfold-npz"])
def test_a_worker_reads_what_this_process_reads(name: str, tmp_path: Path) -> None:
    path = LAYOUTS[name].write(tmp_path)
    assert seen(path, isolated=True) == seen(path, isolated=False)


def test_a_worker_reads_tensors_and_every_kind_of_dtype(tmp_path: Path) -> None:
    unpacked("zipped.pt", tmp_path)
    for name, values in {
        "large": np.arange(3 << 20, dtype="float64"),
        "text": np.array(["a", "é", ""]),
        "bytes": np.array([b"ab"]),
        "time": np.zeros(2, "M8[s]"),
        "record": np.ones(2, [("a", "f4"), ("b", "i2")]),
        "nothing": np.zeros((0, 3)),
    }.items():
        np.save(tmp_path / f"{name}.npy", values)
    found = seen(tmp_path, isolated=True)
    assert found == seen(tmp_path, isolated=False)
    assert {"bfloat16", "float8_e5m2", "string", "bytes", "datetime", "compound"} <= {
        each[0][1] for each in found.values()
    }


def test_values_that_do_not_fit_into_memory_end_the_worker_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(1 << 20))
    with opened(str(tmp_path), isolated=True, memory=1 << 20) as tree, pytest.raises(NotAnArchive, match="the limit"):
        tree["/a.npy"].values()


def test_a_worker_that_dies_is_a_source_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.zeros(4))
    monkeypatch.setattr(process.Worker, "fill", _dead)
    with (
        pytest.raises(NotAnArchive, match="cannot be read: it ended"),
        opened(str(tmp_path), isolated=True, memory=1 << 20) as tree,
    ):
        tree["/a.npy"].values()


def _dead(*_: Any) -> None:
    raise WorkerDied("crashed", "it ended")


ITEM = {
    **{"path": "/a", "kind": "array", "attributes": {}, "unsupported": {}, "dtype": "float64", "shape": [4]},
    **{"axes": None, "size": 32, "reason": "", "chunks": None},
}


@pytest.mark.parametrize(
    "message",
    [
        ["item", {"path": "/a"}],
        ["item", [ITEM]],
        *(
            ["item", {**ITEM, **lie}]
            for lie in (
                {"path": "a"},
                {"path": "/a/"},
                {"path": "/\x1b[2J"},
                {"kind": "stranger"},
                {"attributes": {"a": "\u202e"}},
                {"unsupported": {"a": 5}},
                {"unsupported": {"a": "\x1b[2J"}},
                {"reason": "\x1b[2J"},
                {"reason": "x" * 100_000},
                {"dtype": "x" * 1000},
                {"shape": [-1]},
                {"shape": [1 << 63]},
                {"shape": [1] * 65},
                {"shape": [True]},
                {"axes": ["a", "b"]},
                {"axes": [5]},
                {"chunks": [1, 1]},
                {"size": -1},
                {"more": 1},
            )
        ),
        ["end", 1],
        ["surprise"],
    ],
    ids=lambda message: str(message)[-40:],
)
def test_a_worker_is_not_trusted(message: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.Worker, "run", lambda *_: iter([message]))
    with pytest.raises(NotAnArchive, match="malformed message"), opened(str(tmp_path), isolated=True, memory=1 << 20):
        pass


def test_a_worker_says_each_item_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.Worker, "run", lambda *_: iter([["item", {**ITEM}], ["item", {**ITEM}]]))
    with pytest.raises(NotAnArchive, match="malformed message"), opened(str(tmp_path), isolated=True, memory=1 << 20):
        pass


def test_names_of_files_are_escaped(tmp_path: Path) -> None:
    np.save(tmp_path / "a\x1b[2J.npy", np.zeros(2))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.\x1b")).touch()
    for isolated in (False, True):
        with opened(str(tmp_path), isolated=isolated, memory=1 << 20) as tree:
            assert list(tree) == ["/", r"/\udcff.\u001b", r"/a\u001b[2J.npy"]
            assert tree[r"/a\u001b[2J.npy"].values().tolist() == [0, 0]
            assert "\x1b" not in tree[r"/\udcff.\u001b"].reason


def test_values_of_any_dtype_arrive(tmp_path: Path) -> None:
    for name, dtype in {"long": "g", "void": "V3", "day": "M8[D]", "span": "m8[s]", "big": ">f4"}.items():
        np.save(tmp_path / f"{name}.npy", np.zeros(2, dtype))
    with opened(str(tmp_path), isolated=True, memory=1 << 20) as tree:
        assert {path: item.values().shape for path, item in tree.items() if item.kind == "array"} == {
            f"/{name}.npy": (2,) for name in ("big", "day", "long", "span", "void")
        }


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "float64", "size": 8},
        *({"code": code, "size": 32} for code in ("|O8", "<U2", "V8", "|S8", "int64", "M8[zzz]", "", "V0")),
        ["a"],
        None,
    ],
)
def test_values_that_a_worker_sends_are_as_many_as_it_said(
    answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", np.zeros(4))

    def read() -> None:
        with opened(str(tmp_path), isolated=True, memory=1 << 20) as tree:
            monkeypatch.setattr(process.Worker, "run", lambda *_: iter([["end", answer]]))
            tree["/a.npy"].values()

    with pytest.raises(NotAnArchive, match="malformed message"):
        read()


def test_a_source_on_the_network_needs_trust() -> None:
    with pytest.raises(UsageError, match="add --trust"), opened("s3://bucket/a", isolated=True, memory=1):
        pass


def test_a_source_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", str(tmp_path / "none"), str(tmp_path / "new.zarr")]) == 3
    assert "none: no such file or folder" in capsys.readouterr().err
