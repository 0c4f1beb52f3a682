"""Fixes of axis names: given by the archive itself or by the profile, spelt in one way, called by the term."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vizschema.description import NUMBERED, Node, parent_of
from vizschema.findings import Finding
from vizschema.rules.fixes.draft import Draft
from vizschema.rules.fixes.proposal import Context, Proposal, members_of, snake, tokens_of
from vizschema.rules.versions import axes_at

_BY_AXIS = ("size_", "scope_", "block_")
"""Attributes that end with the name of an axis."""


def axis_names(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Name the axes of an array."""
    path = finding.path
    node = context.nodes[path]
    if node["kind"] != "array" or (node["axes"] is not None and any(node["axes"])):
        return
    attribute, names = _listed(context, node)
    names = names or _of_siblings(context, path, node) or _of_profile(context, path, node)
    if names is None:
        return

    def apply(draft: Draft) -> None:
        draft.name_axes(path, names)
        if attribute is not None:
            draft.unset(path, attribute)

    yield Proposal(path, path, f"named the axes {', '.join(names)}", apply)


def _listed(context: Context, node: Node) -> tuple[str | None, list[str] | None]:
    """The attribute of an array that lists a name for each dimension, and the names."""
    found: list[tuple[str, list[str]]] = []
    for key in context.words["axes_attributes"]:
        value: Any = node["attributes"].get(key)
        names = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
        if (
            isinstance(names, list)
            and len(names) == len(node["shape"])
            and all(isinstance(each, str) for each in names)
        ):
            found.append((key, [_term(context, each) for each in names]))
    if len({tuple(names) for _, names in found}) != 1 or not found[0][1]:
        return None, None
    return found[0]


def _term(context: Context, name: str) -> str:
    """The name of an axis as the specification has it, its role with it."""
    axis, colon, role = name.partition(":")
    axis = snake(axis) or axis
    return f"{context.words['axis_terms'].get(axis, axis)}{colon}{role}"


def _of_siblings(context: Context, path: str, node: Node) -> list[str] | None:
    """The names that the other members of the same series have, of the same shape and dtype."""
    match = NUMBERED.fullmatch(path.rpartition("/")[2])
    if match is None:
        return None
    key = parent_of(path), match[1]
    if key not in context.memo:
        context.memo[key] = _named(context, *key)
    alike = context.memo[key].get((tuple(node["shape"]), node["dtype"]), set())
    names = list(next(iter(alike))) if len(alike) == 1 else None
    return names if names is not None and _certain(node["shape"], names) else None


def _named(context: Context, group: str, stem: str) -> dict[tuple[tuple[int, ...], str], set[tuple[str, ...]]]:
    """The axes that arrays of a series have, by shape and dtype."""
    found: dict[tuple[tuple[int, ...], str], set[tuple[str, ...]]] = {}
    for path, _ in members_of(context, group).get(stem, ()):
        node = context.nodes[path]
        if node["kind"] == "array" and node["axes"] and None not in node["axes"]:
            found.setdefault((tuple(node["shape"]), node["dtype"]), set()).add(tuple(node["axes"]))
    return found


def _of_profile(context: Context, path: str, node: Node) -> list[str] | None:
    """The names that the table of the profile has for the array, where it has one list of as many."""
    fitting = {axes for axes in axes_at(context.profile, path) if len(axes) == len(node["shape"])}
    if len(fitting) != 1:
        return None
    names = list(fitting.pop())
    known = context.description["axes"]
    sized = all(
        set(known.get(name.partition(":")[0], {})) <= {str(size)}
        for name, size in zip(names, node["shape"], strict=True)
    )
    return names if sized and _certain(node["shape"], names) else None


def _certain(shape: Sequence[int], names: Sequence[str]) -> bool:
    """Whether no other order of the names would fit the shape, but for the roles of one axis."""
    sizes: dict[int, set[str]] = {}
    for name, size in zip(names, shape, strict=True):
        sizes.setdefault(size, set()).add(name.partition(":")[0])
    return all(len(axes) == 1 for axes in sizes.values())


def axis_spelling(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Write an axis in lower_snake_case, wherever it is named."""
    axis, _, role = _axis(context, finding).partition(":")
    plain, plain_role = snake(axis) or axis, (snake(role) or role) if role else ""
    if (plain, plain_role) != (axis, role):
        yield from _renamed(context, axis, plain, {role: plain_role})


def axis_term(context: Context, finding: Finding) -> Iterator[Proposal]:
    """Call an axis by the term of the specification, wherever it is named."""
    axis = _axis(context, finding).partition(":")[0]
    term = context.words["axis_terms"].get(axis)
    if term is not None:
        yield from _renamed(context, axis, term, {})


def _axis(context: Context, finding: Finding) -> str:
    """The name of the axis that a finding is about."""
    match tokens_of(finding):
        case ["nodes", path, "axes", place, *_] if place.isdecimal():
            return str(context.nodes[path]["axes"][int(place)])
        case ["nodes", path, "axes"]:
            terms = context.words["axis_terms"]
            named = (name for name in context.nodes[path].get("axes") or () if name)
            return next((name for name in named if name.partition(":")[0] in terms), "")
        case ["axes", key]:
            return key.partition("@")[0]
        case _:
            return ""


def _renamed(context: Context, axis: str, to: str, roles: dict[str, str]) -> Iterator[Proposal]:
    """Rename an axis in the names of axes, and in the attributes that end with it."""
    moves = {f"{start}{axis}": f"{start}{to}" for start in _BY_AXIS} if axis != to else {}
    named = [node.get("attributes", {}) for node in context.nodes.values()]
    if any(old in each and new in each for each in named for old, new in moves.items()):
        return

    def apply(draft: Draft) -> None:
        for path, node in list(draft.nodes.items()):
            names = [_name(name, axis, to, roles) for name in node.get("axes") or ()]
            if names != list(node.get("axes") or ()):
                draft.name_axes(path, names)
            for key in [key for key in node.get("attributes", {}) if key in moves]:
                draft.set(path, moves[key], node["attributes"][key])
                draft.unset(path, key)

    shown = ", ".join(f"{old} to {new}" for old, new in ({axis: to} if axis != to else {}, roles)[axis == to].items())
    yield Proposal(f"{axis}:{','.join(roles)}", "/", f"renamed the axis {shown} in the whole archive", apply)


def _name(name: str | None, axis: str, to: str, roles: dict[str, str]) -> str | None:
    found, colon, role = (name or "").partition(":")
    return name if found != axis else f"{to}{colon}{roles.get(role, role)}"
