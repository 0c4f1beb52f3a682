"""`vizschema conformance …`: its arguments and exit codes. What is heavy is imported when an action needs it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vizschema.bounds import allowed_cpus
from vizschema.cli.parser import Parser
from vizschema.conformance.oracle.command import add_arguments as add_oracle
from vizschema.errors import UsageError

ROLES = ("validator", "reader", "writer")
FORMS = ("text", "json", "junit", "markdown", "badge")

EXIT_CODES = """\
exit codes of run:
  0  everything as expected
  1  something unexpected: a failure that is not listed, an entry that explains none, no case at all
  2  wrong usage
  3  the harness is broken, or there is no conversation with the implementation
  4  the budget ran out before the corpus did"""


def main(argv: Sequence[str]) -> int:
    """The exit code of `vizschema conformance` with these arguments; raises `UsageError` and `SpecError`."""
    arguments, command = _split(argv)
    parsed = _parser().parse_args(arguments)
    match parsed.action:
        case "run":
            return _run(parsed, command)
        case "serve":
            from vizschema.conformance.harness.serve import main as serve

            code: int = serve()
            return code
        case "freeze":
            return _freeze(Path(parsed.into), parsed.spec, encodings_only=parsed.encodings)
        case "export":
            return _export(parsed)
        case "oracle":
            from vizschema.conformance.oracle.command import oracle

            found: int = oracle(parsed)
            return found
        case "faults":
            from vizschema.conformance.faults.run import preload

            code_of_faults: int = preload(parsed.scenario, parsed.container, parsed.every)
            return code_of_faults
        case "compare":
            return _compare(Path(parsed.old), Path(parsed.new), parsed)
        case "engines":
            return _engines(parsed)
        case _:
            if parsed.implementations:
                return _implementations(parsed)
            return _score(parsed.spec, parsed.only, every=parsed.survivors)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before `--`, and the command after it."""
    arguments = list(argv)
    if "--" not in arguments:
        return arguments, []
    place = arguments.index("--")
    return arguments[:place], arguments[place + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="vizschema conformance", description="The conformance suite.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_run(actions)
    actions.add_parser("serve", help="this package behind the protocol, on standard input and output")
    freeze = actions.add_parser("freeze", help="make the cases from the tables of breaks, certify and write them")
    freeze.add_argument("--into", required=True, metavar="DIR", help="the folder of cases of a version, with its bases")
    freeze.add_argument("--encodings", action="store_true", help="only the rows of encodings; every other file is kept")
    export = actions.add_parser("export", help="write the cases out: archives, descriptions, and what is expected")
    export.add_argument("path", nargs="?", metavar="DIR", help="a new folder")
    export.add_argument(
        "--tar", metavar="FILE", help="a new file: the folder as one .tar.xz, the same bytes every time"
    )
    export.add_argument(
        "--giants", action="store_true", help="also files above 16 MiB (sparse ones), pipes and devices"
    )
    export.add_argument("--only", action="append", default=[], metavar="CASE", help="a case or a rule (repeatable)")
    add_oracle(actions)
    score = actions.add_parser("score", help="which mutants of the schemas the corpus tells from the released ones")
    score.add_argument("--survivors", action="store_true", help="list every survivor, not the first twenty")
    score.add_argument("--only", default="", metavar="TEXT", help="only mutants with TEXT in their names")
    score.add_argument("--implementations", action="store_true", help="of wrong implementations instead of schemas")
    score.add_argument(
        "--record", action="store_true", help="write down three cases that kill each wrong implementation"
    )
    score.add_argument(
        "--enough",
        type=int,
        default=12,
        metavar="N",
        help="ask each wrong implementation until N cases killed it (default: 12; 0: all cases)",
    )
    score.add_argument(
        "--recorded", action="store_true", help="run each wrong implementation against the cases recorded to kill it"
    )
    score.add_argument("--page", metavar="FILE", help="write the table of wrong implementations into a page")
    compare = actions.add_parser("compare", help="whether two folders of a version find the same in the corpus")
    compare.add_argument("old", metavar="OLD", help="a folder of a version")
    compare.add_argument("new", metavar="NEW", help="another one")
    compare.add_argument("--mutated", type=int, default=3000, metavar="N", help="judge N mutations too (default: 3000)")
    compare.add_argument("--seed", type=int, default=0, metavar="S", help="the seed of the mutations (default: 0)")
    compare.add_argument("--profile", action="append", default=[], metavar="P", help="one profile (repeatable)")
    _add_faults(actions)
    engines = actions.add_parser("engines", help="whether JSON Schema engines come to the same findings")
    engines.add_argument("--engine", action="append", default=[], metavar="E", help="one engine (repeatable)")
    engines.add_argument("--sample", type=int, default=1, metavar="N", help="judge one of N, by a hash of its name")
    engines.add_argument("--mutated", type=int, default=3000, metavar="N", help="judge N mutations too (default: 3000)")
    engines.add_argument("--seed", type=int, default=0, metavar="S", help="the seed of the mutations (default: 0)")
    for each in (freeze, export, score, compare, engines):
        each.add_argument("--spec", default="1.0.0", metavar="V", help="the version of the spec (default: 1.0.0)")
    return parser


def _add_faults(actions: argparse._SubParsersAction[Parser]) -> None:
    from vizschema.conformance.faults.scenarios import SCENARIOS, WHOLE

    faults = actions.add_parser(
        "faults",
        help="let each file operation of a write fail, be cut short, or be the last one before a kill (Linux, cc)",
    )
    faults.add_argument("--scenario", choices=tuple(SCENARIOS), help="one of them (default: all)")
    faults.add_argument("--container", choices=WHOLE, help="one of them (default: all)")
    faults.add_argument("--every", type=int, default=1, metavar="N", help="one of N operations (default: 1)")


def _add_run(actions: argparse._SubParsersAction[Parser]) -> None:
    run = actions.add_parser(
        "run",
        help="run the suite against an implementation",
        epilog=f"example:\n  vizschema conformance run -- vizschema conformance serve\n\n{EXIT_CODES}",
        usage="vizschema conformance run [options] -- COMMAND …",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--role", choices=ROLES, default="validator", help="what COMMAND is (default: validator)")
    run.add_argument("--one-shot", action="store_true", help="COMMAND is run for each archive: exit 0 valid, 1 not")
    run.add_argument("--python", metavar="MODULE:NAME", help="a Python object in this process, in place of COMMAND")
    run.add_argument("--known", metavar="FILE", help="known failures: `rule container # reason`, one a line")
    run.add_argument("--timeout", type=float, default=20.0, metavar="S", help="seconds for one reply (default: 20)")
    run.add_argument("--budget", type=float, metavar="S", help="seconds for the whole run (default: no limit)")
    run.add_argument(
        "--jobs", type=int, metavar="N", help="processes of COMMAND at a time (default: one per CPU, at most 4)"
    )
    run.add_argument("--only", action="append", default=[], metavar="CASE", help="a case or a rule (repeatable)")
    run.add_argument(
        "--sample", type=int, default=1, metavar="N", help="run one of N, by a hash of its name (default: 1, all)"
    )
    run.add_argument("--shard", metavar="I/N", help="run the part I of N, by a hash of its name, like 1/8")
    run.add_argument("--format", choices=FORMS, default="text")
    run.add_argument("--report", action="append", default=[], metavar="FORMAT=FILE", help="a further one (repeatable)")
    run.add_argument("--spec", default="1.0.0", metavar="V", help="the version of the spec (default: 1.0.0)")


def _run(parsed: argparse.Namespace, command: list[str]) -> int:
    from vizschema.conformance.harness.outcomes import known_failures
    from vizschema.conformance.harness.progress import progress
    from vizschema.conformance.harness.reports import FORMATS
    from vizschema.conformance.harness.runner import AT_ONCE, Order, run
    from vizschema.conformance.harness.share import share

    part = share(parsed.sample, parsed.shard)
    further = [_report(each, FORMATS) for each in parsed.report]
    known = known_failures(None if parsed.known is None else Path(parsed.known))
    subject = _subject(parsed, command)
    jobs = 1 if parsed.python else min(AT_ONCE, allowed_cpus()) if parsed.jobs is None else parsed.jobs
    order = Order(parsed.role, parsed.spec, parsed.budget, known, tuple(parsed.only), part, jobs)
    result = run(subject, order, progress)
    for form, file in further:
        _write(file, FORMATS[form](result) + "\n")
    print(FORMATS[parsed.format](result))
    code: int = result.exit_code
    return code


def _subject(parsed: argparse.Namespace, command: list[str]) -> object:
    from vizschema.conformance.harness.protocol import Process
    from vizschema.conformance.harness.subjects import OneShot, entry_point

    if parsed.jobs is not None and (parsed.python or parsed.jobs < 1):
        raise UsageError(f"conformance run --jobs {parsed.jobs}: expected 1 or more processes of a COMMAND")
    if (parsed.python is None) == (not command):
        raise UsageError("conformance run: expected either `-- COMMAND …` or --python MODULE:NAME")
    if parsed.python is not None:
        if parsed.one_shot:
            raise UsageError("conformance run: --one-shot is for a COMMAND, not for --python")
        return entry_point(parsed.python)
    return OneShot(command, parsed.timeout) if parsed.one_shot else Process(command, parsed.timeout)


def _report(given: str, formats: object) -> tuple[str, Path]:
    form, _, file = given.partition("=")
    if not file or form not in formats:  # type: ignore[operator]
        raise UsageError(f"--report {given}: expected FORMAT=FILE, like junit=conformance.xml")
    return form, Path(file)


def _write(file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error


def _freeze(into: Path, spec: str, *, encodings_only: bool) -> int:
    from vizschema.conformance.corpus.breaks import FIRST, all_breaks
    from vizschema.conformance.corpus.freeze import Refused, freeze, write_corpus
    from vizschema.conformance.corpus.freeze_hostile import freeze_hostile

    if not (into / "bases").is_dir():
        raise UsageError(f"{into}: expected the folder of cases of a version, with its bases; found none")
    if encodings_only:
        return _freeze_encodings(into, spec)
    hostile = freeze_hostile(spec) if spec == FIRST else ()  # another version has the cases of what it adds
    made = [*freeze(all_breaks(spec), spec), *hostile]
    refused = [each for each in made if isinstance(each, Refused)]
    for each in refused:
        print(f"{each.name}: no container certifies it", file=sys.stderr)
        for container, reason in each.reasons.items():
            print(f"  {container}: {reason}", file=sys.stderr)
    if refused:
        return 1
    write_corpus(made, into)
    print(f"{len(made)} cases, certified and written to {into}")
    return _freeze_encodings(into, spec) if spec == FIRST else 0


def _freeze_encodings(into: Path, spec: str) -> int:
    from vizschema.conformance.corpus.freeze_encodings import freeze_encodings

    problems = list(freeze_encodings(spec, into / "encodings"))
    for each in problems:
        print(each, file=sys.stderr)
    print(f"the encodings of each container, {'not certified' if problems else 'certified'}, in {into / 'encodings'}")
    return 1 if problems else 0


def _export(parsed: argparse.Namespace) -> int:
    from vizschema.conformance.corpus.export import export, export_tar
    from vizschema.conformance.harness.roles import contents_with_values, roles_asked

    given = [Path(each) for each in (parsed.path, parsed.tar) if each]
    if not given:
        raise UsageError("conformance export: expected DIR or --tar FILE, found neither")
    for each in given:
        if each.exists():
            raise UsageError(f"{each}: already exists; choose another path")
    with tempfile.TemporaryDirectory(prefix="vizschema-export-") as scratch:
        target = Path(parsed.path) if parsed.path else Path(scratch) / "corpus"
        words = export(target, parsed.spec, parsed.only, roles_asked, contents_with_values, giants=parsed.giants)
        if parsed.tar:
            export_tar(Path(parsed.tar), target)
    print(f"{words} written to {' and '.join(map(str, given))}")
    return 0


def _score(version: str, only: str, *, every: bool) -> int:
    from vizschema.conformance.corpus.cases import corpus
    from vizschema.conformance.strength.score import lines_of, score
    from vizschema.rules import versions

    result = score(versions.load(version), corpus(version), only=only)
    for line in lines_of(result, every=every):
        print(line)
    return 1 if result.survivors or result.stale else 0


def _implementations(parsed: argparse.Namespace) -> int:
    """0 where each wrong implementation is killed by three cases or more; 1 where one is not."""
    from vizschema.conformance.corpus.cases import corpus
    from vizschema.conformance.strength.implementations import LEAST, paged, record, recorded, score, survived, table
    from vizschema.conformance.wrong.implementation import EVERY

    chosen = [name for name in EVERY if parsed.only in name]
    if not chosen:
        raise UsageError(f"score --only {parsed.only}: expected a part of a name of {', '.join(EVERY)}")
    if parsed.recorded:
        left = list(survived(corpus(parsed.spec), chosen, parsed.spec))
        for name, unit in left:
            print(f"{name}: passes {unit}", file=sys.stderr)
        print(f"{len(chosen)} wrong implementations, {len(left)} of the units recorded to kill them do not")
        return 1 if left else 0
    if parsed.enough and parsed.enough < LEAST:
        raise UsageError(f"score --enough {parsed.enough}: expected {LEAST} or more, or 0 for all cases")
    known = recorded(parsed.spec)
    first = [unit for name in chosen for unit in known.get(name, ())]
    kills = score(corpus(parsed.spec), chosen, enough=parsed.enough or None, first=first)
    print("\n".join(table(kills)))
    if parsed.record:
        record(kills, parsed.spec)
    if parsed.page:
        page = Path(parsed.page)
        _write(page, paged(page.read_text("utf-8"), kills))
    alive = [name for name, each in kills.items() if len(each.cases) < LEAST]
    for name in alive:
        print(f"{name}: killed by {len(kills[name].cases)} cases, expected {LEAST} or more", file=sys.stderr)
    return 1 if alive else 0


def _compare(old: Path, new: Path, parsed: argparse.Namespace) -> int:
    """0 where both folders find the same in every description; 1 where they do not."""
    from vizschema.conformance.corpus.cases import corpus
    from vizschema.conformance.strength.equivalence import compare, lines_of

    cases = corpus(parsed.spec)
    result = compare(old, new, cases, mutated=parsed.mutated, seed=parsed.seed, profiles=parsed.profile)
    for line in lines_of(result):
        print(line)
    return 1 if result.differences else 0


def _engines(parsed: argparse.Namespace) -> int:
    """0 where all engines come to the findings of this package; 1 where one does not."""
    from vizschema.conformance.corpus.cases import corpus
    from vizschema.conformance.strength.engines import ENGINES, lines_of, subjects_of
    from vizschema.rules import versions

    unknown = [each for each in parsed.engine if each not in ENGINES]
    if unknown or parsed.sample < 1:
        raise UsageError(f"conformance engines: expected engines of {', '.join(ENGINES)}, and a sample of 1 or more")
    spec = versions.load(parsed.spec)
    chosen = parsed.engine or [each for each in ENGINES if each != "own"]
    subjects = subjects_of(spec, corpus(parsed.spec), mutated=parsed.mutated, seed=parsed.seed, sample=parsed.sample)
    lines = list(lines_of(spec, subjects, chosen))
    print("\n".join(lines))
    return 1 if any(line.endswith(" differ") for line in lines) else 0
