"""`export`, up to its exit code: what was given back, what is lost, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence

from vizschema.cli.hints import hints
from vizschema.cli.migration import answered, answering, pairs, print_losses
from vizschema.migration.exporting.export import Exported
from vizschema.migration.exporting.export import export as exported
from vizschema.text import count, escape_text


def export(
    archive: str,
    target: str,
    mapping: str,
    given: Sequence[str],
    file: str | None,
    container: str | None,
    memory: int,
    *,
    dry_run: bool,
    isolated: bool,
    widen: bool,
) -> int:
    """0 after the layout was written and read back; 1 where it is refused, 2 where answers are missing."""
    answers = {**answered(file), **pairs("--set", given)}

    def work() -> int:
        with hints(archive):
            done = exported(
                archive,
                target,
                mapping,
                answers=answers,
                container=container,
                dry_run=dry_run,
                memory=memory,
                isolated=isolated,
                widen=widen,
            )
        return _show(done, target)

    return answering(archive, target, answers, work)


def _show(done: Exported, target: str) -> int:
    if not done.container:
        for line in done.lines:
            print(escape_text(line))
        print(f"mapping {done.mapping}; nothing was written (--dry-run)")
        return 0
    print_losses(done.losses, "the Python function `export` lists all")
    for place, dtypes in done.widened.items():
        print(escape_text(f"widened: {place}: {dtypes}, which has the same values"))
    for place in done.changed:
        print(escape_text(f"changed since its migration: {place}"))
    same = "" if done.same is None else f"; {done.same} are what the archive was made of"
    shown = f"{count(done.arrays, 'array')} in {done.container}, read back and equal{same}"
    print(escape_text(f"{target}: the layout {done.mapping}, {shown}"))
    return 0
