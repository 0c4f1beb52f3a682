"""Zarr's metadata documents: what the format defines is checked before it is used, and damage is a node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.zarr_documents import (
    GZIP,
    LIMITS,
    LITTLE,
    MYSTERY,
    TRANSPOSE,
    V2,
    V3,
    ZSTD,
    reason,
    refusal,
    sharding,
    v2_array,
    v2_group,
    v3,
    v3_node,
    without,
)

from vizschema.containers.base import Limits, Unreadable, parse


class TestStrictJson:
    def test_a_number_that_json_lacks_is_named_with_its_place(self) -> None:
        raw = b'{"consolidated_metadata": {"metadata": {"a/b": {"attributes": {"list": [1, {"loss": -Infinity}]}}}}}'
        with pytest.raises(Unreadable, match="consolidated_metadata/metadata/a/b/attributes/list/1/loss is NaN or inf"):
            parse(raw, "zarr.json", LIMITS)
        with pytest.raises(Unreadable, match=r"^zarr.json is not JSON: unexpected.*; NaN and Infinity are not JSON"):
            parse(b'{"a": NaN,}', "zarr.json", LIMITS)

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (b"", "empty"),
            (b" \n", "empty"),
            (b"{", "not JSON"),
            (b'{"a": 1,}', "not JSON"),
            (b'{"a": NaN}', "NaN and Infinity are not JSON"),
            (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
            (b"\xef\xbb\xbf{}", "byte-order mark"),
            ('{"a": 1}'.encode("utf-16"), "byte-order mark"),
            (b"[1]", "no JSON object"),
            (b"null", "no JSON object"),
            (b'{"a": "\\ud800"}', "not JSON"),
            (b'{"shape": [1], "shape": [2]}', "repeats the key shape"),
            (b'{"a": {"b": [{"c": 1, "c": 2}]}}', "repeats the key c"),
            (b'{"a": 1, "\\u0061": 2}', "repeats the key a"),
            (b'{"a": "\\u003a", "a": ":"}', "repeats the key a"),
        ],
    )
    def test_what_is_no_strict_json_object_is_malformed(self, raw: bytes, words: str) -> None:
        found, detail = refusal(parse, raw, "zarr.json", LIMITS)
        assert found == "metadata-malformed"
        assert detail.startswith("zarr.json ")
        assert words in detail

    @pytest.mark.parametrize(
        "raw", [b'{"a:b": ":::", "c": "\\u003a", "d": "\\"x\\": 1"}', b'{"a": {"x": 1}, "b": {"x": 2}}', b'{"a": []}']
    )
    def test_colons_and_equal_keys_of_different_objects_are_no_repetition(self, raw: bytes) -> None:
        assert parse(raw, "zarr.json", LIMITS) == json.loads(raw)

    @pytest.mark.parametrize("levels", [33, 200, 900, 100_000])
    def test_nesting_past_the_limit_is_over_limit(self, levels: int) -> None:
        raw = b'{"a":' + b"[" * levels + b"]" * levels + b"}"
        assert reason(parse, raw, "zarr.json", LIMITS) == "over-limit"

    @pytest.mark.parametrize("item", [b"1,", b"[],", b'{"a":1},'])
    def test_a_long_list_is_read_without_writing_it(self, item: bytes) -> None:
        raw = b'{"a":[' + item * 250_000 + b"1]}"
        assert len(parse(raw, "zarr.json", LIMITS)["a"]) == 250_001
        assert reason(parse, raw[:-1] + b',"a":1}', "zarr.json", LIMITS) == "metadata-malformed"

    def test_nesting_that_a_repeated_key_hides_is_no_exception(self) -> None:
        raw = b'{"a":' + b"[" * 1000 + b"]" * 1000 + b',"a":1}'
        assert reason(parse, raw, "zarr.json", LIMITS) in ("over-limit", "metadata-malformed")

    def test_a_limit_on_nesting_past_what_can_be_compared_is_lowered(self) -> None:
        raw = b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"
        assert reason(parse, raw, "zarr.json", Limits(document_depth=1000)) == "over-limit"

    def test_nesting_within_the_limit_is_read_however_many_lists_there_are(self) -> None:
        raw = b'{"a":' + b"[" * 31 + b"]" * 31 + b', "b": [' + b",".join([b"[]"] * 100) + b"]}"
        assert len(parse(raw, "zarr.json", LIMITS)["b"]) == 100

    @given(st.dictionaries(st.text(), st.recursive(st.integers() | st.text() | st.booleans(), st.lists, max_leaves=8)))
    def test_what_python_writes_is_read_as_it_was(self, document: dict[str, Any]) -> None:
        try:
            raw = json.dumps(document).encode()
        except UnicodeEncodeError:
            return
        read = parse(raw, "zarr.json", LIMITS)
        assert read.keys() == document.keys()

    @given(st.lists(st.text(alphabet='ab:\\"\u003a', max_size=2), min_size=1, max_size=6), st.booleans())
    def test_a_key_is_repeated_or_not_whatever_stands_in_the_strings(self, keys: list[str], ascii_only: bool) -> None:
        raw = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(key[::-1])}" for key in keys) + "}"
        if ascii_only:
            raw = raw.replace('":"', '" : "').replace("::", ":\\u003a")
        try:
            expected = len(set(keys)) == len(keys) and len(json.loads(raw)) == len(keys)
        except json.JSONDecodeError:
            return
        if expected:
            parse(raw.encode(), "zarr.json", LIMITS)
        else:
            assert reason(parse, raw.encode(), "zarr.json", LIMITS) == "metadata-malformed"


class TestVersion3Arrays:
    def test_an_array_gives_dtype_shape_axes_chunks_codecs_and_attributes(self) -> None:
        assert v3() == {
            "kind": "array",
            "dtype": "float32",
            "shape": [4, 76, 76],
            "bytes": 4 * 76 * 76 * 4,
            "axes": ["head", "residue:query", "residue:key"],
            "storage": {
                "chunks": [1, 76, 76],
                "chunk_of": {"head": 1, "residue:query": 76, "residue:key": 76},
                "split": ["head"],
                "chunk_bytes": 76 * 76 * 4,
                "chunk_count": 4,
                "shards": None,
                "codecs": ["bytes", "zstd"],
            },
            "attributes": {"normalization": "softmax", "source": "captured"},
        }

    def test_no_two_nodes_share_a_list_or_an_object(self) -> None:
        one, other = v3(), v3()
        one["storage"]["chunk_of"]["head"] = 7
        one["storage"]["split"].clear()
        one["axes"].clear()
        one["shape"].clear()
        assert other == v3()

    @pytest.mark.parametrize("key", sorted(set(V3) - {"attributes", "dimension_names", "storage_transformers"}))
    def test_a_required_field_that_is_missing_is_invalid(self, key: str) -> None:
        assert reason(v3_node, without(V3, key), LIMITS) == "metadata-invalid"

    @pytest.mark.parametrize("key", ["attributes", "dimension_names", "storage_transformers"])
    def test_an_optional_field_may_be_missing(self, key: str) -> None:
        assert v3_node(without(V3, key), LIMITS)["kind"] == "array"

    @pytest.mark.parametrize(
        "changes",
        [
            {"zarr_format": 2},
            {"zarr_format": True},
            {"zarr_format": 3.0},
            {"node_type": "dataset"},
            {"shape": 4},
            {"shape": [4, -1, 76]},
            {"shape": [4, 76.0, 76]},
            {"shape": [4, True, 76]},
            {"shape": [4, None, 76]},
            {"shape": [4, "76", 76]},
            {"shape": [1 << 63, 1, 1]},
            {"shape": [1 << 31, 1 << 31, 1]},
            {"shape": [4, 76]},
            {"data_type": 4},
            {"data_type": {"configuration": {}}},
            {"data_type": {"name": "raw_bytes", "configuration": {"length_bytes": -1}}},
            {"data_type": {"name": "structured", "configuration": {"fields": []}}},
            {"data_type": "r12"},
            {"chunk_grid": "irregular"},
            {"chunk_grid": {"name": "regular"}},
            {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 0, 76]}}},
            {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 76]}}},
            {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 1 << 40, 1 << 40]}}},
            {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "-"}}},
            {"chunk_key_encoding": None},
            {"codecs": []},
            {"codecs": "bytes"},
            {"codecs": [{"id": "zstd"}]},
            {"codecs": [7]},
            {"codecs": [{"name": "bytes", "configuration": []}]},
            {"attributes": []},
            {"attributes": None},
            {"dimension_names": ["head", "residue"]},
            {"dimension_names": ["head", "residue", 3]},
            {"dimension_names": "abc"},
        ],
    )
    def test_what_the_format_does_not_allow_is_invalid(self, changes: Mapping[str, Any]) -> None:
        assert reason(v3, **changes) == "metadata-invalid"

    def test_more_chunks_than_anybody_reads_are_over_limit(self) -> None:
        chunk = {"name": "regular", "configuration": {"chunk_shape": [1, 1, 1]}}
        few = v3_node({**V3, "chunk_grid": chunk}, Limits(chunks=4 * 76 * 76))
        assert few["storage"]["chunk_count"] == 4 * 76 * 76
        document = {**V3, "chunk_grid": chunk}
        found = refusal(v3_node, document, Limits(chunks=4 * 76 * 76 - 1))
        assert found == ("over-limit", "the array has 23104 chunks, more than 23103")
        assert refusal(v2_array, {**V2, "chunks": [1, 1]}, {}, Limits(chunks=303))[0] == "over-limit"

    def test_more_dimensions_than_any_reader_has_are_over_limit(self) -> None:
        assert reason(v3, shape=[1] * 65) == "over-limit"

    @pytest.mark.parametrize(
        "changes",
        [
            {"storage_transformers": [{"name": "encrypt"}]},
            {"chunk_grid": {"name": "rectilinear", "configuration": {}}},
            {"chunk_key_encoding": {"name": "hashed"}},
            {"encryption": {"name": "aes"}},
            {"encryption": {"must_understand": True}},
            {"encryption": 1},
        ],
    )
    def test_an_extension_that_a_reader_must_understand_is_unsupported(self, changes: Mapping[str, Any]) -> None:
        assert reason(v3, **changes) == "unsupported"

    def test_an_extension_that_need_not_be_understood_is_passed_over(self) -> None:
        assert v3(note={"must_understand": False, "name": "x"}) == v3()

    @pytest.mark.parametrize(
        ("data_type", "dtype", "item"),
        [
            ("bool", "bool", 1),
            ("uint16", "uint16", 2),
            ("bfloat16", "bfloat16", 2),
            ("complex128", "complex128", 16),
            ("string", "string", 0),
            ("variable_length_bytes", "bytes", 0),
            ("float8_e4m3", "float8_e4m3", 1),
            ("r24", "opaque", 3),
            ({"name": "fixed_length_utf32", "configuration": {"length_bytes": 20}}, "string", 20),
            ({"name": "null_terminated_bytes", "configuration": {"length_bytes": 4}}, "bytes", 4),
            ({"name": "numpy.datetime64", "configuration": {"unit": "ns", "scale_factor": 1}}, "datetime", 8),
            ({"name": "numpy.timedelta64", "configuration": {"unit": "ns", "scale_factor": 1}}, "timedelta", 8),
            (
                {"name": "structured", "configuration": {"fields": [["a", "int32"], ["b", "float64"]]}},
                "compound",
                12,
            ),
            ({"name": "struct", "configuration": {"fields": [{"name": "a", "data_type": "int8"}]}}, "compound", 1),
            ("org.example.posit", "org.example.posit", 0),
        ],
    )
    def test_a_data_type_has_one_name_in_every_container(self, data_type: Any, dtype: str, item: int) -> None:
        node = v3(data_type=data_type, fill_value=[0, 0] if dtype == "complex128" else 0)
        assert (node["dtype"], node["bytes"]) == (dtype, 4 * 76 * 76 * item)

    @pytest.mark.parametrize(
        ("codecs", "words"),
        [
            ([GZIP], "gzip takes bytes, and no codec before it makes any"),
            ([TRANSPOSE], "codecs has no codec that makes bytes"),
            ([GZIP, LITTLE], "gzip takes bytes"),
            ([LITTLE, LITTLE], "bytes makes bytes of an array, and so does bytes"),
            ([LITTLE, TRANSPOSE], "transpose takes an array, and stands behind bytes"),
            ([LITTLE, GZIP, MYSTERY, LITTLE], "and so does bytes"),
            ([MYSTERY, TRANSPOSE], "codecs has no codec that makes bytes"),
            ([{"name": "bytes"}], "has no endian, for entries of 4 bytes"),
        ],
    )
    def test_one_codec_makes_bytes_of_an_array(self, codecs: list[Any], words: str) -> None:
        assert words in refusal(v3, codecs=codecs)[1]
        assert reason(v3, codecs=codecs) == "metadata-invalid"
        within = {"codecs": codecs} if words[:5] != "codec" else {"index_codecs": codecs}
        assert reason(v3, codecs=[sharding([1, 76, 76], **within)]) == "metadata-invalid"

    @pytest.mark.parametrize("codecs", [[MYSTERY], [MYSTERY, LITTLE], [MYSTERY, GZIP], [LITTLE, MYSTERY]])
    def test_a_codec_that_nobody_knows_does_what_its_place_asks_for(self, codecs: list[Any]) -> None:
        assert "mystery" in v3(codecs=codecs)["storage"]["codecs"]

    def test_the_index_of_shards_is_not_compressed(self) -> None:
        assert reason(v3, codecs=[sharding([1, 76, 76], index_codecs=[LITTLE, ZSTD])]) == "metadata-invalid"

    @pytest.mark.parametrize(
        "codec",
        [
            {"name": "bytes", "configuration": {"endian": "middle"}},
            {"name": "transpose", "configuration": {}},
            {"name": "gzip", "configuration": {"level": 99}},
            {"name": "gzip", "configuration": {"level": True}},
            {"name": "zstd", "configuration": {"level": 1, "checksum": "no"}},
            {"name": "blosc", "configuration": {"shuffle": "sideways"}},
            {"name": "blosc", "configuration": {"shuffle": "shuffle", "typesize": 0}},
        ],
    )
    def test_the_configuration_of_a_codec_is_one_that_it_has(self, codec: Any) -> None:
        before = [LITTLE] if codec["name"] not in ("bytes", "transpose") else []
        assert reason(v3, codecs=[*before, codec]) == "metadata-invalid"

    @pytest.mark.parametrize(
        "changes",
        [
            {"codecs": [{"name": "bytes", "configuration": {"endian": "little", "novelty": 1}}]},
            {"codecs": [LITTLE, {"name": "crc32c", "configuration": {"novelty": 1}}]},
            {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/", "novelty": 1}}},
            {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 76, 76], "novelty": 1}}},
        ],
    )
    def test_a_field_of_a_configuration_that_nobody_knows_is_unsupported(self, changes: Mapping[str, Any]) -> None:
        assert reason(v3, **changes) == "unsupported"

    def test_a_shard_has_the_inner_chunk_as_its_chunk(self) -> None:
        node = v3(codecs=[sharding([1, 38, 76])])
        assert node["storage"]["chunks"] == [1, 38, 76]
        assert node["storage"]["chunk_count"] == 8
        assert node["storage"]["shards"] == {"shape": [1, 76, 76], "bytes": 76 * 76 * 4, "count": 4}
        assert node["storage"]["codecs"] == ["sharding_indexed", "bytes", "zstd", "bytes", "crc32c"]

    def test_shards_in_shards_have_the_innermost_chunk(self) -> None:
        node = v3(codecs=[sharding([1, 38, 38], [sharding([1, 19, 38])])])
        assert node["storage"]["chunks"] == [1, 19, 38]
        assert node["storage"]["shards"]["shape"] == [1, 76, 76]
        assert node["storage"]["codecs"].count("sharding_indexed") == 2

    def test_a_transposed_shard_has_its_inner_chunk_in_the_order_of_the_axes(self) -> None:
        chunk = {"name": "regular", "configuration": {"chunk_shape": [4, 38, 76]}}
        transpose = {"name": "transpose", "configuration": {"order": [2, 0, 1]}}
        node = v3(chunk_grid=chunk, codecs=[transpose, sharding([76, 2, 19])])
        assert node["storage"]["chunks"] == [2, 19, 76]

    @pytest.mark.parametrize(
        "codec",
        [
            sharding([1, 75, 76]),
            sharding([1, 76]),
            sharding([1, 0, 76]),
            sharding(None),
            sharding([1, 76, 76], codecs=[]),
            sharding([1, 76, 76], index_codecs=None),
            sharding([1, 76, 76], index_location="middle"),
            {"name": "transpose", "configuration": {"order": [0, 1]}},
        ],
    )
    def test_a_shard_that_its_inner_chunks_do_not_fill_is_invalid(self, codec: Any) -> None:
        assert reason(v3, codecs=[codec, LITTLE]) == "metadata-invalid"

    @pytest.mark.parametrize(
        "changes",
        [
            {"codecs": ["bytes"], "data_type": "uint8"},
            {"codecs": [LITTLE, "crc32c"]},
            {"codecs": [LITTLE, {"name": "crc32c", "configuration": None}]},
            {"codecs": [LITTLE, {"name": "gzip"}]},
            {"codecs": [LITTLE, {"name": "zstd"}]},
            {"codecs": [LITTLE, {"name": "blosc"}]},
            {"codecs": [sharding([1, 76, 76], index_codecs=["bytes"])]},
            {"chunk_key_encoding": "default"},
            {"chunk_key_encoding": {"name": "default", "configuration": None}},
            {"chunk_grid": "regular"},
            {"chunk_grid": {"name": "regular"}},
            {"data_type": {"name": "float32"}},
            {"data_type": {"name": "float32", "configuration": None}},
            # A member that an extension does not have, a misspelt `configuration` above all.
            {"chunk_key_encoding": {"name": "default", "configuratimn": {"separator": "."}}},
            {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1, 76, 76]}, "order": "C"}},
            {"codecs": [{**LITTLE, "endian": "big"}]},
            {"codecs": [{**LITTLE, "must_understand": "no"}]},
        ],
    )
    def test_a_form_that_no_reader_opens_is_invalid(self, changes: Mapping[str, Any]) -> None:
        assert reason(v3, **changes) == "metadata-invalid"

    @pytest.mark.parametrize(
        "changes",
        [
            {"codecs": [{"name": "bytes"}], "data_type": "uint8"},
            {"codecs": [LITTLE, {"name": "crc32c"}]},
            {"codecs": [LITTLE, {"name": "gzip", "configuration": {}}]},
            {"codecs": [{"name": "transpose", "configuration": {"order": "F"}}, LITTLE]},
            {"chunk_key_encoding": {"name": "default"}},
            {"chunk_key_encoding": {"name": "v2", "configuration": {}}},
            {"dimension_names": None},
            {"data_type": "bool", "fill_value": 1},
        ],
    )
    def test_a_form_that_some_reader_opens_is_read(self, changes: Mapping[str, Any]) -> None:
        assert v3(**changes)["kind"] == "array"

    @pytest.mark.parametrize("codec", ["pickle", "numcodecs.pickle", {"name": "numcodecs.pickle"}])
    def test_a_codec_that_unpickles_is_a_pickle_wherever_it_stands(self, codec: Any) -> None:
        assert reason(v3, codecs=[codec]) == "pickle"
        assert reason(v3, codecs=[sharding([1, 76, 76], [codec])]) == "pickle"

    def test_a_scalar_has_no_axes_and_needs_no_names_for_them(self) -> None:
        grid = {"name": "regular", "configuration": {"chunk_shape": []}}
        node = v3_node({**without(V3, "dimension_names"), "shape": [], "chunk_grid": grid}, LIMITS)
        assert (node["axes"], node["bytes"], node["storage"]["chunk_count"]) == ([], 4, 1)

    def test_an_array_of_length_zero_has_no_bytes_and_no_chunks(self) -> None:
        node = v3(shape=[0, 76, 76])
        assert (node["bytes"], node["storage"]["chunk_count"]) == (0, 0)

    @pytest.mark.parametrize(
        ("names", "axes"),
        [(None, None), ([None, None, None], None), (["head", None, None], ["head", None, None])],
    )
    def test_axes_are_null_where_nothing_is_named(self, names: Any, axes: Any) -> None:
        node = v3(dimension_names=names)
        assert node["axes"] == axes
        assert node["storage"]["chunk_of"] is None

    def test_an_axis_that_is_used_twice_has_no_chunk_of_its_own(self) -> None:
        assert v3(dimension_names=["head", "residue", "residue"])["storage"]["chunk_of"] is None


class TestAttributes:
    def test_a_group_has_its_attributes(self) -> None:
        group = {"zarr_format": 3, "node_type": "group", "attributes": {"a": [1, 2.5, "x", None, {"b": True}]}}
        assert v3_node(group, LIMITS) == {"kind": "group", "members": 0, "attributes": group["attributes"]}
        assert v2_group({"zarr_format": 2}, {"a": 1}, LIMITS)["attributes"] == {"a": 1}

    @pytest.mark.parametrize(
        ("raw", "safe", "place"),
        [
            ({"a": "\x1b[31m"}, {"a": "\\u001b[31m"}, "attributes/a"),
            ({"a": ["x\ny"]}, {"a": ["x\\u000ay"]}, "attributes/a"),
            ({"a\u202eb": 1}, {"a\\u202eb": 1}, "attributes/a\\u202eb"),
            ({"a\x7f": 1}, {"a\\u007f": 1}, "attributes/a\\u007f"),
            ({"a\\b": 1}, {"a\\\\b": 1}, "attributes/a\\\\b"),
        ],
    )
    def test_hostile_characters_are_escaped_and_marked(self, raw: Any, safe: Any, place: str) -> None:
        node = v3(attributes=raw)
        assert node["attributes"] == safe
        assert node["escaped"] == [place]

    @pytest.mark.parametrize("raw", [{"a": ""}, {"a": 'say "x"'}, {"ä": "Å"}, {"a": "C:\\x"}])
    def test_harmless_text_stays_as_it_is(self, raw: Any) -> None:
        node = v3(attributes=raw)
        assert node["attributes"] == raw
        assert "escaped" not in node

    def test_an_attribute_larger_than_the_limit_is_named_and_not_carried(self) -> None:
        node = v3_node({**V3, "attributes": {"a": "x" * 99, "b": 1}}, Limits(attribute_bytes=64))
        assert (node["attributes"], node["unsupported"]) == ({"b": 1}, {"a": "larger than 64 bytes"})

    def test_hostile_axis_names_are_escaped_and_marked(self) -> None:
        node = v3(dimension_names=["head\n", "residue:query", "residue:key"])
        assert node["axes"][0] == "head\\u000a"
        assert node["escaped"] == ["axes"]
        assert "head\\u000a" in node["storage"]["chunk_of"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def outcome(name: str, document: Any, read: Any) -> str:
    """The kind of node, or the reason of the damage, that a document gives from its bytes on."""
    try:
        node: dict[str, Any] = read(parse(json.dumps(document).encode(), name, LIMITS))
    except Unreadable as unreadable:
        return unreadable.reason
    return str(node["kind"])


class TestArbitraryDocuments:
    """Whatever JSON stands in a field, there is a node or damage that is named, and nothing else is raised."""

    @given(st.sampled_from(sorted(V3)), JSON)
    def test_of_version_3(self, key: str, value: Any) -> None:
        found = outcome("zarr.json", {**V3, key: value}, lambda document: v3_node(document, LIMITS))
        assert found in ("array", "group", "metadata-invalid", "unsupported", "pickle", "over-limit")

    @given(st.sampled_from(sorted(V2)), JSON, st.dictionaries(st.sampled_from(["_ARRAY_DIMENSIONS", "a"]), JSON))
    def test_of_version_2(self, key: str, value: Any, attributes: dict[str, Any]) -> None:
        beside = parse(json.dumps(attributes).encode(), ".zattrs", LIMITS)
        found = outcome(".zarray", {**V2, key: value}, lambda document: v2_array(document, beside, LIMITS))
        assert found in ("array", "metadata-invalid", "pickle")

    @given(JSON, st.sampled_from(["chunk_shape", "codecs", "index_codecs", "index_location"]))
    def test_of_shards(self, value: Any, key: str) -> None:
        document = {**V3, "codecs": [sharding([1, 76, 76], **{key: value})]}
        found = outcome("zarr.json", document, lambda document: v3_node(document, LIMITS))
        assert found in ("array", "metadata-invalid", "pickle")

    @given(st.binary(max_size=64))
    def test_of_bytes(self, raw: bytes) -> None:
        try:
            document = parse(raw, "zarr.json", LIMITS)
        except Unreadable as unreadable:
            document = unreadable.node()
        assert document.get("reason") in ("metadata-malformed", "over-limit") or document == json.loads(raw)
