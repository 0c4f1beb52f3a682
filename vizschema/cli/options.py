"""Quantities as they are typed on the command line: threads, sizes, seconds."""

from __future__ import annotations

import argparse
import math
import re

_SIZE = re.compile(r"([0-9]{1,9})(?:([KMG])i?B?)?", re.ASCII)
_FACTORS = {None: 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_THREADS = 1024

MEMORY = "192M"
TIMEOUT = "3600"


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
