"""Lines for an output that does not show every character."""

from __future__ import annotations

import sys

_PLAIN = str.maketrans(dict(zip("├└│─┌┐┘…·×▁▂▃▄▅▆▇█", "|`|-++'~;x..::==##", strict=True)))


def plain(line: str) -> str:
    """Return a line as standard output can show it: box characters and bars in ASCII, unless it is UTF-8."""
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    return line if encoding in ("utf8", "utf16") else line.translate(_PLAIN)
