"""What an archive may have beside what its schemas speak of: below /extra, in scopes, in attributes; and what it has.

`features` says of an archive what it has of `AIMS`, and `archives` reports each to Hypothesis as an event, so that
`--hypothesis-show-statistics` shows how broad a test is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hypothesis import strategies as st

from vizschema.conformance.generator.contents import Ask, contents
from vizschema.description import ITEM_BYTES

Nodes = dict[str, Any]

AIMS: Mapping[str, float] = {
    "12 nodes or more": 0.4,
    "100 nodes or more": 0.01,
    "a numbered series": 0.4,
    "an index of 99 or more": 0.01,
    "numbers of three digits": 0.005,
    "a series with gaps": 0.05,
    "a series in a series": 0.01,
    "something below /extra": 0.3,
    "a path 8 deep": 0.005,
    "a name that is not ASCII": 0.08,
    "an axis of size 0": 0.01,
    "an axis of size 1": 0.2,
    "an axis of size 256 or more": 0.03,
    "chunks of its own": 0.4,
    "a chunk that hangs over": 0.1,
    "a scope": 0.02,
    "one axis with three roles": 0.01,
    "a size that one array alone has": 0.02,
    "an integer beyond 2^53": 0.01,
    "a float with 17 digits": 0.01,
    "an empty list or text": 0.03,
    "a list of one": 0.03,
    "a text that is not in normal form C": 0.01,
    "a text of 64 KiB or more": 0.005,
}
"""Of how many archives of `trace` each is true, at least; a test holds 200 of them to it."""

NAMES = ("loss", "Größe", "My data", "layer 1", "データ", "a-b", "x", "Ünit", "values", "deep")
OWN: Mapping[str, Any] = {
    "seed": (1 << 53) + 1,
    "offset": -(1 << 62),
    "rate": 0.1 + 0.2,
    "tiny": 1e-300,
    "tags": [],
    "label": "",
    "parts": ["only"],
    "note": unicodedata.normalize("NFD", "Größe"),
    "comment": "x" * (1 << 16),
    "flags": [True, False],
}
"""Attributes that readers tend to change: numbers beyond doubles, lists of one, text in another normal form."""

SIZES = st.one_of(st.integers(1, 4), st.sampled_from((5, 7, 13, 31)))
LARGE = (256, 257, 300)
COUNTS = (10, 99, 101, 120)
"""Sizes of axes and counts of members beside the small ones; both are bounded by `MOST` nodes."""
MOST = 200


def added(draw: st.DrawFn, nodes: Nodes, *, free: bool) -> None:
    """Add nodes below /extra and a scope, where the schemas leave /extra `free`, and attributes to what is there."""
    number = draw(st.integers(0, 11), label="beyond the schemas")
    if free and number % 3 == 1:
        _extra(draw, nodes)
    if free and number % 4 == 3:
        _scope(draw, nodes)
    extra = [path for path in sorted(nodes) if path == "/extra" or path.startswith("/extra/")]
    if number % 2 and extra:
        names = draw(st.lists(st.sampled_from(sorted(OWN)), min_size=2, max_size=5, unique=True), label="attributes")
        path = draw(st.sampled_from(extra), label="node with attributes")
        nodes[path]["attributes"] = {**nodes[path]["attributes"], **{name: OWN[name] for name in names}}


def _extra(draw: st.DrawFn, nodes: Nodes) -> None:
    """Arrays of any dtype and shape, up to seven groups deep."""
    for number in range(draw(st.integers(1, 3), label="arrays below /extra")):
        depth = draw(st.sampled_from((1, 2, 3, 7)), label="depth")
        steps = draw(st.lists(st.sampled_from(NAMES), min_size=depth, max_size=depth), label="names")
        dtype = draw(st.sampled_from(sorted(ITEM_BYTES)), label="dtype")
        shape = draw(st.lists(st.sampled_from((0, 1, 2, 3, 257)), max_size=2), label="shape")
        axes = [f"extra{number}_{place}" for place in range(len(shape))]
        ask = Ask("/extra/x", dtype, tuple(shape), {}, {}, {}, {})
        made = {"pattern": "zeros"} if 0 in shape else draw(contents(ask), label="contents")
        node = {"kind": "array", "dtype": dtype, "axes": axes, "shape": shape}
        _place(nodes, "/".join(["/extra", *steps]), {**node, "contents": made, "attributes": {}})


def _scope(draw: st.DrawFn, nodes: Nodes) -> None:
    """Groups in which one axis has another size than elsewhere, with all its roles."""
    size = draw(st.integers(1, 5), label="size in a scope")
    for number, label in enumerate(draw(st.sampled_from((("a",), ("a", "b"))), label="scopes")):
        group: dict[str, Any] = {"scope_window": label}
        if draw(st.booleans(), label="declares its size"):
            group["size_window"] = size + number
        place = f"/extra/prompt {label}"
        if not _place(nodes, place, {"kind": "group", "attributes": group}):
            return
        for name, axes in (("x", ["window:i", "window:j", "window:k"]), ("y", ["window"])):
            shape = [size + number] * len(axes)
            node = {"kind": "array", "dtype": "float32", "axes": axes, "shape": shape, "attributes": {}}
            _place(nodes, f"{place}/{name}", {**node, "contents": {"pattern": "ramp", "start": 1, "step": 1}})


def _place(nodes: Nodes, path: str, node: dict[str, Any]) -> bool:
    """Whether the node was added, with the groups above it: not where something else has its name, nearly or wholly."""
    steps = path.split("/")[1:]
    above = ["/" + "/".join(steps[:length]) for length in range(1, len(steps))]
    known = {_folded(each): each for each in nodes}
    if any(known.get(_folded(each), each) != each or nodes.get(each, _GROUP)["kind"] != "group" for each in above):
        return False
    if _folded(path) in known:
        return False
    for each in above:
        nodes.setdefault(each, {"kind": "group", "attributes": {}})
    nodes[path] = node
    return True


_GROUP = {"kind": "group"}


def _folded(path: str) -> str:
    return unicodedata.normalize("NFD", path).casefold()


def features(document: Mapping[str, Any]) -> set[str]:
    """What an archive has of `AIMS`."""
    nodes: Mapping[str, Any] = document["nodes"]
    return {name for name, has in _HAS.items() if has(nodes, document["sizes"])}


def _numbers(nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    """The digits of the members of each series."""
    found: dict[str, list[str]] = {}
    for path in nodes:
        match = re.fullmatch(r"(.+)_([0-9]{1,9})", path)
        if match:
            found.setdefault(match[1], []).append(match[2])
    return found


def _digits(nodes: Mapping[str, Any]) -> list[str]:
    return [each for digits in _numbers(nodes).values() for each in digits]


def _gaps(nodes: Mapping[str, Any]) -> bool:
    return any(len(set(map(int, digits))) <= max(map(int, digits)) for digits in _numbers(nodes).values())


def _lengths(nodes: Mapping[str, Any], sizes: Mapping[str, int]) -> set[int]:
    arrays = [node for node in nodes.values() if node["kind"] == "array"]
    return {size for node in arrays for size in _shape(node, sizes)}


def _shape(node: Mapping[str, Any], sizes: Mapping[str, int]) -> list[int]:
    return list(node["shape"]) if "shape" in node else [sizes[axis.partition(":")[0]] for axis in node["axes"]]


def _chunked(nodes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [node for node in nodes.values() if "chunks" in node]


def _hangs_over(node: Mapping[str, Any], sizes: Mapping[str, int]) -> bool:
    """Whether the last chunk along an axis goes past its end."""
    return any(size % length for size, length in zip(_shape(node, sizes), node["chunks"], strict=True))


def _three_roles(nodes: Mapping[str, Any]) -> bool:
    axes = [node["axes"] or () for node in nodes.values() if node["kind"] == "array"]
    roots = [[str(name).partition(":")[0] for name in names] for names in axes]
    return any(names.count(each) >= 3 for names in roots for each in names)


def _names(nodes: Mapping[str, Any]) -> list[str]:
    return [name for node in nodes.values() for name in node["attributes"]]


def _values(nodes: Mapping[str, Any]) -> list[Any]:
    return [value for node in nodes.values() for value in node["attributes"].values()]


def _alone(nodes: Mapping[str, Any]) -> bool:
    """Whether a declared size is that of one array."""
    axes = [{str(name).partition(":")[0] for name in node.get("axes") or ()} for node in nodes.values()]
    declared = [name[5:] for node in nodes.values() for name in node["attributes"] if name.startswith("size_")]
    return any(sum(axis in names for names in axes) == 1 for axis in declared)


def _texts(nodes: Mapping[str, Any], holds: Callable[[str], bool]) -> bool:
    return any(isinstance(value, str) and holds(value) for value in _values(nodes))


_Has = Callable[[Mapping[str, Any], Mapping[str, int]], bool]
_HAS: Mapping[str, _Has] = {
    "12 nodes or more": lambda nodes, _: len(nodes) >= 12,
    "100 nodes or more": lambda nodes, _: len(nodes) >= 100,
    "a numbered series": lambda nodes, _: bool(_numbers(nodes)),
    "an index of 99 or more": lambda nodes, _: any(int(each) >= 99 for each in _digits(nodes)),
    "numbers of three digits": lambda nodes, _: any(len(each) == 3 for each in _digits(nodes)),
    "a series with gaps": lambda nodes, _: _gaps(nodes),
    "a series in a series": lambda nodes, _: any(re.search("_[0-9]+/.*_[0-9]+$", path) for path in nodes),
    "something below /extra": lambda nodes, _: any(path.startswith("/extra/") for path in nodes),
    "a path 8 deep": lambda nodes, _: any(path.count("/") >= 8 for path in nodes),
    "a name that is not ASCII": lambda nodes, _: not all(map(str.isascii, nodes)),
    "an axis of size 0": lambda nodes, sizes: 0 in _lengths(nodes, sizes),
    "an axis of size 1": lambda nodes, sizes: 1 in _lengths(nodes, sizes),
    "an axis of size 256 or more": lambda nodes, sizes: max(_lengths(nodes, sizes), default=0) >= 256,
    "chunks of its own": lambda nodes, _: bool(_chunked(nodes)),
    "a chunk that hangs over": lambda nodes, sizes: any(_hangs_over(node, sizes) for node in _chunked(nodes)),
    "a scope": lambda nodes, _: any(name.startswith("scope_") for name in _names(nodes)),
    "one axis with three roles": lambda nodes, _: _three_roles(nodes),
    "a size that one array alone has": lambda nodes, _: _alone(nodes),
    "an integer beyond 2^53": lambda nodes, _: any(
        type(value) is int and abs(value) > 1 << 53 for value in _values(nodes)
    ),
    "a float with 17 digits": lambda nodes, _: 0.1 + 0.2 in _values(nodes),
    "an empty list or text": lambda nodes, _: any(value in ([], "") for value in _values(nodes)),
    "a list of one": lambda nodes, _: any(isinstance(value, list) and len(value) == 1 for value in _values(nodes)),
    "a text that is not in normal form C": lambda nodes, _: _texts(
        nodes, lambda text: not unicodedata.is_normalized("NFC", text)
    ),
    "a text of 64 KiB or more": lambda nodes, _: _texts(nodes, lambda text: len(text) >= 1 << 16),
}


def shown(document: Mapping[str, Any], least: int = 24) -> Iterable[str]:
    """The nodes, at most `least` of them: one line for a series, without what every archive of a profile has."""
    lines: dict[str, list[str]] = {}
    for path in document["nodes"]:
        lines.setdefault(re.sub(r"_[0-9]{1,9}(?=/|$)", "_#", path), []).append(path)
    whole = [f"  {_line(document, template, paths)}" for template, paths in sorted(lines.items())]
    yield from whole[:least]
    if len(whole) > least:
        yield f"  and {len(whole) - least} more (archive.document has all)"


_USUAL = re.compile(r"^(spec_version|profile|created_at|generator|complete|model_name|model_version)$")


def _line(document: Mapping[str, Any], template: str, paths: list[str]) -> str:
    node = document["nodes"][paths[0]]
    times = f" ({len(paths)})" if len(paths) > 1 else ""
    given = {name: value for name, value in node["attributes"].items() if not _USUAL.match(name)}
    words = [f"{name}={_short(value)}" for name, value in given.items()]
    if node["kind"] == "group":
        return " ".join([f"{template}{times}", *words])[:110]
    cut = [f"chunks={node['chunks']}"] if "chunks" in node else []
    filled = f"{node['contents'].get('pattern')}"
    shape = ", ".join(map(str, _shape(node, document["sizes"])))
    return " ".join([f"{template}{times}", node["dtype"], f"{node['axes']} ({shape})", filled, *cut, *words])[:110]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 24 else f"{text[:20]}…"
