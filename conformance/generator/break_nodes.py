"""How to break what is asked of nodes: which there are, of what kind, over which axes, of which dtype."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vizschema import description
from vizschema.conformance.corpus.breaks.edits import (
    Edit,
    add,
    attribute,
    found_at,
    on_description,
    on_document,
    put,
    sized,
)
from vizschema.conformance.generator.changes import (
    Base,
    Breaker,
    Change,
    Target,
    change,
    followers,
    pruned,
    released,
    removed,
)
from vizschema.conformance.generator.constraints import UNKNOWN, Partial, asked, asked_of_node
from vizschema.conformance.generator.contents import COMPLEX
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.nodes import DTYPES, roles_of
from vizschema.conformance.generator.tree import WRITABLE
from vizschema.rules.assertions import NAMES
from vizschema.rules.versions import Profile

SCALAR = {"kind": "array", "dtype": "float32", "axes": [], "contents": {"pattern": "constant", "value": 0.5}}
PLAIN = {"pattern": "listed", "values": [0, 1, 1]}


def plain(profile: Profile, path: str) -> dict[str, Any]:
    """An array of one value that may stand at `path`: with the attributes of attention, and the roles asked for."""
    node = {**SCALAR, "attributes": {"normalization": "none", "source": "unknown"}}
    asks = asked_of_node(profile, path, ("roles",), Partial(kind="array", axes=["apart"]))
    roles = roles_of([each.schema for each in asks])
    return {**node, "axes": [f"apart:{role}" for role in roles], "shape": [1] * len(roles)} if roles else node


def _misnamed(target: Target) -> Iterator[Change]:
    """A node of a name that this rule alone does not allow."""
    profile, wanted = target.base.archive.profile, target.at
    pattern = wanted.value if wanted.keyword == "pattern" else wanted.value["pattern"]
    others = [each for each in asked(profile, ("nodes", NAMES), UNKNOWN) if each.rule != wanted.rule]
    language = WRITABLE & Language(("^/([^/]+|(metadata)/[a-z]+)$",))
    for each in others:
        language &= Language(*_sides(each.schema))
    language &= Language((), (pattern,)) if wanted.keyword == "pattern" else Language((pattern,))
    language &= Language(
        (), tuple(f"^{re.escape(path)}(/|$)" for path in target.base.nodes if path not in ("/", "/metadata"))
    )
    if not language.empty:
        yield change(add(language.shortest(), plain(profile, language.shortest())))


def _sides(schema: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "pattern" in schema:
        return (schema["pattern"],), ()
    return ((), (schema["not"]["pattern"],)) if "pattern" in schema.get("not", {}) else ((), ())


def _without(target: Target) -> Iterator[Change]:
    """One of the nodes that have to be there is not."""
    for name in target.at.value:
        if name in target.base.nodes:
            gone = pruned(target.base, name)
            yield change(removed(*gone), _recount(), released(*gone), also=target.base.demands)


def _recount() -> Any:
    """Take away the counts of families that have no member any more, and are held by no group."""

    def apply(document: dict[str, Any]) -> None:
        for path, node in document["nodes"].items():
            for name in [each for each in node["attributes"] if re.fullmatch("num_.+s", each)]:
                start = f"{path}/{name[4:-1]}_".replace("//", "/")
                if path != "/metadata" and not any(each.startswith(start) for each in document["nodes"]):
                    del node["attributes"][name]

    return on_document(apply)


def _none_left(target: Target) -> Iterator[Change]:
    """None of the nodes of which there has to be one."""
    excluded = target.at.value
    if "propertyNames" in excluded:
        language = Language((excluded["propertyNames"]["not"]["pattern"],))
    elif "additionalProperties" not in excluded:
        language = Language(tuple(excluded["patternProperties"]))
    else:
        language = Language(("^/.",), tuple(excluded["patternProperties"]))
    found = [path for path in target.base.nodes if language.holds(path)]
    if found:
        gone = pruned(target.base, *found)
        yield change(removed(*gone), _recount(), released(*gone), also=target.base.demands)


def _other_axis(target: Target) -> Iterator[Change]:
    """What stands where only a coordinate may, and is none."""
    yield change(add(target.path, plain(target.profile, target.path)))


def _kind(target: Target) -> Iterator[Change]:
    path, base = target.path, target.base
    if target.at.value == {"const": "group"} and target.is_array:
        also = base.rules("series/", "nodes/*/members") | base.demands
        yield change(
            released(path),
            add(path, {"kind": "group", "attributes": {}}),
            add(f"{path}/x", plain(target.profile, f"{path}/x")),
            also=also,
        )
    if target.at.value == {"const": "array"} and path == "/":
        yield change(on_description(_only_an_array))
    elif target.at.value == {"const": "array"} and target.node is not None and not target.is_array:
        gone = base.below(path)
        also = base.demands | base.rules("series/") | base.rules("nodes/*/storage", "nodes/*/facts")
        yield change(removed(*gone), released(*gone), add(path, plain(target.profile, path)), also=also)


def _only_an_array(parts: dict[str, Any]) -> None:
    node = description.array("float32", (2,), ["token"], {}, None)
    node["facts"] = {"non_finite": 0, "minimum": 0.0, "maximum": 1.0, "constant": False}
    node["facts"].update(absent_chunks=0, damaged_chunks=[])
    parts["nodes"] = {"/": node}


def _reason(target: Target) -> Iterator[Change]:
    if target.is_array and isinstance(target.at.value.get("const"), str):
        also = target.base.rules("series/")
        yield change(found_at(target.path, target.at.value["const"]), also=also)


def _ambiguous(target: Target) -> Iterator[Change]:
    if target.node is not None and not target.is_array:
        node = plain(target.profile, f"{target.path}/twin")
        yield change(add(f"{target.path}/Twin", node), add(f"{target.path}/twin", node))
        yield change(add(f"{target.path}/cafe\u0301", node))


def _readings(_: Target) -> Iterator[Change]:
    """Bytes beside those of the format."""
    found = ["4 bytes follow the end of the file, from byte 99"]
    yield change(on_description(lambda parts: parts["container"].__setitem__("readings", found)))


def _stray(target: Target) -> Iterator[Change]:
    if not target.is_array:
        name = f"{target.path}/notes.txt".replace("//", "/")
        note = description.fault("stray-file", "a file of no format")
        yield change(on_description(lambda parts: parts["nodes"].__setitem__(name, note)))


def _members(target: Target) -> Iterator[Change]:
    """A member less than there have to be; an empty group where there has to be one."""
    least, children = int(target.at.value), target.base.children(target.path)
    families = any(re.search("_[0-9]+$", name) for name in children)
    if children and not families and target.path != "/":
        gone = [name for child in children[max(0, least - 1) :] for name in target.base.below(child)]
        yield change(removed(*gone), released(*gone), also=target.base.demands - {target.at.rule})


def axes(target: Target, names: list[str | None] | None, shape: list[int] | None = None, **also: Any) -> Change:
    """Other names for the axes of an array; the shape stays, unless another is given."""
    path = target.path
    entailed = {*also.get("also", ())} | (target.values if shape is not None else set())
    edits = [put(path, "shape", shape or list(target.described["shape"])), put(path, "axes", names)]
    if shape is not None:
        edits += [released(path), on_document(lambda document: document["nodes"][path].pop("chunks", None))]
    return change(*edits, also=entailed)


def _no_role(target: Target) -> Iterator[Change]:
    """A role that has to be there is not, or is there twice."""
    if target.is_array:
        names = target.node["axes"]
        for number, name in enumerate(names):
            if name.partition(":")[2] in roles_of([{target.at.keyword: target.at.value}]):
                without = name.partition(":")[0]
                if without not in names:
                    yield axes(target, [*names[:number], without, *names[number + 1 :]], also=target.values)
                yield axes(target, [*names[:number], f"apart_{number}:other", *names[number + 1 :]], also=target.values)


def _axes(target: Target) -> Iterator[Change]:
    """Names that do not belong there."""
    if target.is_array:
        names = list(target.node["axes"])
        if names:
            yield axes(target, ["elsewhere", *names[1:]])
            if target.at.place[-1] == "axes":
                yield axes(target, [*names[:-1], "elsewhere"])
        else:
            yield axes(target, ["elsewhere"], [1])


def _few_axes(target: Target) -> Iterator[Change]:
    if target.is_array and target.at.value > 0:
        kept = target.at.value - 1
        yield axes(
            target,
            target.node["axes"][:kept],
            target.described["shape"][:kept],
            also=target.base.rules("nodes/*/storage"),
        )


def _unnamed(target: Target) -> Iterator[Change]:
    if target.is_array and target.node["axes"]:
        if target.at.keyword == "type":
            yield axes(target, None)
        else:
            yield axes(target, [*target.node["axes"][:-1], None])


def _twice(target: Target) -> Iterator[Change]:
    if target.is_array and len(target.node["axes"]) > 1:
        names = target.node["axes"]
        yield axes(target, [names[0], names[0], *names[2:]], also=("axis-one-size",) if _differ(target) else ())


def _differ(target: Target) -> bool:
    first, second = target.described["shape"][:2]
    return bool(first != second)


def _odd_name(target: Target) -> Iterator[Change]:
    if target.is_array and target.node["axes"]:
        for name in ("Elsewhere", "else where", "a:b:c", "2d"):
            yield axes(target, [name, *target.node["axes"][1:]])


def _dtype(target: Target) -> Iterator[Change]:
    """A dtype that this rule alone does not allow."""
    if not target.is_array:
        return
    path, also = target.path, target.values | target.base.rules("series/*/dtypes", "series/*/members")
    for follower in followers(target):
        also |= target.base.rules("nodes/*/facts", path=follower)
    for dtype in (*DTYPES, "bytes", "datetime"):
        if target.base.violated(target.at.place, dtype) == {target.at.rule}:
            alone = [released(path)] if dtype in (*COMPLEX, "bytes", "datetime") else [released_from(path)]
            yield change(*alone, put(path, "dtype", dtype), put(path, "contents", _of_dtype(target, dtype)), also=also)


def released_from(path: str) -> Edit:
    """Fill the array at `path` with what follows from nothing."""
    return on_document(lambda document: document["nodes"][path].__setitem__("contents", dict(PLAIN)))


def _of_dtype(target: Target, dtype: str) -> dict[str, Any]:
    low = target.described.get("facts", {}).get("minimum")
    if dtype in ("bytes", "datetime") or low is None or not 1 < low < 127:
        return {"pattern": "zeros"} if dtype in ("bytes", "datetime") else PLAIN
    return {"pattern": "listed", "values": [int(low), int(low) + 1]}


def _two_sizes(target: Target) -> Iterator[Change]:
    """`/metadata` declares another size than the arrays have."""
    if "/metadata" in target.base.nodes and _declares(target.base, f"size_{target.path}"):
        size = target.base.sizes.get(target.path, 1)
        yield change(attribute("/metadata", f"size_{target.path}", size + 1))


def _declares(base: Base, name: str) -> bool:
    attributes = {**base.description["nodes"]["/metadata"]["attributes"], name: 1}
    return not base.violated(("nodes", "/metadata", "attributes"), attributes)


def _fixed_size(target: Target) -> Iterator[Change]:
    if target.path in target.base.sizes:
        size = target.base.sizes[target.path] + 1
        declared = [attribute("/metadata", f"size_{target.path}", size)]
        has = f"size_{target.path}" in target.base.nodes["/metadata"]["attributes"]
        yield change(sized(target.path, size), _whole_chunks(), *(declared if has else []))


def _whole_chunks() -> Any:
    return on_document(lambda document: [node.pop("chunks", None) for node in document["nodes"].values()])


def _axis_term(target: Target) -> Iterator[Change]:
    name = Language((target.at.value["pattern"],)).shortest()
    yield change(attribute("/metadata", f"size_{name}", 1))


def _alone_in_scope(target: Target) -> Iterator[Change]:
    """One array with a scope of its own, that has the axis once."""
    axis, _, label = target.path.partition("@")
    for path, node in target.base.nodes.items():
        if [name.partition(":")[0] for name in node.get("axes") or ()].count(axis) == 1:
            yield change(attribute(path, f"scope_{axis}", label), also=target.base.rules("nodes/*/facts"))


def _declared_absent(target: Target) -> Iterator[Change]:
    """What is there, or is not, and is said not to be captured."""
    there = [path for path, node in target.base.nodes.items() if node["kind"] == "array"]
    named = there[:1] if target.at.keyword == "const" else [target.path]
    yield from (change(attribute("/", "not_captured", [f"{path}: a reason"])) for path in named)


BREAKS: dict[tuple[str, str], Breaker] = {
    ("nodes/(names)", "pattern"): _misnamed,
    ("nodes/(names)", "not"): _misnamed,
    ("nodes", "required"): _without,
    ("nodes", "not"): _none_left,
    ("nodes/*", "not"): _other_axis,
    ("nodes/*/kind", "not"): _kind,
    ("nodes/*/reason", "not"): _reason,
    ("nodes/*/ambiguous", "maxItems"): _ambiguous,
    ("nodes/*/stray", "maxItems"): _stray,
    ("nodes/*/members", "minimum"): _members,
    ("nodes/*/roles", "anyOf"): _no_role,
    ("nodes/*/axes", "const"): _axes,
    ("nodes/*/axes", "enum"): _axes,
    ("nodes/*/axes/[0]", "const"): _axes,
    ("nodes/*/axes", "minItems"): _few_axes,
    ("nodes/*/axes", "type"): _unnamed,
    ("nodes/*/axes", "not"): _unnamed,
    ("nodes/*/axes", "uniqueItems"): _twice,
    ("nodes/*/axes/[]", "pattern"): _odd_name,
    ("nodes/*/dtype", "const"): _dtype,
    ("nodes/*/dtype", "enum"): _dtype,
    ("container/readings", "maxItems"): _readings,
    ("axes/*", "maxProperties"): _two_sizes,
    ("axes/*/(names)", "const"): _fixed_size,
    ("axes/(names)", "not"): _axis_term,
    ("axes/*/*/count", "minimum"): _alone_in_scope,
    **{("not_captured/*/present", word): _declared_absent for word in ("const", "not")},
}
