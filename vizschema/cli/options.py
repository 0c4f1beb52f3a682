"""How the command line reads archives, by a worker or in this process; and quantities as they are typed."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vizschema.bounds import Bounds

_SIZE = re.compile(r"([0-9]{1,9})(?:([KMG])i?B?)?", re.ASCII)
_FACTORS = {None: 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_THREADS = 1024

MEMORY = "192M"
TIMEOUT = "3600"


class Reading(NamedTuple):
    """How an archive is read: by a worker with `bounds`, or, if it is trusted, by this process within the same memory.

    Its `values` too, by `jobs` threads (None: one a CPU) or the cluster at the address `dask`, or its structure alone;
    with them its `digest`, which should be `expect_digest`.
    """

    bounds: Bounds
    trust: bool = False
    values: bool = True
    jobs: int | None = None
    digest: bool = False
    expect_digest: str | None = None
    dask: str | None = None


def reading(
    *,
    trust: bool,
    memory: int,
    seconds: float,
    values: bool,
    jobs: int | None,
    digest: bool = False,
    expect_digest: str | None = None,
    dask: str | None = None,
) -> Reading:
    """How to read, as the options say."""
    from vizschema.bounds import Bounds

    return Reading(Bounds(memory=memory, seconds=seconds), trust, values, jobs, digest, expect_digest, dask)


def threads(text: str) -> int:
    """Return a number of threads, 1 or more; raise `ArgumentTypeError` for anything else."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= _THREADS:
        raise argparse.ArgumentTypeError(f"expected 1 to {_THREADS} threads, found {text}")
    return int(text)


def size(text: str) -> int:
    """Return bytes, typed as `1048576`, `1024K`, `192M` or `2G` (powers of 1024); raise `ArgumentTypeError`."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"expected a size such as 192M or 2G, found {text}")
    return int(match[1]) * _FACTORS[match[2]]


def duration(text: str) -> float:
    """Return seconds, more than 0; raise `ArgumentTypeError` for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, such as 60 or 0.5, found {text}")
    return seconds
