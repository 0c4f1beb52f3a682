"""A few points of `vizschema conformance faults`: file operations that fail, or are the last before a kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.needed import installed

from vizschema.cli.main import main
from vizschema.conformance import faults

BROKEN = """
import sys
from contextlib import suppress
from pathlib import Path
from vizschema.conformance.faults import run
from vizschema.writer.forms.zarr import ZarrWriter
array = ZarrWriter.array
def careless(self, *given):
    with suppress(OSError):
        array(self, *given)
ZarrWriter.array = careless
for number in range(40, 80, 13):
    outcome = run.run(run.Case("write", "zarr-v3", "error", number), Path(sys.argv[1], str(number)))
    if outcome.wrong:
        sys.exit(outcome.wrong[0])
"""


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


def test_a_writer_that_goes_on_after_an_error_is_found_out(tmp_path: Path) -> None:
    installed("cc")
    shim = tmp_path / "shim.so"
    source = Path(faults.__path__[0]) / "shim.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, source, "-ldl"], check=True)
    environment = {**os.environ, "VIZSCHEMA_FAULTS": str(shim), "LD_PRELOAD": str(shim)}
    ran = subprocess.run(
        [sys.executable, "-P", "-c", BROKEN, tmp_path], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stderr.splitlines()[-1].startswith(
        ("lie: a conforming archive with something else", "lost: acknowledged")
    )
