"""Wrong validators that measure too little: each leaves out, or takes for granted, one field of the description."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vizschema.conformance.wrong.kinds import Wrong
from vizschema.conformance.wrong.validators import again, axes_of, each_node, facts, families, storage, without
from vizschema.description import Description, Node, complete

Change = Callable[[Description], Description]


def _where(keys: str, change: Callable[[Node], Mapping[str, Any]]) -> Change:
    """Changes facts where all of `keys` were measured."""
    made: Change = facts(lambda _, found: change(found) if set(keys.split()) <= found.keys() else {})
    return made


def _if_there(key: str, value: Any) -> Change:
    """A fact that is always the same where it is measured."""
    made: Change = facts(lambda _, found: {key: value} if key in found else {})
    return made


def if_measured(key: str, change: Callable[[Any], Any]) -> Change:
    """Changes one fact where it is measured and known."""
    made: Change = facts(lambda _, found: {key: change(found[key])} if found.get(key) is not None else {})
    return made


def whole_nodes(change: Callable[[str, Node], Node]) -> Change:
    """Changes nodes, and derives everything again."""
    each = each_node(change)

    def changed(description: Description) -> Description:
        other = each(description)
        return description if other is description else derived(description, other["nodes"])

    return changed


def field(key: str, change: Callable[[Any], Any]) -> Change:
    """Changes a field of every node that has it."""

    def of(_: str, node: Node) -> Node:
        if key not in node:
            return node
        value = change(copy.deepcopy(node[key]))
        return node if value == node[key] else {**node, key: value}

    made: Change = each_node(of)
    return made


def changed_attributes(change: Callable[[Any], Any]) -> Change:
    """Changes every attribute, and derives everything again; one that becomes None is dropped."""

    def changed(description: Description) -> Description:
        nodes, differs = {}, False
        for path, node in description["nodes"].items():
            held = node.get("attributes", {})
            made = {key: change(value) for key, value in held.items()}
            kept = {key: value for key, value in made.items() if value is not None or held[key] is None}
            differs |= repr(kept) != repr(held)
            nodes[path] = {**node, "attributes": kept} if "attributes" in node else node
        return derived(description, nodes) if differs else description

    return changed


def derived(description: Description, nodes: Mapping[str, Node]) -> Description:
    """`description` with other nodes, and what follows from them."""
    made: Description = complete(description["container"], copy.deepcopy(dict(nodes)), description["values"])
    return {**{key: value for key, value in description.items() if key != "not_captured"}, **made}


def _without_attributes(*prefixes: str) -> Change:
    """Derives everything again without attributes whose names begin so."""

    def changed(description: Description) -> Description:
        nodes, differs = {}, False
        for path, node in description["nodes"].items():
            held = node.get("attributes", {})
            kept = {key: value for key, value in held.items() if not key.startswith(prefixes)}
            differs |= len(kept) < len(held)
            nodes[path] = {**node, "attributes": kept} if "attributes" in node else node
        return derived(description, nodes) if differs else description

    return changed


def _own_scopes_only(description: Description) -> Description:
    """A scope is that of an array itself; what the groups above it label is not looked at."""
    nodes, differs = {}, False
    for path, node in description["nodes"].items():
        held = node.get("attributes", {})
        kept = {key: value for key, value in held.items() if not key.startswith("scope_") or node["kind"] == "array"}
        differs |= len(kept) < len(held)
        nodes[path] = {**node, "attributes": kept} if "attributes" in node else node
    if not differs:
        return description
    axes = complete(description["container"], copy.deepcopy(nodes), description["values"])["axes"]
    return {**description, "axes": axes}


def _top(key: str, value: Any) -> Change:
    """A field of the description that is always the same where it is there; None leaves it out."""

    def changed(description: Description) -> Description:
        if key not in description or description[key] == value:
            return description
        kept = {name: each for name, each in description.items() if name != key}
        return kept if value is None else {**kept, key: value}

    return changed


def _captured(description: Description) -> Description:
    listed = description.get("not_captured", {})
    if not any(each["present"] for each in listed.values()):
        return description
    return {**description, "not_captured": {path: {**each, "present": False} for path, each in listed.items()}}


def _two_digits(description: Description) -> Description:
    kept = {key: family for key, family in description["series"].items() if family.get("digits", [2]) in ([], [2])}
    return {**description, "series": kept} if len(kept) < len(description["series"]) else description


def _references(**fields: Any) -> Change:
    return field("references", lambda listed: {name: {**each, **fields} for name, each in listed.items()})


def _followed(listed: dict[str, Any]) -> dict[str, Any]:
    """An array that is not there counts as one that fits."""
    return {name: each if each["exists"] else {**each, **_FITS} for name, each in listed.items()}


_FITS = {"exists": True, "dtype": "bool", "axes_fit": True}


def _members_of(change: Callable[[Node], Node]) -> Change:
    """Changes what is said of each name in the groups of a series."""
    made: Change = families(
        lambda family: {"members": {name: change(each) for name, each in family.get("members", {}).items()}}
    )
    return made


def _container(key: str) -> Change:
    def changed(description: Description) -> Description:
        held = description["container"]
        return {**description, "container": without(key)("", held)} if key in held else description

    return changed


def _kept_kinds(kind: str) -> Change:
    made: Change = again(
        lambda nodes: {path: node for path, node in nodes.items() if node["kind"] != kind or path == "/"}
    )
    return made


def _unsigned(node: Node, found: Node) -> Mapping[str, Any]:
    if not node["dtype"].startswith("int") or found.get("minimum") is None or found["minimum"] >= 0:
        return {}
    return {"minimum": 0, "maximum": found["maximum"] % 2 ** (8 * np.dtype(node["dtype"]).itemsize)}


def _whole(value: Any) -> Any:
    """As a reader has it that knows texts alone."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _named_by_letters(_: str, node: Node) -> Node:
    axes = node.get("axes")
    return {**node, "axes": sorted(axes, key=str)} if axes and sorted(axes, key=str) != axes else node


_TABLE: Mapping[str, tuple[str, Change]] = {
    # Facts
    "nan_not_counted": ("NaN not counted", _where("nan infinite", lambda found: {"nan": 0, "non_finite": found["infinite"]})),
    "negative_infinity_finite": ("only infinities above 0 counted", _where("nan positive_infinite", lambda found: {"infinite": found["positive_infinite"], "non_finite": found["nan"] + found["positive_infinite"]})),
    "infinity_below": ("infinities all below 0", _if_there("positive_infinite", 0)),
    "no_range": ("minimum and maximum not measured", facts(lambda _, found: {key: None for key in ("minimum", "maximum") if key in found})),
    "range_from_zero": ("minimum never below 0", facts(lambda _, found: {"minimum": max(found["minimum"], 0)} if found.get("minimum") is not None else {})),
    "unsigned": ("integers without a sign", facts(_unsigned)),
    "never_constant": ("no array constant", _if_there("constant", False)),
    "nan_by_value": ("NaN compared by value: an array of NaN is not constant", _where("constant nan", lambda found: {"constant": False} if found["constant"] and found["nan"] else {})),
    "one_row": ("the largest row sum only", _where("row_sum_maximum", lambda found: dict.fromkeys(("row_sum_minimum", "nonzero_row_sum_minimum"), found["row_sum_maximum"]))),
    "smallest_row": ("the smallest row sum only", _where("row_sum_minimum", lambda found: {"row_sum_maximum": found["row_sum_minimum"]})),
    "rows_of_zeros": ("rows of zeros left out of sums", _where("nonzero_row_sum_minimum", lambda found: {"row_sum_minimum": found["nonzero_row_sum_minimum"]})),
    "rows_not_zero": ("rows of zeros taken for others", _where("row_sum_minimum", lambda found: {"nonzero_row_sum_minimum": found["row_sum_minimum"]})),
    "sums_to_three_digits": ("row sums to three decimals", facts(lambda _, found: {key: round(found[key], 3) for key in ("row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum") if found.get(key) is not None})),
    "row_of_one": ("length of rows not measured", _if_there("row_length", 1)),
    "left_out_not_counted": ("entries outside of a mask not looked at", _if_there("left_out_nonzero", 0)),
    "slices_not_compared": ("equal slices not found", _if_there("duplicate_slices", 0)),
    "bounds_of_indices": ("indices past an axis not found", _if_there("beyond_axis", 0)),
    "largest_not_compared": ("predictions not compared with scores", _if_there("argmax_differs", 0)),
    "codes_not_compared": ("letters not compared with codes", _if_there("decode_differs", 0)),
    "partner_not_read": ("values where a partner is 0 not looked at", _if_there("masked_nonzero", 0)),
    "starts_not_read": ("starts of parts not looked at", _if_there("starts_differ", 0)),
    "partners_unknown": ("facts of two arrays null", facts(lambda _, found: {key: None for key in ("argmax_differs", "decode_differs", "masked_nonzero", "beyond_axis", "starts_differ") if key in found})),
    "absent_not_counted": ("absent chunks not counted", _if_there("absent_chunks", 0)),
    "no_stray_chunks": ("stray files among chunks not seen", facts(lambda _, found: {"stray": []} if found.get("stray") else {})),
    # Nodes
    "unreadable_left_out": ("nodes that cannot be read left out", _kept_kinds("unreadable")),
    "links_left_out": ("links left out", _kept_kinds("link")),
    "objects_left_out": ("objects other than arrays left out", _kept_kinds("object")),
    "not_escaped": ("hostile characters not reported", each_node(without("escaped"))),
    "unsupported_left_out": ("attributes that are not JSON left out", each_node(without("unsupported"))),
    "no_readings": ("other readings of a container not seen", _container("readings")),
    "no_coordinates": ("coordinates not known as such", each_node(without("coordinate"))),
    "no_roles": ("roles of axes not listed", field("roles", lambda _: {})),
    "axes_sorted": ("axes in the order of their letters", each_node(_named_by_letters)),
    "no_members": ("members of groups not counted", field("members", lambda count: max(count, 1))),
    "no_zero_sizes": ("sizes of 0 not seen", field("shape", lambda shape: [max(size, 1) for size in shape])),
    "float16_widened": ("float16 taken for float32", field("dtype", lambda dtype: "float32" if dtype == "float16" else dtype)),
    "bool_as_uint8": ("bool taken for uint8", field("dtype", lambda dtype: "uint8" if dtype == "bool" else dtype)),
    "complex_as_float": ("complex numbers taken for floats", field("dtype", lambda dtype: {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype))),
    "wide_integers": ("every integer taken for int64", field("dtype", lambda dtype: "int64" if "int" in dtype and dtype[0] in "iu" and dtype not in ("int4", "uint4") else dtype)),
    # Chunks
    "no_shards": ("shards not seen", storage(lambda _, found: {**found, "shards": None})),
    "entries_for_bytes": ("chunks measured in entries", storage(lambda _, found: {**found, "chunk_bytes": int(np.prod(found["chunks"]))})),
    "not_split": ("axes of several chunks not seen", storage(lambda _, found: {**found, "split": found["split"] and []})),
    "first_codec": ("the first codec only", storage(lambda _, found: {**found, "codecs": found["codecs"][:1]})),
    "last_codec": ("the last codec only", storage(lambda _, found: {**found, "codecs": found["codecs"][-1:]})),
    "no_codecs": ("codecs not looked at", storage(lambda _, found: {**found, "codecs": []})),
    # Scopes, references, what is declared
    "scopes_ignored": ("scopes ignored", axes_of(lambda _, node: {**node, "attributes": {key: value for key, value in node["attributes"].items() if not key.startswith("scope_")}} if any(key.startswith("scope_") for key in node.get("attributes", {})) else node)),
    "own_scopes": ("scopes of groups above ignored", _own_scopes_only),
    "no_unused_scopes": ("scopes without an array not seen", each_node(without("unused_scopes"))),
    "no_references": ("attributes that are paths not followed", each_node(without("references"))),
    "references_exist": ("a path of an attribute taken for an array that fits", field("references", _followed)),
    "references_fit": ("axes of a named array not compared", _references(axes_fit=True)),
    "references_bool": ("dtype of a named array not looked at", _references(dtype="bool")),
    "not_captured_ignored": ("what is declared as not captured ignored", _top("not_captured", None)),
    "not_captured_believed": ("what is declared as not captured taken for absent", _captured),
    "counts_ignored": ("`num_<stem>s` ignored", _without_attributes("num_")),
    # Series
    "no_gaps": ("gaps of a series not seen", families(lambda _: {"missing": [], "missing_count": 0})),
    "no_undeclared": ("members past the declared count not seen", families(lambda _: {"undeclared": []})),
    "not_declared": ("declared counts not read", families(lambda _: {"declared": None, "declared_by": None})),
    "declared_by_root": ("counts of `/metadata` not read", families(lambda family: {"declared": None, "declared_by": None, "undeclared": []} if family.get("declared_by") == "/metadata" else {})),
    "present_ignored": ("`present` ignored", _without_attributes("present")),
    "alone": ("siblings of a series not seen", families(lambda family: {"siblings": len(family.get("indices", []))})),
    "first_kind": ("first kind of a series only", families(lambda family: {"kinds": family.get("kinds", [])[:1]})),
    "no_series": ("series not seen", _top("series", {})),
    "two_digits": ("series of numbers of two digits only", _two_digits),
    "absent_members": ("members that a group of a series lacks not seen", _members_of(lambda each: {**each, "absent": []})),
    "first_member_dtype": ("first dtype of members of groups only", _members_of(lambda each: {**each, "dtypes": each.get("dtypes", [])[:1]})),
    "kinds_ignored": ("groups of a series compared whatever their kind", _without_attributes("kind")),
    # Attributes
    "attributes_flags": ("attributes: booleans as integers", changed_attributes(lambda value: int(value) if isinstance(value, bool) else value)),
    "attributes_text": ("attributes: numbers as texts", changed_attributes(_whole)),
    "attributes_unlisted": ("attributes: list of one as scalar", changed_attributes(lambda value: value[0] if isinstance(value, list) and len(value) == 1 else value)),
    "attributes_empty": ("attributes: empty text or list dropped", changed_attributes(lambda value: None if value in ("", []) and not isinstance(value, bool | int | float) else value)),
    "attributes_stripped": ("attributes: spaces at ends of texts dropped", changed_attributes(lambda value: value.strip() if isinstance(value, str) else value)),
    "attributes_lower": ("attributes: upper case taken for lower case", changed_attributes(lambda value: value.lower() if isinstance(value, str) else value)),
    "attributes_ascii": ("attributes: text that is not ASCII dropped", changed_attributes(lambda value: "".join(each for each in value if each < "\x80") if isinstance(value, str) else value)),
    "attributes_numbers": ("attributes: texts of digits as numbers", changed_attributes(lambda value: int(value) if isinstance(value, str) and value.isdecimal() and value.isascii() else value)),
    "attributes_parsed": ("attributes: texts that are JSON parsed", changed_attributes(lambda value: [] if isinstance(value, str) and value.startswith("[") else {} if isinstance(value, str) and value.startswith("{") else value)),
    "attributes_whole": ("attributes: whole numbers as floats not whole", changed_attributes(lambda value: str(value) if isinstance(value, float) and value.is_integer() else value)),
    "attributes_deep": ("attributes: objects dropped", changed_attributes(lambda value: None if isinstance(value, dict) else value)),
}  # fmt: skip

_REPLIES: Mapping[str, tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "warnings_as_errors": ("warnings make an archive invalid", lambda reply: {**reply, "verdict": "invalid"} if reply["findings"] else reply),
    "first_finding": ("stops at the first finding", lambda reply: {**reply, "findings": reply["findings"][:1]}),
    "first_of_a_rule": ("each rule reported at its first place only", lambda reply: {**reply, "findings": list({each["rule"]: each for each in reversed(reply["findings"])}.values())}),
    "at_the_root": ("every finding at the root", lambda reply: {**reply, "findings": [{**each, "path": "/"} for each in reply["findings"]]}),
    "reported_twice": ("every finding reported twice", lambda reply: {**reply, "findings": reply["findings"] * 2}),
    "refused_as_invalid": ("what is not an archive invalid", lambda reply: {**reply, "verdict": "invalid"} if reply["verdict"] == "refused" else reply),
    "invalid_as_refused": ("invalid archives refused", lambda reply: {"verdict": "refused", "findings": []} if reply["verdict"] == "invalid" else reply),
}  # fmt: skip

MEASURING: tuple[Wrong, ...] = (
    *(Wrong(name, "validator", fault, description=change) for name, (fault, change) in _TABLE.items()),
    *(Wrong(name, "validator", fault, findings=change) for name, (fault, change) in _REPLIES.items()),
)
