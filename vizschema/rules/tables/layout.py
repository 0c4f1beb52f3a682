"""JSON as it is laid out in `spec/`: on one line what fits, otherwise one member a line; lists of values filled."""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 128


def laid_out(document: Any) -> str:
    """The text of a JSON document, the same for the same document, with a line break at its end."""
    return f"{_text(document, 0, 0)}\n"


def _text(value: Any, indent: int, beside: int) -> str:
    """`value` where `indent` spaces stand before its line, and `beside` characters before and after it."""
    flat = json.dumps(value, ensure_ascii=False)
    if indent + beside + len(flat) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    inner, end = "\n" + " " * (indent + 2), "\n" + " " * indent
    if isinstance(value, dict):
        keys = [(f"{json.dumps(key, ensure_ascii=False)}: ", item) for key, item in value.items()]
        members = [key + _text(item, indent + 2, len(key) + 1) for key, item in keys]
        return f"{{{inner}{f',{inner}'.join(members)}{end}}}"
    if not any(isinstance(item, dict | list) for item in value):
        return f"[{inner}{inner.join(_filled([json.dumps(item, ensure_ascii=False) for item in value], indent))}{end}]"
    return f"[{inner}{f',{inner}'.join(_text(item, indent + 2, 1) for item in value)}{end}]"


def _filled(items: list[str], indent: int) -> list[str]:
    lines = [items[0]]
    for item in items[1:]:
        if indent + 2 + len(lines[-1]) + len(item) + 3 <= _WIDTH:
            lines[-1] += f", {item}"
        else:
            lines[-1] += ","
            lines.append(item)
    return lines
