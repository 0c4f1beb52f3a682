"""What capturing costs: `create` with values judged, beside zarr-python and h5py storing the same chunks by hand.

They take turns in one process, after one round that is not counted; a ratio is one of medians. An HDF5 archive is
captured in Zarr, and converted when it is complete: both are counted. `values=False` shows what judging costs.

`smooth` are the values of `vizschema benchmark scan`, which compress well; `noise` are those of a transformer with
random weights, which hardly do.
"""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr
from numcodecs import Blosc

import vizschema
from vizschema import Array
from vizschema.cli.arguments import size
from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.pages import fill
from vizschema.conformance.benchmarks.engine.scan_archives import axes_of, layers
from vizschema.description import parent_of

AIMS: Mapping[str, float] = {"zarr-v3": 1.15, "zarr-v2": 1.15, "hdf5": 2.2}
"""How many times the library's CPU time a capture with its values judged may take."""

_METADATA = {"model_name": "m", "model_version": "1"}
_ATTENTION = {"normalization": "softmax", "source": "captured"}
_LAYER_BYTES = 15 << 19

Arrays = Mapping[str, Array]


def main(argv: Sequence[str]) -> int:
    """Print the ratios; 1 if one is above its aim, else 0."""
    parser = Parser(prog="vizschema benchmark capture", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=size, default="144M", metavar="SIZE", help="bytes of each kind (default: 144M)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--folder", metavar="DIR", help="where to write (default: a temporary folder)")
    parser.add_argument("--page", type=Path, help="a page with <!-- measured: capture -->, to be filled")
    arguments = parser.parse_args(list(argv))
    rows, kept = [], True
    for kind, make in KINDS.items():
        arrays = dict(make(arguments.size))
        amount = sum(array.data.nbytes for array in arrays.values()) >> 20
        for name, aim in AIMS.items():
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                library, judged, unjudged = _medians(Path(folder), name, arrays, arguments.rounds)
            kept = kept and judged <= aim * library
            row = f"{kind:7} {len(arrays):6} {amount:5} {name:8} {library:8.2f} {judged:8.2f} {judged / library:6.2f}"
            rows.append(f"{row} {aim:5.2f} {unjudged:13.2f} {unjudged / library:6.2f}")
    text = "\n".join(
        [
            f"medians of {arguments.rounds} rounds, CPU seconds of one process; {platform.machine()}, "
            f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the end",
            f"{'':7} arrays   MiB {'':8}  library   create  ratio   aim  values=False  ratio",
            *rows,
        ]
    )
    print(text)
    if arguments.page is not None:
        fill(arguments.page, "capture", text)
    return 0 if kept else 1


def _smooth(amount: int) -> Iterator[tuple[str, Array]]:
    for place, values in layers(amount):
        yield f"/{place}", Array(values, axes_of(values), _ATTENTION if place.startswith("attention") else {})


def _noise(amount: int) -> Iterator[tuple[str, Array]]:
    rng = np.random.default_rng(0)
    for layer in range(max(1, amount // _LAYER_BYTES)):
        hidden = rng.standard_normal((2, 256, 768), np.float32)
        yield f"/activations/layer_{layer:02}", Array(hidden, ["sample", "token", "hidden"])
        weights = np.exp(rng.standard_normal((2, 12, 256, 256), np.float32))
        weights /= weights.sum(axis=-1, keepdims=True)
        axes = ["sample", "head", "token:query", "token:key"]
        yield f"/attention/layer_{layer:02}", Array(weights, axes, _ATTENTION)


KINDS: Mapping[str, Callable[[int], Iterator[tuple[str, Array]]]] = {"smooth": _smooth, "noise": _noise}


def _medians(folder: Path, name: str, arrays: Arrays, rounds: int) -> list[float]:
    """CPU seconds of the library, of `create`, and of `create` that judges no values."""
    _create(folder / "pattern", name, arrays, values=True)
    nodes = vizschema.describe(folder / "pattern")["nodes"]
    chunks = {place: tuple(nodes[place]["storage"]["chunks"]) for place in arrays}
    by_hand = _h5py if name == "hdf5" else _zarr
    kinds: Sequence[Callable[[Path], None]] = (
        lambda path: by_hand(path, name, arrays, chunks),
        lambda path: _create(path, name, arrays, values=True),
        lambda path: _create(path, name, arrays, values=False),
    )
    found: list[list[float]] = [[] for _ in kinds]
    for number in range(rounds + 1):
        for kind, (store, taken) in enumerate(zip(kinds, found, strict=True)):
            before = time.process_time()
            store(folder / f"{kind}_{number}")
            taken.append(time.process_time() - before)
    return [statistics.median(taken[1:]) for taken in found]


def _create(path: Path, name: str, arrays: Arrays, *, values: bool) -> None:
    counts = Counter(parent_of(place) for place in arrays)
    given: dict[str, Mapping[str, Any]] = {group: {"num_layers": count} for group, count in counts.items()}
    given["/metadata"] = _METADATA
    with vizschema.create(path, profile="trace", container=name, attributes=given, values=values) as trace:
        for place, array in arrays.items():
            trace.add(place, array.data, array.axes, array.attributes)


def _zarr(path: Path, name: str, arrays: Arrays, chunks: Mapping[str, tuple[int, ...]]) -> None:
    """Store by zarr-python, in the chunks and by the codec that `create` chooses."""
    root = zarr.create_group(path, zarr_format=3 if name == "zarr-v3" else 2)
    for place, array in arrays.items():
        options: dict[str, Any] = {"compressors": Blosc("zstd", clevel=3, shuffle=Blosc.SHUFFLE)}
        if name == "zarr-v3":
            options = {"compressors": zarr.codecs.ZstdCodec(level=3), "dimension_names": array.axes}
        values = array.data
        stored = root.create_array(place[1:], shape=values.shape, dtype=values.dtype, chunks=chunks[place], **options)
        stored[...] = values


def _h5py(path: Path, _: str, arrays: Arrays, chunks: Mapping[str, tuple[int, ...]]) -> None:
    """Store by h5py, in the chunks and by the filters that `create` chooses."""
    filters = {"shuffle": True, "compression": "gzip", "compression_opts": 4}
    with h5py.File(path, "w") as file:
        for place, array in arrays.items():
            file.create_dataset(place, data=array.data, chunks=chunks[place], **filters)
