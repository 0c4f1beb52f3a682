"""How fast hash functions are, beside decoding: what the digest of `spec/1.0.0/digest.md` adds to reading an archive.

Hashes the same 64 MiB block by block, and decodes them from zstd with and without blosc, in turn, over and over: each
time in a fresh process. Counts CPU seconds, since the machine may be shared. Ratios count; GB/s depend on the machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from vizschema.cli.parser import Parser

SIZES = (64 << 10, 1 << 20, 4 << 20)
"""Bytes of a block; the definition has 1 MiB."""

_TOTAL = 64 << 20
_HEAD = 512
_WITHOUT = {"OPENSSL_ia32cap": ":~0x20000000"}
"""Lets OpenSSL do without the SHA instructions of x86, as on processors that lack them."""


def _attention() -> npt.NDArray[np.float32]:
    """Softmax rows of smooth logits [entry]: what attention looks like, not noise."""
    rng = np.random.default_rng(0)
    logits = np.cumsum(rng.normal(size=(_TOTAL // 4 // _HEAD, _HEAD)).astype(np.float32), axis=1) * np.float32(0.05)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.ascontiguousarray(weights / weights.sum(axis=1, keepdims=True)).reshape(-1)


def _blake3(data: npt.NDArray[Any]) -> Callable[[int], Any]:
    from blake3 import blake3

    raw = data.view(np.uint8).data
    return lambda size: [blake3(raw[at : at + size]).digest() for at in range(0, _TOTAL, size)]


def _sha256(data: npt.NDArray[Any]) -> Callable[[int], Any]:
    from hashlib import sha256

    raw = data.view(np.uint8).data
    return lambda size: [sha256(raw[at : at + size]).digest() for at in range(0, _TOTAL, size)]


def _decode_blosc(data: npt.NDArray[Any]) -> Callable[[int], Any]:
    from numcodecs import blosc

    blosc.set_nthreads(1)
    chunks = {size: [blosc.compress(part, b"zstd", 5, blosc.SHUFFLE) for part in _cut(data, size)] for size in SIZES}
    out = np.empty(max(SIZES), np.uint8)
    return lambda size: [blosc.decompress(chunk, out[:size]) for chunk in chunks[size]]


def _decode_zstd(data: npt.NDArray[Any]) -> Callable[[int], Any]:
    from numcodecs import zstd

    chunks = {size: [zstd.compress(part) for part in _cut(data, size)] for size in SIZES}
    out = np.empty(max(SIZES), np.uint8)
    return lambda size: [zstd.decompress(chunk, out[:size]) for chunk in chunks[size]]


def _cut(data: npt.NDArray[Any], size: int) -> list[npt.NDArray[Any]]:
    return [data[at : at + size // data.itemsize] for at in range(0, data.size, size // data.itemsize)]


CONTENDERS: Mapping[str, tuple[Callable[[npt.NDArray[Any]], Callable[[int], Any]], Mapping[str, str]]] = {
    "BLAKE3": (_blake3, {}),
    "SHA-256": (_sha256, {}),
    "SHA-256 without instructions for it": (_sha256, _WITHOUT),
    "decode blosc-zstd": (_decode_blosc, {}),
    "decode zstd": (_decode_zstd, {}),
}
"""What is timed: each prepares, and gives the call to time; and the environment of its process."""


def measure(name: str) -> list[float]:
    """Bytes a CPU second of a contender, for each of `SIZES`; runs in a process of its own."""
    run = CONTENDERS[name][0](_attention())
    rates = []
    for size in SIZES:
        run(size)
        start = time.process_time()
        run(size)
        rates.append(_TOTAL / (time.process_time() - start))
    return rates


def rounds(repeats: int) -> dict[str, list[list[float]]]:
    """The rates of every repeat of every contender, taken in turn."""
    rates: dict[str, list[list[float]]] = {name: [] for name in CONTENDERS}
    for _ in range(repeats):
        for name, (_, environment) in CONTENDERS.items():
            command = [sys.executable, "-P", "-m", "vizschema.conformance.benchmarks.engine.hashes", "--measure", name]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment})  # noqa: S603  (our own module)
            rates[name].append(orjson.loads(done.stdout))
    return rates


def report(rates: Mapping[str, Sequence[Sequence[float]]]) -> str:
    """The figures as text, ratios of medians at 1 MiB first."""
    median = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in rates.items()}
    middle = SIZES.index(1 << 20)
    repeats = len(next(iter(rates.values())))
    lines = [f"64 MiB of float32 attention on {platform.machine()}, medians of {repeats} rounds in turn", ""]
    for decode in ("decode blosc-zstd", "decode zstd"):
        lines += [
            f"{f'{name}, CPU time beside {decode}':72} {100 * median[decode][middle] / values[middle]:5.0f} %"
            for name, values in median.items()
            if not name.startswith("decode")
        ]
    lines += ["", f"{'GB a CPU second, blocks of':40} " + " ".join(f"{size >> 10:>6} KiB" for size in SIZES)]
    lines += [f"{name:40} " + " ".join(f"{value / 1e9:10.2f}" for value in values) for name, values in median.items()]
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark hashes", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--measure", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.measure:
        print(orjson.dumps(measure(arguments.measure)).decode())
        return 0
    if arguments.repeats < 1:
        parser.error("--repeats is 1 or more")
    print(report(rounds(arguments.repeats)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
