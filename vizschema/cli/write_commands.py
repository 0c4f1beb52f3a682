"""`join` and `recover`: what each does, up to its exit code."""

from __future__ import annotations

from collections.abc import Sequence

from vizschema.errors import UsageError, writes
from vizschema.text import escape_text


def join(parts: Sequence[str], target: str, axis: str, container: str | None, *, overwrite: bool) -> int:
    """0 after the joined archive was written; 1 where it would not conform."""
    from vizschema.report import FORMATS
    from vizschema.report.options import Options, terminal_width
    from vizschema.writer.join import join as joined

    with writes(target):
        report = joined(parts, target, axis=axis, container=container, overwrite=overwrite)
    for line in FORMATS["text"]([report], Options(width=terminal_width())):
        print(line)
    return report.exit_code


def recover(path: str, *, restore: bool, remove: bool) -> int:
    """0 where nothing was found, or all of it was restored or removed; else 1."""
    from vizschema.writer.recover import recover as recovered

    try:
        found = recovered(path, restore=restore, remove=remove)
    except OSError as error:
        raise UsageError(f"cannot be recovered: {error.strerror or error}", path=path) from error
    for each in found:
        done = f" ({each.done})" if each.done else ""
        print(escape_text(f"{each.path}: {each.kind}: {each.detail}{done}"))
    if not found:
        print(escape_text(f"{path}: nothing to recover"))
    return int(any(each.done is None for each in found))
