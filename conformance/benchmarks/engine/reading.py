"""What it costs to read parts of arrays by `vizschema.open`, beside the usual library, in CPU time and in one process.

Each form holds an attention array [8, 512, 512] and a pair array [256, 256, 64] of float32. The whole array, one head
and some rows are read: for the first time in an open archive, and again and again of an array that is kept, so that
what a reader keeps of it is warm. The contenders take turns; each must give the same values.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import zarr
from zarr.codecs import ZstdCodec

import vizschema
from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.scan_archives import layers

AT_LEAST = 0.004
"""CPU seconds of one measurement: a shorter call is repeated within it."""

ARRAYS = ("attention/single/layer_00", "activations/single/layer_00")
_TILES = {ARRAYS[0]: (1, 64, 64), ARRAYS[1]: (32, 32, 64)}
_HEADS = {ARRAYS[0]: (1, 512, 512), ARRAYS[1]: (64, 64, 64)}

FORMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "zarr v3 zstd": ("a.zarr", {"chunks": _HEADS, "compressors": ZstdCodec(level=1)}),
    "zarr v3 zstd tiles": ("b.zarr", {"chunks": _TILES, "compressors": ZstdCodec(level=1)}),
    "zarr v3 sharded": ("c.zarr", {"chunks": _TILES, "shards": True, "compressors": ZstdCodec(level=1)}),
    "zarr v3 raw tiles": ("d.zarr", {"chunks": _TILES, "compressors": None}),
    "hdf5 contiguous": ("e.h5", {}),
    "hdf5 raw tiles": ("f.h5", {"chunks": _TILES}),
    "hdf5 gzip": ("g.h5", {"chunks": _HEADS, "compression": "gzip"}),
    "hdf5 gzip tiles": ("h.h5", {"chunks": _TILES, "compression": "gzip"}),
}
"""Every form: the name of its file, and how its arrays are written."""

SELECTIONS: Mapping[str, Any] = {"whole": np.s_[...], "head": np.s_[3], "rows": np.s_[:, 100:104]}


def write(path: Path, options: Mapping[str, Any]) -> None:
    """Write the arrays by the usual library."""
    found = {name: values for name, values in layers(1) if name in ARRAYS}
    with h5py.File(path, "w") if path.suffix == ".h5" else _group(path, "w") as file:
        for name, values in found.items():
            own = {**options, "chunks": options["chunks"][name]} if "chunks" in options else dict(options)
            if path.suffix == ".h5":
                file.create_dataset(name, data=values, **own)
            else:
                if "shards" in own:
                    own["shards"] = values.shape
                file.create_array(name, data=values, **own)


@contextmanager
def _group(path: Path, mode: Any = "r") -> Iterator[Any]:
    yield zarr.open_group(path, mode=mode)


def first(opened: Callable[[Path], Any], path: Path, array: str, key: Any) -> float:
    """CPU seconds of finding and reading a part of an array in an archive that was opened for it."""
    with opened(path) as archive:
        begin = time.process_time()
        np.asarray(archive[array][key])
        return time.process_time() - begin


def again(opened: Callable[[Path], Any], path: Path, array: str, key: Any) -> float:
    """CPU seconds of reading a part of an array that is kept, the mean of several calls after two."""
    with opened(path) as archive:
        held = archive[array]
        for _ in range(2):
            np.asarray(held[key])
        count, taken = 0, 0.0
        begin = time.process_time()
        while taken < AT_LEAST:
            np.asarray(held[key])
            count += 1
            taken = time.process_time() - begin
    return taken / count


def rounds(path: Path, repeats: int) -> Iterator[tuple[str, str, str, list[float], list[float]]]:
    """Array, selection, first or again, and CPU seconds of both contenders, taken in turn: ours first.

    No archive is open beside: libhdf5 shares what it keeps of a file that is open twice.
    """
    usual: Callable[[Path], Any] = h5py.File if path.suffix == ".h5" else _group
    for array in ARRAYS:
        for name, key in SELECTIONS.items():
            require_same(path, usual, array, key)
            for call in (first, again):
                taken = [
                    (call(vizschema.open, path, f"/{array}", key), call(usual, path, array, key))
                    for _ in range(repeats)
                ]
                own, others = zip(*taken, strict=True)
                yield array.partition("/")[0], name, call.__name__, list(own), list(others)


def require_same(path: Path, usual: Callable[[Path], Any], array: str, key: Any) -> None:
    """Raise `RuntimeError` where the contenders give other values."""
    found: list[Any] = []
    contenders: Sequence[tuple[Callable[[Path], Any], str]] = ((vizschema.open, f"/{array}"), (usual, array))
    for opened, name in contenders:
        with opened(path) as archive:
            found.append(np.asarray(archive[name][key]))
    if not np.array_equal(found[0], found[1]):
        raise RuntimeError(f"{path.name}: {array}[{key}] differs")


def report(name: str, rows: Sequence[tuple[str, str, str, list[float], list[float]]]) -> str:
    """The figures of a form as text."""
    lines = []
    for array, selection, kept, own, others in rows:
        ratio = statistics.median(one / other for one, other in zip(own, others, strict=True))
        best = f"{min(own) * 1e6:9.0f} {min(others) * 1e6:9.0f}"
        lines.append(f"{name:20} {array:12} {selection:6} {kept:5} {ratio:6.2f} {best}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark reading", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--only", default="", help="forms with this in their name (default: all)")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        parser.error("--repeats is 1 or more")
    print(f"{'form':20} {'array':12} {'part':6} {'read':5} {'ratio':>6} {'ours µs':>9} {'usual µs':>9}   CPU time")
    with TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        for name, (file, options) in FORMS.items():
            if arguments.only in name:
                write(Path(folder) / file, options)
                print(report(name, list(rounds(Path(folder) / file, arguments.repeats))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
