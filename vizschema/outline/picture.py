"""A picture of an array in characters: grey levels as a map, a histogram as bars. Any terminal shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vizschema.errors import NotAnArchive
from vizschema.findings import Picture
from vizschema.text import escape_text, shorten

RAMP = " .:-=+*#%@"
"""From the lowest to the highest level."""

UNKNOWN = "?"
BARS = " ▁▂▃▄▅▆▇█"

_ROWS, _COLUMNS = 24, 40
"""Cells of a map at most; a cell is two characters wide, as high as it is wide."""


def map_lines(levels: bytes, columns: int, width: int) -> Iterator[str]:
    """The lines of a map of grey levels [row, column], 255 where nothing is known, in at most `width` characters."""
    rows = len(levels) // columns if columns else 0
    down = -(-rows // _ROWS) or 1
    across = -(-columns // max(1, min(_COLUMNS, width // 2))) or 1
    for top in range(0, rows, down):
        cells = []
        for left in range(0, columns, across):
            lines = range(top, min(rows, top + down))
            cell = b"".join(levels[row * columns + left : row * columns + min(columns, left + across)] for row in lines)
            cells.append(2 * _character([level for level in cell if level != 255]))
        yield "".join(cells)


def bar_line(counts: Sequence[int]) -> str:
    """A histogram as one line, a character for each count; every count above 0 shows."""
    highest = max((*counts, 1))
    return "".join(BARS[-(-number * (len(BARS) - 1) // highest)] for number in counts)


def _character(known: Sequence[int]) -> str:
    """The character of the mean of levels from 0 to 254."""
    if not known:
        return UNKNOWN
    return RAMP[min(len(RAMP) - 1, sum(known) * len(RAMP) // (255 * len(known)))]


def picture_of(drawn: Mapping[str, Any]) -> Picture:
    """A picture from the answer of a worker, which is not trusted; raises `NotAnArchive` for what is none."""
    try:
        levels, columns = bytes.fromhex(drawn.get("levels", "")), int(drawn.get("columns", 0))
        counts = tuple(int(number) for number in drawn["counts"])
        low, high = float(drawn["minimum"]), float(drawn["maximum"])
        axes = drawn.get("axes", ("", ""))
        if min(counts, default=0) < 0 or not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("counts below 0, or bounds that are not finite")
        if len(levels) > 1 << 16 or len(counts) > 256 or (levels and (columns < 1 or len(levels) % columns)):
            raise ValueError("a picture larger than one is")
        seen, *names = (escape_text(shorten(str(each))) for each in (drawn["seen"], axes[0], axes[1]))
        return Picture(low, high, counts, seen, levels, columns, (names[0], names[1]))
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise NotAnArchive("cannot be drawn: the worker sent a malformed message") from error
