"""How a file that no archive of files should carry is made: pipes, sockets, devices, and giants that are mostly alike.

A recipe is plain JSON (`spec/index.schema.json`), so that a script in any language can follow it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

GIANT = 16 << 20
"""The largest file that is written without being asked for, in bytes."""

BLOCK = 64 << 10
MOST = 64 << 10
"""The most bytes that a recipe spells out; a giant that needs more is written as it is."""

_RUN = re.compile(rb"(.)\1{255,}", re.DOTALL)
_KINDS = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def recipe_of(path: Path) -> dict[str, Any] | None:
    """How the file at `path` is made, without its path; None of what is a small file, a folder or a link."""
    found = path.lstat()
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind == "device":
        return {"make": kind, "major": os.major(found.st_rdev), "minor": os.minor(found.st_rdev)}
    if kind is not None:
        return {"make": kind}
    if not stat.S_ISREG(found.st_mode) or found.st_size <= GIANT:
        return None
    parts: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for part in _parts(file, found.st_size):
            last = parts[-1] if parts else {}
            if "byte" in part and part["byte"] == last.get("byte") and last["at"] + last["count"] == part["at"]:
                last["count"] += part["count"]
            else:
                parts.append(part)
            if sum(len(each.get("hex", "")) for each in parts) > 2 * MOST:
                return None
    return {"make": "file", "size": found.st_size, "parts": parts}


def follow(recipe: dict[str, Any], path: Path) -> None:
    """Make the pipe or the file of a recipe at `path`, which must not exist."""
    if recipe["make"] == "pipe":
        os.mkfifo(path)
        return
    with path.open("xb") as file:
        file.truncate(recipe["size"])
        for part in recipe["parts"]:
            file.seek(part["at"])
            file.write(bytes.fromhex(part["hex"]) if "hex" in part else bytes([part["byte"]]) * part["count"])


def _parts(file: IO[bytes], size: int) -> Iterator[dict[str, Any]]:
    """What stands in a file, but for zeros: runs of one byte, and what lies between them."""
    for start, end in _stored(file.fileno(), size):
        file.seek(start)
        at = start
        while at < end:
            block = file.read(min(BLOCK - at % BLOCK, end - at))
            yield from _parts_of(block, at)
            at += len(block)


def _parts_of(block: bytes, at: int) -> Iterator[dict[str, Any]]:
    done = 0
    for run in _RUN.finditer(block):
        yield from _spelled(block[done : run.start()], at + done)
        if block[run.start()]:
            yield {"at": at + run.start(), "byte": block[run.start()], "count": run.end() - run.start()}
        done = run.end()
    yield from _spelled(block[done:], at + done)


def _spelled(found: bytes, at: int) -> Iterator[dict[str, Any]]:
    """These bytes without zeros around them, which a file system may or may not keep as holes."""
    kept = found.lstrip(b"\0")
    if kept:
        yield {"at": at + len(found) - len(kept), "hex": kept.rstrip(b"\0").hex()}


def _stored(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Where a file is not a hole, in bytes: sparse ones are not read through."""
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # nothing but a hole is left
            return
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end
