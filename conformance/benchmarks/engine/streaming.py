"""What a capture holds and costs as it grows: the peak memory of one large array, and CPU seconds of many small ones.

Each row is a process of its own. Peaks are the most memory that it had at a time (`VmHWM`), pages of mapped files
included; "at rest" is what it has before. The values compress well, so that the archive is small; an iterator of
blocks is kept as it is in a file until the last one has come.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import vizschema
from vizschema.cli.arguments import size
from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.pages import fill

PEAK = 300
"""The most MiB that a capture may take, whatever the size of its array."""

GROWTH = 1.25
"""How many times the CPU time per layer may grow from the first to the last number of layers."""

WIDTH = 4096
_ROWS = 1024
_GIVEN = {"/metadata": {"model_name": "m", "model_version": "1"}}

Block = npt.NDArray[np.float32]


def main(argv: Sequence[str]) -> int:
    """Print peaks and times; 1 where one is above its aim, else 0."""
    if argv[:1] == ["--child"]:
        kind, folder, number = argv[1], Path(argv[2]), int(argv[3])
        print(
            json.dumps(_layers(folder, number) if kind == "layers" else _large(folder, SOURCES[kind](folder, number)))
        )
        return 0
    parser = Parser(prog="vizschema benchmark streaming", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=size, default="20G", metavar="SIZE", help="of the array (default: 20G)")
    parser.add_argument(
        "--layers", default="2500,5000,10000", metavar="N,N", help="numbers of layers (default: 2500,5000,10000)"
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time (default: 1)")
    parser.add_argument("--folder", metavar="DIR", help="where to write (default: a temporary folder)")
    parser.add_argument("--page", type=Path, help="a page with <!-- measured: streaming -->, to be filled")
    arguments = parser.parse_args(list(argv))
    rows = max(1, arguments.size // WIDTH // 4)
    counts = [int(word) for word in arguments.layers.split(",")]
    asked = [*((kind, rows) for kind in SOURCES), *(("layers", count) for count in counts)]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = [*pool.map(lambda each: _measured(each[0], each[1], arguments.folder), asked)]
    peaks, times = found[: len(SOURCES)], found[len(SOURCES) :]
    lines = [f"{platform.machine()}, {os.cpu_count()} CPUs"]
    lines.append(f"{'':9} {'MiB':>7} {'at rest, MiB':>13} {'peak, MiB':>10}")
    for kind, each in zip(SOURCES, peaks, strict=True):
        lines.append(f"{kind:9} {rows * WIDTH * 4 >> 20:7} {each['rest']:13.0f} {each['peak']:10.0f}")
    lines.append(f"{'':9} {'layers':>7} {'CPU s':>13} {'ms per layer':>13}")
    per_layer = [each["cpu"] / count for each, count in zip(times, counts, strict=True)]
    for count, each, one in zip(counts, times, per_layer, strict=True):
        lines.append(f"{'add':9} {count:7} {each['cpu']:13.1f} {1000 * one:13.2f}")
    growth = per_layer[-1] / per_layer[0]
    lines.append(f"per layer, {counts[-1]} to {counts[0]}: {growth:.2f} (aim: at most {GROWTH})")
    text = "\n".join(lines)
    print(text)
    if arguments.page is not None:
        fill(arguments.page, "streaming", text)
    return int(growth > GROWTH or any(each["peak"] > PEAK for each in peaks))


def _measured(kind: str, number: int, folder: str | None) -> dict[str, float]:
    """What a fresh process says of `kind`."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [sys.executable, "-P", "-m", __spec__.name, "--child", kind, place, str(number)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  (our own module)
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _block(first: int, rows: int) -> Block:
    """Rows of a large array, from the number `first` on."""
    levels = (np.arange(first, first + rows) % 977 / 977).astype(np.float32)
    values = np.repeat(levels, WIDTH).reshape(rows, WIDTH)
    values[:, 0] = 0.5
    return values


def _blocks(rows: int) -> Iterator[Block]:
    for first in range(0, rows, _ROWS):
        yield _block(first, min(_ROWS, rows - first))


def _iterator(_: Path, rows: int) -> Any:
    return _blocks(rows)


def _dask(_: Path, rows: int) -> Any:
    from dask import array as da

    starts = da.arange(rows, chunks=_ROWS, dtype="i8")
    return starts.map_blocks(
        lambda numbers: _block(int(numbers[0]), len(numbers)),
        new_axis=[1],
        dtype="f4",
        chunks=(starts.chunks[0], WIDTH),
    )


def _memmap(folder: Path, rows: int) -> Any:
    """A file mapped into memory, of which most is a hole that reads as zeros."""
    path = folder / "values"
    values = np.memmap(path, np.float32, "w+", shape=(rows, WIDTH))
    values[::_ROWS] = _block(0, 1)
    values.flush()
    del values
    return np.memmap(path, np.float32, "r", shape=(rows, WIDTH))


SOURCES: Mapping[str, Callable[[Path, int], Any]] = {"iterator": _iterator, "dask": _dask, "memmap": _memmap}


def _large(folder: Path, data: Any) -> dict[str, float]:
    with vizschema.create(folder / "warm.zarr", profile="trace", attributes=_GIVEN) as trace:
        trace.add("/activations/x", next(_blocks(1)), ["token", "hidden"])
    before = _peak()
    with vizschema.create(folder / "large.zarr", profile="trace", attributes=_GIVEN) as trace:
        trace.add("/activations/x", data, ["token", "hidden"])
    return {"rest": before, "peak": _peak()}


def _layers(folder: Path, count: int) -> dict[str, float]:
    values = np.random.default_rng(0).standard_normal((4, 16), np.float32)
    given: dict[str, Mapping[str, Any]] = {**_GIVEN, "/activations": {"num_layers": count}}
    digits = max(2, math.ceil(math.log10(count)))
    before = time.process_time()
    with vizschema.create(folder / "layers.zarr", profile="trace", attributes=given) as trace:
        for layer in range(count):
            trace.add(f"/activations/layer_{layer:0{digits}}", values + np.float32(layer), ["token", "hidden"])
    return {"cpu": time.process_time() - before}


def _peak() -> float:
    """The most memory that this process had at a time, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
