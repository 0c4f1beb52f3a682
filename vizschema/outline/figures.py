"""A picture of an array for a page: a map as a PNG within it, a histogram as an SVG. No script, no request."""

from __future__ import annotations

import base64
import html
import struct
import zlib
from collections.abc import Iterator, Sequence

from vizschema.findings import Picture
from vizschema.text import escape_text

_SIDE = 192
"""Width in pixels of a picture."""


def text(value: object) -> str:
    """`value` as text of a page, or as the value of an attribute in quotes."""
    return html.escape(escape_text(str(value)), quote=True).replace("##[", "&#35;#[")


def figures(path: str, picture: Picture) -> Iterator[str]:
    """Return the picture of the array at `path` as figures of a page: a map, if there is one, and a histogram."""
    bounds = f"{picture.minimum:.6g} to {picture.maximum:.6g}"
    if picture.levels:
        rows = len(picture.levels) // picture.columns
        down, across = picture.axes
        about = f"{down} down, {across} across; black {picture.minimum:.6g}, white {picture.maximum:.6g}"
        source = f"data:image/png;base64,{base64.b64encode(png(picture.levels, picture.columns)).decode()}"
        height = max(1, round(_SIDE * rows / picture.columns))
        yield "<figure>"
        yield f'<img src="{source}" width="{_SIDE}" height="{height}" alt="{text(f"One slice of {path}")}">'
        yield f"<figcaption>{text(about)}</figcaption>"
        yield "</figure>"
    if picture.counts:
        yield "<figure>"
        yield _bars(picture.counts, f"Histogram of {path}: {bounds}")
        yield f"<figcaption>{text(bounds)}; {text(picture.seen)}</figcaption>"
        yield "</figure>"


def _bars(counts: Sequence[int], label: str) -> str:
    highest = max((*counts, 1))
    bars = "".join(
        f'<rect x="{6 * index}" y="{64 - height}" width="5" height="{height}" fill="currentColor"/>'
        for index, height in ((index, -(-64 * number // highest)) for index, number in enumerate(counts))
        if height
    )
    size = f'width="{6 * len(counts)}" height="64" viewBox="0 0 {6 * len(counts)} 64"'
    return f'<svg role="img" aria-label="{text(label)}" {size}>{bars}</svg>'


def png(levels: bytes, columns: int) -> bytes:
    """A PNG (ISO/IEC 15948) of grey levels [row, column], 255 being transparent."""
    rows = len(levels) // columns
    lines = b"".join(b"\0" + levels[row * columns : (row + 1) * columns] for row in range(rows))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    parts = (
        chunk(b"IHDR", header),
        chunk(b"tRNS", b"\0\xff"),
        chunk(b"IDAT", zlib.compress(lines, 9)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
