"""Whether a page shows what a command prints."""

from __future__ import annotations

import re


def shows(text: str, output: str) -> bool:
    """Whether `text` is the `output`, but for what an ellipsis stands for."""
    pattern = ".*".join(re.escape(part) for part in text.rstrip().split("…"))
    return re.fullmatch(pattern, output.rstrip(), re.DOTALL) is not None
