"""Codecs from bytes to bytes as stages, and how a row of them is undone within the sizes that were declared.

A `Stage` is one codec, ready to decode: into a buffer of the size that the metadata declare, or, where that is not
known (two compressors in a row), of at most a bound.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vizschema.containers.bytes.deflating import deflate
from vizschema.containers.bytes.sources import Buffer, Bytes, as_bytes
from vizschema.containers.values import ChunkDamaged
from vizschema.text import escape_text

Decode = Callable[[Bytes, int | None, int, Buffer], Any]
"""(encoded, size of what it decodes to where known, bound on it, buffer) → bytes in any form."""

_ERRORS: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    RuntimeError,
    OverflowError,
    BufferError,
    EOFError,
    OSError,
    zlib.error,
    deflate.error,
    lzma.LZMAError,
)
"""What decoders raise for bytes that are not theirs."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One codec: its name, how to decode, and how many bytes it makes of so many (null where that depends on them)."""

    name: str
    decode: Decode
    encoded: Callable[[int | None], int | None] = lambda size: size


def run(
    stages: list[Stage], data: Bytes, size: int, free: Callable[[Bytes], Buffer], last: Buffer | None = None
) -> Bytes:
    """`size` bytes decoded from `data` by `stages`, which are in the order of encoding.

    `free` gives a buffer in which what it is called with does not lie; `last` is for the result. Raises `ChunkDamaged`.
    """
    sizes: list[int | None] = [size]
    for stage in stages:
        sizes.append(stage.encoded(sizes[-1]))
    for stage, exact, stored in zip(reversed(stages), sizes[-2::-1], sizes[::-1], strict=False):
        if stored is not None:
            require_size(data.size, stored, f"what {stage.name} decodes")
        out = last if last is not None and stage is stages[0] else free(data)
        data = _decoded(stage, data, exact, bound_of(size), out)
        if exact is not None:
            require_size(data.size, exact, f"what {stage.name} gives")
    require_size(data.size, size, "it")
    return data


def unwrap(stages: list[Stage], data: Bytes, most: int) -> Bytes:
    """What `stages` made `data` of, of which is known that it has at most `most` bytes; raises `ChunkDamaged`."""
    for stage in reversed(stages):
        data = _decoded(stage, data, None, most, Buffer())
    return data


def _decoded(stage: Stage, data: Bytes, exact: int | None, most: int, out: Buffer) -> Bytes:
    try:
        return as_bytes(stage.decode(data, exact, most, out))
    except _ERRORS as error:
        said = escape_text(str(error)) or type(error).__name__
        raise ChunkDamaged("undecodable", f"{stage.name}: {said}") from None


def bound_of(size: int) -> int:
    """More bytes than any sound encoding of `size` bytes takes."""
    return 2 * size + (1 << 16)


def require_size(found: int, expected: int, what: str) -> None:
    """Nothing; raises `ChunkDamaged` for fewer bytes than expected, and for more."""
    if found != expected:
        raise ChunkDamaged(
            "truncated" if found < expected else "wrong-length", f"{what} has {found} bytes, expected {expected}"
        )


def claimed_size(name: str, claimed: int, exact: int | None, most: int) -> int:
    """The size to decode to, once what a header claims is what was declared."""
    if exact is not None and claimed != exact:
        raise ChunkDamaged("wrong-length", f"its {name} header claims {claimed} bytes, expected {exact}")
    if claimed > most:
        raise ChunkDamaged("over-limit", f"its {name} header claims {claimed} bytes, more than {most}")
    return claimed
