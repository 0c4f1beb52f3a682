"""What tests put into zip files: `.npy` members, with headers that say what a test wants, and the document of NPZ."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np


def npy(values: Any, **changes: Any) -> bytes:
    """The bytes of a `.npy` file of `values`."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(values), allow_pickle=False)
    return file.getvalue()


def headed(header: str, data: bytes = b"", version: tuple[int, int] = (1, 0)) -> bytes:
    """A `.npy` file with this header, whatever it says."""
    raw = header.encode("latin-1" if version[0] < 3 else "utf-8")
    length = struct.pack("<H" if version[0] == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + length + raw + data


def told(nodes: Mapping[str, Any]) -> bytes:
    """A `vizschema.json`."""
    return json.dumps({"nodes": nodes}).encode()
