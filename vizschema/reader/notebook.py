"""Archives, arrays and parts of them as HTML for notebooks, with pictures of a bounded part. Everything is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from vizschema.errors import Damaged, NotAnArchive
from vizschema.outline.figures import figures, text
from vizschema.outline.picture import picture_of
from vizschema.outline.tree import Tree
from vizschema.text import shorten

if TYPE_CHECKING:
    from vizschema.reader.archive import Archive

PICTURED = 3
"""Arrays of an archive of which pictures are shown, the first of each series."""

_LOOKED_AT = 100
"""Rows of the tree among which these are looked for."""


@runtime_checkable
class Drawn(Protocol):
    """An array of an archive, or a part of one."""

    path: str
    attributes: Mapping[str, Any]

    def picture(self) -> dict[str, Any] | None:
        """Return a picture, as `scan.pictures` draws it; raises `Damaged`."""


def archive_html(archive: Archive) -> str:
    """Return the tree of an archive, and pictures of the first arrays that have two axes or more."""
    parts = [f"<pre>{text_lines(repr(archive))}</pre>"]
    rows = (row for _, row in zip(range(_LOOKED_AT), Tree(archive.description["nodes"]).rows(), strict=False))
    paths = [row.path for row in rows if row.node["kind"] == "array" and len(row.node["shape"]) > 1]
    shown = 0
    for path in paths:
        try:
            found = archive[path]
        except NotAnArchive:
            continue
        drawn = "".join(_figures(found)) if isinstance(found, Drawn) else ""
        if drawn:
            parts.append(f"<p><code>{text(path)}</code></p>{drawn}")
            shown += 1
        if shown == PICTURED:
            break
    return "".join(parts)


def selection_html(words: str, selection: Drawn) -> str:
    """Return what a selection is, in `words`, the attributes of an array, and a picture."""
    lines = [f"<pre>{text_lines(words)}</pre>"]
    attributes = selection.attributes
    if attributes:
        rows = (
            f"<tr><th>{text(name)}</th><td>{text(shorten(json.dumps(value, ensure_ascii=False)))}</td></tr>"
            for name, value in attributes.items()
        )
        lines.append(f"<table>{''.join(rows)}</table>")
    return "".join([*lines, *_figures(selection)])


def text_lines(lines: str) -> str:
    """Return lines, each escaped."""
    return "\n".join(map(text, lines.splitlines()))


def _figures(selection: Drawn) -> Iterator[str]:
    """The figures of a selection; none of what cannot be drawn."""
    try:
        drawn = selection.picture()
    except Damaged:
        return
    if drawn is not None:
        yield from figures(selection.path, picture_of(drawn))
