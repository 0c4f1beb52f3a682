"""Wrong validators that take one thing for another: names, sizes, attributes and places of nodes; tolerances; findings."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from vizschema.conformance.wrong.kinds import Wrong
from vizschema.conformance.wrong.measuring import Change, changed_attributes, derived, if_measured, whole_nodes
from vizschema.conformance.wrong.validators import again, each_node, facts, families, storage
from vizschema.description import Description, Node, parent_of

Reply = dict[str, Any]

_SUMS = ("row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum")


def _renamed(change: Callable[[str], str]) -> Change:
    """Derives everything again, of nodes under other names; the first of two that become alike stays."""

    def changed(description: Description) -> Description:
        nodes: dict[str, Node] = {}
        for path, node in description["nodes"].items():
            nodes.setdefault(change(path), node)
        return description if nodes.keys() == description["nodes"].keys() else derived(description, nodes)

    return changed


def _nearer(share: float) -> Change:
    """Sums of rows that are nearer to 1 than they are: a tolerance that is as much larger."""

    def of(_: Node, found: Node) -> Mapping[str, Any]:
        return {key: 1 - (1 - found[key]) * share for key in _SUMS if found.get(key)}

    made: Change = facts(of)
    return made


def _within(margin: float) -> Change:
    """Values that are outside of 0 to 1 by no more than `margin` taken for these."""

    def of(_: Node, found: Node) -> Mapping[str, Any]:
        low, high = found.get("minimum"), found.get("maximum")
        below = {"minimum": 0.0} if isinstance(low, float) and -margin <= low < 0 else {}
        return {**below, **({"maximum": 1.0} if isinstance(high, float) and 1 < high <= 1 + margin else {})}

    made: Change = facts(of)
    return made


def _damage(*reasons: str) -> Change:
    """Damage of these reasons not seen."""
    return if_measured("damaged_chunks", lambda found: [each for each in found if each["reason"] not in reasons])


def _reason(*reasons: str) -> Change:
    """Nodes that cannot be read for these reasons left out."""
    return again(
        lambda nodes: {path: node for path, node in nodes.items() if node.get("reason") not in reasons or path == "/"}
    )


def _dtypes(other: Mapping[str, str]) -> Change:
    return whole_nodes(lambda _, node: {**node, "dtype": other[node["dtype"]]} if node.get("dtype") in other else node)


def _counted(change: Callable[[int, Node], int]) -> Change:
    """Changes how often each size of an axis was seen."""

    def changed(description: Description) -> Description:
        axes = {
            name: {size: {**seen, "count": change(seen["count"], seen)} for size, seen in sizes.items()}
            for name, sizes in description["axes"].items()
        }
        return {**description, "axes": axes} if axes != description["axes"] else description

    return changed


def _attributes_of(chosen: Callable[[str, Node], bool]) -> Change:
    """Attributes of some nodes not read."""
    return whole_nodes(
        lambda path, node: {**node, "attributes": {}} if node.get("attributes") and chosen(path, node) else node
    )


def _reversed_shape(_: str, node: Node) -> Node:
    shape, axes = node.get("shape") or [], node.get("axes")
    return {**node, "shape": shape[::-1], "axes": axes and axes[::-1]} if shape[::-1] != shape else node


def _no_values(description: Description) -> Description:
    """What is measured of values is not looked at."""
    if description["values"] == "not_read":
        return description
    nodes = {
        path: {key: each for key, each in node.items() if key != "facts"} for path, node in description["nodes"].items()
    }
    return {
        **{key: each for key, each in description.items() if key != "coverage"},
        "values": "not_read",
        "nodes": nodes,
    }


def _largest(description: Description) -> Description:
    """Of an axis with several sizes the one that was seen most often."""
    axes = {
        name: dict([max(sizes.items(), key=lambda each: each[1]["count"])])
        for name, sizes in description["axes"].items()
        if sizes
    }
    return {**description, "axes": axes} if axes != description["axes"] else description


def _findings(change: Callable[[list[Any]], list[Any]]) -> Callable[[Reply], Reply]:
    return lambda reply: {**reply, "findings": change(reply["findings"])}


def _placed(change: Callable[[str], str]) -> Callable[[Reply], Reply]:
    """Reports each finding elsewhere."""
    return _findings(lambda found: [{**each, "path": change(each["path"])} for each in found])


def _one_a_place(found: list[Any]) -> list[Any]:
    return list({each["path"]: each for each in reversed(found)}.values())


_TABLE: Mapping[str, tuple[str, Change]] = {
    # Tolerances and bounds
    "tolerance_of_101": ("a tolerance that is one percent larger", _nearer(1 / 1.01)),
    "tolerance_of_99": ("a tolerance that is one percent smaller", _nearer(1.01)),
    "tolerance_doubled": ("a tolerance that is twice as large", _nearer(0.5)),
    "nearly_in_range": ("values a millionth outside of 0 to 1 taken for these", _within(1e-6)),
    "nearly_in_range_32": ("values 1e-7 outside of 0 to 1 taken for these", _within(2e-7)),
    "one_slice_equal": ("one equal slice tolerated", if_measured("duplicate_slices", lambda count: 0 if count == 1 else count)),
    "one_absent": ("one absent chunk tolerated", if_measured("absent_chunks", lambda count: 0 if count == 1 else count)),
    "one_beyond": ("one index past an axis tolerated", if_measured("beyond_axis", lambda count: 0 if count == 1 else count)),
    "one_differs": ("one prediction that differs tolerated", if_measured("argmax_differs", lambda count: 0 if count == 1 else count)),
    "one_nan": ("one NaN tolerated", facts(lambda _, found: {"nan": 0, "non_finite": found["infinite"]} if found.get("nan") == 1 else {})),
    "one_gap": ("one gap of a series tolerated", families(lambda family: {"missing": [], "missing_count": 0} if family.get("missing_count") == 1 else {})),
    "last_undeclared": ("a member just past the declared count tolerated", families(lambda family: {"undeclared": [each for each in family["undeclared"] if each != family["declared"]]} if family.get("undeclared") else {})),
    "chunks_tenth_larger": ("chunks a tenth larger than they may be", storage(lambda _, found: {**found, "chunk_bytes": int(found["chunk_bytes"] / 1.1)})),
    "chunks_in_mib": ("bytes of chunks in whole MiB", storage(lambda _, found: {**found, "chunk_bytes": found["chunk_bytes"] >> 20 << 20})),
    # Damage
    "checksums_not_compared": ("checksums not compared", _damage("checksum")),
    "lengths_not_compared": ("lengths of chunks not compared", _damage("truncated", "wrong-length")),
    "conflicts_not_seen": ("documents that contradict each other not compared", _reason("metadata-conflict")),
    "malformed_left_out": ("nodes with malformed documents left out", _reason("metadata-malformed")),
    "invalid_left_out": ("nodes with invalid documents left out", _reason("metadata-invalid")),
    "missing_left_out": ("nodes without a document left out", _reason("metadata-missing")),
    "inner_links_followed": ("links within the archive left out", _reason("internal-link")),
    "outer_links_followed": ("links to other files left out", _reason("external-link")),
    "virtual_left_out": ("virtual datasets left out", _reason("virtual-dataset")),
    "outer_storage_left_out": ("values in other files left out", _reason("external-storage")),
    # Names and nodes
    "names_composed": ("names of nodes in normal form C", _renamed(lambda path: unicodedata.normalize("NFC", path))),
    "names_lower": ("names of nodes in lower case", _renamed(str.lower)),
    "names_stripped": ("spaces at the ends of names lost", _renamed(lambda path: "/" + "/".join(name.strip() for name in path[1:].split("/")))),
    "names_cut": ("names cut after 32 characters", _renamed(lambda path: "/" + "/".join(name[:32] for name in path[1:].split("/")))),
    "names_with_hyphens": ("hyphens in names taken for underscores", _renamed(lambda path: path.replace("-", "_"))),
    "numbers_short": ("zeros before the number of a member lost", _renamed(lambda path: "/".join(_short(name) for name in path.split("/")))),
    "no_empty_groups": ("groups without members left out", again(lambda nodes: {path: node for path, node in nodes.items() if node.get("members") != 0 or path == "/"})),
    "no_scalars": ("arrays without dimensions left out", again(lambda nodes: {path: node for path, node in nodes.items() if node.get("shape") != []})),
    "no_empty_arrays": ("arrays without values left out", again(lambda nodes: {path: node for path, node in nodes.items() if 0 not in node.get("shape", ())})),
    "no_unnamed": ("arrays without names of axes left out", again(lambda nodes: {path: node for path, node in nodes.items() if node["kind"] != "array" or node["axes"] is not None})),
    "extra_left_out": ("what is in /extra left out", again(lambda nodes: {path: node for path, node in nodes.items() if not path.startswith("/extra/")})),
    "root_only": ("members of the root alone", again(lambda nodes: {path: node for path, node in nodes.items() if path.count("/") == 1})),
    # Axes and shapes
    "shapes_reversed": ("dimensions in the order of Fortran", whole_nodes(_reversed_shape)),
    "axes_backwards": ("names of axes in the other order", each_node(lambda _, node: {**node, "axes": node["axes"][::-1]} if node.get("axes") and node["axes"] != node["axes"][::-1] else node)),
    "axes_unnamed": ("names of axes not read", whole_nodes(lambda _, node: {**node, "axes": None} if node.get("axes") else node)),
    "axes_all_or_none": ("axes null where one has no name", whole_nodes(lambda _, node: {**node, "axes": None} if None in (node.get("axes") or ()) else node)),
    "commonest_size": ("the commonest size of an axis alone", _largest),
    "sightings_alike": ("each size of an axis seen once", _counted(lambda _, __: 1)),
    "sightings_reversed": ("of two sizes the one seen more often reported", _counted(lambda count, _: 100_000 - count)),
    # Dtypes
    "half_alike": ("bfloat16 taken for float16", _dtypes({"bfloat16": "float16"})),
    "double_as_single": ("float64 taken for float32", _dtypes({"float64": "float32"})),
    "single_as_double": ("float32 taken for float64", _dtypes({"float32": "float64"})),
    "signs_of_dtypes": ("integers without a sign taken for those with one", _dtypes({f"uint{bits}": f"int{bits}" for bits in (8, 16, 32, 64)})),
    "bytes_as_flags": ("uint8 taken for bool", _dtypes({"uint8": "bool"})),
    "nibbles_as_bytes": ("int4 and uint4 taken for bytes", _dtypes({"int4": "int8", "uint4": "uint8"})),
    "float8_as_bytes": ("float8 taken for uint8", _dtypes({f"float8_{kind}": "uint8" for kind in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")})),
    # Attributes
    "root_attributes": ("attributes of the root alone", _attributes_of(lambda path, _: path != "/")),
    "group_attributes": ("attributes of arrays not read", _attributes_of(lambda _, node: node["kind"] == "array")),
    "attributes_above": ("attributes of groups below the root not read", _attributes_of(lambda path, node: node["kind"] == "group" and path not in ("/", "/metadata"))),
    "attributes_null": ("attributes: null dropped", whole_nodes(lambda _, node: {**node, "attributes": {key: value for key, value in node["attributes"].items() if value is not None}} if None in node.get("attributes", {}).values() else node)),
    "attributes_as_flags": ("attributes: 0 and 1 as booleans", changed_attributes(lambda value: bool(value) if isinstance(value, int) and value in (0, 1) else value)),
    "attributes_rounded": ("attributes: numbers as whole ones", changed_attributes(lambda value: int(value) if isinstance(value, float) and abs(value) < 1e9 else value)),
    "attributes_positive": ("attributes: numbers without a sign", changed_attributes(lambda value: abs(value) if isinstance(value, int | float) and not isinstance(value, bool) else value)),
    "attributes_joined": ("attributes: lists as one text", changed_attributes(lambda value: ",".join(map(str, value)) if isinstance(value, list) else value)),
    "attributes_first": ("attributes: the first of a list alone", changed_attributes(lambda value: value[:1] if isinstance(value, list) else value)),
    # Values
    "values_not_read": ("values not read", _no_values),
}  # fmt: skip


def _short(name: str) -> str:
    stem, line, number = name.rpartition("_")
    return f"{stem}_{int(number)}" if line and number.isascii() and number.isdecimal() else name


_REPLIES: Mapping[str, tuple[str, Callable[[Reply], Reply]]] = {
    "one_a_place": ("one finding for each place", _findings(_one_a_place)),
    "three_findings": ("stops at the third finding", _findings(lambda found: found[:3])),
    "last_finding": ("the last finding alone", _findings(lambda found: found[-1:])),
    "at_the_parent": ("each finding at the group above", _placed(lambda path: path if path == "/" else parent_of(path))),
    "relative_places": ("places without the first slash", _placed(lambda path: path.lstrip("/"))),
    "places_lower": ("places in lower case", _placed(str.lower)),
    "places_ascii": ("places in ASCII", _placed(lambda path: path.encode("ascii", "replace").decode())),
    "places_composed": ("places in normal form C", _placed(lambda path: unicodedata.normalize("NFC", path))),
    "places_escaped": ("places as JSON Pointers", _placed(lambda path: path.replace("~", "~0").replace("/", "~1"))),
    "members_for_series": ("a series reported at its first member", _placed(lambda path: path.replace("_*", "_00"))),
    "places_with_slash": ("a slash at the end of places", _placed(lambda path: path + "/")),
    "no_places": ("findings of the root alone", _findings(lambda found: [each for each in found if each["path"] == "/"])),
    "no_verdict_of_many": ("valid where there are several findings", lambda reply: {**reply, "verdict": "valid"} if len(reply["findings"]) > 1 else reply),
    "valid_as_refused": ("what is not an archive valid", lambda reply: {**reply, "verdict": "valid"} if reply["verdict"] == "refused" else reply),
}  # fmt: skip

JUDGING: tuple[Wrong, ...] = (
    *(Wrong(name, "validator", fault, description=change) for name, (fault, change) in _TABLE.items()),
    *(Wrong(name, "validator", fault, findings=change) for name, (fault, change) in _REPLIES.items()),
)
