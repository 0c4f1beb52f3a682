"""Escape hostile strings, shorten long ones, suggest known ones. Knows nothing of archives."""

from __future__ import annotations

import re
from collections.abc import Iterable

# C0 and C1 controls, line and paragraph separators, bidirectional marks, embeddings, overrides and isolates, zero-width
# characters and the byte-order mark, lone surrogates, noncharacters, interlinear and tag characters.
# Source: Unicode 16, chapters 5.21 and 23; UTS 55 "Source Code Handling".
_HOSTILE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e0fff"
)
EMPTY_NAME = r"\empty"
"""What stands for a name of no characters: engines lose empty steps of a path."""

_HOSTILE_TEXT = re.compile(f"[{_HOSTILE}]")
_HOSTILE_NAME = re.compile(rf"[{_HOSTILE}\\]")


def escape_text(text: str) -> str:
    r"""`text` with every hostile character as `\u001b`; the same object where there is none."""
    if text.isascii() and text.isprintable():
        return text
    return _HOSTILE_TEXT.sub(_escaped, text)


def escape_name(name: str) -> str:
    r"""`name` likewise, with backslashes doubled so that two different names never become one, and never empty."""
    if not name:
        return EMPTY_NAME
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return _HOSTILE_NAME.sub(_escaped, name)


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if character == "\\":
        return "\\\\"
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, limit: int = 120) -> str:
    """`text`, or its beginning and its length where it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` where something known is close to `word`, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""
