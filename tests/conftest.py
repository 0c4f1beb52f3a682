"""Fixtures of all tests: the real archives, unpacked, and descriptions to start from."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  (registers its filters before any test opens a file)
import pytest
from support.hdf5_files import Fill, nodes_of
from support.real.pack import unpack

from vizschema.containers.base import Limits
from vizschema.description import Node

os.environ["COLUMNS"] = "100"  # whatever the terminal that shows this run
os.environ.pop("PYTEST_ADDOPTS", None)  # meant for this run, not for those that tests start
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # started by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run the whole suite in a process a core, all tests of a file in one; tests that are named run in this process.

    A process that was started for that is asked too, and starts none.
    """
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and config.option.numprocesses is None and "PYTEST_XDIST_WORKER" not in os.environ:
        config.option.numprocesses, config.option.dist = "auto", "loadfile"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with archives that other software wrote (tests/support/real/README.md); never written to."""
    folder = tmp_path_factory.mktemp("real")
    unpack(folder)
    return folder


@pytest.fixture
def described(tmp_path: Path) -> Callable[..., dict[str, Node]]:
    """Nodes of an HDF5 file that `fill` fills."""

    def describe(fill: Fill, limits: Limits = Limits(), libver: str = "earliest") -> dict[str, Node]:  # noqa: B008
        path = tmp_path / "archive.h5"
        with h5py.File(path, "w", libver=libver) as file:
            fill(file)
        return nodes_of(path, limits)

    return describe
