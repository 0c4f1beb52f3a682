"""`vizschema fix` as a command: what it prints, and its exit codes."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from vizschema.cli.main import main
from vizschema.conformance.corpus.cases import base
from vizschema.conformance.corpus.documents import write_document


def broken(folder: Path, *, generator: bool = True) -> Path:
    """An archive with layers of one digit, and without a generator if that is said."""
    document = deepcopy(base("1.0.0", "trace"))
    nodes = document["nodes"]
    for index in range(2):
        nodes[f"/activations/layer_{index}"] = nodes.pop(f"/activations/layer_0{index}")
    if not generator:
        del nodes["/"]["attributes"]["generator"]
    path = folder / "run.zarr"
    write_document(document, "zarr-v3", path)
    return path


def test_a_dry_run_says_what_would_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["fix", "run.zarr"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "run.zarr: 1 change possible; nothing was written (a dry run)",
        "",
        "  would fix index-width (1 change)",
        "    /activations: renamed /activations/layer_0 to /activations/layer_00 and 1 more: numbers of 2",
        "      digits",
        "",
        "before: does not conform to trace 1.0.0, 1 error and 0 warnings; "
        "then: structure conforms to trace 1.0.0, 0 errors and 0 warnings",
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "run.zarr"]


def test_what_is_left_has_a_reason_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(tmp_path, generator=False)
    monkeypatch.chdir(tmp_path)
    assert main(["fix", "run.zarr", "fixed.zarr", "--trust"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("fixed.zarr: 1 change made; the values of 4 arrays are equal to those before\n")
    assert "  left: error generator (1 place)\n    /: expected the attribute generator, found none\n" in out
    assert "    why: no attribute of the archive names the software that wrote it.\n" in out
    assert main(["validate", "fixed.zarr", "--trust"]) == 1
    assert main(["fix", "fixed.zarr", "--in-place"]) == 1
    assert capsys.readouterr().out.count("nothing to fix: nothing was written") == 1


def test_wrong_usage_and_unreadable_archives_have_their_codes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(broken(tmp_path))
    assert main(["fix", path, str(tmp_path / "x.zarr"), "--in-place"]) == 2
    assert main(["fix", path, "--profile", "none"]) == 4
    assert main(["fix", str(tmp_path / "none.zarr")]) == 3
    assert main(["fix", path, str(tmp_path / "no" / "x.zarr")]) == 2
    assert capsys.readouterr().out == ""


def test_validate_says_what_fix_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(broken(tmp_path, generator=False))
    main(["validate", path])
    out = capsys.readouterr().out
    assert out.count("`vizschema fix` does this") == 1
    main(["validate", path, "--format", "html"])
    assert "<code>vizschema fix</code> does this" in capsys.readouterr().out
