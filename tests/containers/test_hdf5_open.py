"""HDF5 files that are open elsewhere: to read, judged like any other; to write, or left so, a finding with its fix."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from support.hdf5_files import nodes_of

import vizschema
from vizschema.containers.hdf5.opening import LOCKED, MARKED
from vizschema.errors import NotAnArchive, VizschemaError

WRITE = "import h5py, sys, os\nfile = h5py.File(sys.argv[1], sys.argv[2], libver=sys.argv[3])\n"
WAIT = "print('ready', flush=True)\nsys.stdin.read()\n"
SWMR = "file.create_dataset('x', shape=(4,), maxshape=(None,), chunks=(2,), dtype='f4')\nfile.swmr_mode = True\n"
BREAK_OFF = "file.flush()\nos._exit(0)\n"


def sound(path: Path, libver: str = "earliest") -> Path:
    with h5py.File(path, "w", libver=libver) as file:
        file.create_group("activations")["layer_00"] = np.arange(6, dtype="<f4").reshape(2, 3)
    return path


HOLD: dict[str, Callable[[Path], Any]] = {
    "h5py": lambda path: h5py.File(path, "r"),
    "h5py without a lock": lambda path: h5py.File(path, "r", locking=False),
    "h5py with its latest format": lambda path: h5py.File(path, "r", libver="latest"),
    "h5py with a driver": lambda path: h5py.File(path, "r", driver="stdio"),
    "vizschema": lambda path: vizschema.open(str(path)),
    "xarray": lambda path: xarray.open_dataset(path, group="activations", engine="netcdf4"),
    "netCDF4": lambda path: netCDF4.Dataset(path),
}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("isolated", [False, True], ids=["here", "isolated"])
@pytest.mark.parametrize("holder", HOLD)
def test_a_file_that_this_process_reads_is_judged_like_any_other(
    tmp_path: Path, holder: str, isolated: bool, libver: str
) -> None:
    path = sound(tmp_path / "a.h5", libver)
    expected = vizschema.validate(str(path), isolated=isolated), vizschema.digest(str(path))
    held = HOLD[holder](path)
    try:
        found = vizschema.validate(str(path), isolated=isolated), vizschema.digest(str(path))
        assert list(vizschema.describe(str(path))["nodes"]) == ["/", "/activations", "/activations/layer_00"]
        vizschema.convert(str(path), str(tmp_path / "a.zarr"))
    finally:
        held.close()
    assert [finding.rule for finding in found[0].findings] == [finding.rule for finding in expected[0].findings]
    assert found[1] == expected[1]
    assert vizschema.digest(str(tmp_path / "a.zarr")) == expected[1]


def test_a_file_that_we_hold_open_can_be_opened_by_others_afterwards(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.h5")
    vizschema.validate(str(path))
    with h5py.File(path, "r+") as file:
        file["more"] = 1


@contextmanager
def another_process(path: Path, mode: str, libver: str, then: str = "") -> Iterator[None]:
    command = [sys.executable, "-c", WRITE + then + WAIT, str(path), mode, libver]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.communicate()


def refused(path: Path, words: str) -> None:
    assert nodes_of(path) == {"/": {"kind": "unreadable", "reason": "damaged", "detail": words}}
    for isolated in (False, True):
        (finding, *_) = vizschema.validate(str(path), isolated=isolated).findings
        assert (finding.rule, finding.path) == ("damaged", "/")
        assert words in finding.message
    with pytest.raises(VizschemaError):
        vizschema.digest(str(path))
    with pytest.raises(VizschemaError):
        vizschema.convert(str(path), str(path.with_suffix(".zarr")))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_that_another_process_writes_is_a_finding(tmp_path: Path, libver: str) -> None:
    path = sound(tmp_path / "a.h5", libver)
    with another_process(path, "r+", libver):
        refused(path, LOCKED if libver == "earliest" else MARKED)
    assert "/activations/layer_00" in nodes_of(path)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_file_that_this_process_writes_is_a_finding(tmp_path: Path, libver: str) -> None:
    path = sound(tmp_path / "a.h5", libver)
    with h5py.File(path, "r+", libver=libver) as file:
        file.flush()
        refused(path, LOCKED if libver == "earliest" else MARKED)


def test_a_file_that_another_library_writes_is_a_finding(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.h5", "w") as file:
        file.createDimension("x", 3)
        file.sync()
        refused(tmp_path / "a.h5", LOCKED)


def test_a_file_that_a_writer_extends_for_its_readers_is_a_finding(tmp_path: Path) -> None:
    with another_process(tmp_path / "a.h5", "w", "latest", SWMR):
        refused(tmp_path / "a.h5", MARKED)


@pytest.mark.parametrize("then", ["", SWMR], ids=["writer", "single writer with readers"])
def test_a_file_whose_writer_broke_off_is_a_finding_until_it_is_cleared(tmp_path: Path, then: str) -> None:
    path = tmp_path / "a.h5"
    subprocess.run([sys.executable, "-c", WRITE + then + BREAK_OFF, str(path), "w", "latest"], check=True)
    refused(path, MARKED)


def test_a_mark_behind_a_user_block_is_found(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest", userblock_size=1024) as file:
        file.flush()
        (tmp_path / "left.h5").write_bytes((tmp_path / "a.h5").read_bytes())
    refused(tmp_path / "left.h5", MARKED)


def test_no_writer_is_kept_from_a_file_that_is_being_read(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.h5")
    from vizschema.containers.hdf5.file import open_hdf5

    container = open_hdf5(str(path))
    subprocess.run([sys.executable, "-c", WRITE, str(path), "r+", "earliest"], check=True)
    container.close()


def test_a_file_that_ends_within_its_metadata_is_no_archive(tmp_path: Path) -> None:
    path = sound(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(NotAnArchive, match="truncated file: eof = 700"):
        nodes_of(path)
