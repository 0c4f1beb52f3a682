"""Pins and the configuration they stand in: which version judges, where that is written, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.errors import SpecError
from vizschema.project import configuration
from vizschema.rules import versions

DIGEST = versions.load("1.0.0").digest


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a project with one archive that conforms."""
    write_example("trace", tmp_path / "run.zarr")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def first_lines(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.splitlines()[:3])


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (None, None, 'spec = "1.0.0"\nsha256 = "D"\n'),
        ("vizschema.toml", "", 'spec = "1.0.0"\nsha256 = "D"\n'),
        (
            "vizschema.toml",
            'profile = "vit"\n# why\n[level]\ngenerator = "off"\n',
            'spec = "1.0.0"\nsha256 = "D"\nprofile = "vit"\n# why\n[level]\ngenerator = "off"\n',
        ),
        (
            "pyproject.toml",
            '[project]\nname = "a"\n',
            '[project]\nname = "a"\n\n[tool.vizschema]\nspec = "1.0.0"\nsha256 = "D"\n',
        ),
        (
            "pyproject.toml",
            '[tool.vizschema]  # ours\nsha256 = "old"\nspec = "0.9.0"\nprofile = "vit"\n\n[tool.other]\nspec = "x"\n',
            '[tool.vizschema]  # ours\nspec = "1.0.0"\nsha256 = "D"\nprofile = "vit"\n\n[tool.other]\nspec = "x"\n',
        ),
    ],
)
def test_a_pin_is_two_lines_and_leaves_the_rest_alone(
    project: Path, name: str | None, before: str | None, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name is not None and before is not None:
        (project / name).write_text(before)
    assert main(["pin", "1.0.0"]) == 0
    path = project / (name or "vizschema.toml")
    assert path.read_text() == after.replace("D", DIGEST)
    assert f"pins spec 1.0.0, sha256 {DIGEST}" in capsys.readouterr().out
    assert main(["pin"]) == 0
    assert path.read_text() == after.replace("D", DIGEST)


def test_line_ends_and_rights_of_the_file_stay(project: Path) -> None:
    path = project / "pyproject.toml"
    path.write_bytes(b'[project]\r\nname = "a"\r\n')
    path.chmod(0o640)
    assert main(["pin"]) == 0
    assert path.read_bytes().count(b"\r\n") == path.read_bytes().count(b"\n") == 6
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("text", ['tool = {vizschema = {profile = "vit"}}\n', 'tool.vizschema.profile = "vit"\n'])
def test_what_cannot_be_edited_safely_is_left_alone_and_says_what_to_add(
    project: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "pyproject.toml").write_text(text)
    assert main(["pin"]) == 2
    assert (project / "pyproject.toml").read_text() == text
    assert f'spec = "1.0.0" and sha256 = "{DIGEST}"' in capsys.readouterr().err


def test_a_pin_goes_into_the_configuration_above(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "pyproject.toml").write_text('[tool.vizschema]\nprofile = "vit"\n')
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert main(["pin"]) == 0
    assert tomllib.loads((project / "pyproject.toml").read_text())["tool"]["vizschema"]["sha256"] == DIGEST
    assert not list((project / "below").iterdir())


def test_the_pin_comes_before_what_the_archive_declares_and_the_call_before_the_pin(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["validate", "run.zarr"])
    assert "which the archive declares" in first_lines(capsys)
    main(["pin"])
    capsys.readouterr()
    assert main(["validate", "run.zarr"]) == 0
    assert "as pinned" in first_lines(capsys)
    main(["validate", "run.zarr", "--spec", "1.0.0"])
    assert "as asked for" in first_lines(capsys)
    main(["validate", "run.zarr", "--no-config"])
    assert "which the archive declares" in first_lines(capsys)


def test_without_pin_and_declaration_the_newest_judges_and_the_first_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bare.zarr").mkdir()
    (tmp_path / "bare.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    assert main(["validate", str(tmp_path / "bare.zarr")]) == 1
    out = capsys.readouterr().out
    assert "trace 1.0.0, the default" in out.splitlines()[0]
    assert "error spec-version (1 place)" in out


@pytest.mark.parametrize("command", [["validate", "run.zarr"], ["explain", "axis-one-size"]])
def test_a_digest_that_differs_from_the_installed_spec_is_4(
    project: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "vizschema.toml").write_text(f'spec = "1.0.0"\nsha256 = "{"0" * 64}"\n')
    assert main(command) == 4
    err = capsys.readouterr().err
    assert f"expected spec 1.0.0 with sha256 {'0' * 64}, found {DIGEST} installed" in err
    assert "vizschema pin 1.0.0" in err
    assert main([*command, "--spec", "1.0.0"]) == 0


def test_a_pinned_version_that_is_not_installed_is_4(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "vizschema.toml").write_text('spec = "9.9.9"\n')
    assert main(["validate", "run.zarr"]) == 4
    assert "'9.9.9' is not installed" in capsys.readouterr().err


def test_the_profile_of_the_configuration_holds_and_a_folder_is_seen_from_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_profile(project / "profiles" / "own")
    (project / "vizschema.toml").write_text('profile = "profiles/own"\n')
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert main(["validate", "../run.zarr"]) == 0
    assert "profile own, as configured" in capsys.readouterr().out
    assert main(["explain", "own-rule"]) == 0
    assert capsys.readouterr().out.startswith("own-rule (error, profile own, spec 1.0.0)")
    assert main(["explain", "own-rule", "--no-config"]) == 2
    assert main(["explain", "own-rule", "--no-config", "--profile", "../profiles/own"]) == 0


def test_a_table_of_the_configuration_is_seen_from_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = 'profile = "own"\n[nodes]\n"/activations/x" = {axes = "token", dtype = "floats"}\n'
    (project / "own.toml").write_text(table, encoding="utf-8")
    (project / "vizschema.toml").write_text('profile = "own.toml"\n')
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert main(["explain", "own-axes"]) == 0
    assert capsys.readouterr().out.startswith("own-axes (error, profile own, spec 1.0.0)")


def own_profile(folder: Path) -> None:
    """A profile of a user: trace, and a rule that is always obeyed."""
    folder.mkdir(parents=True)
    rule = {"$anchor": "own-rule", "title": "It is so.", "description": "Why. Fix: it.", "maxProperties": 1000}
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.org/own/must.schema.json",
        "title": "own",
        "description": "own",
        "allOf": [{"$ref": "https://vizschema.org/spec/1.0.0/trace/must.schema.json"}, rule],
    }
    (folder / "must.schema.json").write_bytes(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spec = 1", "spec: expected a text, found 1"),
        ("sha256 = 'x'", "sha256: expected 64 hexadecimal digits beside a version in spec, found 'x' beside None"),
        ("spex = '1.0.0'", "expected one of spec, sha256, profile, level, suppress, found the key 'spex'"),
        ("level = 1", "level: expected a table of rules, found 1"),
        ("level.generator = 'of'", 'level.generator: expected "off", "warning" or "error", found \'of\''),
        ("suppress = 1", "suppress: expected tables [[suppress]], found 1"),
        ("[[suppress]]\npath = '/'", "suppress number 1: expected the rule that is suppressed, found none"),
        ("[[suppress]]\nrule = 'a'\nmax = 0", "suppress number 1: max: expected a whole number, 1 or more, found 0"),
        ("[[suppress]]\nrule = 'a'\nuntil = '2027-01-01'", "until: expected a date without quotes"),
        ("[[suppress]]\nrule = 'a'\nuntill = 2027-01-01", "found the key 'untill'"),
        ("a = ", "expected TOML, found"),
    ],
)
def test_a_faulty_configuration_is_4_and_says_where(
    project: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "vizschema.toml").write_text(text)
    assert main(["validate", "run.zarr"]) == 4
    err = capsys.readouterr().err
    assert err.startswith("vizschema: ")
    assert f"vizschema.toml: {message}" in err or message in err


def test_two_configurations_in_one_folder_are_4(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "vizschema.toml").write_text("")
    (project / "pyproject.toml").write_text("[tool.vizschema]\n")
    assert main(["validate", "run.zarr"]) == 4
    assert "expected one configuration, found another in" in capsys.readouterr().err


def test_a_pyproject_without_our_table_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "vizschema.toml").write_text("")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text("[project]\nname = 'a'\n")
    assert configuration.find(tmp_path / "inner") == tmp_path / "vizschema.toml"
    with pytest.raises(SpecError, match="expected a table"):
        configuration.load(tmp_path / "inner" / "pyproject.toml")


def test_a_named_configuration_holds(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "ci.toml").write_text('spec = "9.9.9"\n')
    assert main(["validate", "run.zarr", "--config", "ci.toml"]) == 4
    assert main(["validate", "run.zarr", "--config", "none.toml"]) == 4
    assert "none.toml: expected TOML, found" in capsys.readouterr().err


class TestLock:
    def test_released_files_are_as_they_were_released(self) -> None:
        for version, files in versions.released(versions.root()).items():
            assert versions.changes(files, versions.load(version).files) == []

    @pytest.mark.parametrize("name", ["README.md", "spec/README.md"])
    def test_a_page_says_which_versions_are_released(self, name: str) -> None:
        page = (Path(__file__).resolve().parents[2] / name).read_text("utf-8")
        released = [version for version in versions.versions() if versions.load(version).released]
        assert ("until it is released" in page or "until they are released" in page) == (not released)
        assert (f"{' and '.join(released)} are released" in page) == bool(released)

    def test_what_was_ever_locked_in_this_history_stays_locked(self) -> None:
        root = Path(__file__).resolve().parents[2]
        if not (root / ".git").exists():
            pytest.skip("no history to read: not a clone (2026-11-21)")

        def git(*arguments: str) -> str:
            return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout

        locked: dict[tuple[str, str], Any] = {}
        for commit in git("log", "--reverse", "--format=%H", "--", "spec/lock.json").split():
            for part, versions_of in json.loads(git("show", f"{commit}:spec/lock.json")).items():
                for version, files in versions_of.items() if part != "description" else ():
                    assert locked.setdefault((part, version), files) == files
        now = versions.read_json(versions.root() / "lock.json")
        assert all(now[part].get(version) == files for (part, version), files in locked.items())

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"a": "1", "b": "2"}, []),
            ({"a": "1", "b": "3"}, ["b changed"]),
            ({"a": "1"}, ["b is missing"]),
            ({"a": "1", "b": "2", "c": "3"}, ["c was added"]),
        ],
    )
    def test_any_change_is_named(self, files: dict[str, str], expected: list[str]) -> None:
        assert versions.changes({"a": "1", "b": "2"}, files) == expected

    def test_a_released_version_that_changed_is_a_problem_with_the_spec(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = tmp_path / "spec"
        assert main(["spec", "export", os.fspath(root)]) == 0
        lock = {
            "released": {"1.0.0": dict(versions.load("1.0.0").files)},
            "shared": {"1.0.0": dict(versions.shared(root))},
        }
        (root / "lock.json").write_bytes(json.dumps(lock).encode())
        monkeypatch.setattr(versions, "root", lambda: root)
        versions.load.cache_clear()
        try:
            assert versions.load("1.0.0").released
            kept = (root / "1.0.0" / "spec.md").read_bytes()
            (root / "1.0.0" / "spec.md").write_text("another")
            versions.load.cache_clear()
            with pytest.raises(SpecError, match=r"expected the files that were released, found that spec\.md changed"):
                versions.load("1.0.0")
            (root / "1.0.0" / "spec.md").write_bytes(kept)
            versions.load.cache_clear()
            assert versions.load("1.0.0").released
            (root / "description.schema.json").write_text("{}")
            versions.load.cache_clear()
            with pytest.raises(SpecError, match=r"found that description\.schema\.json changed"):
                versions.load("1.0.0")
            (root / "lock.json").write_text("[]")
            versions.released.cache_clear()
            with pytest.raises(SpecError, match="expected the lock of released versions"):
                versions.load("1.0.0")
        finally:
            versions.load.cache_clear()
            versions.released.cache_clear()


class TestExport:
    def test_every_schema_is_at_the_path_of_its_id(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["spec", "export", os.fspath(tmp_path / "out")]) == 0
        schemas = list((tmp_path / "out").rglob("*.schema.json"))
        assert len(schemas) > 8
        for path in schemas:
            place = path.relative_to(tmp_path / "out").as_posix()
            assert versions.read_json(path)["$id"] == f"https://vizschema.org/spec/{place}"
        assert "written" in capsys.readouterr().out

    def test_nothing_is_overwritten(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "kept").write_text("")
        assert main(["spec", "export", os.fspath(tmp_path)]) == 2
        assert "found one with files in it" in capsys.readouterr().err
        assert main(["spec", "export", os.fspath(tmp_path / "kept" / "out"), "1.0.0"]) == 2
        assert "cannot be written" in capsys.readouterr().err
