"""`join`: the archives of several processes as the one that a single process would have written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.traces import CONTAINERS, METADATA, listing, values

import vizschema
from vizschema import Array, NotConforming, UsageError
from vizschema.cli.main import main

X, BIAS = values(7, 5, 4), values(4)
AXES = ["sample", "token", "hidden"]


def write(path: Path, x: Any, bias: Any = BIAS, /, container: str | None = None, **metadata: Any) -> str:
    arrays = {"/activations/x": Array(x, AXES), "/extra/bias": Array(bias, ["hidden"])}
    given = {"/metadata": {**METADATA, **metadata}, "/": {"created_at": f"2026-11-2{len(x)}T09:00:00Z"}}
    vizschema.write(path, arrays, given, profile="trace", container=container, overwrite=True)
    return str(path)


def parts(folder: Path) -> list[str]:
    cuts = ((0, 3), (3, 5), (5, 7))
    suffixes = ("zarr", "h5", "npz")
    return [
        write(folder / f"p{n}.{suffix}", X[start:end], size_sample=end - start, device=f"cuda:{n}")
        for n, ((start, end), suffix) in enumerate(zip(cuts, suffixes, strict=True))
    ]


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_result_has_the_values_of_one_writer(container: str, tmp_path: Path) -> None:
    given = parts(tmp_path)
    target = tmp_path / "to" / CONTAINERS[container]
    target.parent.mkdir()
    report = vizschema.join(given, target, axis="sample", container=container)
    assert report.verdict == "conforms"
    one = write(tmp_path / "one.zarr", X)
    assert vizschema.digest(target, values_only=True) == vizschema.digest(one, values_only=True)
    nodes = vizschema.describe(target)["nodes"]
    assert nodes["/"]["attributes"]["created_at"] == "2026-11-22T09:00:00Z"
    metadata = nodes["/metadata"]["attributes"]
    assert (metadata["size_sample"], metadata["device"]) == (7, ["cuda:0", "cuda:1", "cuda:2"])
    assert metadata["joined_from"] == [vizschema.digest(part) for part in given]
    assert vizschema.validate(target).errors == ()
    assert listing(target.parent) == [target.name]


def test_whatever_else_differs_is_named(tmp_path: Path) -> None:
    one = write(tmp_path / "a.zarr", X[:2])
    target = tmp_path / "to.zarr"
    for other, words in (
        (write(tmp_path / "b.zarr", X[2:], seed=3), "b.zarr: /metadata: expected attribute seed as in"),
        (write(tmp_path / "c.zarr", X[2:], BIAS + 1), "c.zarr: /extra/bias: expected the values of"),
        (write(tmp_path / "d.zarr", X[2:, :3]), "d.zarr: /activations/x: expected shape as in"),
        (write(tmp_path / "e.zarr", X[2:].astype("f8")), "e.zarr: /activations/x: expected dtype as in"),
    ):
        with pytest.raises(UsageError, match=words.replace(".", r"\.")):
            vizschema.join([one, other], target, axis="sample")
    with pytest.raises(UsageError, match="expected arrays with the axis batch, found none"):
        vizschema.join([one, one], target, axis="batch")
    with pytest.raises(UsageError, match="expected two archives or more, found 1"):
        vizschema.join([one], target, axis="sample")
    bare = tmp_path / "f.zarr"
    vizschema.write(bare, {"/activations/x": Array(X, AXES)}, {"/metadata": METADATA}, profile="trace")
    with pytest.raises(UsageError, match="found a difference in /extra, /extra/bias"):
        vizschema.join([one, bare], target, axis="sample")
    assert not target.exists()


def test_the_command_joins_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "to.zarr"
    assert main(["join", "--axis", "sample", "--out", str(target), *parts(tmp_path)]) == 0
    assert "to.zarr: conforms to trace 1.0.0" in capsys.readouterr().out
    assert main(["join", "--axis", "sample", "--out", str(target), *parts(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_joined_archive_that_does_not_conform_is_not_written(tmp_path: Path) -> None:
    wrong = tmp_path / "w.zarr"
    arrays = {"/activations/x": Array(np.full((2, 5, 4), np.nan, "f4"), AXES)}
    vizschema.write(wrong, arrays, {"/metadata": METADATA}, profile="trace", values=False)
    with pytest.raises(NotConforming, match="nothing was written"):
        vizschema.join([wrong, wrong], tmp_path / "to.zarr", axis="sample")
    assert listing(tmp_path) == ["w.zarr"]
