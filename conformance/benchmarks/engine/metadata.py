"""What it costs to describe and judge an archive of many arrays, beside reading its files and other readers.

Writes the metadata of one capture (no chunk) as Zarr v3 and as HDF5 into a temporary folder, then times every contender
in turn, round after round: each time a fresh process that has warmed up on a small capture, so that no contender lives
in the heap of another. The files are warm. Ratios count; times depend on the machine.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson

from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.captures import KINDS, write
from vizschema.describing import describe
from vizschema.rules import versions
from vizschema.rules.judge import judge


class Files(NamedTuple):
    """One capture on disk: the Zarr archive, the HDF5 file, and every `zarr.json`."""

    zarr: str
    hdf5: str
    documents: Sequence[str]


def _read_all(files: Files) -> Callable[[], Any]:
    def run() -> Any:
        documents = []
        for path in files.documents:
            with open(path, "rb") as file:  # noqa: PTH123  (nothing but open, read, close)
                documents.append(file.read())
        return documents

    return run


def _describe_zarr(files: Files) -> Callable[[], Any]:
    return lambda: describe(files.zarr)


def _describe_hdf5(files: Files) -> Callable[[], Any]:
    return lambda: describe(files.hdf5)


def _describe_and_judge(files: Files) -> Callable[[], Any]:
    profile = versions.load("1.0.0").profile("trace")

    def run() -> Any:
        description = describe(files.zarr)
        judge(description, profile)
        return description

    return run


def _judge(files: Files) -> Callable[[], Any]:
    profile = versions.load("1.0.0").profile("trace")
    description = describe(files.zarr)

    def run() -> Any:
        judge(description, profile)
        return description

    return run


def _members(files: Files) -> Callable[[], Any]:
    import zarr

    def run() -> Any:
        group = zarr.open_group(files.zarr, mode="r")
        return [("", group), *group.members(max_depth=None)]

    return run


def _visit_items(files: Files) -> Callable[[], Any]:
    """What the description holds of every object, by h5py's high-level interface."""
    import h5py

    def run() -> Any:
        seen: list[tuple[Any, ...]] = []

        def look(name: str, node: Any) -> None:
            attributes = dict(node.attrs)
            if isinstance(node, h5py.Dataset):
                labels = [dimension.label for dimension in node.dims]
                seen.append((name, attributes, labels, node.dtype, node.shape, node.chunks, node.compression))
            else:
                seen.append((name, attributes))

        with h5py.File(files.hdf5, "r") as file:
            look("", file)
            file.visititems(look)
        return seen

    return run


CONTENDERS: Mapping[str, Callable[[Files], Callable[[], Any]]] = {
    "zarr: read the files": _read_all,
    "zarr: describe": _describe_zarr,
    "zarr: judge": _judge,
    "zarr: describe + judge": _describe_and_judge,
    "zarr: zarr-python members": _members,
    "hdf5: describe": _describe_hdf5,
    "hdf5: h5py visititems": _visit_items,
}
"""What is timed: each prepares, and gives the call to time, whose result shows how many nodes it saw."""


def measure(name: str, folder: Path) -> tuple[float, int]:
    """Seconds and nodes of one call, after one on the small capture beside; runs in a process of its own."""
    taken, nodes = 0.0, 0
    for place in (folder / "small", folder / "large"):
        documents = orjson.loads((place / "documents.json").read_bytes())
        run = CONTENDERS[name](Files(str(place / "capture.zarr"), str(place / "capture.h5"), documents))
        gc.collect()
        start = time.perf_counter()
        result = run()
        taken = time.perf_counter() - start
        nodes = len(result["nodes"]) if isinstance(result, dict) else len(result)
    return taken, nodes


def rounds(folder: Path, repeats: int, nodes: int) -> dict[str, list[float]]:
    """Seconds of every repeat of every contender, taken in turn; each must have seen all the nodes."""
    seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(repeats):
        for name in CONTENDERS:
            command = [
                sys.executable,
                "-P",
                "-m",
                "vizschema.conformance.benchmarks.engine.metadata",
                "--measure",
                name,
                str(folder),
            ]
            printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603  (our own module)
            taken, seen = orjson.loads(printed)
            if seen != nodes:
                raise RuntimeError(f"{name} saw {seen} nodes of {nodes}")
            seconds[name].append(taken)
    return seconds


def report(seconds: Mapping[str, Sequence[float]], arrays: int, nodes: int) -> str:
    """The figures as text, ratios of medians first."""
    median = {name: statistics.median(values) for name, values in seconds.items()}
    described = median["zarr: describe"]
    ratios = (
        ("zarr: describe / read the files", described / median["zarr: read the files"], "at most 3"),
        ("zarr: zarr-python members / describe", median["zarr: zarr-python members"] / described, "at least 20"),
        ("zarr: judge / describe", median["zarr: judge"] / described, "under 0.1"),
        ("hdf5: h5py visititems / describe", median["hdf5: h5py visititems"] / median["hdf5: describe"], "at least 1"),
    )
    repeats = len(next(iter(seconds.values())))
    lines = [f"{arrays} arrays in {nodes} nodes, medians of {repeats} rounds in turn, warm files", ""]
    lines += [f"{name:40} {ratio:8.2f}   aim: {aim}" for name, ratio, aim in ratios]
    lines += ["", f"{'':40} {'median':>8} {'min':>8} {'max':>8}  ms"]
    for name, values in seconds.items():
        lines.append(f"{name:40} {median[name] * 1e3:8.1f} {min(values) * 1e3:8.1f} {max(values) * 1e3:8.1f}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark metadata", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--arrays", type=int, default=10_000, help="how many arrays the archive has (default: 10000)")
    parser.add_argument("--repeats", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--measure", nargs=2, metavar=("NAME", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.measure:
        name, place = arguments.measure
        print(orjson.dumps(measure(name, Path(place))).decode())
        return 0
    if arguments.arrays < 1 or arguments.repeats < 1:
        parser.error("--arrays and --repeats are 1 or more")
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        write(Path(folder) / "small", len(KINDS))
        nodes = write(Path(folder) / "large", arguments.arrays)
        seconds = rounds(Path(folder), arguments.repeats, nodes)
    print(report(seconds, arguments.arrays, nodes))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
