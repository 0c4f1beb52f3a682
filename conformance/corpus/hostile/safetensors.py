"""The harmless archive as a safetensors file, from which mutants are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.hostile.case import ATTRIBUTES
from vizschema.conformance.corpus.raw.safetensors import DOCUMENT, Tensor, safetensors


def plain(folder: Path) -> Path:
    """The archive, with a tensor of 8-bit floats beside."""
    nodes: dict[str, Any] = {path: {"kind": "group", "attributes": dict(found)} for path, found in ATTRIBUTES.items()}
    nodes["/activations/layer_00"] = {"kind": "array", "axes": ["token", "hidden"]}
    tensors = {
        "activations/layer_00": Tensor("F32", [2, 3], np.arange(6, dtype="<f4").tobytes()),
        "/extra/small": Tensor("F8_E4M3", [2], b"\x38\x40"),
    }
    path = folder / "archive.safetensors"
    path.write_bytes(safetensors(tensors, {DOCUMENT: json.dumps({"nodes": nodes})}))
    return path
