"""The report for people."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from support.sample_reports import EVERY_KIND, UNREADABLE, finding, report

from vizschema.errors import VizschemaError
from vizschema.findings import Report
from vizschema.report import text
from vizschema.report.options import Options


def rendered(*reports: Report, every_place: bool = False, strict: bool = False) -> list[str]:
    return list(text.render(reports, Options(every_place=every_place, strict=strict)))


def test_the_whole_report() -> None:
    assert (
        "\n".join(rendered(EVERY_KIND))
        == """\
run.zarr: does not conform to trace 1.0.0, the default (structure) — 7 errors, 1 warning
  spec 1.0.0 (sha256 0123456789ab…), the default
  profile trace, which every trace obeys
  looked at the structure of 12 nodes (Zarr v3 directory), at no values
  note: the archive declares no profile: judged as trace; it looks like model (--profile model)

  error axes-named (2 places): The clause of axes-named.
    /a/x: expected 3 names, found none
    /a/y: expected 3 names, found 2 names
    fix: Do what axes-named says.

  error series-width (5 places): The clause of series-width.
    expected 3 names, found none
    at /a/layer_0, /a/layer_1, /a/layer_2 and 2 more (--all lists them)
    fix: Do what series-width says.

  warning chunk-small (1 place): The clause of chunk-small.
    /a/y: expected 3 names, found none
    fix: Do what chunk-small says.
"""
    )


def test_what_conforms_says_what_was_looked_at() -> None:
    assert rendered(report(values="read"))[0] == "run.zarr: conforms to model 1.0.0 (structure and values)"
    assert rendered(report())[0] == "run.zarr: structure conforms to model 1.0.0"


def test_what_was_read_is_counted() -> None:
    coverage = {"chunks_read": 1047, "chunks": 2000, "bytes_read": 12 << 20, "bytes": 5 << 30}
    read = rendered(report(values="read", coverage=coverage))
    said = " ".join(" ".join(read).split())
    assert "(Zarr v3 directory), and at the values: 1,047 of 2,000 chunks, 12.0 of 5,120.0 MiB" in said
    partial = rendered(report(values="partial", coverage=coverage))
    assert partial[0] == "run.zarr: structure conforms to model 1.0.0"
    assert "and, until it was interrupted, at values: 1,047 of 2,000 chunks" in " ".join(" ".join(partial).split())


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 of 0 bytes"),
        (51, "51 of 51 bytes"),
        (52, "0.1 of 0.1 KiB"),
        (5000, "4.9 of 4.9 KiB"),
        (52428, "51.2 of 51.2 KiB"),
        (52429, "0.1 of 0.1 MiB"),
        (5 << 40, "5,242,880.0 of 5,242,880.0 MiB"),
    ],
)
def test_bytes_are_counted_in_a_unit_that_shows_them(size: int, words: str) -> None:
    coverage = {"chunks_read": 1, "chunks": 1, "bytes_read": size, "bytes": size}
    said = " ".join(" ".join(rendered(report(values="read", coverage=coverage))).split())
    assert f"at the values: 1 of 1 chunks, {words}" in said


def test_a_hundred_places_with_the_same_fault_are_one_line_with_a_count() -> None:
    same = [finding("rule", f"/a/layer_{index:02}") for index in range(100)]
    lines = rendered(report(*same))
    assert "    at /a/layer_00, /a/layer_01, /a/layer_02 and 97 more (--all lists them)" in lines
    assert "  error rule (100 places): The clause of rule." in lines


def test_different_faults_of_a_rule_are_three_lines_and_a_count() -> None:
    lines = rendered(report(*(finding("rule", f"/a/x_{index:02}", found=f"{index} names") for index in range(48))))
    assert sum(": expected 3 names" in line for line in lines) == 3
    assert "    … and 45 more (--all lists them)" in lines


def test_all_lists_every_place() -> None:
    joined = "\n".join(
        rendered(report(*(finding("rule", f"/a/layer_{index:02}") for index in range(100))), every_place=True)
    )
    assert all(f"/a/layer_{index:02}" in joined for index in range(100))
    assert "more" not in joined


def test_what_cannot_be_judged_is_one_sentence_that_names_the_archive_once() -> None:
    assert rendered(UNREADABLE) == ["no.h5: no such file or folder — not judged", ""]
    bug = report(error=VizschemaError("internal error"))
    assert rendered(bug)[0] == "run.zarr: internal error — not judged"


def test_strict_says_that_warnings_count() -> None:
    warned = report(finding("rule", "/a", severity="warning"))
    assert rendered(warned)[0].endswith("— 1 warning")
    assert rendered(warned, strict=True)[0].endswith("— 1 warning, which --strict counts as errors")


def test_several_archives_end_with_a_count() -> None:
    assert rendered(report(), EVERY_KIND, UNREADABLE)[-1] == "1 of 3 archives passed, 1 failed, 1 could not be judged"
    assert rendered(report(), report())[-1] == "2 of 2 archives passed"


def test_a_hostile_path_is_escaped() -> None:
    assert rendered(report(archive="a\x1b[2J\udcff.zarr"))[0].startswith("a\\u001b[2J\\udcff.zarr: ")
    assert "\x1b" not in "".join(rendered(report(profile="\x1b[2J")))


def test_colours_mark_severities_and_nothing_else() -> None:
    plain = rendered(EVERY_KIND)
    coloured = list(text.render([EVERY_KIND], Options(colour=True)))
    assert "run.zarr: \033[1;31mdoes not conform\033[0m to trace" in coloured[0]
    assert [re.sub(r"\033\[[0-9;]*m", "", line) for line in coloured] == plain
    assert sum("\033[1;33m" in line for line in coloured) == 1


def test_quiet_is_one_line_for_what_does_not_pass() -> None:
    lines = list(text.render([report(), EVERY_KIND, UNREADABLE], Options(quiet=True)))
    assert [line.partition(":")[0] for line in lines] == ["run.zarr", "no.h5"]


def test_what_is_expected_is_not_said_again_where_the_title_says_it() -> None:
    same = finding("rule", "/a/b", expected="“One thing holds”", found="two", title="One thing holds.")
    assert "    /a/b: found two" in rendered(report(same))
    assert "    found two" in rendered(report(same, replace(same, path="/a/c")))
    assert same.message == "/a/b: expected “One thing holds”, found two"


def test_lines_stay_within_a_hundred_columns_but_for_the_first() -> None:
    long = finding("rule", "/a/b", expected="words " * 40, found="other " * 40, title="word " * 50, fix="word " * 50)
    assert all(len(line) <= 100 for line in "\n".join(rendered(report(long))).splitlines()[1:])
