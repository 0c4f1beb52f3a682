"""The report for machines, and its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.sample_reports import EVERY_KIND, UNREADABLE, finding, report

import vizschema
from vizschema.errors import SpecError, VizschemaError
from vizschema.findings import Report
from vizschema.report import FORMATS
from vizschema.report import json as json_report
from vizschema.report.options import Options
from vizschema.rules import versions

SCHEMA = json.loads((versions.root() / "report.schema.json").read_bytes())
BUG = report(archive="a\x1b\udcff", error=VizschemaError("internal error"))


def rendered(*reports: Report, strict: bool = False) -> Any:
    return json.loads("\n".join(json_report.render(reports, Options(strict=strict))))


COVERED = report(
    values="read",
    digest=f"vz1:blake3:{'0a' * 32}",
    coverage={"chunks_read": 3, "chunks": 4, "bytes_read": 5, "bytes": 6},
)


def obeys_schema(document: Any) -> bool:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return not list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(document))


@pytest.mark.parametrize(
    "reports", [(), (report(),), (EVERY_KIND,), (UNREADABLE, BUG, COVERED, report(values="partial"))]
)
def test_a_report_obeys_its_schema(reports: tuple[Report, ...]) -> None:
    assert obeys_schema(rendered(*reports))


def test_real_reports_obey_the_schema(real: Path) -> None:
    archives = sorted(path for folder in ("published", "writers") for path in (real / folder).iterdir())
    document = rendered(*(vizschema.validate(path) for path in archives))
    assert len(document["archives"]) == len(archives)
    assert obeys_schema(document)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "fine"},
        {"exit_code": 5},
        {"more": 1},
        {"values": "some"},
        {"spec": {"version": "1.0.0"}},
        {"error": {}},
    ],
)
def test_the_schema_turns_down_what_is_no_report(change: dict[str, Any]) -> None:
    document = rendered(EVERY_KIND)
    document["archives"][0] |= change
    assert not obeys_schema(document)


def test_the_whole_report_of_one_archive() -> None:
    document = rendered(report(finding("axes-named", "/a/x")))
    assert document == {
        "report_version": "1.1.0",
        "vizschema": vizschema.__version__,
        "exit_code": 1,
        "archives": [
            {
                "archive": "run.zarr",
                "verdict": "does not conform",
                "conforms": False,
                "exit_code": 1,
                "spec": {"version": "1.0.0", "digest": "0123456789abcdef" * 4, "chosen": "declared"},
                "profile": {"name": "model", "chosen": "declared", "likely": None, "missing": None},
                "container": {"format": "zarr", "version": 3, "store": "directory", "consolidated": False},
                "values": "not_read",
                "coverage": None,
                "digest": None,
                "nodes": 12,
                "notes": [],
                "counts": {"error": 1, "warning": 0, "accepted": {}},
                "findings": [
                    {
                        "rule": "axes-named",
                        "severity": "error",
                        "counts_as": "error",
                        "path": "/a/x",
                        "instance": "/nodes/~1a~1x",
                        "expected": "3 names",
                        "found": "none",
                        "title": "The clause of axes-named.",
                        "fix": "Do what axes-named says.",
                        "fixable": "no",
                    }
                ],
                "accepted": [],
                "error": None,
            }
        ],
        "summary": {
            "archives": 1,
            "passed": 0,
            "failed": 1,
            "not_judged": 0,
            "rules": [{"rule": "axes-named", "counts_as": "error", "archives": 1, "places": 1}],
        },
        "configuration": {"source": None, "findings": []},
    }


def test_the_exit_code_is_the_largest_and_counts_warnings_where_asked() -> None:
    warned = report(finding("rule", "/a", severity="warning"))
    assert rendered(warned)["exit_code"] == 0
    assert rendered(warned, strict=True)["exit_code"] == 1
    assert rendered(EVERY_KIND, UNREADABLE, report())["exit_code"] == 3
    assert rendered(UNREADABLE, report(error=SpecError("why")), BUG)["exit_code"] == 70


def test_the_document_is_ascii_and_the_same_every_time() -> None:
    first, second = ("".join(json_report.render([EVERY_KIND, BUG], Options())) for _ in range(2))
    assert first == second
    assert first.isascii()
    assert json.loads(first)["archives"][1]["archive"] == "a\\u001b\\udcff"


def test_every_format_renders_no_archive_at_all() -> None:
    assert {name: list(render([], Options())) for name, render in FORMATS.items()}["text"] == []
