"""Archives that are as large as `limits.json` allows: every case conforms, and no validator may refuse it for its size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.hostile.case import Build, Case, control
from vizschema.conformance.corpus.hostile.zarr_base import ARRAY, GROUP, content, fields, v2, v3
from vizschema.conformance.corpus.hostile.zarr_files import deep
from vizschema.rules import versions

V2, V3 = "zarr-v2", "zarr-v3"
_LIMITS = versions.read_json(versions.root() / "1.0.0" / "limits.json")


def _filled(size: int) -> bytes:
    """The document of a group of so many bytes, most of them space."""
    raw = json.dumps(GROUP).encode()
    return raw + b" " * (size - len(raw))


def _nested(levels: int) -> Any:
    """An array at `/extra/x` whose document has so many levels, by a field that need not be understood."""
    value: Any = 1
    for _ in range(levels - 2):
        value = {"a": value}
    return {**ARRAY, "novelty": {"must_understand": False, "name": "x", "configuration": value}}


def _many_attributes(folder: Path) -> Path:
    from vizschema.conformance.corpus.hostile.hdf5 import write

    def change(file: Any) -> None:
        for number in range(_LIMITS["attributes"]):
            file["extra"].attrs[f"a{number}"] = number

    path: Path = write(folder, change, libver="latest")
    return path


def _deep_groups(folder: Path) -> Path:
    from vizschema.conformance.corpus.hostile.hdf5 import write

    steps = "/".join(["extra", *["x"] * (_LIMITS["path_depth"] - 2)])
    path: Path = write(folder, lambda file: file.create_dataset(f"{steps}/y", data=[1]))
    return path


_ATTRIBUTES: Build = v3(fields("extra/zarr.json", attributes={f"a{n}": n for n in range(_LIMITS["attributes"])}))
_RANK = _LIMITS["rank"]


def _grid(rank: int) -> dict[str, Any]:
    return {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1] * rank}}}


CASES: tuple[Case, ...] = (
    control(V3, "at-limit-document", "a document of as many bytes as any may have", v3(content("extra/x/zarr.json", _filled(_LIMITS["document_bytes"])), content("extra/x/y/zarr.json", ARRAY))),
    control(V3, "at-limit-depth", "a document of as many levels as any may have", v3(content("extra/x/zarr.json", _nested(_LIMITS["document_depth"] - 1)))),
    control(V3, "at-limit-path", "a path of as many steps as any may have", v3(deep(_LIMITS["path_depth"] - 1))),
    control("hdf5", "at-limit-path", "a path of as many steps as any may have", _deep_groups),
    control(V3, "at-limit-rank", "as many dimensions as any array may have", v3(content("extra/x/zarr.json", {**ARRAY, "shape": [1] * _RANK, **_grid(_RANK)}))),
    control(V3, "at-limit-attributes", "as many attributes as any node may have", _ATTRIBUTES),
    control(V2, "at-limit-attributes", "as many attributes as any node may have", v2(content("extra/.zattrs", {f"a{n}": n for n in range(_LIMITS["attributes"])}))),
    control("hdf5", "at-limit-attributes", "as many attributes as any node may have", _many_attributes),
    control(V3, "at-limit-chunks", "as many chunks as any array may have, none of them written", v3(content("extra/x/zarr.json", {**ARRAY, "shape": [_LIMITS["chunks"]], **_grid(1)}))),
)  # fmt: skip
