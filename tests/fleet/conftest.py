"""A folder of archives, for every test of many archives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vizschema.conformance.examples import write_example


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two archives that conform, one that does not, one that is none."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "a").mkdir()
    write_example("mnist", str(folder / "a/one.zarr"))
    write_example("mnist", str(folder / "two.h5"))
    (folder / "three.npz").write_bytes(b"no archive")
    np.savez(folder / "zero.npz", x=np.zeros(3))
    return folder
