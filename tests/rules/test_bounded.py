"""Profiles, configuration and baselines of a repository that is not trusted: bounded, and refused with exit code 4."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import traces

from vizschema.cli.main import main
from vizschema.errors import SpecError
from vizschema.rules import bounded, versions

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def rule(anchor: str, **more: Any) -> Schema:
    return {"$anchor": anchor, "title": "T.", "description": "R. Fix: M.", **more}


@pytest.fixture
def profile(tmp_path: Path) -> Callable[..., Path]:
    """Writes a profile by hand, and returns its folder."""

    def write(*rules: Schema, defs: Schema | None = None, facts: Any = None) -> Path:
        folder = tmp_path / "p"
        folder.mkdir()
        more = {"$defs": defs} if defs else {}
        document = {
            "$schema": DIALECT,
            "$id": "https://example.org/p/must.schema.json",
            "title": "t",
            "description": "d",
        }
        (folder / "must.schema.json").write_text(json.dumps({**document, **more, "allOf": list(rules)}))
        if facts is not None:
            (folder / "facts.json").write_text(json.dumps(facts))
        return folder

    return write


def refused(folder: Path) -> str:
    with pytest.raises(SpecError) as error:
        versions.default().profile(str(folder))
    assert error.value.exit_code == 4
    return str(error.value)


def fan(word: str, depth: int) -> Schema:
    defs = {f"d{i}": {word: [{"$ref": f"#/$defs/d{i + 1}"}] * 4} for i in range(depth)}
    return {**defs, f"d{depth}": {"type": "object"}}


@pytest.mark.parametrize(("word", "depth"), [("allOf", 30), ("anyOf", 10), ("oneOf", 9)])
def test_references_that_fan_out_are_refused(word: str, depth: int, profile: Callable[..., Path]) -> None:
    folder = profile(rule("fan", allOf=[{"$ref": "#/$defs/d0"}]), defs=fan(word, depth))
    assert "lead to more than" in refused(folder) or "keywords" in refused(folder)


def test_a_small_fan_is_fine(profile: Callable[..., Path]) -> None:
    folder = profile(rule("fan", allOf=[{"$ref": "#/$defs/d0"}]), defs=fan("allOf", 4))
    assert versions.default().profile(str(folder)).rules


def test_a_reference_that_leads_back_is_refused(profile: Callable[..., Path]) -> None:
    defs = {"a": {"allOf": [{"$ref": "#/$defs/b"}]}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}
    assert "leads back to itself" in refused(profile(rule("r", allOf=[{"$ref": "#/$defs/a"}]), defs=defs))


def test_a_long_chain_is_refused(profile: Callable[..., Path]) -> None:
    defs: Schema = {f"d{i}": {"allOf": [{"$ref": f"#/$defs/d{i + 1}"}]} for i in range(2_000)}
    defs["d2000"] = {"type": "object"}
    assert "each in the one before" in refused(profile(rule("r", allOf=[{"$ref": "#/$defs/d0"}]), defs=defs))


@pytest.mark.parametrize(
    "pattern",
    [
        "((((a{1,1000}){1,1000}){1,1000}))",
        *("a" * 20_000, "(", "(a{99999}){99999}", "(a{1000000}){1000000}", "(a{1000,}){1000,}", "a{0200}+{200}"),
        *("([)]a{200}){200}", "|".join(["a{1,900}"] * 30)),
    ],
)
def test_a_pattern_that_is_large_or_none_is_refused(pattern: str, profile: Callable[..., Path]) -> None:
    folder = profile(rule("big", properties={"nodes": {"propertyNames": {"pattern": pattern}}}))
    assert "pattern" in refused(folder) or "regular expression" in refused(folder)


def test_repetitions_beside_one_another_add_up(profile: Callable[..., Path]) -> None:
    pattern = f"^({'|'.join(['/layer_[0-9]{1,9}'] * 200)})$"
    folder = profile(rule("many", properties={"nodes": {"propertyNames": {"pattern": pattern}}}))
    assert versions.default().profile(str(folder)).rules


@pytest.mark.parametrize(
    "name", ["../secret.json", "/etc/passwd", "https://vizschema.org/spec/../../../etc/passwd", "link.json"]
)
def test_a_reference_stays_in_the_folder_of_the_profile(
    name: str, tmp_path: Path, profile: Callable[..., Path]
) -> None:
    (tmp_path / "secret.json").write_text('{"$id": "PLANTED-SECRET"}')
    folder = profile(rule("r", allOf=[{"$ref": name}]))
    (folder / "link.json").symlink_to(tmp_path / "secret.json")
    said = refused(folder)
    assert "PLANTED" not in said
    assert "out of" in said


@pytest.mark.parametrize("name", ["../../etc", "/etc", ".", "..", "a/../b"])
def test_facts_extend_names_only(name: str, profile: Callable[..., Path]) -> None:
    assert "facts.json" in refused(profile(rule("a"), facts={"extends": [name], "facts": []}))


def test_a_pattern_of_facts_needs_no_backtracking(profile: Callable[..., Path]) -> None:
    facts = {"facts": [{"at": "^/a(?=b)", "measure": ["range"]}]}
    assert "backtracking" in refused(profile(rule("a"), facts=facts))


def test_a_profile_that_is_large_or_deep_is_refused(tmp_path: Path, profile: Callable[..., Path]) -> None:
    deep: Schema = {}
    for _ in range(100):
        deep = {"not": deep}
    assert "at most 64 levels" in refused(profile(rule("r", **deep)))
    with pytest.raises(SpecError, match="at most 1000 bytes"):
        bounded.read_file(tmp_path / "p/must.schema.json", 1000)
    (tmp_path / "many.json").write_text("[" + "1," * bounded.VALUES + "1]")
    with pytest.raises(SpecError, match="at most 500000 JSON values"):
        bounded.json_at(tmp_path / "many.json")


CONFIGURATIONS = {
    "parts": ("[tool.vizschema]\n" + ".".join(["a"] * 30_000) + " = 1", "keys of at most 64 parts"),
    "quoted-parts": ("[tool.vizschema]\nx = {" + ' . '.join(['"a b"'] * 3_000) + " = 1}", "keys of at most 64 parts"),
    "header": ("[" + ".".join(["a"] * 3_000) + "]", "keys of at most 64 parts"),
    "deep": ("[tool.vizschema]\nx = " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
    "digits": ("[tool.vizschema]\nmax = " + "9" * 5_000, "TOML"),
    "large": ("# " + "x" * bounded.CONFIGURATION_BYTES, "at most 1048576 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_is_bounded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, said = CONFIGURATIONS[name]
    archive = traces.written(tmp_path, "npz")
    (tmp_path / "pyproject.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["validate", str(archive), "--trust", "-q"]) == 4
    assert said in capsys.readouterr().err


def test_a_configuration_of_ordinary_keys_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nversion = "1.2.3"\n[tool.other."a.b"]\nx.y.z = "' + ". " * 500 + '"\n')
    assert bounded.toml_at(path)["project"]["version"] == "1.2.3"


@pytest.mark.parametrize("option", ["--baseline", "--config"])
def test_a_pipe_is_not_waited_for(option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "fifo")
    archive = traces.written(tmp_path, "npz")
    assert main(["validate", str(archive), "--trust", "-q", option, str(tmp_path / "fifo")]) == 4
    assert "expected a regular file" in capsys.readouterr().err


def test_a_baseline_is_bounded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep.json").write_text("[" * 200_000)
    archive = traces.written(tmp_path, "npz")
    assert main(["validate", str(archive), "--trust", "-q", "--baseline", str(tmp_path / "deep.json")]) == 4
    assert "at most 64 levels" in capsys.readouterr().err
