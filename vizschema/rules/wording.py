"""The words of a finding: where, what was expected, what was found. Knows descriptions, no engine and no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from vizschema.description import Description
from vizschema.findings import Rule
from vizschema.text import shorten

Tokens = Sequence[str | int]


def place_of(description: Description, instance: Tokens, name: str | None) -> str:
    """The node, series or axis of the archive that a fault is about, as a path to look for."""
    part, key, *_ = (*map(str, instance), *([] if name is None else [name]), "", "")
    if part in ("nodes", "not_captured"):
        return key or "/"
    if part == "series" and key:
        return f"{key}_*"
    return _odd_one(description["axes"][key])[1] if part == "axes" and key else "/"


def words_of(
    description: Description, rule: Rule, instance: Tokens, name: str | None, keyword: str, value: Any
) -> tuple[str, str]:
    """(what was expected, what was found), each a short phrase."""
    if len(instance) > 1 and instance[0] == "axes":
        return _axis_words(str(instance[1]), description["axes"][str(instance[1])], keyword, value)
    if len(instance) > 1 and instance[0] == "not_captured":
        declared = description["not_captured"][str(instance[1])]
        if declared["present"]:
            return "no node, as the root's `not_captured` says", _named(description, ("nodes",), str(instance[1]))
        return "what was captured", f"none: {declared['reason']}"
    if len(instance) > 2 and instance[0] == "series" and instance[2] in _SERIES:
        series = description["series"][str(instance[1])]
        if instance[2] == "members" and len(instance) > 3:  # of one member, this one is told
            series = {**series, "members": {str(instance[3]): series["members"][str(instance[3])]}}
        return _SERIES[instance[2]](series)
    if tuple(instance[2:3]) == ("references",) and len(instance) > 3:
        return _reference_words(description, instance, rule)
    found = _at(description, instance)
    if tuple(instance[2:3]) == ("unsupported",) and len(instance) > 3:
        return f"{instance[3]} to be a JSON value", str(found)
    if instance and instance[-1] == "reason":
        return "a group or array that can be read", _at(description, instance[:-1])["detail"]
    if tuple(instance) == ("container", "readings") and found:
        more = f"; and {len(found) - _KEYS} more" if len(found) > _KEYS else ""
        return "every byte to belong to one thing that all readers find", f"{'; '.join(found[:_KEYS])}{more}"
    if instance and instance[-1] == "damaged_chunks" and found:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        return "chunks that can be read", f"{found[0]['key']} {found[0]['reason']}: {found[0]['detail']}{more}"
    if tuple(instance[-2:]) == ("facts", "absent_chunks") and found:
        keys = _at(description, instance[:-1]).get("absent_keys", ())
        shown = [*keys[:_KEYS], *(["…"] if len(keys) > _KEYS else [])]
        return "all chunks to be written", f"{found} that {'is' if found == 1 else 'are'} not" + (
            f": {', '.join(shown)}" if shown else ""
        )
    if tuple(instance[-2:]) == ("facts", "constant") and found is True:
        value = _at(description, instance[:-1]).get("minimum")
        return "values that differ", "one value everywhere" if value is None else f"{_show(value)} everywhere"
    if keyword == "required":
        return _required(instance, str(name))
    if name is not None:
        return _clause(rule), _named(description, instance, name)
    if tuple(instance) == ("nodes",):
        return _clause(rule), "none"
    if len(instance) == 2 and instance[0] == "nodes":
        return _clause(rule), _named(description, ("nodes",), str(instance[1]))
    if instance[-1] == "roles":
        return _clause(rule), _found(description, (*instance[:-1], "axes"), None)
    if instance[-1] == "axes" and keyword in ("type", "not"):
        return "a name for each dimension", _found(description, instance, found)
    where = "" if len(instance) > 3 and instance[2] == "axes" else _inside(instance)
    if keyword in _EXPECTED and not (keyword == "enum" and len(value) > _LISTED):
        expected = _EXPECTED[keyword](value)
        return f"{where}to be {expected}" if where else expected, _found(description, instance, found)
    return _clause(rule), f"{where}{_found(description, instance, found)}"


def _reference_words(description: Description, instance: Tokens, rule: Rule) -> tuple[str, str]:
    """What an attribute that names an array leads to."""
    reference = _at(description, instance[:4])
    path = reference["path"]
    node = description["nodes"].get(path, {})
    if not reference["exists"] or "axes" not in node:
        return f"an array at {path}, which `{instance[3]}` names", "no array"
    if not reference["axes_fit"]:
        own = _at(description, instance[:2])["axes"]
        return f"{path}, which `{instance[3]}` names, to have axes of {_show(own)}", _show(node["axes"])
    return _clause(rule), f"{instance[3]} {path}, a {_named(description, ('nodes',), path)}"


def _required(instance: Tokens, name: str) -> tuple[str, str]:
    if instance[-1:] == ["nodes"] or tuple(instance) == ("nodes",):
        return "a node of this name", "none"
    if tuple(instance) == ("series",):
        return "members numbered from _00", "none"
    if instance[-1] == "facts" or name == "facts":
        return f"the measured fact {name}", "none"
    return f"the attribute {name}" if instance[-1] == "attributes" else f"the field {name}", "none"


def _named(description: Description, instance: Tokens, name: str) -> str:
    """What carries a name that it should not have."""
    if tuple(instance) != ("nodes",):
        return f"the name {_show(name)}"
    node = description["nodes"][name]
    if node["kind"] == "array":
        return f"{node['dtype']} array of shape {_show(node['shape'])}"
    return f"a group of {node['members']}" if node["kind"] == "group" else f"{node['kind']}: {node['detail']}"


def _clause(rule: Rule) -> str:
    return f"“{rule.title.rstrip('.')}”"


_LISTED = 8
_KEYS = 3

_EXPECTED: Mapping[str, Any] = {
    "const": lambda value: _show(value),
    "enum": lambda value: _one_of(value),
    "type": lambda value: _one_of(value if isinstance(value, list) else [value], quote=False),
    "minimum": lambda value: f"at least {value}",
    "maximum": lambda value: f"at most {value}",
    "exclusiveMaximum": lambda value: f"less than {value}",
    "exclusiveMinimum": lambda value: f"more than {value}",
    "minLength": lambda value: f"at least {value} character{'s' if value > 1 else ''}",
    "minItems": lambda value: f"at least {value} of them",
    "maxItems": lambda value: f"at most {value} of them" if value else "none",
    "uniqueItems": lambda _: "names that differ",
}


def _one_of(values: Sequence[Any], *, quote: bool = True) -> str:
    shown = [_show(value) if quote else str(value) for value in values]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"


def _inside(instance: Tokens) -> str:
    """The part of the node that is meant, as the beginning of a phrase: `dtype `, `attribute seed `."""
    tokens = [str(token) for token in instance[2:]]
    if not tokens:
        return ""
    if tokens[0] == "attributes" and len(tokens) > 1:
        return f"attribute {shorten(tokens[1], 60)} "
    if tokens[0] == "storage" and len(tokens) > 1:
        return f"{' '.join(_STORAGE.get(token, token) for token in tokens[1:] if not token.isdigit())} "
    words = [_PARTS.get(part, part) for part in tokens if part not in ("facts",) and not part.isdigit()]
    return f"{' '.join(words)} "


_PARTS = {
    "members": "number of members",
    "non_finite": "number of values that are not finite",
    "absent_chunks": "number of chunks that were never written",
    "duplicate_slices": "number of copies",
    "beyond_axis": "number of values past the end of the axis",
    "argmax_differs": "number of places where the largest entry is another",
    "decode_differs": "number of places that decode to something else",
    "masked_nonzero": "number of masked values that are not 0",
    "stray": "files of another kind",
    "ambiguous": "names that other systems confuse",
    "unused_scopes": "scopes of axes that no array has",
    "left_out_nonzero": "number of values that are not 0 where the mask is false",
    "starts_differ": "number of starts that do not fit",
    "row_length": "values in a row",
    "row_sum_minimum": "smallest row sum",
    "row_sum_maximum": "largest row sum",
    "nonzero_row_sum_minimum": "smallest row sum that is not 0",
    "escaped": "places with such characters",
}
_STORAGE = {
    "chunk_of": "chunk length of",
    "chunk_bytes": "bytes in a chunk",
    "split": "chunks split along",
    "codecs": "codec",
}


def _found(description: Description, instance: Tokens, found: Any) -> str:
    if len(instance) > 3 and instance[2] == "axes":
        return f"axis {instance[3]} " + ("without a name" if found is None else f"named {_show(found)}")
    if len(instance) > 2 and instance[2] == "axes":
        node = _at(description, instance[:2])
        shape = (
            f"{_show(node['axes'])} for the shape {_show(node['shape'])}"
            if node["axes"]
            else f"no names for the shape {_show(node['shape'])}"
        )
        return node.get("axes_detail") or shape
    return _show(found)


def _axis_words(name: str, sizes: Mapping[str, Any], keyword: str, value: Any) -> tuple[str, str]:
    if keyword == "minimum":
        return f"{name} in {value} arrays or more", "one array"
    if keyword != "maxProperties":
        return f"{name} of size {_show(value)}", _entries(name, _odd_one(sizes)[0])
    ranked = sorted(sizes, key=lambda size: (sizes[size]["count"], int(size)))
    odd, others = ranked[0], ranked[:0:-1]
    seen = [f"{size} (as in {_places(sizes[size])})" for size in others[:4]]
    return f"{_entries(name, ' or '.join(seen))}", odd


def _entries(name: str, size: str) -> str:
    return f"{name} of size {size}"


def _odd_one(sizes: Mapping[str, Any]) -> tuple[str, str]:
    """The size that fewest arrays have, and the first of them."""
    odd = min(sizes, key=lambda size: (sizes[size]["count"], int(size)))
    return odd, sizes[odd]["first"][0]


def _places(sighting: Mapping[str, Any]) -> str:
    more = sighting["count"] - 1
    first = sighting["first"][0]
    return first if not more else f"{first} and {more} more"


def _missing(series: Mapping[str, Any]) -> tuple[str, str]:
    declared = (
        f"{series['declared']} of them, as {series['declared_by']} declares"
        if series["declared"] is not None and series["declared_by"] != "/metadata"
        else "no gaps"
    )
    if series["present"] is not None:
        declared = _listed(series)
    shown = ", ".join(map(str, series["missing"][:_LISTED]))
    more = ", …" if series["missing_count"] > _LISTED else ""
    return declared, f"{len(series['indices'])}, without number {shown}{more}"


def _undeclared(series: Mapping[str, Any]) -> tuple[str, str]:
    shown = ", ".join(map(str, series["undeclared"]))
    found = f"{len(series['indices'])} members, with number {shown}"
    if series["present"] is not None:
        return _listed(series), found
    last = series["declared"] - 1
    numbers = f"numbers 0 to {last}" if last >= 0 else "no members"
    return f"{numbers}, as {series['declared_by']} declares {series['declared']}", found


def _listed(series: Mapping[str, Any]) -> str:
    """The numbers that the attribute `present` lists, in words."""
    shown = ", ".join(map(str, series["present"][:_LISTED]))
    more = ", …" if len(series["present"]) > _LISTED else ""
    return f"{f'numbers {shown}{more}' if shown else 'no members'}, as `present` says"


def _digits(series: Mapping[str, Any]) -> tuple[str, str]:
    found = " and ".join(map(str, series["digits"]))
    return "one width of two digits or more", f"numbers of {found} digit{'s' if found != '1' else ''}"


def _dtypes(series: Mapping[str, Any]) -> tuple[str, str]:
    mixed = {name: member["dtypes"] for name, member in series["members"].items() if len(member["dtypes"]) > 1}
    shown = "; ".join(f"{name}: {', '.join(dtypes)}" for name, dtypes in mixed.items())
    return "one dtype", ", ".join(series["dtypes"]) if len(series["dtypes"]) > 1 else shown


def _members(series: Mapping[str, Any]) -> tuple[str, str]:
    """The ways in which member groups differ: absent ones, dtypes, shapes."""
    parts = []
    for name, member in series["members"].items():
        if member["absent"]:
            parts.append(f"no {name} in number {', '.join(map(str, member['absent']))}")
        if len(member["dtypes"]) > 1:
            parts.append(f"{name} of {', '.join(member['dtypes'])}")
        if len(member["shapes"]) > 1:
            parts.append(f"{name} of shapes {_show(member['shapes'])}")
    return "the same members, dtypes and shapes in each", shorten("; ".join(parts), 200)


_SERIES: Mapping[str | int, Callable[[Mapping[str, Any]], tuple[str, str]]] = {
    "missing": _missing,
    "undeclared": _undeclared,
    "digits": _digits,
    "dtypes": _dtypes,
    "members": _members,
    "shapes": lambda series: ("one shape", _show(series["shapes"])),
    "kinds": lambda series: ("all arrays, or all groups", " and ".join(series["kinds"])),
    "declared_by": lambda series: (
        "the number of members on the group itself",
        "none" if series["declared_by"] is None else f"one on {series['declared_by']} only",
    ),
}


def _at(description: Description, tokens: Tokens) -> Any:
    value: Any = description
    for token in tokens:
        value = value[int(token)] if isinstance(value, list) else value[str(token)]
    return value


def _show(value: Any) -> str:
    if isinstance(value, dict | list):
        return shorten(orjson.dumps(_bounded(value)).decode().replace(",", ", "))
    return shorten(orjson.dumps(value).decode()) if isinstance(value, str) else shorten(str(value))


def _bounded(value: Any) -> Any:
    """`value` cut to what can be shown, so that a long one is not written out first."""
    if isinstance(value, list):
        return [_bounded(item) for item in value[:24]]
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in list(value.items())[:12]}
    return value
