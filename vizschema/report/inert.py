"""Lines that no log takes for a command: GitHub acts on `::error::` at the start of a line, and on `##[` anywhere."""

from __future__ import annotations


def inert(line: str) -> str:
    """`line`, with the first colon or hash of what a runner would take for a command of its own escaped."""
    start = len(line) - len(line.lstrip())
    if line.startswith("::", start):
        line = f"{line[:start]}\\u003a{line[start + 1 :]}"
    return line.replace("##[", "\\u0023#[") if "##[" in line else line
