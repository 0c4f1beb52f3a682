"""What `show` costs beside `describe`, and `diff` of equal archives beside `digest`; and that `diff` finds one bit.

Counts CPU seconds of whole commands and of all processes that they start, the least of some rounds in turn.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

import vizschema
from vizschema import Array
from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine import captures
from vizschema.conformance.benchmarks.engine.promises import cpu_seconds

ARRAY = 64 << 20
"""Bytes of an array of the archives that are compared."""


def write_equal(folder: Path, arrays: int) -> tuple[str, str]:
    """Write an archive of float32 noise, which hardly compresses, and a copy of it; return both paths."""
    noise = np.random.default_rng(0).random((ARRAY >> 14, 1 << 12), np.float32)
    layers = {f"/activations/layer_{layer:02}": Array(noise, ["token", "hidden"]) for layer in range(arrays)}
    attributes: dict[str, dict[str, object]] = {
        "/": {"generator": "benchmark 1", "created_at": "2026-01-01T00:00:00+00:00"},
        "/activations": {"num_layers": arrays},
        "/metadata": {"model_name": "m", "model_version": "1"},
    }
    paths = [folder / "a.zarr", folder / "b.zarr"]
    for path in paths:
        vizschema.write(path, layers, attributes, profile="trace", values=False)
    return str(paths[0]), str(paths[1])


def turn_last_bit(path: str, arrays: int) -> str:
    """Turn the lowest bit of the last value of the last array; return the path of the array."""
    import zarr

    name = f"activations/layer_{arrays - 1:02}"
    array = zarr.open_array(path, path=name, mode="r+", zarr_format=3)
    last = np.asarray(array[-1:, -1:])
    array[-1:, -1:] = (last.view(np.uint32) ^ 1).view(np.float32)
    return f"/{name}"


def found_by_diff(first: str, second: str) -> list[tuple[str, int]]:
    """Return the arrays that `diff` finds to differ, and in how many values."""
    command = [sys.executable, "-P", "-m", "vizschema", "diff", "--json", first, second]
    printed = subprocess.run(command, check=False, stdout=subprocess.PIPE).stdout  # noqa: S603  (our own module)
    return [(each["path"], each["count"]) for each in orjson.loads(printed)["values"]]


def compared(repeats: int, *commands: Sequence[str]) -> list[float]:
    """Return the least CPU seconds of each command, of some rounds in turn."""
    rounds = [[cpu_seconds(*command) for command in commands] for _ in range(repeats)]
    return [min(each) for each in zip(*rounds, strict=True)]


def main(argv: Sequence[str]) -> int:
    """Print the figures; return 1 if `diff` does not find the bit."""
    parser = Parser(prog="vizschema benchmark look", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--arrays", type=int, default=10_000, help="how many arrays `show` lists (default: 10000)")
    parser.add_argument("--mib", type=int, default=1024, help="size of each archive of `diff` in MiB (default: 1024)")
    parser.add_argument("--repeats", type=int, default=3, help="how often everything is measured (default: 3)")
    arguments = parser.parse_args(argv)
    count = max(1, (arguments.mib << 20) // ARRAY)
    with TemporaryDirectory(prefix="vizschema-benchmark-") as name:
        folder = Path(name)
        captures.write(folder, arguments.arrays)
        tree = str(folder / "capture.zarr")
        shown, described = compared(arguments.repeats, ("show", tree), ("describe", tree))
        print(f"CPU of commands, least of {arguments.repeats} in turn")
        print(
            f"show / describe, {arguments.arrays} arrays: {shown:.2f} s / {described:.2f} s = {shown / described:.2f}"
        )
        first, second = write_equal(folder, count)
        differed, hashed = compared(arguments.repeats, ("diff", first, second), ("digest", first, second))
        size = f"two archives of {count * ARRAY >> 20} MiB"
        print(f"diff / digest of both, {size}: {differed:.2f} s / {hashed:.2f} s = {differed / hashed:.2f}")
        turned = turn_last_bit(second, count)
        found = found_by_diff(first, second)
        print(f"one bit turned in the last chunk of {turned}: found {found}")
    return int(found != [(turned, 1)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
