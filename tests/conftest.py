"""What the tests share: the real archives beside the project, and descriptions to start from."""

from __future__ import annotations

import os
from pathlib import Path

import hdf5plugin  # noqa: F401  (registers its filters before any test opens a file)
import pytest

os.environ.pop("PYTEST_ADDOPTS", None)  # meant for this run, not for those that tests start

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder with archives that others wrote."""
    if not REAL.is_dir():
        pytest.skip("shared/real is not beside the project (2026-11-21)")
    return REAL
