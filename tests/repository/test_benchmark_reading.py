"""The benchmark of reading parts: its contenders give the same values, and it prints a ratio for each part."""

from __future__ import annotations

from pathlib import Path

import pytest

from vizschema.conformance.benchmarks.engine import reading


def test_every_part_is_read_the_first_time_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert reading.main(["--repeats", "1", "--only", "raw tiles"]) == 0
    rows = [line[:56].split() for line in capsys.readouterr().out.splitlines()[1:]]
    found = {(*row[:2], *row[-4:-1]) for row in rows}
    assert len(found) == len(rows) == 2 * 2 * len(reading.ARRAYS) * len(reading.SELECTIONS)


def test_contenders_that_differ_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, options = reading.FORMS["hdf5 contiguous"]
    reading.write(tmp_path / name, options)
    monkeypatch.setattr(reading.np, "array_equal", lambda *_: False)
    with pytest.raises(RuntimeError, match="differs"):
        list(reading.rounds(tmp_path / name, 1))
