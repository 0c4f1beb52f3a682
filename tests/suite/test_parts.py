"""Which corpus was run, and which part of it: in every report, and the same in every run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest

from vizschema.cli.main import main
from vizschema.conformance.corpus import identity
from vizschema.conformance.corpus.cases import FOLDER, corpus
from vizschema.conformance.harness import progress
from vizschema.conformance.harness.outcomes import Outcome, known_failures
from vizschema.conformance.harness.protocol import conforms
from vizschema.conformance.harness.reports import FORMATS
from vizschema.conformance.harness.roles import items_of
from vizschema.conformance.harness.runner import Order, run
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.share import Share, share
from vizschema.conformance.harness.subjects import InProcess
from vizschema.errors import UsageError
from vizschema.rules import versions

REPORT = jsonschema.Draft202012Validator(versions.read_json(versions.root() / "conformance_report.schema.json"))
NAMES = [item.name for item in items_of("validator", corpus(), Own().hello({}))]


@pytest.mark.parametrize("spec", ["1.0.0", "1.1.0"])
def test_the_digest_is_that_of_the_files(spec: str) -> None:
    """Computed anew: a line as of sha256sum for every file, sorted, and the SHA-256 of these."""
    root = FOLDER.parent
    files = [path for path in (FOLDER / spec).rglob("*.json") if path.parent != FOLDER / spec]
    for folder in ("damage", "encodings", "hostile", "raw"):
        files += (root / "corpus" / folder).glob("*.py")
    files += [root / "corpus" / name for name in ("documents.py", "materialise.py", "patch.py")]
    lines = sorted((f.relative_to(root).as_posix(), hashlib.sha256(f.read_bytes()).hexdigest()) for f in files)
    whole = hashlib.sha256("".join(f"{sha}  {path}\n" for path, sha in lines).encode()).hexdigest()
    assert identity.identity(spec) == {"version": spec, "digest": whole}


def test_a_change_of_any_file_changes_the_digest(tmp_path: Path) -> None:
    for name in ("cases/1.0.0/rule/a.json", "cases/1.0.0/bases/b.json", "corpus/raw/zarr.py", "corpus/patch.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    digests = {identity.digest("1.0.0", tmp_path)}
    for number, name in enumerate(identity.files("1.0.0", tmp_path), 2):
        (tmp_path / name).write_bytes(b"{ }")
        digests.add(identity.digest("1.0.0", tmp_path))
        assert len(digests) == number
    (tmp_path / "corpus/patch.py").rename(tmp_path / "corpus/documents.py")
    digests.add(identity.digest("1.0.0", tmp_path))
    assert len(digests) == 6


def test_every_report_names_the_corpus_and_the_part() -> None:
    only = ("generator/absent", "generator/number", "generator/list", "generator/empty")
    short, digest = identity.short(identity.identity("1.0.0")), identity.identity("1.0.0")["digest"]
    for part in (Share(), Share(1, 1, 2)):
        result = run(InProcess(Own()), Order(only=only, share=part))
        assert result.exit_code == 0
        assert all(short in FORMATS[form](result) for form in FORMATS if form != "json")
        document = json.loads(FORMATS["json"](result))
        assert [error.message for error in REPORT.iter_errors(document)] == []
        assert document["corpus"]["digest"] == digest
        assert ("shard 1/2" in document["part"]) is (not part.is_whole)
        properties = ElementTree.fromstring(FORMATS["junit"](result)).findall("properties/property")  # noqa: S314
        assert {"name": "corpus.digest", "value": digest} in [each.attrib for each in properties]
        assert json.loads(FORMATS["badge"](result))["message"].endswith(f" · {short}")


def test_a_greeting_names_the_corpus() -> None:
    asked = []

    class Watches(Own):
        def hello(self, request):  # type: ignore[no-untyped-def]
            asked.append(dict(request))
            return super().hello(request)

    run(InProcess(Watches()), Order(only=("generator/absent",)))
    assert asked[0]["corpus"] == identity.identity("1.0.0")
    assert conforms({"seq": 1, "cmd": "hello", **asked[0]}, "request")
    reply = Own().hello({})
    assert reply["corpus"] == identity.identity(versions.default().version)
    assert conforms({"seq": 1, **reply}, "hello")


def test_shards_are_the_whole_and_have_nothing_in_common() -> None:
    shards = [[name for name in NAMES if Share(1, i, 8).has(name)] for i in range(1, 9)]
    assert sorted(name for each in shards for name in each) == sorted(NAMES)
    assert all(len(NAMES) / 10 < len(each) < len(NAMES) / 6 for each in shards)


def test_a_sample_is_stable_and_each_shard_has_its_part_of_it() -> None:
    sample = [name for name in NAMES if Share(8).has(name)]
    assert len(NAMES) / 10 < len(sample) < len(NAMES) / 6
    assert [name for name in reversed(NAMES) if Share(8).has(name)] == sample[::-1]
    assert set(sample) <= {name for name in NAMES if Share(4).has(name)}
    for i in range(1, 5):
        assert len(sample) / 6 < sum(Share(8, i, 4).has(name) for name in sample) < len(sample) / 3


@pytest.mark.parametrize(("sample", "shard"), [(0, None), (1, "0/4"), (1, "5/4"), (1, "4"), (1, "a/b"), (1, "1/4/2")])
def test_a_part_that_cannot_be_is_a_wrong_usage(sample: int, shard: str | None) -> None:
    with pytest.raises(UsageError, match="expected"):
        share(sample, shard)


def test_the_command_runs_a_part(capsys: pytest.CaptureFixture[str]) -> None:
    own = "vizschema.conformance.harness.serve:Own"
    counts = []
    for i in (1, 2):
        assert main(["conformance", "run", "--python", own, "--only", "generator", "--shard", f"{i}/2"]) == 0
        report = capsys.readouterr().out
        assert f"a part: shard {i}/2; only generator" in report
        counts.append(int(report.splitlines()[2].split()[0]))
    assert sum(counts) == sum(len(case.containers) for case in corpus() if case.rule == "generator")
    assert main(["conformance", "run", "--python", own, "--sample", "0"]) == 2


def test_a_part_does_not_call_an_entry_stale(tmp_path: Path) -> None:
    file = tmp_path / "known.txt"
    file.write_text("generator * # was so once\n", encoding="utf-8")
    known = known_failures(file)
    assert len(run(InProcess(Own()), Order(known=known, only=("generator/absent",))).stale) == 1
    assert run(InProcess(Own()), Order(known=known, only=("generator/absent",), share=Share(1, 1, 2))).stale == ()


def test_progress_is_told_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome("generator/absent", "generator", "npz", "invalid", "fail")
    for watched, expected in (
        (True, "\r\x1b[K1 of 3 cases in 0 s, 1 failed"),
        (False, "1 of 3 cases in 15 s, 1 failed\n"),
    ):
        monkeypatch.setattr(progress, "watched", lambda watched=watched: watched)
        monkeypatch.setattr(progress.time, "monotonic", iter([0.0, 0.4 if watched else 15.4]).__next__)
        told = progress.progress(3)
        told(outcome)
        told(None)
        assert capsys.readouterr().err.startswith(expected)
