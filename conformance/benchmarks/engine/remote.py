"""What remote archives cost: requests, bytes and seconds to describe and to validate them on S3, with a given latency.

The store is a server in this process, which waits for the latency before each answer. Needs the extra `remote`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

import vizschema
from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.store_server import StoreServer, store_server
from vizschema.errors import require

_TERABYTES = 10
_CHUNK = 16 << 20
_PAGE = 1000


class Cost(NamedTuple):
    """Requests, how many of them were listings, how many there were at a time, bytes of the answers, seconds."""

    requests: int
    listings: int
    at_once: int
    bytes: int
    seconds: float


@contextmanager
def store(latency: float) -> Iterator[StoreServer]:
    """An S3 server, which this process talks to until the block ends."""
    with store_server(latency) as server:
        settings = {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        with patch.dict(os.environ, settings):
            yield server


def archives(folder: Path, count: int) -> dict[str, Path]:
    """The same trace of `count` arrays in one chunk each, in every form."""
    arrays = {
        f"/activations/layer_{index:05}": vizschema.Array(np.full((2, 64), index, np.float32), ["sample", "hidden"])
        for index in range(count)
    }
    attributes = {"/metadata": {"model_name": "benchmark", "model_version": "1"}}
    found = {}
    for form, name in (("zarr-v3", "a.zarr"), ("zarr-v2", "a2.zarr"), ("hdf5", "a.h5")):
        found[form] = folder / name
        vizschema.write(found[form], arrays, attributes, profile="trace", container=form)
    plain = folder / "plain.zarr"
    shutil.copytree(found["zarr-v3"], plain)
    root = json.loads((plain / "zarr.json").read_bytes())
    del root["consolidated_metadata"]
    (plain / "zarr.json").write_text(json.dumps(root))
    found["zarr-v3, unconsolidated"] = plain
    found["zarr-v3 in a zip"] = Path(shutil.make_archive(str(folder / "zipped"), "zip", found["zarr-v3"]))
    return found


def upload(server: StoreServer, place: Path, bucket: str) -> str:
    """The URL of an archive, once it is in a bucket of its own."""
    for path in [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]:
        server.put(bucket, path.relative_to(place.parent).as_posix(), path.read_bytes())
    return f"s3://{bucket}/{place.name}"


def cost_of(server: StoreServer, url: str, *, values: bool, jobs: int | None) -> Cost:
    """What it takes to judge an archive, which has to conform."""
    server.clear()
    start = time.perf_counter()
    report = vizschema.validate(url, values=values, jobs=jobs)
    seconds = time.perf_counter() - start
    if not report.conforms:
        raise RuntimeError(f"{url} does not conform: {report.error or report.errors[:1]}")
    listings = sum("list-type=2" in request.path for request in server.requests)
    sent = sum(request.bytes for request in server.requests)
    return Cost(len(server.requests), listings, server.at_once, sent, seconds)


def rows(counts: Sequence[int], latency: float, jobs: int | None) -> Iterator[str]:
    """The table, a line for each form and number of arrays, as it is measured."""
    columns = "  ".join(f"{name:>9}" for name in ("requests", "listings", "at once", "KiB", "s"))
    yield f"{'':34}{'structure':>53}   {'structure and values':>53}"
    yield f"{'form':26}{'arrays':>8}{columns}   {columns}"
    with store(latency) as server, TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        for count in counts:
            (Path(folder) / str(count)).mkdir()
            for number, (form, place) in enumerate(archives(Path(folder) / str(count), count).items()):
                url = upload(server, place, f"benchmark-{count}-{number}")
                cost_of(server, url, values=False, jobs=jobs)  # connects
                costs = [cost_of(server, url, values=values, jobs=jobs) for values in (False, True)]
                cells = ["  ".join(f"{cell:>9}" for cell in (*c[:3], c.bytes >> 10, f"{c.seconds:.2f}")) for c in costs]
                yield f"{form:26}{count:>8}{cells[0]}   {cells[1]}"


def projection() -> str:
    """What follows for a large archive: a request a chunk, and three to describe it."""
    chunks = -(-_TERABYTES * 10**12 // _CHUNK)
    return (
        f"{_TERABYTES} TB in chunks of {_CHUNK >> 20} MiB: {chunks:,} chunks, a request each, and 3 to describe it; "
        f"unconsolidated, a listing of {-(-chunks // _PAGE):,} pages and a request for every node instead of the 3"
    )


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark remote", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--arrays", type=int, nargs="+", default=[100, 1000], help="arrays of an archive (100 1000)")
    parser.add_argument("--latency", type=float, default=30, help="milliseconds before each answer (default: 30)")
    parser.add_argument("--jobs", type=int, help="threads that decode (default: one a CPU)")
    arguments = parser.parse_args(argv)
    if min(arguments.arrays) < 1 or arguments.latency < 0:
        parser.error("--arrays are 1 or more, --latency 0 or more")
    require("benchmark remote", "aiohttp", "fsspec", "obstore")
    print(f"one run, an S3 server in the same process, {arguments.latency:g} ms before each answer\n")
    for line in rows(arguments.arrays, arguments.latency / 1000, arguments.jobs):
        print(line, flush=True)
    print(f"\n{projection()}")
    return 0
