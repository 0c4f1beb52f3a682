"""Mutated archives of every container: always a report and a documented exit code. CONTRIBUTING.md has a longer run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from vizschema.conformance.corpus.hostile import fuzz
from vizschema.conformance.corpus.hostile.fuzz import CODES, ORIGINALS
from vizschema.conformance.corpus.hostile.mutate import mutated
from vizschema.description import Description
from vizschema.errors import VizschemaError

MUTANTS = 2000
EACH = -(-MUTANTS // len(ORIGINALS))


@pytest.mark.parametrize("name", ORIGINALS)
def test_a_mutant_gives_a_report_and_a_documented_exit_code(name: str, tmp_path: Path) -> None:
    outcome = fuzz.fuzz(name, EACH, 0, tmp_path)
    assert outcome.bugs == []
    assert set(outcome.codes) <= CODES
    assert outcome.mutants == EACH
    assert outcome.codes[1] + outcome.codes[3] > EACH / 4  # most mutations do harm, or nothing was mutated


def test_mutations_can_be_had_again_and_differ() -> None:
    raw = bytes(range(200))
    mutants = [mutated(random.Random(number), raw) for number in range(200)]
    assert mutants == [mutated(random.Random(number), raw) for number in range(200)]
    assert len(set(mutants)) > 190


def test_the_original_is_what_it_was(tmp_path: Path) -> None:
    archive = ORIGINALS["zarr-v3-blosc"](tmp_path)
    before = {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()}
    labels = list(fuzz.mutants_of(archive, random.Random(0), 20))
    assert len(labels) == 20
    assert {path: path.read_bytes() for path in archive.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("bug", [KeyError("x"), VizschemaError("internal error: x")])
def test_a_bug_is_reported_and_its_mutant_kept(bug: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object) -> Description:
        raise bug

    monkeypatch.setattr(fuzz, "measured", measured)
    (tmp_path / "work").mkdir()
    outcome = fuzz.fuzz("npz-plain", 2, 0, tmp_path / "work", tmp_path / "kept")
    assert outcome.codes == {70: 2}
    assert len(outcome.bugs) == 2
    assert repr(bug) in outcome.bugs[0]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == ["npz-plain-0-0.npz", "npz-plain-0-1.npz"]


def test_a_description_that_is_none_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = fuzz.measured
    monkeypatch.setattr(fuzz, "measured", lambda *given: {**measured(*given), "values": "perhaps"})
    outcome = fuzz.fuzz("asdf-plain", 1, 0, tmp_path)
    assert "a description that is none" in outcome.bugs[0]


def test_the_command_counts_and_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert fuzz.main(["--mutants", "3", "--only", "npz-plain", "--keep", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("npz-plain: 3 mutants, exit codes ")
