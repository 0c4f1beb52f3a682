"""Consolidated copies: compared once everything is filled in that either side leaves out, never by common keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numcodecs
import pytest
import zarr.codecs

import vizschema
from vizschema.containers.base import Limits
from vizschema.containers.zarr.codecs import V2, V3
from vizschema.containers.zarr.documents import v2_copies, v3_copies
from vizschema.containers.zarr.dtypes import fill_bits
from vizschema.containers.zarr.settings import settings

LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
GROUP = {"zarr_format": 3, "node_type": "group", "attributes": {}}
ARRAY: dict[str, Any] = {
    "zarr_format": 3,
    "node_type": "array",
    "shape": [4, 6],
    "data_type": "float32",
    "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 6]}},
    "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
    "fill_value": 0,
    "codecs": [LITTLE],
    "attributes": {},
}
ARRAY_2: dict[str, Any] = {
    "zarr_format": 2,
    "shape": [4, 6],
    "chunks": [2, 6],
    "dtype": "<f4",
    "compressor": None,
    "fill_value": 0,
    "order": "C",
    "filters": None,
}


def sharded(**changes: Any) -> dict[str, Any]:
    inner = {"chunk_shape": [1, 6], "codecs": [LITTLE], "index_codecs": [LITTLE]}
    return {"name": "sharding_indexed", "configuration": {**inner, **changes}}


def codec(name: str, **configuration: Any) -> dict[str, Any]:
    return {"codecs": [LITTLE, {"name": name, "configuration": configuration}]}


def keys(name: str, **configuration: Any) -> dict[str, Any]:
    return {"chunk_key_encoding": {"name": name, **({"configuration": configuration} if configuration else {})}}


def verdict(found: Mapping[str, Any], copy: Mapping[str, Any], attributes: Any = None) -> str | None:
    """The difference that is seen between an array's own document and its copy."""
    if found["zarr_format"] == 3:
        copies = v3_copies({"consolidated_metadata": {"kind": "inline", "metadata": {"x": copy}}}, "/", Limits())
        assert copies is not None
        return copies.check("/x", {"zarr.json": dict(found)})
    documents = {"x/.zarray": copy, **({} if attributes is None else {"x/.zattrs": attributes})}
    lone = v2_copies({"zarr_consolidated_format": 1, "metadata": documents}, "/", Limits())
    return lone.check("/x", {".zarray": dict(found), ".zattrs": {}})


BIG = {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}]}
TURNED = {"codecs": [{"name": "transpose", "configuration": {"order": [1, 0]}}, LITTLE]}
DIFFERENT = [
    (BIG, {"codecs": [{"name": "bytes"}]}),
    (BIG, {"codecs": [{"name": "bytes", "configuration": {}}]}),
    ({"codecs": [sharded(index_location="start")]}, {"codecs": [sharded()]}),
    ({"codecs": [sharded(index_codecs=BIG["codecs"])]}, {"codecs": [sharded(index_codecs=[{"name": "bytes"}])]}),
    ({"codecs": [sharded(codecs=BIG["codecs"])]}, {"codecs": [sharded(codecs=[{"name": "bytes"}])]}),
    ({"codecs": [sharded()]}, {"codecs": [sharded(codecs=[LITTLE, {"name": "crc32c"}])]}),
    (codec("gzip", level=1), codec("gzip")),
    (codec("zstd", level=0, checksum=True), codec("zstd", level=0)),
    (codec("blosc", shuffle="noshuffle"), codec("blosc")),
    (codec("blosc", typesize=2), codec("blosc")),
    (codec("blosc", cname="lz4"), codec("blosc")),
    (codec("numcodecs.zlib", level=1), codec("numcodecs.zlib")),
    (keys("default", separator="."), keys("default")),
    (keys("v2", separator="/"), keys("v2")),
    (TURNED, {}),
    ({"fill_value": 0.0}, {"fill_value": -0.0}),
    ({"fill_value": "0x7fc00001"}, {"fill_value": "NaN"}),
    ({"dimension_names": ["a", "b"]}, {}),
    ({"dimension_names": ["a", None]}, {"dimension_names": [None, None]}),
    ({"attributes": {"a": 1}}, {}),
    ({}, {"note": {"must_understand": False}}),
]  # fmt: skip


@pytest.mark.parametrize(("found", "copy"), DIFFERENT)
def test_a_copy_that_leaves_out_what_is_no_default_is_another_account(found: Any, copy: Any) -> None:
    assert verdict({**ARRAY, **found}, {**ARRAY, **copy}) is not None
    if "codecs" not in found or found["codecs"] is not BIG["codecs"]:
        assert verdict({**ARRAY, **copy}, {**ARRAY, **found}) is not None


SAME = [
    ({"data_type": "uint8", "codecs": [{"name": "bytes"}]}, {"data_type": "uint8", "codecs": [LITTLE]}),
    ({"codecs": [sharded(index_location="end")]}, {"codecs": [sharded()]}),
    (codec("gzip", level=5), codec("gzip")),
    (codec("zstd", level=0, checksum=False), codec("zstd")),
    (codec("blosc", typesize=4, cname="zstd", clevel=5, shuffle="shuffle", blocksize=0), codec("blosc")),
    ({"codecs": [LITTLE, {"name": "crc32c", "configuration": {}}]}, {"codecs": [LITTLE, {"name": "crc32c"}]}),
    (keys("default"), {}),
    ({"fill_value": 0.0}, {"fill_value": 0}),
    ({"fill_value": "0x7fc00000"}, {"fill_value": "NaN"}),
    ({"fill_value": 0.1}, {"fill_value": 0.10000000149011612}),
    ({"dimension_names": None}, {}),
    ({"dimension_names": [None, None]}, {}),
    ({"storage_transformers": []}, {}),
    ({"codecs": [{"name": "transpose", "configuration": {"order": "F"}}, LITTLE]}, TURNED),
]


@pytest.mark.parametrize(("found", "copy"), SAME)
def test_a_copy_that_spells_defaults_out_or_leaves_them_out_agrees(found: Any, copy: Any) -> None:
    assert verdict({**ARRAY, **found}, {**ARRAY, **copy}) is None
    assert verdict({**ARRAY, **copy}, {**ARRAY, **found}) is None


def test_attributes_may_be_left_out_where_there_are_none() -> None:
    assert verdict(ARRAY, {key: value for key, value in ARRAY.items() if key != "attributes"}) is None


@pytest.mark.parametrize(
    "copy",
    [
        {"codecs": ["bytes"]},
        {"codecs": [{"name": "transpose"}, LITTLE]},
        {"codecs": [{"name": "bytes", "configuration": None}]},
        {"chunk_grid": {"name": "regular"}},
        {"chunk_grid": "regular"},
        {"chunk_key_encoding": "default"},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 6]}}]},
        {"data_type": {"name": "float32"}},
        {"shape": None},
        {"node_type": "thing"},
    ],
)
def test_a_copy_that_no_reader_opens_is_a_conflict(copy: Any) -> None:
    assert verdict(ARRAY, {**ARRAY, **copy}) is not None


SCALE = {"id": "fixedscaleoffset", "offset": 0, "scale": 10, "dtype": "<f4"}
DIFFERENT_2 = [
    ({"filters": [{**SCALE, "astype": "<i2"}]}, {"filters": [SCALE]}),
    ({"filters": [{"id": "delta", "dtype": "<i4", "astype": "<i2"}]}, {"filters": [{"id": "delta", "dtype": "<i4"}]}),
    ({"filters": [{"id": "shuffle", "elementsize": 8}]}, {"filters": [{"id": "shuffle"}]}),
    ({"filters": [{"id": "crc32", "location": "end"}]}, {"filters": [{"id": "crc32"}]}),
    ({"filters": [{"id": "crc32c", "location": "start"}]}, {"filters": [{"id": "crc32c"}]}),
    ({"compressor": {"id": "zstd", "level": 3}}, {"compressor": {"id": "zstd"}}),
    ({"compressor": {"id": "lzma", "format": 3}}, {"compressor": {"id": "lzma"}}),
    ({"compressor": {"id": "blosc", "shuffle": 2}}, {"compressor": {"id": "blosc"}}),
    ({"compressor": {"id": "zlib", "level": 1}}, {}),
    ({"dimension_separator": "/"}, {}),
    ({"order": "F"}, {}),
    ({"fill_value": None}, {}),
    ({}, {"note": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("found", "copy"), DIFFERENT_2)
def test_a_copy_of_version_2_that_leaves_out_what_is_no_default_is_another_account(found: Any, copy: Any) -> None:
    assert verdict({**ARRAY_2, **found}, {**ARRAY_2, **copy}) is not None
    assert verdict({**ARRAY_2, **copy}, {**ARRAY_2, **found}) is not None


SAME_2 = [
    ({"dimension_separator": "."}, {}),
    ({"filters": []}, {}),
    ({"filters": [{**SCALE, "astype": "<f4"}]}, {"filters": [SCALE]}),
    ({"filters": [{**SCALE, "astype": None}]}, {"filters": [SCALE]}),
    ({"compressor": {"id": "zlib", "level": 1}}, {"compressor": {"id": "zlib"}}),
    ({"fill_value": "0.0"}, {"fill_value": 0}),
]


@pytest.mark.parametrize(("found", "copy"), SAME_2)
def test_a_copy_of_version_2_that_spells_defaults_out_agrees(found: Any, copy: Any) -> None:
    assert verdict({**ARRAY_2, **found}, {**ARRAY_2, **copy}) is None
    assert verdict({**ARRAY_2, **copy}, {**ARRAY_2, **found}, {}) is None


@pytest.mark.parametrize("name", sorted(set(V2) - {"astype"}))
def test_the_defaults_of_version_2_are_those_of_numcodecs(name: str) -> None:
    needed = {"dtype": "<f4", "scale": 10, "offset": 0, "digits": 2, "keepbits": 3}
    given = {key: needed[key] for key in V2[name].required}
    defaults = settings(".zarray", {**ARRAY_2, "filters": [{"id": name, **given}]})["filters"][0]
    known = numcodecs.get_codec({"id": name, **given}).get_config()
    assert {key: value for key, value in defaults.items() if key in known} == known


@pytest.mark.parametrize("name", ["gzip", "zstd", "blosc"])
def test_the_defaults_of_version_3_are_those_of_zarr_python(name: str) -> None:
    classes = {"gzip": zarr.codecs.GzipCodec, "zstd": zarr.codecs.ZstdCodec, "blosc": zarr.codecs.BloscCodec}
    known = classes[name]().to_dict()["configuration"]
    assert {key: known[key] for key in V3[name].defaults} == V3[name].defaults


def test_a_copy_within_a_copy_is_that_of_its_group() -> None:
    inner = {**GROUP, "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": {"x": ARRAY}}}
    empty = {**GROUP, "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": {}}}
    for copy, found, agrees in (
        (inner, GROUP, False),
        (empty, GROUP, True),
        (inner, inner, True),
        (GROUP, inner, True),
    ):
        assert (verdict(found, copy) is None) is agrees


def test_a_root_that_lists_itself_otherwise_is_a_conflict(tmp_path: Path) -> None:
    group = {"zarr_format": 2}
    (tmp_path / ".zgroup").write_text(json.dumps(group))
    (tmp_path / ".zattrs").write_text(json.dumps({"a": 1}))
    for copies, agrees in (({".zgroup": group, ".zattrs": {"a": 1}}, True), ({".zgroup": group}, False), ({}, False)):
        (tmp_path / ".zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": copies}))
        assert (vizschema.describe(tmp_path)["nodes"]["/"]["kind"] == "group") is agrees


def test_fill_values_are_compared_by_their_bits() -> None:
    assert fill_bits("NaN", "bfloat16", 3) == fill_bits("0x7fc0", "bfloat16", 3)
    assert fill_bits(1e39, "float32", 3) == fill_bits("Infinity", "float32", 3)
    assert fill_bits(-1e39, "float32", 3) == fill_bits("-Infinity", "float32", 3)
    assert fill_bits([0, "NaN"], "complex64", 3) == fill_bits([0.0, "0x7fc00000"], "complex64", 3)
    assert fill_bits(True, "bool", 3) == fill_bits(1, "bool", 3)
    assert fill_bits("anything", "string", 3) == "anything"
