"""Messages between us and a worker: JSON behind its length in four bytes. Knows neither of the two."""

from __future__ import annotations

from typing import IO, Any

import orjson

from vizschema.text import json_size

LARGEST = 64 << 20
"""Bytes of a message; the attributes of one node, escaped, stay far below."""

DEPTH = 300
"""Levels of lists and objects in a message; JSON that an archive has is nested less deeply."""

_SMALL = 1 << 16

HEADER = 4
"""Bytes of the length of a message."""


class Malformed(Exception):
    """What arrived is not a message."""


def pack(message: Any) -> bytes:
    """The bytes of a message, a JSON value; raises `Malformed` for what is none, or larger than `LARGEST`."""
    try:
        body = orjson.dumps(message)
    except TypeError as error:
        raise Malformed(f"no JSON: {error}") from None
    if len(body) > LARGEST:
        raise Malformed(f"a message of {len(body)} bytes")
    return len(body).to_bytes(HEADER, "big") + body


def size_of(header: bytes) -> int:
    """The length of the message with this header; raises `EOFError` if there is none, `Malformed` if it is wrong."""
    if not header:
        raise EOFError
    size = int.from_bytes(header, "big")
    if len(header) < HEADER or size > LARGEST:
        raise Malformed("no message")
    return size


def read(stream: IO[bytes]) -> bytes:
    """The next message, packed; raises `EOFError` where there is none, `Malformed` where it is not a message."""
    size = size_of(stream.read(HEADER))
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return body


def count_values(body: bytes) -> int:
    """About how many JSON values a packed message has: exactly, but for commas in the texts of a small one."""
    return json_size(body)[0] if len(body) > _SMALL else body.count(b",") + body.count(b"[") + body.count(b"{")


def unpack(body: bytes) -> Any:
    """The value of a message that was read; raises `Malformed`, also for one that is nested too deeply."""
    if body.count(b"[") + body.count(b"{") > DEPTH and json_size(body)[1] > DEPTH:
        raise Malformed("nested too deeply")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"no JSON: {error}") from None
