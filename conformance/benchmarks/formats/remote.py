"""The workload remote: from nothing but a URL to the first head, with the requests and bytes that it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vizschema.conformance.benchmarks.formats.access import wanted_bytes
from vizschema.conformance.benchmarks.formats.base import Reader
from vizschema.conformance.benchmarks.formats.contenders import REMOTE, Contender
from vizschema.conformance.benchmarks.formats.measure import Bar, Row, row
from vizschema.conformance.benchmarks.formats.server import open_url, serving
from vizschema.conformance.benchmarks.formats.trace import Trace, attention_name


def steps(repeats: int) -> int:
    """How many steps of the progress bar `measure` takes."""
    return len(REMOTE) * repeats


def measure(trace: Trace, folder: Path, repeats: int, bar: Bar) -> Iterator[Row]:
    """The rows: opened anew each time, over HTTP from this machine, with a wait before every answer."""
    # The last layer: a format without an index is not to be lucky.
    name = attention_name(trace.layers - 1)
    expected = trace.attention(trace.layers - 1)[0]
    with serving(folder) as (url, counts):
        for number in range(-1, repeats):  # the first time, what is imported and set up once is left out
            for contender in REMOTE:
                if number >= 0:
                    bar.step(f"{trace.n_res}: remote, {contender.label}")
                counts.clear()
                start = time.perf_counter()
                reader = _open(contender, f"{url}/{contender.filename}")
                values = reader.part(name, (0,))
                seconds = time.perf_counter() - start
                requests, received = counts.requests, counts.bytes
                reader.close()
                if number >= 0:
                    yield row(
                        "remote",
                        contender,
                        trace,
                        number,
                        pattern="first head",
                        seconds=seconds,
                        bytes=received,
                        wanted=wanted_bytes("head", trace.n_res),
                        requests=requests,
                        checked=bool(np.array_equal(values, expected)),
                    )


def _open(contender: Contender, url: str) -> Reader:
    remote = contender.format.remote
    return remote(url) if remote is not None else contender.format.open(open_url(url))
