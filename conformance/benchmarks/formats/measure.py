"""One measurement is one row; here is what a row holds, and how seconds, bytes and a cold cache are had."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

from vizschema.conformance.benchmarks.formats.contenders import Contender
from vizschema.conformance.benchmarks.formats.trace import Trace


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement; what does not apply is null. `seconds` and `bytes` are those of one read where there were more.

    `cpu` is the CPU seconds of this process and its threads, which other work on the machine hardly disturbs.
    `bytes` is what was stored (size, write, files), read from files (full, layer, random; null where the file is
    mapped into memory) or received (remote); `wanted` what the values take in memory. `checked` says whether the
    values were the right ones.
    """

    workload: str
    pattern: str
    container: str
    codec: str
    chunks: str
    reader: str
    data: str
    cache: str
    workers: str
    n_res: int
    layers: int
    pair_channels: int
    repeat: int
    seconds: float | None = None
    cpu: float | None = None
    bytes: int | None = None
    wanted: int | None = None
    requests: int | None = None
    files: int | None = None
    checked: bool | None = None


def row(
    workload: str,
    contender: Contender,
    trace: Trace,
    repeat: int,
    *,
    pattern: str = "",
    cache: str = "",
    workers: str = "",
    **measured: Any,
) -> Row:
    """The row of one measurement."""
    return Row(
        workload,
        pattern,
        contender.container,
        contender.codec,
        contender.grid,
        contender.reader,
        trace.data,
        cache,
        workers,
        trace.n_res,
        trace.layers,
        trace.pair_channels,
        repeat,
        **measured,
    )


def save(path: Path, rows: Iterable[Row]) -> None:
    """Nothing; the rows lie at `path` as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for item in rows:
            values = asdict(item)
            values.update((key, f"{values[key]:.4g}") for key in ("seconds", "cpu") if values[key] is not None)
            writer.writerow(values)


def load(path: Path) -> list[Row]:
    """The rows of a CSV that `save` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(line) for line in csv.DictReader(file)]


def _row(line: Mapping[str, str]) -> Row:
    parsed: dict[str, Any] = {key: _PARSE.get(key, str)(text) for key, text in line.items() if text or key in _TEXTS}
    return Row(**parsed)


_TEXTS = ("pattern", "chunks", "reader", "data", "cache", "workers")
_NUMBERS = ("n_res", "layers", "pair_channels", "repeat", "bytes", "wanted", "requests", "files")
_PARSE: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(_NUMBERS, int),
    "seconds": float,
    "cpu": float,
    "checked": lambda text: text == "True",
}


def stored_files(path: Path) -> list[Path]:
    """Every file of an archive."""
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def flush() -> None:
    """Nothing; what was written so far is on the disk, so that it can be dropped from memory."""
    if hasattr(os, "sync"):
        os.sync()


def drop_cache(path: Path) -> bool:
    """Whether the files of an archive could be dropped from the page cache of this system (not of its host)."""
    if not hasattr(os, "posix_fadvise"):
        return False
    for file in stored_files(path):
        handle = os.open(file, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
    return True


def bytes_read() -> int | None:
    """The bytes that this process has asked of files so far; null where the system does not count them."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return int(lines[0].removeprefix("rchar: "))


@dataclass(slots=True)
class Timed:
    """What a `timed` block took."""

    seconds: float = 0.0
    cpu: float = 0.0
    bytes: int | None = None


@contextmanager
def timed() -> Iterator[Timed]:
    """Seconds, CPU seconds and bytes read of the block, once it is left."""
    result = Timed()
    own = _difference(bytes_read(), bytes_read())
    before = bytes_read()
    used, start = time.process_time(), time.perf_counter()
    yield result
    result.seconds, result.cpu = time.perf_counter() - start, time.process_time() - used
    whole = _difference(before, bytes_read())
    result.bytes = None if whole is None or own is None else max(0, whole - own)


def _difference(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else second - first


class Bar:
    """A progress bar on a terminal, and silence elsewhere."""

    def __init__(self, steps: int, stream: TextIO = sys.stderr) -> None:
        self._steps = steps
        self._done = 0
        self._stream = stream if stream.isatty() else None

    def step(self, what: str) -> None:
        """One more step begins."""
        if self._stream is not None:
            filled = 30 * self._done // max(1, self._steps)
            line = f"[{'#' * filled}{'.' * (30 - filled)}] {self._done}/{self._steps} {what}"
            self._stream.write(f"\r{line:<100.100}")
            self._stream.flush()
        self._done += 1

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._stream is not None:
            self._stream.write(f"\r{'':100}\r")
