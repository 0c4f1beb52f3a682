"""`show`: the tree of an archive, or one array of it with its facts and a picture, as text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vizschema.cli.hints import hints
from vizschema.errors import NotAnArchive, UsageError
from vizschema.findings import INTERRUPTED
from vizschema.outline.picture import RAMP, UNKNOWN, bar_line, map_lines, picture_of
from vizschema.outline.tree import Tree
from vizschema.outline.words import headline, words_of
from vizschema.report.options import terminal_width
from vizschema.text import archive_name, escape_text, local_path, shorten, suggestion

if TYPE_CHECKING:
    from vizschema.bounds import Reading
    from vizschema.description import Description, Node
    from vizschema.findings import Picture

FACTS = {"at": "^/", "measure": ["range", "non_finite", "constant"]}
"""What `--values` measures of an array."""

_PLAIN = str.maketrans(dict(zip("├└│─┌┐┘…·×▁▂▃▄▅▆▇█", "|`|-++'~;x..::==##", strict=True)))
"""Characters of the text for an output that is not UTF-8."""


def show(path: str, place: str, reading: Reading, *, values: bool, as_json: bool) -> int:
    """Return 0 after the tree below `place`, or the array there, was printed; with `values`, facts of all its values.

    Raises `NotAnArchive`, and `UsageError` where nothing is at `place`.
    """
    from vizschema.measure import measured

    archive = local_path(path)
    place = f"/{place.strip('/')}"
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    try:
        with hints(archive), measured(archive, reading) as found:
            description = found.description
            node = _node_at(description, place)
            if node["kind"] == "array":
                picture, notes = _drawn(found.draw([place], True))
                description = found.with_values([FACTS], [place]) if values else description
    except OSError as error:
        raise NotAnArchive(f"cannot be read: {error.strerror or error}", path=archive_name(archive)) from error
    shown = archive_name(archive)
    if as_json:
        print(json.dumps(_document(shown, description, place, picture), indent=2, allow_nan=False))
    else:
        for line in _lines(shown, description, place, picture):
            print(line if _utf8() else line.translate(_PLAIN))
    for note in (*found.notes, *notes):
        print(f"vizschema: {escape_text(note)}", file=sys.stderr)
    return INTERRUPTED if description["values"] == "partial" else 0


def _node_at(description: Description, place: str) -> Node:
    nodes: Mapping[str, Node] = description["nodes"]
    if place not in nodes:
        found = f"none{suggestion(place, nodes)}"
        raise UsageError(path=escape_text(place), expected="a path in the archive", found=found)
    return nodes[place]


def _drawn(pictures: Iterator[tuple[str, Mapping[str, Any]]]) -> tuple[Picture | None, tuple[str, ...]]:
    """The picture, if there is one, and a note where a worker died of it."""
    from vizschema.worker.process import WorkerDied

    try:
        found = [picture_of(drawn) for _, drawn in pictures]  # to the end, or the worker cannot be asked for more
        return (found[0] if found else None), ()
    except WorkerDied as died:
        return None, (f"no picture: {died}",)


def _lines(archive: str, description: Description, place: str, picture: Picture | None) -> Iterator[str]:
    nodes, width = description["nodes"], terminal_width()
    node = nodes[place]
    if place == "/":
        yield headline(archive, description)
    else:
        yield escape_text(f"{archive} {place}: {words_of(node, codecs=True) or node['kind']}")
        if "detail" in node:
            yield escape_text(f"  {node['detail']}")
        for name, value in node.get("attributes", {}).items():
            text = json.dumps(value, ensure_ascii=False)
            yield escape_text(f"  {name} = {shorten(text, max(20, width - len(name) - 30))}")
    for row in Tree(nodes).rows(place):
        yield row.line(width)
    facts = node.get("facts", {})
    yield from (f"  {name}: {json.dumps(value)}" for name, value in facts.items())
    if picture is not None:
        yield from _picture_lines(picture, width)


def _picture_lines(picture: Picture, width: int) -> Iterator[str]:
    low, high = f"{picture.minimum:.6g}", f"{picture.maximum:.6g}"
    yield f"  {low} {bar_line(picture.counts)} {high}  ({picture.seen})"
    if picture.levels:
        down, across = picture.axes
        yield escape_text(f"  first slice: {down} down, {across} across; '{RAMP[0]}' {low}, '{RAMP[-1]}' {high}")
        lines = list(map_lines(picture.levels, picture.columns, width - 4))
        yield f"  ┌{'─' * len(lines[0])}┐"
        yield from (f"  │{line}│" for line in lines)
        yield f"  └{'─' * len(lines[0])}┘"
        if any(UNKNOWN in line for line in lines):
            yield f"  '{UNKNOWN}': not finite, or not read"


def _document(archive: str, description: Description, place: str, picture: Picture | None) -> dict[str, Any]:
    """The JSON form, as `spec/show.schema.json` says."""
    nodes = description["nodes"]
    rows = [
        {"path": row.path, "last": row.last, "count": row.count, **_entry(row.node)} for row in Tree(nodes).rows(place)
    ]
    drawn = picture and {
        "minimum": picture.minimum,
        "maximum": picture.maximum,
        "counts": list(picture.counts),
        "seen": picture.seen,
        "levels": picture.levels.hex(),
        "columns": picture.columns,
        "axes": list(picture.axes),
    }
    container = description["container"]
    return {
        "archive": escape_text(archive),
        "container": {key: container[key] for key in ("format", "version", "store")},
        "path": place,
        "node": {**_entry(nodes[place]), "attributes": nodes[place].get("attributes", {})},
        "facts": nodes[place].get("facts"),
        "picture": drawn,
        "tree": rows,
    }


def _entry(node: Node) -> dict[str, Any]:
    """What a row says of a node."""
    if node["kind"] == "group":
        return {"kind": "group", "members": node["members"]}
    if node["kind"] != "array":
        return {"kind": node["kind"], "reason": node["reason"], "detail": node["detail"]}
    chunks = None if node["storage"] is None else node["storage"]["chunks"]
    return {
        "kind": "array",
        "dtype": node["dtype"],
        "shape": node["shape"],
        "axes": node["axes"],
        "chunks": chunks,
        "bytes": node["bytes"],
    }


def _utf8() -> bool:
    """Whether standard output shows any character."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16")
