"""What the installed mappings make stays as it is, and so do the mappings of one version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vizschema.conformance.corpus.fixing import MARKS
from vizschema.conformance.migrations import __main__ as command
from vizschema.conformance.migrations import locked, outcomes
from vizschema.migration.mapping import Dialect, installed
from vizschema.rules.documents import root

FOLDER = root() / "dialects"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrate.md"


def without_seconds(line: str) -> str:
    return line.rsplit(" | ", 1)[0]


def test_the_result_of_each_mapping_and_the_table_are_those_of_the_last_run() -> None:
    found = outcomes.found()
    assert outcomes.expected(found) == json.loads(outcomes.EXPECTED.read_bytes())
    begin, end = (mark.format("mappings") for mark in MARKS)
    shown = PAGE.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].strip().splitlines()
    rows = list(outcomes.rows(found, FOLDER))
    assert list(map(without_seconds, shown)) == list(map(without_seconds, rows))
    assert len(rows) == len(installed()) + 2


def test_the_installed_mappings_are_locked() -> None:
    assert list(locked.faults(locked.read(FOLDER / "lock.json"), installed())) == []


def dialect(version: str, sha256: str) -> Dialect:
    return Dialect({"name": "a", "version": version}, sha256)


def test_a_changed_mapping_needs_a_new_version_which_the_lock_gets_beside_the_old_one() -> None:
    lock = locked.added({}, {"a": dialect("1", "x")})
    assert lock == {"a": {"1": "x"}}
    changed = {"a": dialect("1", "y")}
    assert list(locked.faults(lock, changed)) == ["a 1: expected sha256 x, found y; give it a new version"]
    assert locked.added(lock, changed) == lock
    new = {"a": dialect("2", "y")}
    assert list(locked.faults(lock, new)) == ["a 2: it is not in the lock; add it"]
    assert locked.added(lock, new) == {"a": {"1": "x", "2": "y"}}
    assert list(locked.faults(lock, {})) == ["a: it is in the lock, and there is no such mapping"]
    assert locked.added(lock, {}) == lock


def test_the_command_fails_where_something_else_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(outcomes, "found", lambda: {"issue40-pickle": outcomes.outcome("issue40-pickle")})
    before = json.loads(outcomes.EXPECTED.read_bytes())
    kept = {"issue40-pickle": before["issue40-pickle"]}
    monkeypatch.setattr(outcomes, "EXPECTED", tmp_path / "expected.json")
    outcomes.EXPECTED.write_text(json.dumps(kept))
    assert command.main([]) == 0
    kept["issue40-pickle"]["values"] = "vz1-values:blake3:0"
    outcomes.EXPECTED.write_text(json.dumps(kept))
    assert command.main([]) == 1
    assert "issue40-pickle: another result than expected" in capsys.readouterr().err
    page = tmp_path / "page.md"
    page.write_text("head\n<!-- mappings: begin -->\nstale\n<!-- mappings: end -->\ntail\n")
    assert command.main(["--expect", "--page", str(page)]) == 0
    assert page.read_text().startswith("head\n<!-- mappings: begin -->\n\n| mapping |")
    assert "stale" not in page.read_text()
