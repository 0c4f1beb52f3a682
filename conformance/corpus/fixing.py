"""What `fix` does to the broken archives of the corpus: a table, a row for each rule, as `docs/fix.md` has it.

    python -m vizschema.conformance.corpus.fixing [--write docs/fix.md | --marks [I/N]]

Of each case, the archive is written in one of its containers, fixed, and fixed again, which must change nothing. With
`--marks`, it is compared instead whether `fix` fixes what reports say that it fixes, of every broken archive, or of
those of part I of N.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import vizschema
from vizschema.conformance.corpus.cases import Case, corpus
from vizschema.rules import versions
from vizschema.rules.fixes.table import table

MARKS = "<!-- {}: begin -->", "<!-- {}: end -->"
MOST = 4
"""Cases of a rule that are tried in each version."""

FIXED, LEFT, UNREADABLE = "fixed", "left", "not read"


def outcome(case: Case, folder: Path, container: str) -> str:
    """Whether `fix` removes the findings of the rule of a case; `folder` must be empty.

    Raises `AssertionError` where a second run changes something, or something is worse.
    """
    path = case.write_in(folder, "broken", container)
    try:
        fixed = vizschema.fix(path, folder / f"fixed{path.suffix}", profile=case.profile)
    except vizschema.NotAnArchive:
        return UNREADABLE
    if fixed.target is not None:
        again = vizschema.fix(fixed.target, profile=case.profile)
        assert not again.changes, f"{case.name} in {container}: changed twice: {again.changes}"  # noqa: S101
    before, after = ({finding.rule for finding in report.findings} for report in (fixed.before, fixed.after))
    return FIXED if case.rule in before - after else LEFT


def untrue(case: Case, folder: Path, container: str) -> list[str]:
    """The findings of a case that `fix` fixes although they say `no`, or leaves although they say `yes`.

    `folder` must be empty.
    """
    path = case.write_in(folder, "broken", container)
    before = vizschema.validate(path, profile=case.profile)
    try:
        after = vizschema.fix(path, folder / f"fixed{path.suffix}", profile=case.profile).after.findings
    except vizschema.NotAnArchive:
        after = before.findings
    left = {(finding.rule, finding.path) for finding in after}
    rules_left = {finding.rule for finding in after}
    found = []
    for finding in before.findings:
        is_left = (finding.rule, finding.path) in left
        is_wrong = is_left if finding.fixable == "yes" else finding.rule not in rules_left
        if is_wrong and finding.fixable != "maybe":
            found.append(f"{case.name} in {container}: {finding.rule} at {finding.path} says {finding.fixable}")
    return found


def marks(part: str) -> tuple[int, list[str]]:
    """How many broken archives were tried, and what is untrue of them; `part` is such as 1/8."""
    number, of = map(int, part.split("/"))
    cases = [case for spec in versions.versions() for case in corpus(spec)]
    some = [case for case in cases if case.kind == "broken" and case.level == "archive"][number - 1 :: of]
    found: list[str] = []
    for place, case in enumerate(some):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found += untrue(case, Path(folder), case.containers[place % len(case.containers)])
    return len(some), found


def broken(spec: str) -> list[Case]:
    """Broken archives of a version, at most `MOST` of each rule, from all over its cases."""
    cases: dict[str, list[Case]] = {}
    for case in corpus(spec):
        if case.kind == "broken" and case.level == "archive":
            cases.setdefault(case.rule, []).append(case)
    return [each for some in cases.values() for each in some[:: -(-len(some) // MOST)]]


def counts(cases: Iterable[Case]) -> dict[str, Counter[str]]:
    """How many cases of each rule `fix` fixes, in one container each."""
    found: dict[str, Counter[str]] = {}
    for number, case in enumerate(cases):
        container = case.containers[number % len(case.containers)]
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = outcome(case, Path(folder), container)
        found.setdefault(case.rule, Counter())[result] += 1
    return found


def rows(found: dict[str, Counter[str]]) -> Iterator[str]:
    """The table, in Markdown: every rule of every version, by name."""
    yield "| rule | cases | fixed | by | why a case is left |"
    yield "|---|---|---|---|---|"
    for rule in rules():
        result = found.get(rule, Counter())
        by = ", ".join(f"`{entry.name}`" for entry in table().of(rule)) or "–"
        whole = result.total() and result[FIXED] == result.total()
        why = "–" if whole else table().why_left(rule)
        yield f"| `{rule}` | {result.total() or '–'} | {result[FIXED] or '–'} | {by} | {why} |"


def rules() -> list[str]:
    """The rules of every profile of every version."""
    specs = [versions.load(name) for name in versions.versions()]
    return sorted({rule for spec in specs for name in spec.profiles for rule in spec.profile(name).rules})


def fixes() -> Iterator[str]:
    """The table of fixes, in Markdown."""
    yield "| fix | what it does | only |"
    yield "|---|---|---|"
    yield from (f"| `{entry.name}` | {entry.change} | {entry.only} |" for entry in table().fixes.values())


def written(page: str, name: str, lines: Iterable[str]) -> str:
    """The page with the lines in the place of the table of this name."""
    begin, end = (mark.format(name) for mark in MARKS)
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return "\n".join([f"{head}{begin}", "", *lines, "", f"{end}{tail}"])


def main(argv: Sequence[str]) -> int:
    """Print the table, or write it into a page."""
    parser = argparse.ArgumentParser(prog="python -m vizschema.conformance.corpus.fixing", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page")
    parser.add_argument("--marks", nargs="?", const="1/1", metavar="I/N", help="compare what reports say with `fix`")
    given = parser.parse_args(argv)
    if given.marks is not None:
        tried, wrong = marks(given.marks)
        print("\n".join([*wrong, f"{tried} broken archives; {len(wrong)} findings that say of `fix` what is untrue"]))
        return 1 if wrong else 0
    cases = [case for spec in versions.versions() for case in broken(spec)]
    lines = list(rows(counts(cases)))
    if given.write is None:
        print("\n".join(lines))
    else:
        page = written(given.write.read_text(encoding="utf-8"), "fixes", fixes())
        given.write.write_text(written(page, "rules", lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
