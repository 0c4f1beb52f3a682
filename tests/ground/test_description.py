"""The builders of nodes, and what a description says that follows from them: members, axes, series."""

from __future__ import annotations

from typing import Any

import pytest

from vizschema.description import REASONS, array, complete, fault, group, join, parent_of, storage


def plain(
    axes: list[str | None] | None = None, shape: list[int] | None = None, dtype: str = "float32"
) -> dict[str, Any]:
    """An array of two by three."""
    return array(dtype, shape or [2, 3], axes, {}, None)


def series_of(**nodes: Any) -> dict[str, Any]:
    """The series of an archive with these nodes, each named by its path with underscores for slashes at both ends."""
    found: dict[str, Any] = complete({}, {"/": group({}), **nodes})["series"]
    return found


class TestNodes:
    def test_a_group_holds_its_attributes(self) -> None:
        given = {"a": 1}
        node = group(given)
        given["a"] = 2
        assert node == {"kind": "group", "members": 0, "attributes": {"a": 1}}

    def test_an_array_says_how_many_bytes_it_is(self) -> None:
        assert array("int16", (2, 3), ("a", None), {"x": 1}, {"chunks": []}) == {
            "kind": "array",
            "dtype": "int16",
            "shape": [2, 3],
            "bytes": 12,
            "axes": ["a", None],
            "storage": {"chunks": []},
            "attributes": {"x": 1},
        }
        assert array("strange", [4], None, {}, None)["bytes"] == 0
        assert array("strange", [4], None, {}, None, item_bytes=5)["bytes"] == 20
        assert array("complex128", [], [], {}, None)["bytes"] == 16
        assert array("a\x1b", [], None, {}, None)["dtype"] == "a\\u001b"

    def test_hostile_names_of_axes_are_escaped_and_said_to_be(self) -> None:
        node = array("int8", [1, 1], ["a\n", None], {}, None)
        assert (node["axes"], node["escaped"]) == (["a\\u000a", None], ["axes"])
        assert "escaped" not in array("int8", [1], ["a"], {}, None)
        assert "escaped" not in array("int8", [1], None, {}, None)

    @pytest.mark.parametrize("reason", REASONS)
    def test_a_fault_is_of_the_kind_of_its_reason(self, reason: str) -> None:
        assert fault(reason, "x\x1b") == {"kind": REASONS[reason], "reason": reason, "detail": "x\\u001b"}

    def test_storage_counts_chunks_and_shards(self) -> None:
        found = storage(
            [5, 8, 3], ["head", "a:query", "b"], 4, chunks=[1, 3, 3], shard=[2, 6, 3], codecs=["bytes", "z\x1b"]
        )
        assert found == {
            "chunks": [1, 3, 3],
            "chunk_of": {"head": 1, "a:query": 3, "b": 3},
            "split": ["head", "a:query"],
            "chunk_bytes": 36,
            "chunk_count": 15,
            "shards": {"shape": [2, 6, 3], "bytes": 144, "count": 6},
            "codecs": ["bytes", "z\\u001b"],
        }

    @pytest.mark.parametrize("axes", [None, ["a", None], ["a", "a"]])
    def test_chunks_are_told_by_axis_only_where_every_axis_has_a_name_of_its_own(self, axes: Any) -> None:
        found = storage([4, 4], axes, 1, chunks=[2, 4], shard=None, codecs=[])
        assert (found["chunk_of"], found["split"], found["shards"]) == (None, None, None)
        assert (found["chunk_bytes"], found["chunk_count"]) == (8, 2)

    def test_storage_of_nothing_and_of_one_value(self) -> None:
        empty = storage([0, 3], ["a", "b"], 8, chunks=[0, 3], shard=None, codecs=[])
        assert (empty["chunk_count"], empty["chunk_bytes"], empty["split"]) == (0, 0, [])
        scalar = storage([], [], 8, chunks=[], shard=[], codecs=[])
        assert (scalar["chunk_count"], scalar["chunk_of"], scalar["split"]) == (1, {}, [])
        assert scalar["shards"] == {"shape": [], "bytes": 8, "count": 1}
        whole = storage([7], ["a"], 1, chunks=[7], shard=None, codecs=[])
        assert (whole["chunk_count"], whole["split"]) == (1, [])
        hostile = storage([7], ["a\n"], 1, chunks=[7], shard=None, codecs=[])
        assert hostile["chunk_of"] == {"a\\u000a": 7}
        with pytest.raises(ValueError, match="zip"):
            storage([7, 1], None, 1, chunks=[7], shard=None, codecs=[])
        with pytest.raises(ValueError, match="zip"):
            storage([7], ["a", "b"], 1, chunks=[7], shard=None, codecs=[])
        with pytest.raises(ValueError, match="zip"):
            storage([7], None, 1, chunks=[7], shard=[7, 7], codecs=[])

    def test_paths_are_joined_and_parted(self) -> None:
        assert (join("/", "a"), join("/a", "b")) == ("/a", "/a/b")
        assert (parent_of("/a/b"), parent_of("/a"), parent_of("/")) == ("/a", "/", "/")


class TestWhole:
    def test_a_description_has_five_parts_and_sorted_nodes(self) -> None:
        nodes = {"/b": group({}), "/": group({}), "/b/x": plain(), "/a": plain()}
        found = complete({"format": "zarr"}, nodes)
        assert list(found) == ["container", "values", "nodes", "axes", "series"]
        assert (found["container"], found["values"]) == ({"format": "zarr"}, "not_read")
        assert complete({}, {}, "read")["values"] == "read"
        assert list(found["nodes"]) == ["/", "/a", "/b", "/b/x"]
        assert {path: node.get("members") for path, node in found["nodes"].items()} == {
            "/": 2,
            "/a": None,
            "/b": 1,
            "/b/x": None,
        }

    def test_an_array_named_like_its_only_axis_is_a_coordinate(self) -> None:
        nodes = {"/": group({}), "/a": group({}), "/a/token": plain(["token"], [3]), "/token": plain(["token"], [3])}
        others = {
            "/x": plain(["token"], [3]),
            "/key": plain(["token:key"], [3]),
            "/y": plain(["y", "x"]),
            "/z": plain([]),
        }
        found = complete({}, {**nodes, **others})["nodes"]
        assert [path for path, node in found.items() if "coordinate" in node] == ["/a/token", "/token"]
        assert found["/token"]["coordinate"] is True

    def test_what_was_not_captured_is_compared_with_what_is_there(self) -> None:
        texts = ["/b: a reason: long", "/c/d: none", "/e", "/f: ", "g: no path", 3]
        nodes = {"/": group({"not_captured": texts}), "/b": plain(), "/metadata": group({"not_captured": ["/h: x"]})}
        assert complete({}, nodes)["not_captured"] == {
            "/b": {"reason": "a reason: long", "present": True},
            "/c/d": {"reason": "none", "present": False},
        }
        for value in ("/b: text", [], 3, None):
            assert "not_captured" not in complete({}, {"/": group({"not_captured": value})})

    def test_stray_files_are_listed_by_the_nearest_group_above(self) -> None:
        nodes = {
            **{path: group({}) for path in ("/", "/a", "/a/b")},
            "/x": plain(),
            "/broken": fault("damaged", ""),
            **{path: fault("stray-file", "") for path in ("/z", "/a/n", "/a/b/n", "/x/n", "/broken/c/n", "/x/a/n")},
            **{f"/a/b/m{number:02}": fault("stray-file", "") for number in range(20)},
        }
        found = complete({}, nodes)["nodes"]
        assert set(found) == {"/", "/a", "/a/b", "/x", "/broken"}
        assert found["/"]["stray"] == ["broken/c/n", "x/a/n", "x/n", "z"]
        assert found["/a"]["stray"] == ["n"]
        assert found["/a/b"]["stray"] == [f"m{number:02}" for number in range(16)]
        assert found["/"]["members"] == 3
        rootless = complete({}, {"/": plain(), "/x": fault("stray-file", "")})
        assert rootless["nodes"] == {"/": {**plain(), "roles": {}}}

    def test_an_attribute_that_is_a_path_says_whether_an_array_is_there_and_fits(self) -> None:
        names = {"mask": "/m", "scale": "/g", "sink": "/no", "note": "m", "count": 3, "broken": "/b", "other": "/o"}
        nodes = {
            "/": group({}),
            "/g": group(names),
            "/b": fault("damaged", ""),
            "/m": plain(["a", "b:key"], dtype="bool"),
            "/o": plain(["a", "c"]),
            "/x": array("int8", [2, 2, 3, 3], ["a:query", "a:key", "b:query", "b:key"], names, None),
        }
        found = complete({}, nodes)["nodes"]
        assert found["/x"]["references"] == {
            "mask": {"path": "/m", "exists": True, "dtype": "bool", "axes_fit": True},
            "scale": {"path": "/g", "exists": False, "dtype": None, "axes_fit": False},
            "sink": {"path": "/no", "exists": False, "dtype": None, "axes_fit": False},
            "other": {"path": "/o", "exists": True, "dtype": "float32", "axes_fit": False},
        }
        assert "references" not in found["/g"]
        assert "references" not in found["/m"]

    def test_the_roles_of_an_array_are_listed_with_the_axes_that_have_them(self) -> None:
        names = ["a:key", "b", None, "a:query", "c:key", ":odd", "d:"]
        nodes = {"/": group({}), "/x": plain(names, [1] * 7), "/y": plain(None), "/z": plain(["a", "b"])}
        found = complete({}, nodes)["nodes"]
        assert found["/x"]["roles"] == {"key": ["a", "c"], "query": ["a"], "odd": [""], "": ["d"]}
        assert found["/y"]["roles"] == found["/z"]["roles"] == {}
        assert complete({}, {"/x/y": fault("stray-file", "")})["nodes"] == {}

    def test_names_that_are_ambiguous_are_listed_up_to_sixteen(self) -> None:
        nodes = {"/": group({}), **{f"/{case}{number:02}": plain() for case in "aA" for number in range(10)}}
        found = complete({}, nodes)["nodes"]["/"]
        assert found["ambiguous"] == sorted(path[1:] for path in nodes if path != "/")[:16]
        assert "ambiguous" not in complete({}, {"/": group({}), "/a": plain(), "/b": plain()})["nodes"]["/"]
        assert "ambiguous" not in complete({}, {"/": group({}), "/é": plain()})["nodes"]["/"]
        assert complete({}, {"/": group({}), "/e\u0301": plain()})["nodes"]["/"]["ambiguous"] == ["e\u0301"]


class TestAxes:
    def test_an_axis_is_counted_by_name_and_size_with_the_first_two_places(self) -> None:
        nodes = {
            "/": group({}),
            "/a": plain(["token", "token:key"], [3, 3]),
            "/b": plain(["token", None], [3, 9]),
            "/c": plain(["token", ""], [4, 9]),
            "/d": plain(None, [4, 9]),
            "/e": plain(["token", ":role"], [3, 9]),
            "/f": group({"size_token": 3}),
        }
        assert complete({}, nodes)["axes"] == {
            "token": {"3": {"count": 4, "first": ["/a", "/b"]}, "4": {"count": 1, "first": ["/c"]}}
        }

    def test_names_and_sizes_are_sorted(self) -> None:
        nodes = {"/": group({}), "/a": plain(["b", "a"], [20, 3]), "/b": plain(["b", "a"], [3, 20])}
        axes = complete({}, nodes)["axes"]
        assert list(axes) == ["a", "b"]
        assert [list(sizes) for sizes in axes.values()] == [["20", "3"], ["20", "3"]]

    def test_a_size_in_the_metadata_is_one_more_sighting(self) -> None:
        sizes = {"size_token": 3, "size_head": 2.0, "size_": 5, "size_bad": 2.5, "size_true": True, "size_text": "3"}
        metadata = group({**sizes, "size_below": -1, "my_size_x": 4, "size_none": 0, "size_low": -1.0})
        nodes = {"/": group({}), "/a": plain(["token", "x"]), "/metadata": metadata}
        assert complete({}, nodes)["axes"] == {
            "head": {"2": {"count": 1, "first": ["/metadata"]}},
            "none": {"0": {"count": 1, "first": ["/metadata"]}},
            "token": {"2": {"count": 1, "first": ["/a"]}, "3": {"count": 1, "first": ["/metadata"]}},
            "x": {"3": {"count": 1, "first": ["/a"]}},
        }
        alone = {"/": group({}), "/metadata": {**plain(["token", "x"]), "attributes": {"size_y": 9}}}
        assert set(complete({}, alone)["axes"]) == {"token", "x"}
        three = {"/": group({}), **{f"/{name}": plain(["a", "b"]) for name in "pqr"}, "/metadata": group({"size_a": 2})}
        assert complete({}, three)["axes"]["a"] == {"2": {"count": 4, "first": ["/metadata", "/p"]}}

    def test_an_axis_has_its_key_by_the_nearest_label(self) -> None:
        nodes = {
            "/": group({"scope_token": "all"}),
            "/a": group({"scope_token": "one", "scope_x": 3, "size_token": 5, "size_x": 1}),
            "/a/b": plain(["token:query", "x"], [3, 4]),
            "/a/c": {**plain(["token", None], [7, 9]), "attributes": {"scope_token": "two", "size_token": 7}},
            "/d": plain(["token", "x"], [3, 4]),
            "/e": group({"scope_token": "one"}),
            "/e/f": plain(["token", ":role"], [3, 3]),
            "/metadata": group({"size_token": 3, "scope_token": "all"}),
        }
        found = complete({}, nodes)
        assert found["axes"] == {
            "token": {"3": {"count": 2, "first": ["/d", "/metadata"]}},
            "token@one": {"3": {"count": 2, "first": ["/a/b", "/e/f"]}, "5": {"count": 1, "first": ["/a"]}},
            "token@two": {"7": {"count": 2, "first": ["/a/c"]}},
            "x": {"4": {"count": 2, "first": ["/a/b", "/d"]}},
        }
        assert not any("unused_scopes" in node for node in found["nodes"].values())

    def test_labels_that_no_array_has_nearest_are_listed_up_to_sixteen(self) -> None:
        nodes = {
            "/": group({"scope_x": "a"}),
            "/a": group({"scope_x": "a", "scope_y": "a", "scope_": "a", "scope_z": 1}),
            "/a/b": {**plain(["x", "y:role"]), "attributes": {"scope_x": "b", "scope_w": "b"}},
            "/c": group({f"scope_x{number:02}": "a" for number in range(20)}),
        }
        found = complete({}, nodes)["nodes"]
        assert {path: node.get("unused_scopes") for path, node in found.items()} == {
            "/": None,
            "/a": ["", "x"],
            "/a/b": ["w"],
            "/c": [f"x{number:02}" for number in range(16)],
        }


class TestSeries:
    def test_a_series_says_what_it_holds(self) -> None:
        found = series_of(
            **{
                "/s": group({"num_layers": 6, "partial": True}),
                "/s/layer_01": plain(shape=[2]),
                "/s/layer_003": plain(shape=[1, 2], dtype="int8"),
                "/s/layer_09": fault("damaged", ""),
                "/s/layer_07": group({}),
                "/s/other": plain(),
            }
        )
        assert found == {
            "/s/layer": {
                "stem": "layer",
                "indices": [1, 3, 7, 9],
                "missing": [0, 2, 4, 5, 6, 8],
                "missing_count": 6,
                "declared": 6,
                "declared_by": "/s",
                "present": None,
                "undeclared": [7, 9],
                "partial": True,
                "siblings": 5,
                "digits": [2, 3],
                "kinds": ["array", "group", "unreadable"],
                "dtypes": ["float32", "int8"],
                "shapes": [[1, 2], [2]],
                "members": {},
            }
        }

    def test_members_of_groups_are_told_by_name(self) -> None:
        found = series_of(
            **{
                **{f"/r/step_{number:02}": group({}) for number in range(20)},
                "/r/step_20": plain(),
                "/r/step_00/a": plain(),
                "/r/step_01/a": plain(shape=[5], dtype="int8"),
                "/r/step_02/b": group({}),
                "/r": group({}),
            }
        )["/r/step"]
        assert found["members"] == {
            "a": {"absent": [*range(3, 19)], "dtypes": ["float32", "int8"], "shapes": [[2, 3], [5]]},
            "b": {"absent": [*range(3, 19)], "dtypes": [], "shapes": []},
        }
        assert list(found["members"]) == ["a", "b"]
        assert (found["indices"], found["partial"], found["declared"]) == ([*range(21)], False, None)

    @pytest.mark.parametrize("name", ["layer", "_1", "layer_", "layer_1x", "layer_1234567890", "layer1"])
    def test_other_names_are_of_no_series(self, name: str) -> None:
        assert series_of(**{f"/{name}": plain()}) == {}

    def test_the_number_of_a_name_is_what_follows_the_last_underscore(self) -> None:
        assert set(series_of(**{"/a_1_2": plain(), "/b_123456789": plain(), "/c\n_0": plain()})) == {
            "/a_1",
            "/b",
            "/c\n",
        }

    def test_below_what_is_no_group_there_is_no_series(self) -> None:
        assert series_of(**{"/x": fault("damaged", ""), "/x/layer_0": plain()}) == {}
        assert set(series_of(**{"/x": fault("damaged", ""), "/x/layer_0": plain(), "/y_0": plain()})) == {"/y"}

    def test_what_is_missing_is_shown_up_to_sixteen_and_counted(self) -> None:
        found = series_of(**{"/x_5": plain(), "/x_40": plain()})["/x"]
        assert found["missing_count"] == 39
        assert found["missing"] == [*range(5), *range(6, 17)]
        huge = series_of(**{"/x_999999999": plain()})["/x"]
        assert (huge["missing_count"], huge["missing"]) == (999999999, [*range(16)])
        twice = series_of(**{"/x_0": plain(), "/x_00": plain(), "/x_1": plain()})["/x"]
        assert (twice["indices"], twice["missing_count"], twice["digits"]) == ([0, 0, 1], 0, [1, 2])

    def test_how_many_there_are_is_declared_by_the_parent_else_by_the_metadata(self) -> None:
        metadata = group({"num_layers": 1, "num_heads": 3})
        own = series_of(**{"/s": group({"num_layers": 3.0}), "/s/layer_0": plain(), "/metadata": metadata})["/s/layer"]
        assert (own["declared"], own["declared_by"], own["missing"]) == (3, "/s", [1, 2])
        theirs = series_of(**{"/s": group({}), "/s/layer_1": plain(), "/metadata": metadata})["/s/layer"]
        assert (theirs["declared"], theirs["declared_by"], theirs["missing"], theirs["undeclared"]) == (
            1,
            "/metadata",
            [0],
            [1],
        )
        # By the metadata alone, nothing is missing past the last one.
        fewer = series_of(**{"/s": group({}), "/s/head_0": plain(), "/metadata": metadata})["/s/head"]
        assert (fewer["declared"], fewer["missing"]) == (3, [])
        many = {f"/s/layer_{number:02}": plain() for number in range(20)}
        more = series_of(**{"/s": group({"num_layers": 1}), **many})["/s/layer"]
        assert (more["undeclared"], more["missing_count"]) == ([*range(1, 17)], 0)

    @pytest.mark.parametrize("number", ["3", -1, 2.5, True, [3]])
    def test_what_is_no_number_declares_nothing_and_is_named(self, number: Any) -> None:
        found = series_of(**{"/s": group({"num_layers": number}), "/s/layer_0": plain()})["/s/layer"]
        assert (found["declared"], found["declared_by"], found["undeclared"]) == (None, "/s", [])
        assert series_of(**{"/s": group({"num_layers": number})}) == {}

    def test_a_number_without_members_is_a_series_of_none(self) -> None:
        found = series_of(
            **{"/s": group({"num_layers": 2, "num_": 3, "nums": 1, "num_s": 4, "anum_xs": 1, "num_x": 1})}
        )
        assert set(found) == {"/s/layer"}
        assert found["/s/layer"] == {
            "stem": "layer",
            "indices": [],
            "missing": [0, 1],
            "missing_count": 2,
            "declared": 2,
            "declared_by": "/s",
            "present": None,
            "undeclared": [],
            "partial": False,
            "siblings": 0,
            "digits": [],
            "kinds": [],
            "dtypes": [],
            "shapes": [],
            "members": {},
        }
        nowhere = {"/": group({"num_layers": 2}), "/metadata": group({"num_layers": 2}), "/x": plain()}
        nowhere["/x"]["attributes"]["num_layers"] = 2
        assert series_of(**nowhere) == {}
        later = series_of(**{"/metadata": group({"num_layers": 9}), "/t": group({"num_layers": 2})})
        assert set(later) == {"/t/layer"}
        assert series_of(**{"/s": group({"num_layers": 2.0})})["/s/layer"]["declared"] == 2

    def test_what_stands_in_the_place_of_a_member_is_no_lack(self) -> None:
        def absent(*members: str, **kinds: str) -> dict[str, list[int]]:
            nodes = {f"/r/step_{number}": group({}) for number in range(len(members))}
            for number, names in enumerate(members):
                nodes.update({f"/r/step_{number}/{name}": plain() for name in names})
            for number, kind in kinds.items():
                nodes[f"/r/step_{number[1:]}"]["attributes"]["kind"] = kind
            found = series_of(**{"/r": group({}), **nodes})["/r/step"]["members"]
            return {name: member["absent"] for name, member in found.items() if member["absent"]}

        assert absent("ab", "ac") == {}
        assert absent("ab", "a", "ac") == {"b": [1], "c": [1]}
        assert absent("a", "ab", "a", _1="moe") == {}
        assert absent("a", "ab", "a", _1="moe", _2="moe") == {"b": [2]}
        assert absent("a", "ab", "a", _1=1) == {"b": [0, 2]}  # type: ignore[arg-type]
        assert absent("ab", "ab") == {}

    def test_the_members_that_exist_are_those_that_the_group_lists(self) -> None:
        layers = {f"/s/layer_{number:02}": plain() for number in (3, 5)}

        def found(present: Any, **more: Any) -> list[Any]:
            series = series_of(**{"/s": group({"num_layers": 16, "present": present, **more}), **layers})["/s/layer"]
            return [series[key] for key in ("present", "missing", "missing_count", "undeclared")]

        assert found([5, 3]) == [[3, 5], [], 0, []]
        assert found([3.0, 11]) == [[3, 11], [11], 1, [5]]
        assert found([]) == [[], [], 0, [3, 5]]
        assert found([*range(30)]) == [[*range(16)], [0, 1, 2, 4, *range(6, 18)], 28, []]
        for value in (3, "3", [3, -1], ["3"], [True], [2.5]):
            assert found(value)[0] is None
            assert found(value)[2:] == [14, []]
        assert series_of(**{"/s": group({"num_layers": 4, "present": []})})["/s/layer"]["missing"] == []

    def test_only_true_is_partial(self) -> None:
        for value, partial in ((True, True), (False, False), (1, False), ("true", False)):
            assert series_of(**{"/s": group({"partial": value}), "/s/x_0": plain()})["/s/x"]["partial"] is partial

    def test_series_are_sorted_by_their_path(self) -> None:
        assert list(series_of(**{"/b_0": plain(), "/a_0": plain(), "/c": group({"num_xs": 1})})) == ["/a", "/b", "/c/x"]
