"""The benchmark of linking: both results are made, proved and verified, and what was written is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from vizschema.conformance.benchmarks.engine import link


def test_linking_writes_no_chunk_and_copying_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert link.main(["--size", "16M", "--repeats", "1", "--folder", str(tmp_path)]) == 0
    linked, copied = (line.split() for line in capsys.readouterr().out.splitlines()[2:4])
    assert linked[-3] == str(link.CHUNKS)
    assert int(linked[-4].replace(",", "")) < 20_000 < int(copied[-4].replace(",", ""))
    assert copied[-3] == "0"
    assert list(tmp_path.iterdir()) == []
