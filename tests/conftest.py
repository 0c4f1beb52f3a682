"""What the tests share: the real archives beside the project, and descriptions to start from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers its filters before any test opens a file)
import pytest
from support.hdf5_files import Fill, nodes_of

from vizschema.containers.base import Limits
from vizschema.description import Node

os.environ["COLUMNS"] = "100"  # whatever the terminal that shows this run
os.environ.pop("PYTEST_ADDOPTS", None)  # meant for this run, not for those that tests start

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder with archives that others wrote."""
    if not REAL.is_dir():
        pytest.skip("shared/real is not beside the project (2026-11-21)")
    return REAL


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., dict[str, Node]]:
    """Nodes of an HDF5 file that `fill` fills."""

    def describe(fill: Fill, limits: Limits = Limits(), libver: str = "earliest") -> dict[str, Node]:  # noqa: B008
        path = tmp_path / "archive.h5"
        with h5py.File(path, "w", libver=libver) as file:
            fill(file)
        return nodes_of(path, limits)

    return describe
