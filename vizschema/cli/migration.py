"""`migrate`, up to its exit code: what was typed, what was done, and the questions that are asked on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vizschema.cli.hints import hints
from vizschema.errors import NotConforming, Refused, Unanswered, UsageError, writes
from vizschema.findings import Question
from vizschema.migration.migrate import migrate as migrated
from vizschema.migration.result import Migrated
from vizschema.report import FORMATS
from vizschema.report.options import Options, terminal_width
from vizschema.rules.tables.read import parsed
from vizschema.text import escape_text

_SHOWN = 20
_KINDS: Mapping[str, Callable[[str], Any]] = {
    "INTEGER": int,
    "NUMBER": float,
    "BOOLEAN": lambda text: ("false", "true").index(text.lower()),
}


def migrate(
    source: str,
    target: str,
    mapping: str | None,
    given: Sequence[str],
    beside: Sequence[str],
    file: str | None,
    container: str | None,
    memory: int,
    *,
    dry_run: bool,
    isolated: bool,
    link: bool,
) -> int:
    """0 after the result was written, judged and proved; 1 where it is refused, 2 where answers are missing."""
    answers = {**answered(file), **pairs("--set", given)}
    extra = pairs("--with", beside, "PATH=FILE")

    def work() -> int:
        with hints(source):
            done = migrated(
                source,
                target,
                mapping=mapping,
                answers=answers,
                beside=extra,
                container=container,
                dry_run=dry_run,
                memory=memory,
                isolated=isolated,
                link=link,
            )
        return _show_plan(done) if dry_run else _show(done, target, answers)

    try:
        return answering(source, target, answers, work)
    except NotConforming as error:
        print(f"vizschema: {escape_text(source)}: the result would not conform: nothing was written", file=sys.stderr)
        for line in FORMATS["text"]([error.report], Options(width=terminal_width())):
            print(line, file=sys.stderr)
        return error.exit_code


def answering(source: str, target: str, answers: dict[str, Any], work: Callable[[], int]) -> int:
    """Work, and again with what is answered on a terminal; elsewhere the questions are listed.

    Raises `UsageError` where the target cannot be written.
    """
    while True:
        try:
            with writes(target):
                return work()
        except Unanswered as missing:
            typed = _asked(missing.questions) if is_terminal() else None
            if typed is None:
                return complain(source, missing)
            answers.update(typed)
        except Refused as refused:
            return complain(source, refused)


def verify(target: str, source: str, mapping: str | None, memory: int, *, isolated: bool) -> int:
    """0 where every array of a result is that of its source, 1 where one is not."""
    from vizschema.migration.verifying import verify as verified

    try:
        count = verified(target, source, mapping=mapping, memory=memory, isolated=isolated)
    except Refused as refused:
        return complain(target, refused)
    print(escape_text(f"{target}: {count} of {count} arrays read back, undone and equal to those of {source}"))
    return 0


def is_terminal() -> bool:
    """Whether a person is there to answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _show_plan(done: Migrated) -> int:
    """Print what each node becomes, then what is in the way, and what is asked."""
    for line in (*done.lines, *(f"no rule: {problem}" for problem in done.problems), *_found(done)):
        print(escape_text(line))
    if done.questions:
        print("open questions; add to the command:")
    for question in done.questions:
        print(escape_text(f"  {question}"))
    print(f"mapping {done.mapping}; nothing was written (--dry-run)")
    return 1 if done.problems else 2 if done.questions else 0


def _found(done: Migrated) -> list[str]:
    """The answers that were measured, and those by default."""
    return [f"{each['by']}: {key} = {each['value']}" for key, each in done.answers.items() if each["by"] != "given"]


def _show(done: Migrated, target: str, given: Mapping[str, Any]) -> int:
    for report in done.refused:
        rules = sorted({finding.rule for finding in report.errors})
        print(f"not declared as {report.profile}: it breaks {', '.join(rules)}")
    print_losses(done.losses, "all are in the attribute losses of /extra/migration")
    for line in _found(done):
        print(escape_text(line))
    lost = {f"lose:{loss['what']}" for loss in done.losses}
    for key in given.keys() - done.answers.keys() - lost:
        print(escape_text(f"not used: {key} = {given[key]}"))
    print(
        escape_text(
            f"{target}: conforms to {done.profile}, by the mapping {done.mapping}; "
            f"{done.proved} of {done.proved} arrays read back, undone and equal"
        )
    )
    if done.linked:
        print(f"{done.linked} chunks are the files of the source; their values were not read (see --verify)")
    return 0


def print_losses(losses: Sequence[Mapping[str, str]], rest: str) -> None:
    """Print the first losses, and where the rest is."""
    for loss in losses[:_SHOWN]:
        print(escape_text(f"lost: {loss['what']}: {loss['why']}"))
    if len(losses) > _SHOWN:
        print(f"and {len(losses) - _SHOWN} more losses; {rest}")


def complain(source: str, error: Refused | Unanswered) -> int:
    """Print why nothing was written, or the open questions; return the exit code."""
    for line in f"{source}: {error}".splitlines():
        print(escape_text(line), file=sys.stdout if isinstance(error, Unanswered) else sys.stderr)
    return error.exit_code


def _asked(questions: Sequence[Question]) -> dict[str, str] | None:
    """Answers that are typed on the terminal, each asked until it is one; None where the input ends."""
    found = {}
    for question in questions:
        choices = f" [{', '.join(map(str, question.choices))}]" if question.choices else ""
        name = f"{question.key}:{question.place}" if question.place else question.key
        shown = f" ({question.found})" if question.found else ""
        answer = ""
        while not _fits(question, answer):
            try:
                answer = input(escape_text(f"{name}: {question.why}{shown}{choices}: ")).strip()
            except EOFError:
                print()
                return None
        found[name] = answer
    return found


def _fits(question: Question, answer: str) -> bool:
    """Whether an answer is one of the choices, or of the words and the kind of the question."""
    *words, kind = question.kind.split("|")
    if question.choices or answer in words:
        return answer in (*map(str, question.choices), *words)
    try:
        return bool(answer) and _KINDS.get(kind, str)(answer) is not None
    except ValueError:
        return False


def pairs(option: str, given: Sequence[str], form: str = "KEY=VALUE") -> dict[str, str]:
    """`KEY=VALUE` by key; raises `UsageError`, which shows the `form`, for anything else."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not key or not equals or not value:
            raise UsageError(path=option, expected=form, found=repr(text))
        found[key] = value
    return found


def answered(file: str | None) -> dict[str, Any]:
    """The answers of a TOML file, those in a table by the key and the place: `[source]`, `"/group" = "captured"`.

    Raises `UsageError` where it cannot be read, `SpecError` where it is not TOML.
    """
    if file is None:
        return {}
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise UsageError(path=f"--answers {file}", expected="a file", found=error.strerror or error) from error
    found: dict[str, Any] = {}
    for key, value in parsed(data, Path(file)).items():
        found |= {f"{key}:{place}": each for place, each in value.items()} if isinstance(value, dict) else {key: value}
    return found
