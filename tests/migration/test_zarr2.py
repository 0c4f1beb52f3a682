"""What is exported as Zarr v2, read by zarr-python 2.18 in an environment of its own, as it reads the layout itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vizschema.conformance.migrations.layouts import LAYOUTS
from vizschema.conformance.oracle.peers import Peer, reader
from vizschema.migration.exporting.export import export
from vizschema.migration.migrate import migrate

pytestmark = pytest.mark.packaging

NAMES = [name for name in LAYOUTS if not name.startswith("openfold-") and "candidates" not in name]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}


@pytest.fixture(scope="module")
def zarr2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A child that reads with zarr-python 2.18."""
    folder = tmp_path_factory.mktemp("zarr2")
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "zarr==2.18.*", "numcodecs<0.16"]
    for command in ([sys.executable, "-m", "venv", folder], install):
        subprocess.run([str(part) for part in command], check=True, env=ENVIRONMENT, capture_output=True)
    peer = Peer(reader(str(python), "zarr2"))
    assert peer.start().startswith("2.18.")
    yield peer
    peer.close()


@pytest.mark.parametrize("name", NAMES)
def test_zarr_2_reads_the_export_as_it_reads_the_layout(name: str, zarr2: Peer, tmp_path: Path) -> None:
    old = LAYOUTS[name]
    source = old.write(tmp_path)
    done = migrate(str(source), str(tmp_path / "new.zarr"), answers=old.answers)
    export(str(tmp_path / "new.zarr"), str(tmp_path / "back.zarr"), name)
    container = {"format": "zarr", "version": 2, "store": "directory", "consolidated": False}
    before, after = (
        zarr2.ask({"path": str(path), "container": container})["nodes"] for path in (source, tmp_path / "back.zarr")
    )
    lost = {loss["what"] for loss in done.losses}
    assert seen(after) == {path: found for path, found in seen(before).items() if path not in lost}
    assert len(after) >= 6


def seen(nodes: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """What is compared of arrays, and of the groups that they are in; other groups have only attributes."""
    keys = ("kind", "dtype", "shape", "sha256")
    arrays = [path for path in nodes if nodes[path]["kind"] == "array"]
    shown = [path for path in nodes if any(f"{array}/".startswith(f"{path.rstrip('/')}/") for array in arrays)]
    return {path: {key: nodes[path].get(key) for key in keys} for path in shown}
