"""A few points of `vizschema conformance faults`: file operations that fail, or are the last before a kill."""

from __future__ import annotations

import pytest
from support.needed import installed

from vizschema.cli.main import main


@pytest.mark.parametrize(
    ("scenario", "container"),
    [("add", "zarr-v3"), ("append", "zarr-v2"), ("recapture", "hdf5"), ("write", "hdf5"), ("join", "npz")],
)
def test_nothing_is_wrong_after_any_fault(scenario: str, container: str, capfd: pytest.CaptureFixture[str]) -> None:
    installed("cc")
    every = {"write": "9", "join": "9"}.get(scenario, "53")
    arguments = ["--scenario", scenario, "--container", container, "--every", every]
    assert main(["conformance", "faults", *arguments]) == 0, capfd.readouterr().out
    said = capfd.readouterr().out.splitlines()
    assert said[-1].endswith(" runs, 0 with something wrong")
    assert int(said[-1].split()[0]) >= 6
