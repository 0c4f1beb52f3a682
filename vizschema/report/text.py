"""The report for people: the verdict, what it rests on, then every broken rule, its places and how to fix it."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import attrgetter

from vizschema.containers.formats import SHOWN
from vizschema.errors import about
from vizschema.findings import Finding, Report, Severity
from vizschema.report.inert import inert
from vizschema.report.options import WIDTH, Options, exit_code
from vizschema.report.tally import Tally
from vizschema.text import count, escape_text, shorten

PLACES = 3
RULES = 10
"""Broken rules that a summary lists."""

_SEVERAL = 2

_CHOSEN = {
    "declared": "which the archive declares",
    "requested": "as asked for",
    "pinned": "as pinned",
    "configured": "as configured",
    "first": "the default",
    "default": "which every trace obeys",
}
_COLOURS = (
    (re.compile(r"^(  )(error )"), "1;31"),
    (re.compile(r"^(  )(warning )"), "1;33"),
    (re.compile(r"^(\S.*?: )((?:structure )?conforms)"), "1;32"),
    (re.compile(r"^(\S.*?: )(does not conform)"), "1;31"),
    (re.compile(r"^(\S.* — )(not judged)$"), "1;31"),
)
_UNITS = ((1 << 20, "MiB"), (1 << 10, "KiB"))
_ACCEPTED = {"suppression": "suppressed", "baseline": "in the baseline", "level": "switched off"}
_LOOKED_AT = {"read": "structure and values", "partial": "structure and part of the values", "not_read": "structure"}
_VALUES = {
    "read": "and at the values",
    "partial": "and, until it was interrupted, at values",
    "not_read": "at no values",
}


def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
    """A block of lines for each archive, as soon as it was judged, then a line that counts them for several."""
    for line in _lines(reports, options):
        harmless = "\n".join(map(inert, line.split("\n")))
        yield _marked(harmless) if options.colour else harmless


def _marked(line: str) -> str:
    """`line` in the colours of its severity, for a terminal."""
    for pattern, colour in _COLOURS:
        line, found = pattern.subn(rf"\1\033[{colour}m\2\033[0m", line, count=1)
        if found:
            break
    return line


def _lines(reports: Iterable[Report], options: Options) -> Iterator[str]:
    tally = Tally(options)
    for report in reports:
        code = tally.add(report)
        if options.quiet:
            yield from [first_line(report, options)] if code else []
            continue
        yield from _archive(report, options)
        yield ""
    yield from _audit(options)
    if options.quiet:
        return
    if len(tally.codes) > 1:
        yield from _summary(tally, options)


def wrapped(text: str, indent: str = "", hanging: str | None = None, *, width: int = WIDTH) -> str:
    """Return `text` in lines of `width` columns, the first after `indent`, the others after `hanging`.

    Words stay whole.
    """
    return textwrap.fill(
        text,
        width=width,
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _archive(report: Report, options: Options) -> Iterator[str]:
    yield first_line(report, options)
    if report.error is None:
        yield from (wrapped(line, "  ", "    ", width=options.width) for line in grounds(report))
    yield from _rules(report.findings, options)


def first_line(report: Report, options: Options) -> str:
    """The verdict on an archive, and how many findings there are."""
    archive = escape_text(report.archive)
    if report.error is None:
        return _verdict(archive, report, options)
    return f"{escape_text(about(report.archive, report.error))} — not judged"


def _rules(findings: Iterable[Finding], options: Options) -> Iterator[str]:
    ordered = sorted(findings, key=lambda finding: (finding.weight, finding.rule, finding.path, finding.instance))
    for _, group in groupby(ordered, key=attrgetter("weight", "rule")):
        yield ""
        yield from _rule(list(group), options)


def _audit(options: Options) -> Iterator[str]:
    """What is wrong with the suppressions and the baseline themselves."""
    findings = options.audit()
    if findings:
        counted = ", which --strict counts as errors" if options.strict else ""
        yield f"{escape_text(options.configuration or 'baseline')}: {count(len(findings), 'warning')}{counted}"
        yield from _rules(findings, options)
        yield ""


def _verdict(archive: str, report: Report, options: Options) -> str:
    # The verdict names what was looked at, so that one on the structure is not mistaken for one on the values.
    looked_at = "" if report.verdict == "structure conforms" else f" ({_LOOKED_AT[report.values]})"
    levels: tuple[Severity, ...] = ("error", "warning")
    numbers = [count(report.counted(level), level) for level in levels if report.counted(level)]
    if report.accepted:
        numbers.append(f"{len(report.accepted)} accepted")
    if not report.exit_code and exit_code(report, options):
        numbers.append("which --strict counts as errors")
    tail = f" — {', '.join(numbers)}" if numbers else ""
    default = ", the default" if report.spec_chosen == "first" else ""
    judged_by = f"{escape_text(report.profile)} {report.spec_version}{default}"
    missing = report.missing_profile
    own = shorten(escape_text(missing or ""))
    other = "" if missing is None else f", not judged by its own profile {own}, which is not available"
    return f"{archive}: {report.verdict} to {judged_by}{looked_at}{other}{tail}"


def grounds(report: Report) -> Iterator[str]:
    """What a verdict rests on: the spec, the profile, what was looked at, what was accepted, notes."""
    yield f"spec {report.spec_version} (sha256 {report.spec_digest[:12]}…), {_CHOSEN[report.spec_chosen]}"
    yield f"profile {escape_text(report.profile)}, {_CHOSEN[report.profile_chosen]}"
    yield f"looked at {_looked_at(report)}"
    if report.digest is not None:
        yield f"digest {report.digest}"
    if report.accepted:
        by = Counter(accepted.by for accepted in report.accepted)
        parts = [f"{by[name]} {_ACCEPTED[name]}" for name in _ACCEPTED if by[name]]
        yield f"accepted by the project: {', '.join(parts)}"
    yield from (f"note: {note}" for note in report.notes)


def _looked_at(report: Report) -> str:
    form, version, store = (report.container.get(key) for key in ("format", "version", "store"))
    shown = SHOWN.get(str(form), form)
    name = shown if version is None else f"{shown} v{version}"
    values = _VALUES[report.values] + _covered(report)
    return f"the structure of {count(report.nodes, 'node')} ({name} {store}), {values}"


def _covered(report: Report) -> str:
    coverage = report.coverage
    if coverage is None:
        return ""
    unit, name = _unit(coverage["bytes"])
    digits = 1 if unit > 1 else 0
    read, whole = (f"{coverage[key] / unit:,.{digits}f}" for key in ("bytes_read", "bytes"))
    chunks = f"{coverage['chunks_read']:,} of {coverage['chunks']:,} chunks"
    return f": {chunks}, {read} of {whole} {name}"


def _unit(size: int) -> tuple[int, str]:
    """MiB, or what is smaller where so many bytes would be 0.0 of it: the bytes of the unit, and its name."""
    return next((found for found in _UNITS if size >= found[0] / 20), (1, "bytes"))


def _rule(group: list[Finding], options: Options) -> Iterator[str]:
    wrap = partial(wrapped, width=options.width)
    first = group[0]
    level = f"{first.weight} (as configured)" if first.level else first.severity
    yield wrap(f"{level} {first.rule} ({count(len(group), 'place')}): {first.title}", "  ", "    ")
    shown = group if options.every_place else group[:PLACES]
    left_out = len(group) - len(shown)
    more = f" and {left_out} more (--all lists them)" if left_out else ""
    if len(group) > 1 and len({finding.difference for finding in group}) == 1:
        yield wrap(first.difference_beside_title, "    ", "      ")
        yield wrap(f"at {', '.join(finding.path for finding in shown)}{more}", "    ", "      ")
    else:
        yield from (wrap(f"{finding.path}: {finding.difference_beside_title}", "    ", "      ") for finding in shown)
        if more:
            yield f"    …{more}"
    if first.fix:
        yield wrap(f"fix: {first.fix}", "    ", "      ")
    command = by_command(group)
    if command is not None:
        yield wrap(command, "    ", "      ")


def by_command(group: Sequence[Finding]) -> str | None:
    """In words whether `vizschema fix` fixes these findings of one rule; None where it fixes none of them."""
    states = Counter(finding.fixable for finding in group)
    if states["maybe"]:
        return "`vizschema fix` may do this: run it to see"
    if not states["yes"]:
        return None
    part = "" if states["yes"] == len(group) else f" at {states['yes']} of {count(len(group), 'place')}"
    return f"`vizschema fix` does this{part}"


def passed(tally: Tally) -> str:
    """How many archives passed, failed, and could not be judged."""
    parts = [f"{tally.passed} of {count(len(tally.codes), 'archive')} passed"]
    parts += [f"{tally.failed} failed"] if tally.failed else []
    parts += [f"{tally.not_judged} could not be judged"] if tally.not_judged else []
    return ", ".join(parts)


def _summary(tally: Tally, options: Options) -> Iterator[str]:
    """How many archives passed; where several failed, the rules that they break, the most frequent first."""
    yield passed(tally)
    rules = [each for each in tally.rules() if options.strict or each["counts_as"] == "error"]
    if tally.failed < _SEVERAL or not rules:
        return
    shown = rules if options.every_place else rules[:RULES]
    for each in shown:
        places = f"{each['places']:,} place{'' if each['places'] == 1 else 's'}"
        yield f"  {each['counts_as']} {each['rule']} in {count(each['archives'], 'archive')} ({places})"
    if len(rules) > len(shown):
        yield f"  … and {count(len(rules) - len(shown), 'rule')} more (--all lists them)"
