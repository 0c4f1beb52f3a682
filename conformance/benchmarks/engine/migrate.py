"""The memory that `migrate` and `export` take: of large arrays, in several containers, by a fresh process each.

Half of the values are hidden states, half one array of attention with its heads last, so that axes move. Peaks are the
most memory that a process had at a time, everything read in it (`--trust`); "at rest" is what it has before.
"""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from vizschema.cli.arguments import size
from vizschema.cli.parser import Parser
from vizschema.migration.exporting.export import export
from vizschema.migration.migrate import migrate

HEADS, HIDDEN, LAYERS = 16, 1024, 4

MAPPING = """\
mapping = "1.0"
name = "large"
version = "1"
target = "1.0.0"
title = "Hidden states, and attention with its heads last"
nodes = [
  {from = "/attn", do = [{moveaxis = [-1, 0]}], to = "/attention/self/layer_00", axes = ["head", "token:query", "token:key"], attributes = {source = "captured", normalization = {ask = "normalization"}}, group = {num_layers = 1}},
  {from = "/hidden_(?P<i>[0-9])", to = "/activations/layer_{i:n}", axes = ["position", "hidden"], group = {num_layers = {members = true}}},
]
recognise = {all = [{node = "/attn"}]}
set = {"/metadata" = {model_name = "benchmark", model_version = "1"}}
ask = {normalization = {why = "measured", measure = "rows", means = {one = "softmax", at_most_one = "none", within = "none", outside = "none"}}}
"""  # noqa: E501

Rows = Callable[[int, int], npt.NDArray[np.float32]]


def _parts(amount: int) -> Mapping[str, tuple[tuple[int, ...], Rows]]:
    """The shape of each array, and what gives some of its rows."""
    tokens = max(4, math.isqrt(amount // 2 // 4 // HEADS))
    positions = max(1, amount // 2 // 4 // HIDDEN // LAYERS)
    block = np.random.default_rng(0).random((1 << 20,), "float32")

    def rows(*inner: int) -> Rows:
        return lambda first, end: np.resize(block, (end - first, *inner)) * np.float32(1 + first % 7)

    hidden = {f"hidden_{layer}": ((positions, HIDDEN), rows(HIDDEN)) for layer in range(LAYERS)}
    return {"attn": ((tokens, tokens, HEADS), rows(tokens, HEADS)), **hidden}


def _safetensors(path: Path, amount: int) -> None:
    header, start = {}, 0
    for name, (shape, _) in _parts(amount).items():
        end = start + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape, rows in _parts(amount).values():
            for first in range(0, shape[0], 64):
                file.write(rows(first, min(first + 64, shape[0])).tobytes())


def _hdf5(path: Path, amount: int) -> None:
    with h5py.File(path, "x") as file:
        for name, (shape, rows) in _parts(amount).items():
            chunks = (min(64, shape[0]), *(min(64, each) for each in shape[1:]))
            stored = file.create_dataset(name, shape, "float32", chunks=chunks, compression="gzip", compression_opts=1)
            for first in range(0, shape[0], 64):
                stored[first : first + 64] = rows(first, min(first + 64, shape[0]))


def _npz(path: Path, amount: int) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as file:
        for name, (shape, rows) in _parts(amount).items():
            with file.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for first in range(0, shape[0], 64):
                    member.write(rows(first, min(first + 64, shape[0])).tobytes())


SOURCES: Mapping[str, Callable[[Path, int], None]] = {
    "old.safetensors": _safetensors,
    "old.h5": _hdf5,
    "old.npz": _npz,
}
"""What is migrated."""

EXPORTS = ("back.zarr", "back.h5", "back.npz", "back.safetensors")
"""What the result of the first migration is exported to."""


def _peak() -> float:
    """The most memory that this process had at a time, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _child(action: str, source: str, target: str, mapping: str) -> None:
    before, start = _peak(), time.perf_counter()
    if action == "migrate":
        equal = migrate(source, target, mapping=mapping).proved
    else:
        equal = export(source, target, mapping).arrays
    print(json.dumps({"rest": before, "peak": _peak(), "seconds": time.perf_counter() - start, "equal": equal}))


def _row(action: str, source: Path, target: Path, mapping: Path, amount: int) -> None:
    """Run one command in a process of its own, and print its row."""
    command = [sys.executable, "-P", "-m", __spec__.name, "--child", action, *map(str, (source, target, mapping))]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  (our own module)
    found = json.loads(ended.stdout.splitlines()[-1])
    name = f"{action} {source.name if action == 'migrate' else target.name}"
    print(
        f"{name:23} {amount:8,} {found['rest']:13,.0f} {found['peak']:10,.0f} {found['seconds']:8.1f} "
        f"{found['equal']:13}"
    )


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    if argv[:1] == ["--child"]:
        _child(*argv[1:])
        return 0
    parser = Parser(prog="vizschema benchmark migrate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=size, default="1G", metavar="SIZE", help="decoded bytes (default: 1G)")
    parser.add_argument("--folder", metavar="DIR", help="where to write (default: a temporary folder)")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as place:
        folder = Path(place)
        (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
        shapes = ", ".join(f"{name} {list(shape)}" for name, (shape, _) in _parts(arguments.size).items())
        print(f"{shapes}, float32, on {platform.machine()}, {os.cpu_count()} CPUs")
        print(f"{'':23} {'MiB':>8} {'at rest, MiB':>13} {'peak, MiB':>10} {'seconds':>8} {'arrays equal':>13}")
        mapping = folder / "mapping.toml"
        amount = sum(4 * math.prod(shape) for shape, _ in _parts(arguments.size).values()) >> 20
        for file, write in SOURCES.items():
            write(folder / file, arguments.size)
            _row("migrate", folder / file, folder / f"{file}.zarr", mapping, amount)
        for name in EXPORTS:
            _row("export", folder / f"{next(iter(SOURCES))}.zarr", folder / name, mapping, amount)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
