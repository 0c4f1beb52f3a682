"""What remote archives cost: requests, bytes and seconds to describe and to validate them on S3, with a given latency.

The store is moto on this machine, which every request reaches through a counter that waits for the latency first.
Needs the extra `test`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

import vizschema
from vizschema.parser import Parser

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


class Counter:
    """Counts what reaches an application (WSGI), after `latency` seconds."""

    def __init__(self, application: Any, latency: float) -> None:
        self._application = application
        self._latency = latency
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Begin again."""
        self.requests, self.listings, self.bytes, self.at_once, self._running = 0, 0, 0, 0, 0

    def __call__(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        """The answer of the application, late."""
        with self._lock:
            self._running += 1
            self.at_once = max(self.at_once, self._running)
        time.sleep(self._latency)
        body = b"".join(self._application(environ, start_response))
        with self._lock:
            self._running -= 1
            self.requests += 1
            self.listings += "list-type=2" in environ.get("QUERY_STRING", "")
            self.bytes += len(body)
        return [body]


@contextmanager
def store(latency: float) -> Iterator[Counter]:
    """The counter of an S3 server, which this process talks to until the block ends."""
    import s3fs
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    counter = Counter(DomainDispatcherApplication(create_backend_app), latency)
    server = make_server("127.0.0.1", 0, counter, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with patch.dict(os.environ, settings):
            yield counter
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.shutdown()
        server.server_close()


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


def upload(place: Path, bucket: str) -> str:
    """The URL of an archive, once it is in a bucket of its own."""
    from moto.s3.models import s3_backends

    backend = s3_backends["123456789012"]["aws"]
    backend.create_bucket(bucket, "us-east-1")
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    for path in files:
        backend.put_object(bucket, path.relative_to(place.parent).as_posix(), path.read_bytes())
    return f"s3://{bucket}/{place.name}"


def cost_of(counter: Counter, url: str, *, values: bool, jobs: int | None) -> Cost:
    """What it takes to judge an archive, which has to conform."""
    counter.clear()
    start = time.perf_counter()
    report = vizschema.validate(url, values=values, jobs=jobs)
    seconds = time.perf_counter() - start
    if not report.conforms:
        raise RuntimeError(f"{url} does not conform: {report.error or report.errors[:1]}")
    return Cost(counter.requests, counter.listings, counter.at_once, counter.bytes, seconds)


def rows(counts: Sequence[int], latency: float, jobs: int | None) -> Iterator[str]:
    """The table, a line for each form and number of arrays, as it is measured."""
    columns = "  ".join(f"{name:>9}" for name in ("requests", "listings", "at once", "KiB", "s"))
    yield f"{'':34}{'structure':>53}   {'structure and values':>53}"
    yield f"{'form':26}{'arrays':>8}{columns}   {columns}"
    with store(latency) as counter, TemporaryDirectory(prefix="vizschema-benchmark-") as folder:
        for count in counts:
            (Path(folder) / str(count)).mkdir()
            for number, (form, place) in enumerate(archives(Path(folder) / str(count), count).items()):
                url = upload(place, f"benchmark-{count}-{number}")
                cost_of(counter, url, values=False, jobs=jobs)  # connects
                costs = [cost_of(counter, url, values=values, jobs=jobs) for values in (False, True)]
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
    print(f"one run, S3 by moto on this machine, {arguments.latency:g} ms before each answer\n")
    for line in rows(arguments.arrays, arguments.latency / 1000, arguments.jobs):
        print(line, flush=True)
    print(f"\n{projection()}")
    return 0
