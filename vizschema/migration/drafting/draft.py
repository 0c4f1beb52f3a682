"""The draft of a mapping, as TOML: rules for every node and attribute, comments and questions for what is unsure."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.errors import Refused
from vizschema.migration.drafting.hints import hints, meaning, plain
from vizschema.migration.drafting.layout import Said, Sizes, place_of
from vizschema.migration.drafting.rows import FLOATS, Row, rows_of
from vizschema.migration.drafting.series import Family, families
from vizschema.migration.drafting.toml import comment, toml
from vizschema.migration.migrate import MEMORY, require_fit
from vizschema.rules import versions
from vizschema.sources.item import Item, Tree
from vizschema.text import archive_name, count, shorten
from vizschema.worker.source import opened

MAX_FAMILIES = 200
"""Most rules for arrays in a draft: what has more different names is not a layout of series."""

MAX_TEXT = 1 << 16
"""Most texts of an array that becomes an attribute."""

MAX_LIST = 256
"""Most entries of an array of whole numbers that becomes an attribute."""

MAX_GAPS = 8
"""Most numbers that are missing in a series and are named."""

_TEXTS = ("string", "bytes")
_PORTABLE = re.compile(r"bool|u?int(4|8|16|32|64)|b?float(16|32|64)|float8_\w+|complex(64|128)", re.ASCII)
_RESERVED = re.compile(r"(size|scope)_.*|partial|present|indices|module|complete|stored_dtype", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EMBEDDING = "embedding"
_NOT_A_NAME = re.compile(r"[^a-z0-9]+", re.ASCII)


@dataclass(slots=True)
class _Draft:
    """What a draft says."""

    rows: list[Row] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    lets: dict[str, Any] = field(default_factory=dict)
    ask: dict[str, Any] = field(default_factory=dict)
    set: dict[str, Any] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    recognised: dict[str, Any] = field(default_factory=dict)


def suggest(
    source: str | os.PathLike[str], *, name: str | None = None, memory: int = MEMORY, isolated: bool = False
) -> str:
    """Draft a mapping for a layout that has none, from names, shapes and values.

    Parameters:
        source: An archive of any container, or a folder of archives and files.
        name: The name of the mapping (None: made of that of the source).
        memory: Maximum size of an array that cannot be read in parts, in bytes.
        isolated: Read the source in a sandboxed process, for untrusted sources.

    Returns:
        The mapping as TOML, for a file that `migrate` takes as its `mapping`. What is unsure is a question in it.

    Raises:
        NotAnArchive: The source cannot be read.
        Refused: The source needs no migration, or is too large.

    Examples:
        >>> np.savez("cache.npz", h_0=np.ones((5, 8)), h_1=np.ones((5, 8)))
        >>> print(vizschema.suggest("cache.npz").splitlines()[0])
        # A draft from 2 arrays: read each comment, and change what is wrong.
    """
    place = os.fspath(source)
    stem = Path(archive_name(place)).name.partition(".")[0]
    named = _NOT_A_NAME.sub("-", (name or stem).lower()).strip("-0123456789")[:64] or "own"
    with opened(place, isolated=isolated, memory=memory) as tree:
        require_fit(tree, memory)
        lists = (_shape_of(value) for item in tree.values() for value in item.attributes.values())
        if not any(item.kind == "array" for item in tree.values()) and not any(lists):
            left = [f"{item.path}: {item.reason or item.kind}" for item in tree.values() if item.kind != "group"]
            raise Refused(left[:MAX_GAPS], "no array is found in it that a mapping could be drafted for")
        return drafted(tree, named, versions.default().version)


def drafted(tree: Tree, name: str, version: str) -> str:
    """The draft of a mapping for a source, called `name`, that aims at a version of the specification.

    It is valid as it is: what is unsure is a question with the choices, and every doubt is a comment. Raises
    `NotAnArchive` where a value cannot be read.
    """
    arrays = [item for item in tree.values() if item.kind == "array"]
    said = list(_said(tree))
    plain_arrays = [item for item in arrays if _PORTABLE.fullmatch(item.dtype) and not _is_value(item)]
    found = families(plain_arrays)
    draft = _Draft()
    draft.rows, sizes = rows_of(found, MAX_FAMILIES, said)
    for row in draft.rows:
        draft.nodes += _node_lines(row, draft)
    draft.nodes += _other_lines(tree, found[MAX_FAMILIES:], sizes, draft)
    draft.attributes += _attribute_lines(tree, sizes, draft)
    item = next((item for item in tree.values() if item.attributes), Item("/", "group"))
    draft.recognised = {"node": _literal(item.path), "attributes": list(item.attributes)[:4]}
    _identify(draft)
    return "".join(f"{line}\n" for line in _document(draft, name, version, sizes, len(arrays)))


def _said(tree: Tree) -> Iterator[Said]:
    """What attributes and arrays without dimensions say."""
    for item in tree.values():
        yield from (Said(item.path, name, value) for name, value in item.attributes.items())
        if item.kind == "array" and (_is_value(item) or (item.dtype in _TEXTS and len(item.shape) <= 1)):
            yield Said(item.path, "", item.plain())


def _is_value(item: Item) -> bool:
    """Whether an array becomes an attribute: a whole number without dimensions, or a short list among metadata."""
    is_whole = item.dtype.startswith(("int", "uint", "bool"))
    if not item.shape or len(item.shape) > 1 or item.shape[0] > MAX_LIST:
        return is_whole and not item.shape
    above = item.path.lower().split("/")[1:-1]
    if not set(above) & set(hints()["metadata"]) or place_of(plain(item.path.rpartition("/")[2]), item.shape):
        return False
    return is_whole or (bool(FLOATS.fullmatch(item.dtype)) and bool(np.isfinite(item.values()).all()))


def _node_lines(row: Row, draft: _Draft) -> Iterator[str]:
    """The rules for a family, one for each reading, and before them what is known."""
    family = row.family
    item, numbers = family.first, family.numbers()
    shown = f"{item.path} {item.dtype} {list(item.shape)}"
    more = f"{count(len(family.members), 'array')} such as " if len(family.members) > 1 else ""
    yield comment(shorten(more + shown, 200))
    gaps = [number for one, other in pairwise(numbers) for number in range(one + 1, min(other, one + MAX_GAPS + 2))]
    doubts = [*family.doubts, *row.layout.doubts]
    if gaps:
        named = ", ".join(map(str, gaps[:MAX_GAPS])) + (" and more" if len(gaps) > MAX_GAPS else "")
        doubts.append(f"{family.stem} {named} not there")
    if numbers[:1] == [1]:
        doubts.append("the numbers begin at 1, and are taken to count from 1")
    yield from (comment(f"doubt: {doubt}") for doubt in doubts)
    readings: list[tuple[dict[str, str], list[str]]] = [({}, row.layout.readings[0])]
    if len(row.layout.readings) > 1:
        key = f"axes_{row.key}"
        shapes = {", ".join(reading): reading for reading in row.layout.readings}
        draft.ask[key] = {
            "why": f"which dimensions has {item.path}, {list(item.shape)}? Equal sizes do not tell",
            "choices": list(shapes),
        }
        readings = [({key: text}, reading) for text, reading in shapes.items()]
    for (when, reading), (shift, more_when) in product(readings, _series(row, draft)):
        yield f"{toml(_rule(row, reading, {**when, **more_when}, shift))},"


def _series(row: Row, draft: _Draft) -> list[tuple[str, dict[str, str]]]:
    """How the members are numbered: as they are, or the first one as the embedding, if the answer is so."""
    if not row.embedding:
        return [("", {})]
    key = f"first_{row.key}"
    draft.ask[key] = {
        "why": f"what is {row.family.first.path}, the first of {row.embedding}?",
        "choices": [_EMBEDDING, row.family.stem],
    }
    return [(_EMBEDDING, {key: _EMBEDDING}), ("-1", {key: _EMBEDDING}), ("", {key: row.family.stem})]


def _rule(row: Row, reading: Sequence[str], when: Mapping[str, str], shift: str) -> dict[str, Any]:
    family, to, group = row.family, row.to, {}
    pattern = family.pattern
    if family.main is not None:
        group = {f"num_{family.stem}s": {"members": True}}
    if shift == _EMBEDDING:
        to, group = f"{to.rpartition('/')[0]}/{_EMBEDDING}", {}
        pattern = family.with_numbers({family.main or 0: "0+"})
    elif shift:
        to = to.replace("{i:n}", f"{{i{shift}:n}}")
    steps: list[dict[str, Any]] = [{"moveaxis": move} for move in row.layout.moves(reading)]
    dtype = (row.place or {}).get("dtype")
    if dtype and family.first.dtype == "float16":
        steps.append({"cast": dtype})
    rule: dict[str, Any] = {"from": pattern, "ndim": len(reading)}
    if when:
        rule["when"] = dict(when)
    if steps:
        rule["do"] = steps
    rule |= {"to": to, "axes": row.layout.result(reading)}
    if row.attributes:
        rule["attributes"] = row.attributes
    if group:
        rule["group"] = group
    return rule


def _other_lines(tree: Tree, rest: Sequence[Family], sizes: Sizes, draft: _Draft) -> Iterator[str]:
    """Rules for numbers and texts, and comments on what a draft leaves to its reader."""
    for item in tree.values():
        is_text = item.kind == "array" and item.dtype in _TEXTS
        if is_text or (item.kind == "array" and _is_value(item)):
            name = item.path.rpartition("/")[2]
            axis = meaning(plain(name), hints()["sizes"])
            if axis is not None and not is_text and item.plain() == _size_of(axis, sizes, draft):
                name = f"size_{sizes.axis if axis in hints()['sequence'] else axis}"
                draft.taken.setdefault(name, item.path)
            else:
                name = _attribute(name, item.path, draft, is_text=is_text and not item.shape)
            rule = {"from": _literal(item.path), "ndim": len(item.shape), "to": "/metadata", "as": name}
            yield f"{toml(rule)},"
        elif item.kind != "group" and not (item.kind == "array" and _PORTABLE.fullmatch(item.dtype)):
            why = item.reason or f"{item.dtype} {list(item.shape)}"
            yield comment(shorten(f"no rule: {item.path}: {why}; give it up with --set 'lose:{item.path}=REASON'", 300))
    for family in rest:
        yield comment(f"no rule: {family.first.path}: a draft has at most {MAX_FAMILIES} rules for arrays")


def _size_of(axis: str, sizes: Sizes, draft: _Draft) -> int | None:
    """The size of an axis in the arrays of the draft."""
    wanted = sizes.axis if axis in hints()["sequence"] else axis
    for row in draft.rows:
        for reading in row.layout.readings[:1]:
            for name, size in zip(reading, row.family.first.shape, strict=True):
                if name.partition(":")[0] == wanted:
                    return size
    return None


def _attribute(name: str, source: str, draft: _Draft, *, own: str = "", is_text: bool = True) -> str:
    """The name in /metadata of an attribute or array of the source, which no other one has; `own` is the last part."""
    bare = plain(name)
    known = meaning(plain(own or name), hints()["identity"])
    found = known if known and is_text and known not in draft.taken else bare or "value"
    if _RESERVED.fullmatch(found) or (found in hints()["identity"] and not is_text):
        found = f"source_{found}"
    while draft.taken.setdefault(found, source) != source:
        found = f"{plain(source) or 'source'}_{found}" if found == (bare or "value") else f"{found}_"
    return found


def _attribute_lines(tree: Tree, sizes: Sizes, draft: _Draft) -> Iterator[str]:
    """A rule for each attribute of the source; nodes whose paths differ in numbers only have one together."""
    rows = {item.path: row for row in draft.rows for item in row.family.members.values()}
    groups = families(item for item in tree.values() if item.path not in rows)
    for family in [*(row.family for row in draft.rows), *groups]:
        row = rows.get(family.first.path)
        named = {name: item for item in family.members.values() for name in {**item.unsupported, **item.attributes}}
        for name, item in named.items():
            if name in item.unsupported:
                why, fix = item.unsupported[name], f"--set 'lose:{item.path}@{name}=REASON' gives it up"
                yield comment(shorten(f"no rule: {item.path}@{name}: {why}; {fix}", 300))
            else:
                yield from _attribute_rule(item, family, row, name, sizes, draft)


def _attribute_rule(
    item: Item, family: Family, row: Row | None, name: str, sizes: Sizes, draft: _Draft
) -> Iterator[str]:
    rule: dict[str, Any] = {"from": family.pattern, "name": _literal(name)}
    shape = _shape_of(item.attributes[name]) if row is None and not family.varying else ()
    if shape:
        found = _attribute(name, f"{family.pattern}@{name}", draft, is_text=False)
        axes = [f"{found}_{number}" for number in range(len(shape))]
        yield comment(f"{item.path}@{name}: numbers in a list of lists, {list(shape)}; doubt: named by its place")
        yield f"{toml({**rule, 'to': f'/activations/{found}', 'axes': axes})},"
        return
    value, bare = item.attributes[name], plain(name) or "value"
    axis = meaning(bare, hints()["sizes"]) if type(value) is int and row is None else None
    measured_on = _measured_on(axis, sizes, draft) if axis else None
    if measured_on:
        size, wanted = _size_of(axis or "", sizes, draft), measured_on.lower()
        if size != value:
            yield comment(f"{item.path}@{name} says {value}, the arrays have {size}")
        copied = {"to": "/metadata", "as": f"size_{wanted}"} if size == value and not family.varying else {}
        rule |= {"is": measured_on, **copied, "lose": "the shapes have it"}
    elif row is not None and not row.embedding and len(family.varying) <= 1 and len(row.layout.readings) == 1:
        rule |= {"to": row.to, "as": f"source_{bare}" if _is_taken(bare, row) else bare}
    elif row is not None:
        yield comment(f"no rule: {item.path}@{name}; --set 'lose:{item.path}@{name}=REASON' gives it up")
        return
    elif bare == "created_at" and isinstance(value, str) and _TIME.fullmatch(value):
        rule |= {"to": "/"}
    else:
        steps = [] if item.path in ("/", "/metadata") else [family.name(0)]
        is_text = isinstance(value, str) and bool(value)
        found = _attribute("_".join([*steps, name]), f"{family.pattern}@{name}", draft, own=name, is_text=is_text)
        number = f"{family.stem}{{i}}_" if family.main is not None else ""
        rule |= {"to": "/metadata", "as": f"{number}{found}"}
    yield f"{toml(rule)},"


def _shape_of(value: Any) -> tuple[int, ...]:
    """The shape of numbers in lists of lists of equal lengths, with one floating-point number or more; () of others."""
    try:
        found = np.asarray(value) if isinstance(value, list) else np.zeros(())
    except ValueError:
        return ()
    return found.shape if found.ndim > 1 and found.size and found.dtype.kind == "f" else ()


def _is_taken(name: str, row: Row) -> bool:
    """Whether an attribute of an array has a meaning in the specification, which that of the source need not have."""
    is_weights = row.layout.is_weights and name in hints()["weights"]["attributes"]
    return (
        bool(_RESERVED.fullmatch(name)) or is_weights or name in ("mask", "scale", "sink", "masked_value", "all_equal")
    )


def _measured_on(axis: str, sizes: Sizes, draft: _Draft) -> str | None:
    """The name of `let` for the size of an axis, measured on an array that has it; None where none has."""
    for row in draft.rows:
        reading = [name.partition(":")[0] for name in row.layout.readings[0]]
        wanted = sizes.axis if axis in hints()["sequence"] else axis
        if wanted in reading and len(row.layout.readings) == 1:
            name = wanted.upper()
            pattern = re.sub(r"\?P<[a-z]>", "", row.family.pattern)
            draft.lets.setdefault(name, {"shape": pattern, "at": reading.index(wanted)})
            return name
    return None


def _identify(draft: _Draft) -> None:
    """Ask for the name and version of the model where no attribute has them."""
    values = {}
    for key in hints()["identity"]:
        if key not in draft.taken:
            values[key] = {"ask": key}
            draft.ask[key] = hints()["ask"][key]
    if values:
        draft.set["/metadata"] = values
    if any(row.layout.is_weights for row in draft.rows):
        for value in hints()["weights"]["attributes"].values():
            draft.ask[value["ask"]] = hints()["ask"][value["ask"]]


def _document(draft: _Draft, name: str, version: str, sizes: Sizes, arrays: int) -> Iterator[str]:
    yield comment(f"A draft from {count(arrays, 'array')}: read each comment, and change what is wrong.")
    yield comment(
        "Names of groups and axes are proposals. Names after `to` are yours; axes with one name have one size."
    )
    if sizes.sequence:
        yield comment(f"The axis {sizes.axis} has the size {sizes.sequence}: {sizes.why}.")
    yield from (f"{key} = {toml(value)}" for key, value in (("mapping", "1.0"), ("name", name), ("version", "1")))
    yield f"target = {toml(version)}"
    yield f"title = {toml('a draft: say here what writes this layout')}"
    yield 'profiles = ["trace"]'
    yield from ("nodes = [", *(f"  {line}" for line in draft.nodes), "]")
    if draft.attributes:
        yield from ("attributes = [", *(f"  {line}" for line in draft.attributes), "]")
    tests = [
        {"node": re.sub(r"\?P<[a-z]>", "", row.family.pattern), "ndim": len(row.family.first.shape)}
        for row in draft.rows
    ]
    tests = tests or [draft.recognised]
    yield f"recognise = {toml({'all': tests[:4]})}"
    if draft.lets:
        yield f"let = {toml(draft.lets)}"
    if draft.set:
        yield f"set = {toml(draft.set)}"
    if draft.ask:
        yield ""
        yield "[ask]"
        yield from (f"{key} = {toml(value)}" for key, value in draft.ask.items())


def _literal(text: str) -> str:
    return re.sub(r"[.^$*+?{}\[\]\\|()]", lambda match: f"\\{match[0]}", text)
