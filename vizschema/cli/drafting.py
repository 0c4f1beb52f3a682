"""Drafts, printed or written to a new file: `migrate --suggest`, and what `profile infer` shares with it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from vizschema.cli.migration import complain
from vizschema.errors import Refused, UsageError, writes
from vizschema.migration.drafting.draft import suggest as drafted
from vizschema.migration.mapping import read
from vizschema.text import count, escape_text


def suggest(source: str, out: str | None, memory: int, *, isolated: bool) -> int:
    """0 after the draft of a mapping was printed, or written to a new file; 1 where it is refused.

    Raises `NotAnArchive` where the source cannot be read.
    """
    try:
        text = drafted(source, name=Path(out).stem if out else None, memory=memory, isolated=isolated)
    except Refused as refused:
        return complain(source, refused)
    if not printed_or_written(text, out):
        return 0
    dialect = read(Path(str(out)))
    rules, asks = len(dialect.rules("nodes")) + len(dialect.rules("attributes")), len(dialect.asks)
    print(escape_text(f"{out}: a draft with {count(rules, 'rule')} and {count(asks, 'question')}; read its comments"))
    file = out if str(out).endswith(".toml") or "/" in str(out) else f"./{out}"
    print(escape_text(f"then: vizschema migrate {quote(source)} TARGET --mapping {quote(str(file))} --dry-run"))
    return 0


def printed_or_written(text: str, out: str | None) -> bool:
    """Print `text`, or write it to a new file (then True); raise `UsageError` where that is impossible."""
    if out is None:
        print(text, end="")
        return False
    with writes(out), Path(out).open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)
    return True


def require_target(source: str, target: str | None, *, suggests: bool, out: str | None) -> None:
    """Raise `UsageError` unless there is a target, or a draft is wanted instead."""
    if suggests and target is not None:
        raise UsageError(path=target, expected="no TARGET with --suggest", found=target, fix="write to it with --out")
    if not suggests and target is None:
        raise UsageError(path=source, expected="SOURCE TARGET", found="no TARGET", fix="or --suggest, for a draft")
    if not suggests and out is not None:
        raise UsageError(path=f"--out {out}", expected="--suggest", found="--out without it")
