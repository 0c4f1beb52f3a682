"""Text in Zarr: how it is stored, and decoded. No array of the standard holds any; archives by other writers do."""

from __future__ import annotations

import base64
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from vizschema.containers.bytes.sources import Buffer, Source
from vizschema.containers.codecs.stages import Stage, bound_of, unwrap
from vizschema.containers.values import ChunkDamaged, dtype_of

MOST = 64 << 20
"""Bytes of text of a chunk: no metadata say how many there are."""

_LENGTH = struct.Struct("<I")


def texts_of(source: Source, stages: list[Stage], count: int) -> npt.NDArray[Any]:
    """`count` texts [text], each after its length, as the codec vlen-utf8 writes them; raises `ChunkDamaged`."""
    if source.size > bound_of(MOST):
        raise ChunkDamaged(
            "over-limit", f"{source.size} bytes, more than {MOST} bytes of text can take in any encoding"
        )
    data = unwrap(stages, source.take(0, source.size, Buffer()), MOST).tobytes()
    place = _LENGTH.size
    if len(data) < place or _LENGTH.unpack_from(data)[0] != count:
        raise ChunkDamaged("wrong-length", f"vlen-utf8: expected {count} texts")
    texts: list[str] = []
    for _ in range(count):
        end = place + _LENGTH.size
        end += _LENGTH.unpack_from(data, place)[0] if end <= len(data) else 1
        if end > len(data):
            raise ChunkDamaged("truncated", f"vlen-utf8: its {count} texts end after {len(texts)}")
        texts.append(data[place + _LENGTH.size : end].decode("utf-8", "backslashreplace"))
        place = end
    return np.array(texts, dtype_of("string"))


def fill_text(value: Any, kind: str) -> npt.NDArray[Any]:
    """The fill value of a document, in no dimensions; of kind S it is base64. What is not text is an empty one."""
    text = str(value) if isinstance(value, str | int | float) else ""  # a number as zarr-python reads it
    if kind == "S":
        try:
            text = base64.b64decode(text, validate=True).rstrip(b"\0").decode("utf-8", "backslashreplace")
        except ValueError:
            text = ""
    return np.array(text, dtype_of("string"))
