"""The document of an array of Zarr v2: what is taken, and what is refused in which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from support.zarr_documents import LIMITS, V2, reason, v2, v2_array, without


class TestVersion2Arrays:
    def test_an_array_gives_dtype_shape_chunks_codecs_and_attributes(self) -> None:
        node = v2({"a": 1})
        assert (node["dtype"], node["shape"], node["bytes"]) == ("float32", [4, 76], 1216)
        assert node["axes"] is None
        assert node["storage"]["chunks"] == [1, 76]
        assert node["storage"]["codecs"] == ["blosc"]
        assert node["attributes"] == {"a": 1}

    @pytest.mark.parametrize("key", sorted(V2))
    def test_a_required_field_that_is_missing_is_invalid(self, key: str) -> None:
        assert reason(v2_array, without(V2, key), {}, LIMITS) == "metadata-invalid"

    @pytest.mark.parametrize(
        "changes",
        [
            {"zarr_format": 3},
            {"shape": [4, -76]},
            {"shape": [4]},
            {"chunks": True},
            {"chunks": [1, 0]},
            {"chunks": [1, 1.5]},
            {"order": "A"},
            {"dimension_separator": "-"},
            {"dimension_separator": None},
            {"filters": {}},
            {"filters": [{"name": "delta"}]},
            {"compressor": "zstd"},
            {"compressor": {"id": None}},
            {"dtype": "float32"},
            {"dtype": "f4"},
            {"dtype": "|f4"},
            {"dtype": "<f3"},
            {"dtype": "<i4 "},
            {"dtype": "<S"},
            {"dtype": "|M8[ns]"},
            {"dtype": 4},
            {"dtype": []},
            {"dtype": [["a"]]},
            {"dtype": [["a", "<f4", [-1]]]},
            {"dtype": [["a", "<f4", [1 << 62, 1 << 62]]]},
        ],
    )
    def test_what_the_format_does_not_allow_is_invalid(self, changes: Mapping[str, Any]) -> None:
        assert reason(v2, **changes) == "metadata-invalid"

    @pytest.mark.parametrize(
        ("given_dtype", "dtype", "item"),
        [
            ("|b1", "bool", 1),
            ("|u1", "uint8", 1),
            (">i8", "int64", 8),
            ("<f2", "float16", 2),
            (">c16", "complex128", 16),
            ("<f16", "float128", 16),
            ("<U15", "string", 60),
            ("|S4", "bytes", 4),
            ("|V4", "opaque", 4),
            ("<M8[ns]", "datetime", 8),
            ("<m8[10us]", "timedelta", 8),
            ([["a", "<i4"], ["b", "<f8", [2]], ["c", [["d", "|u1"]]]], "compound", 21),
        ],
    )
    def test_a_dtype_has_one_name_whatever_the_byte_order(self, given_dtype: Any, dtype: str, item: int) -> None:
        node = v2(dtype=given_dtype, fill_value=None)
        assert (node["dtype"], node["bytes"]) == (dtype, 4 * 76 * item)

    @pytest.mark.parametrize(
        ("codec", "dtype"),
        [
            ("vlen-utf8", "string"),
            ("vlen-bytes", "bytes"),
            ("vlen-array", "vlen"),
            ("json2", "object"),
            ("msgpack2", "object"),
            ("categorize", "string"),
        ],
    )
    def test_objects_that_a_filter_encodes_are_read_without_pickle(self, codec: str, dtype: str) -> None:
        assert v2(dtype="|O", filters=[{"id": codec}])["dtype"] == dtype

    @pytest.mark.parametrize(
        "changes",
        [
            {"dtype": "|O"},
            {"dtype": "|O", "filters": [{"id": "delta"}]},
            {"dtype": "|O", "filters": [{"id": "pickle", "protocol": 5}]},
            {"filters": [{"id": "pickle"}]},
            {"compressor": {"id": "pickle"}},
            {"dtype": [["a", "|O"]]},
        ],
    )
    def test_values_that_only_unpickling_could_read_are_a_pickle(self, changes: Mapping[str, Any]) -> None:
        assert reason(v2, **changes) == "pickle"

    @pytest.mark.parametrize(
        "changes",
        [
            {"filters": [{"id": "delta"}]},
            {"filters": [{"id": "delta", "dtype": "<f9"}]},
            {"filters": [{"id": "shuffle", "elementsize": 0}]},
            {"compressor": {"id": "gzip", "level": "x"}},
            {"compressor": {"id": "blosc", "shuffle": 77}},
            {"fill_value": "fast"},
            {"fill_value": [1]},
            {"dtype": "<b1"},
        ],
    )
    def test_what_no_reader_takes_is_invalid(self, changes: Mapping[str, Any]) -> None:
        assert reason(v2, **changes) == "metadata-invalid"

    def test_a_field_of_a_compressor_that_nobody_knows_is_unsupported(self) -> None:
        assert reason(v2, compressor={"id": "zlib", "novelty": 1}) == "unsupported"

    def test_codecs_are_the_filters_and_then_the_compressor(self) -> None:
        node = v2(filters=[{"id": "delta", "dtype": "<f4"}, {"id": "shuffle"}], compressor={"id": "zlib"})
        assert node["storage"]["codecs"] == ["delta", "shuffle", "zlib"]
        assert v2(compressor=None)["storage"]["codecs"] == []

    def test_blosc_with_a_compressor_that_most_builds_lack_is_named_after_it(self) -> None:
        assert v2(compressor={"id": "blosc", "cname": "snappy"})["storage"]["codecs"] == ["blosc-snappy"]
        assert v2(compressor={"id": "blosc", "cname": "zstd"})["storage"]["codecs"] == ["blosc"]

    def test_axes_are_named_by_an_attribute_that_then_does_not_appear(self) -> None:
        node = v2({"_ARRAY_DIMENSIONS": ["head", "residue"], "a": 1})
        assert node["axes"] == ["head", "residue"]
        assert node["storage"]["chunk_of"] == {"head": 1, "residue": 76}
        assert node["attributes"] == {"a": 1}

    @pytest.mark.parametrize("names", [["head"], ["head", "residue", "x"], "head", ["head", 2], {"head": 4}, None])
    def test_names_that_do_not_fit_leave_axes_null_and_stay_visible(self, names: Any) -> None:
        node = v2({"_ARRAY_DIMENSIONS": names})
        assert node["axes"] is None
        assert "_ARRAY_DIMENSIONS" in node["axes_detail"]
        assert node["attributes"] == {"_ARRAY_DIMENSIONS": names}

    def test_bfloat16_is_uint16_with_an_attribute_that_says_so(self) -> None:
        node = v2({"stored_dtype": "bfloat16"}, dtype="<u2")
        assert (node["dtype"], node["attributes"]) == ("bfloat16", {})
        assert v2({"stored_dtype": "bfloat16"}, dtype="<i2")["attributes"] == {"stored_dtype": "bfloat16"}

    def test_a_length_of_zero_may_have_chunks_of_zero(self) -> None:
        assert v2(shape=[0, 76], chunks=[0, 76])["storage"]["chunk_count"] == 0

    def test_unknown_fields_are_ignored_as_the_format_says(self) -> None:
        assert v2(note=1) == v2()
