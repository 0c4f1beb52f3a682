"""The whole account of an ASDF file: what stands behind its blocks, and whether its block index is true.

The asdf library goes by an index: by the last text that begins like one, also where that is part of a block. Any that
follows the last byte of a block that is not text would be taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vizschema.containers.asdf.blocks import PADDING, Blocks
from vizschema.containers.asdf.tree import read_tree
from vizschema.containers.base import Limits, Unreadable
from vizschema.containers.bytes.packed import STEP
from vizschema.containers.bytes.ranges import Ranges

INDEX = b"#ASDF BLOCK INDEX"
_TAIL = 64 << 10
_HEAD = re.compile(rb"\s*(?:%YAML 1\.1\s*\n)?(?:---)?\s*")
_NUMBER = rb"(?:0|[1-9][0-9]*)"
_LISTED = re.compile(rb"(?:(?:- %(n)b\r?\n)+|\[%(n)b(?:,\s*%(n)b)*\]\s*)(?:\.\.\.\s*)?".replace(b"%(n)b", _NUMBER))
"""A list of numbers as writers write it: what YAML would say of it is known."""

_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def asdf_readings(file: Ranges, blocks: Blocks, limits: Limits) -> list[str]:
    """Where other readers read an ASDF file otherwise, in words."""
    readings = [] if blocks.end is None else _behind(file, blocks, blocks.end, limits)
    index = _index_at(file, blocks.end)
    for place in _indexes(file, limits):
        if place != index:
            readings.append(f"a block index within a block, at byte {place}")
    return readings


def _behind(file: Ranges, blocks: Blocks, end: int, limits: Limits) -> list[str]:
    """What stands behind the last block: padding, and an index."""
    if file.size - end > limits.tree_bytes:
        return [f"{file.size - end} bytes follow the last block, from byte {end}"]
    raw = file.read(end, file.size - end)
    rest = raw.lstrip(PADDING)
    if not rest:
        return []
    at = end + len(raw) - len(rest)
    if not rest.startswith(INDEX):
        return [f"{len(rest)} bytes from byte {at} belong to no block"]
    expected = [block.place for block in blocks.stored]
    found = _offsets(rest[len(INDEX) :].rstrip(b"\0"), limits)
    if found == expected:
        return []
    if found is None:
        return [f"the block index at byte {at}: expected a list of {len(expected)} offsets, found another text"]
    return [f"the block index at byte {at}: expected {_some(expected)}, found {_some(found)}"]


def _offsets(raw: bytes, limits: Limits) -> list[int] | None:
    """The offsets that an index lists; None where it lists something else."""
    head = _HEAD.match(raw)
    body = raw[head.end() :] if head is not None else raw
    if _LISTED.fullmatch(body):
        return [int(number) for number in re.findall(rb"[0-9]+", body)]
    try:
        found = read_tree(raw, limits)
    except Unreadable:
        return None
    if type(found) is not list or any(type(each) is not int for each in found):
        return None
    return found


def _index_at(file: Ranges, end: int | None) -> int | None:
    """Where the index is, if one follows the last block."""
    if end is None:
        return None
    raw = file.read(end, min(_TAIL, file.size - end))
    rest = raw.lstrip(PADDING)
    return end + len(raw) - len(rest) if rest.startswith(INDEX) else None


def _indexes(file: Ranges, limits: Limits) -> list[int]:
    """Where texts that begin like an index are, in what follows the last byte that no text has."""
    tail, at = b"", file.size
    while at > 0 and len(tail) < limits.tree_bytes:
        length = min(_TAIL if not tail else STEP, at)
        at -= length
        tail = file.read(at, length) + tail
        controls = [match.end() for match in _CONTROL.finditer(tail)]
        if controls:
            at, tail = at + controls[-1], tail[controls[-1] :]
            break
    return [at + match.start() for match in re.finditer(re.escape(INDEX), tail)]


def _some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:4])) + (", …" if len(numbers) > 4 else "")
    return f"{len(numbers)} offsets ({shown})" if numbers else "none"
