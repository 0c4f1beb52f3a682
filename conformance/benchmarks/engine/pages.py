"""Pages of the documentation that hold what a benchmark printed."""

from __future__ import annotations

import re
from pathlib import Path


def fill(page: Path, name: str, text: str) -> None:
    """Put `text` between `<!-- measured: NAME -->` and `<!-- end -->` of a page; `ValueError` where it has none."""
    block = f"<!-- measured: {name} -->\n```text\n{text}\n```\n<!-- end -->"
    before = page.read_text(encoding="utf-8")
    pattern = rf"<!-- measured: {re.escape(name)} -->.*?<!-- end -->"
    after, count = re.subn(pattern, lambda _: block, before, flags=re.DOTALL)
    if not count:
        raise ValueError(f"{page}: no <!-- measured: {name} -->")
    page.write_text(after, encoding="utf-8")
