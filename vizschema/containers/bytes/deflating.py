"""Deflate and CRC-32, by the fastest library that is there."""

from __future__ import annotations

import zlib
from typing import Any

deflate: Any
try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for this platform: the same results, more slowly
    deflate = zlib
