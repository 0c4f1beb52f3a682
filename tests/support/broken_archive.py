"""One archive with a finding of every kind, among them texts that want to be commands, markup or more lines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import zarr

from vizschema.conformance.examples import write_example

HOSTILE = "</script><script>alert(1)</script>\n::error::fake ##[error]fake ]]>\x1b[2J\u202e|`*_<&\"'"
CONFIGURATION = """\
[level]
labels-recommended = "error"
no-machine-names = "off"

[[suppress]]
rule = "creation-time"
path = "/"
reason = "<b>Known</b> since ::error:: the first run."
until = 2999-01-01

[[suppress]]
rule = "attention-range"
path = "/attention/**"
until = 2999-01-01
"""


def edit(path: Path, **changes: Any) -> None:
    """Set keys of a `zarr.json`; attributes are added to those that are there."""
    document = json.loads(path.read_bytes())
    attributes = changes.pop("attributes", {})
    document["attributes"] = {
        key: value for key, value in {**document["attributes"], **attributes}.items() if value is not None
    }
    document.update(changes)
    path.write_text(json.dumps(document))


def write_broken(folder: Path) -> None:
    """`run.zarr`, broken in every way; `good.zarr`; `no.h5`, which is no archive; and `vizschema.toml`."""
    write_example("vit", folder / "good.zarr")
    edit(folder / "good.zarr" / "zarr.json", attributes={"created_at": "2026-11-21T09:00:00Z", "generator": "tests 1"})
    run = folder / "run.zarr"
    shutil.copytree(folder / "good.zarr", run)
    edit(run / "zarr.json", attributes={"created_at": "yesterday"}, consolidated_metadata=None)
    deep = json.loads("[" * 17 + "]" * 17)
    edit(run / "metadata" / "zarr.json", attributes={"license": None, "dataset": "/home/someone/data", "seed": deep})
    shutil.rmtree(run / "outputs" / "predictions")
    shutil.rmtree(run / "inputs" / "labels")
    shutil.move(run / "activations" / "layer_00", run / "activations" / "layer_07")
    first = run / "attention" / "self" / "layer_00" / "zarr.json"
    edit(first, dimension_names=json.loads(first.read_bytes())["dimension_names"][::-1], attributes={"note": HOSTILE})
    edit(run / "attention" / "self" / "layer_01" / "zarr.json", attributes={"source": None})
    zarr.open_array(run / "activations" / "embedding", mode="r+")[0, 1, 2] = float("nan")
    chunk = next(path for path in (run / "activations" / "layer_01" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-9])
    (run / "outputs" / "logits" / "zarr.json").write_text("{")
    (run / "outputs" / HOSTILE.replace("/", "")).mkdir()
    shutil.copy(run / "outputs" / "zarr.json", run / "outputs" / HOSTILE.replace("/", "") / "zarr.json")
    (folder / "no.h5").write_text("no archive")
    (folder / "vizschema.toml").write_text(CONFIGURATION)
