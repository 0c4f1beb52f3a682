"""The tables of the scan benchmark in Markdown, from its measurements, and a page that holds them between comments.

A page has `<!-- measured: NAME -->`, a table, and `<!-- end -->`; no figure in it is typed by hand.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Run = tuple[str, int]
"""A contender, and its threads."""

Form = Sequence[Mapping[Run, Mapping[str, Any]]]
"""What was measured of one form, round by round."""

_BLOCK = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: Path, result: Mapping[str, Any]) -> None:
    """Nothing; every block of the page for which there are measurements is written anew."""

    def block(found: re.Match[str]) -> str:
        name = found[2]
        return f"{found[1]}\n{BLOCKS[name](result[name])}\n\n{found[3]}" if name in result else found[0]

    page.write_text(_BLOCK.sub(block, page.read_text(encoding="utf-8")), encoding="utf-8")


def _ratio(above: Run, below: Run, what: str = "seconds") -> Callable[[Form, int], str]:
    """The median, over rounds, of the ratio within a round: what disturbs a round disturbs both."""
    return lambda rounds, _: f"{statistics.median(r[above][what] / r[below][what] for r in rounds):.2f}"


def _rate(run: Run) -> Callable[[Form, int], str]:
    return lambda rounds, size: f"{size / statistics.median(r[run]['seconds'] for r in rounds) / 1e9:.2f}"


def _peak(run: Run) -> Callable[[Form, int], str]:
    return lambda rounds, _: f"{statistics.median(r[run]['peak'] for r in rounds):.0f}"


_ONE, _TWO, _BARE, _BARE_TWO, _USUAL = ("validate", 1), ("validate", 2), ("bare", 1), ("bare", 2), ("usual", 1)

COLUMNS: Sequence[tuple[str, str, Callable[[Form, int], str]]] = (
    ("/ bare", "time of validating over that of the bare decode, one thread each", _ratio(_ONE, _BARE)),
    ("/ bare, CPU", "likewise in CPU seconds, which other processes disturb less", _ratio(_ONE, _BARE, "cpu")),
    ("/ bare, 2", "time of validating over that of the bare decode, two threads each", _ratio(_TWO, _BARE_TWO)),
    (
        "faster",
        "time of the usual library with NumPy's checks over that of validating, one thread",
        _ratio(_USUAL, _ONE),
    ),
    ("faster, 2", "likewise, over that of validating by two threads", _ratio(_USUAL, _TWO)),
    ("gain", "time of validating by one thread over that by two", _ratio(_ONE, _TWO)),
    ("gain, bare", "likewise of the bare decode", _ratio(_BARE, _BARE_TWO)),
    ("digest", "time of validating with the digest over that without it, one thread", _ratio(("digest", 1), _ONE)),
    ("GB/s", "decoded bytes validated a second, one thread", _rate(_ONE)),
    ("GB/s, 2", "likewise, two threads", _rate(_TWO)),
    ("bare GB/s", "of the bare decode, one thread", _rate(_BARE)),
    ("usual GB/s", "of the usual library with NumPy's checks", _rate(_USUAL)),
    ("memcpy GB/s", "of copying as many bytes", _rate(("memcpy", 1))),
    ("MiB", "peak memory of the process that validates by two threads", _peak(_TWO)),
    ("usual MiB", "of the one with the usual library, which holds an array whole", _peak(_USUAL)),
)


def table(scan: Mapping[str, Any]) -> str:
    """Ratios first, then GB/s and MiB; a line a form."""
    forms: dict[str, dict[int, dict[Run, Mapping[str, Any]]]] = {}
    for run in scan["runs"]:
        rounds = forms.setdefault(run["form"], {}).setdefault(run["round"], {})
        rounds[run["contender"], run["threads"]] = run
    lines = [
        f"{scan['bytes'] >> 20} MiB of values a form, {scan['repeats']} interleaved rounds, {scan['machine']}; load "
        f"average at the end {scan['load']} (undisturbed: about 1).",
        "",
        *_rows(["form", *(name for name, _, _ in COLUMNS)]),
    ]
    for form, by_round in forms.items():
        lines += _rows([form, *(cell(list(by_round.values()), scan["bytes"]) for _, _, cell in COLUMNS)], ruled=False)
    return "\n".join([*lines, "", *(f"- **{name}**: {words}" for name, words, _ in COLUMNS)])


def peaks_table(peaks: Mapping[str, Any]) -> str:
    """The peak memory of each large archive, a column for each number of threads."""
    found: dict[str, dict[int, Mapping[str, Any]]] = {}
    for run in peaks["runs"]:
        found.setdefault(run["form"], {})[run["threads"]] = run
    threads = sorted(next(iter(found.values())))
    lines = _rows(["archive", "MiB of values", *(f"peak MiB, {number} threads" for number in threads)])
    for form, by in found.items():
        size = by[threads[0]]["bytes"] >> 20
        lines += _rows([form, str(size), *(f"{by[number]['peak']:.0f}" for number in threads)], ruled=False)
    return "\n".join(lines)


def _rows(cells: Sequence[str], *, ruled: bool = True) -> list[str]:
    line = f"| {' | '.join(cells)} |"
    return [line, f"| --- |{' --: |' * (len(cells) - 1)}"] if ruled else [line]


BLOCKS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {"scan": table, "peaks": peaks_table}
"""What may stand between the comments of a page."""
