"""A case as code, as rule pages show it: where it says all of the change, it makes an archive that breaks the rule."""

from __future__ import annotations

from pathlib import Path

import pytest

import vizschema
from vizschema.conformance.corpus.cases import Case, base, corpus
from vizschema.conformance.corpus.code import code_of
from vizschema.conformance.corpus.documents import write_document
from vizschema.rules import versions

FIRST: dict[str, Case] = {}
for each in corpus(versions.default().version):
    if each.kind == "broken" and not each.described and not each.damage and each.rule not in FIRST and code_of(each):
        FIRST[each.rule] = each
WHOLE = {rule: case for rule, case in FIRST.items() if "…" not in "".join(code_of(case))}


def test_most_rules_that_archives_break_are_shown_as_code_that_runs() -> None:
    assert len(FIRST) > 100
    assert len(WHOLE) > 40


@pytest.mark.parametrize("rule", sorted(WHOLE)[::6])
def test_the_code_makes_an_archive_that_breaks_the_rule(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = WHOLE[rule]
    lines = code_of(case)
    name = "run.h5" if lines[0] == "import h5py" else "run.zarr"
    container = "hdf5" if name == "run.h5" else "zarr-v3"
    write_document(base(case.spec, case.base), container, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    exec("\n".join(lines), {})  # noqa: S102  (of the corpus)
    report = vizschema.validate(name, spec=case.spec, profile=case.profile)
    assert rule in {finding.rule for finding in report.findings}, lines
