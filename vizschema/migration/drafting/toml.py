"""Values as TOML, each on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from vizschema.text import escape_text

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def toml(value: Any) -> str:
    """A text, number, boolean, list or table as TOML on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(str(key))} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def comment(text: str) -> str:
    """`text` as a comment of one line, without characters that could end it."""
    return f"# {escape_text(text)}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else toml(key)
