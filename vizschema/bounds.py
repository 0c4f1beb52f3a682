"""What reading an archive may take, of memory and time. Values only, so that they are there before anything is read."""

from __future__ import annotations

from dataclasses import dataclass

MEMORY = 192 << 20
"""Bytes of decoded values that are held at a time, unless said otherwise."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a worker may take: bytes of `memory` for decoded values and of an `answer`, and time.

    A request takes `seconds` at most, and no more than the seconds of `silence` pass between two messages.
    """

    memory: int = MEMORY
    seconds: float = 3600
    silence: float = 60
    answer: int = 256 << 20
