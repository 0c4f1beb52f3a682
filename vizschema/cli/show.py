"""`show`: the tree of an archive, or one array of it with its facts and a picture, as text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vizschema.cli.hints import hints
from vizschema.cli.plain import plain
from vizschema.description import parent_of
from vizschema.errors import UsageError, reads
from vizschema.findings import INTERRUPTED
from vizschema.outline.picture import RAMP, UNKNOWN, bar_line, map_lines, picture_of
from vizschema.outline.tree import Tree
from vizschema.outline.words import headline, words_of
from vizschema.report.options import terminal_width
from vizschema.text import archive_name, escape_text, local_path, shorten, size_words, suggestion

if TYPE_CHECKING:
    from vizschema.bounds import Reading
    from vizschema.description import Description, Node
    from vizschema.findings import Picture
    from vizschema.measure import Measured

FACTS = {"at": "^/", "measure": ["range", "non_finite", "constant"]}
"""What `--values` measures of an array."""


def show(path: str, place: str, reading: Reading, *, values: bool, sizes: bool, as_json: bool) -> int:
    """Return 0 after the tree below `place`, or the array there, was printed; with `values`, facts of all its values.

    With `sizes`, stored bytes are counted too.

    Raises `NotAnArchive`, and `UsageError` where nothing is at `place`.
    """
    from vizschema.measure import measured

    archive = local_path(path)
    place = f"/{place.strip('/')}"
    picture: Picture | None = None
    notes: tuple[str, ...] = ()
    weighed: Sizes | None = None
    with reads(archive_name(archive)), hints(archive), measured(archive, reading) as found:
        description = found.description
        node = _node_at(description, place)
        if node["kind"] == "array":
            picture, notes = _drawn(found.draw([place], True))
            description = found.with_values([FACTS], [place]) if values else description
        if sizes:
            weighed, more = _weighed(found, place)
            notes += more
    shown = archive_name(archive)
    if as_json:
        print(json.dumps(_document(shown, description, place, picture, weighed), indent=2, allow_nan=False))
    else:
        for line in _lines(shown, description, place, picture, weighed):
            print(plain(line))
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


def _weighed(found: Measured, place: str) -> tuple[Sizes | None, tuple[str, ...]]:
    """The stored bytes of the arrays below `place`, and a note where a worker died of it."""
    from vizschema.worker.process import WorkerDied

    inner = f"{place.rstrip('/')}/"
    nodes = found.description["nodes"]
    paths = [
        path for path, node in nodes.items() if node["kind"] == "array" and (path == place or path.startswith(inner))
    ]
    try:
        return Sizes(found.weigh(paths)), ()
    except WorkerDied as died:
        return None, (f"no sizes: {died}",)


class Sizes:
    """Stored bytes of arrays by path, None where they are unknown, added up for all groups above them."""

    def __init__(self, sizes: Mapping[str, int | None]) -> None:
        self._sums: dict[str, int | None] = {}
        for path, size in sizes.items():
            above = path
            while True:
                before = self._sums.get(above, 0)
                self._sums[above] = None if before is None or size is None else before + size
                if above == "/":
                    break
                above = parent_of(above)

    def of(self, paths: Sequence[str]) -> int | None:
        """Return the bytes of nodes together; None if those of any are unknown."""
        sizes = [self._sums.get(path, 0) for path in paths]
        return sum(size for size in sizes if size is not None) if None not in sizes else None

    def words(self, paths: Sequence[str]) -> str:
        """Return the same in words; empty for a group without arrays."""
        if not any(path in self._sums for path in paths):
            return ""
        size = self.of(paths)
        return f"stored {'unknown' if size is None else size_words(size)}"


def _lines(
    archive: str, description: Description, place: str, picture: Picture | None, sizes: Sizes | None
) -> Iterator[str]:
    nodes, width = description["nodes"], terminal_width()
    node = nodes[place]
    words = headline(archive, description) if place == "/" else f"{archive} {place}: {_words(node)}"
    yield escape_text(", ".join(part for part in (words, sizes.words([place]) if sizes else "") if part))
    if place != "/":
        if "detail" in node:
            yield escape_text(f"  {node['detail']}")
        for name, value in node.get("attributes", {}).items():
            text = json.dumps(value, ensure_ascii=False)
            yield escape_text(f"  {name} = {shorten(text, max(20, width - len(name) - 30))}")
    for row in Tree(nodes).rows(place):
        yield row.line(width, sizes.words(row.paths) if sizes else "")
    facts = node.get("facts", {})
    yield from (f"  {name}: {json.dumps(value)}" for name, value in facts.items())
    if picture is not None:
        yield from _picture_lines(picture, width)


def _words(node: Node) -> str:
    return words_of(node, codecs=True) or str(node["kind"])


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


def _document(
    archive: str, description: Description, place: str, picture: Picture | None, sizes: Sizes | None
) -> dict[str, Any]:
    """The JSON form, as `spec/show.schema.json` says."""
    nodes = description["nodes"]

    def entry(paths: Sequence[str]) -> dict[str, Any]:
        return _entry(nodes[paths[0]]) | ({} if sizes is None else {"stored": sizes.of(paths)})

    rows = [
        {"path": row.path, "last": row.paths[-1], "count": len(row.paths), **entry(row.paths)}
        for row in Tree(nodes).rows(place)
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
        "node": {**entry([place]), "attributes": nodes[place].get("attributes", {})},
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
