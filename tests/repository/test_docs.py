"""The site: built without a warning, its rule pages exactly the rules, its schemas at their `$id`s, its code run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.shown import shows

import vizschema
from vizschema.cli.completion import words_of
from vizschema.cli.main import main
from vizschema.cli.parser import parsed, whole_parser
from vizschema.conformance.examples import write_example
from vizschema.conformance.fixtures import first_screen
from vizschema.errors import SpecError
from vizschema.project import configuration
from vizschema.rules import versions

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(
    r"^(?:<!-- not run: ([^\n]+) -->\n)?```(\w*)(?: title=\"([^\"]+)\")?[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
SHOWN = {"text", ""}
"""Languages of what is drawn or quoted, and nothing to run."""


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the file that it is said to be, why it is not run."""

    language: str
    title: str | None
    reason: str | None
    text: str


def blocks(page: Path) -> list[Block]:
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(language, title or None, reason or None, text) for reason, language, title, text in found]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    return folder


def rules() -> set[str]:
    specs = map(versions.load, versions.versions())
    return {rule for spec in specs for name in spec.profiles for rule in spec.profile(name).rules}


def test_the_rule_pages_are_exactly_the_rules(site: Path) -> None:
    assert {path.name for path in (site / "rules").iterdir() if path.is_dir()} == rules()
    table = (site / "rules" / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{rule}/"' in table for rule in rules())


def test_a_rule_page_says_clause_reason_and_mend_with_examples(site: Path) -> None:
    page = (site / "rules" / "axis-one-size" / "index.html").read_text(encoding="utf-8")
    for heading in ("Why", "How to fix it", "What breaks it", "What keeps it", "What the validator says"):
        assert heading in page


def test_every_rule_page_has_an_example_of_both_kinds(site: Path) -> None:
    for rule in rules():
        page = (site / "rules" / rule / "index.html").read_text(encoding="utf-8")
        assert "What breaks it" in page, rule
        assert "What keeps it" in page, rule


def test_the_page_of_the_interface_has_tables_of_parameters(site: Path) -> None:
    page = (site / "api" / "index.html").read_text(encoding="utf-8")
    for part in ('id="vizschema.validate"', "Parameters:", "Returns:", "Raises:", "Attributes:", "Examples:"):
        assert part in page, part
    assert "<code>jobs</code>" in page


def test_every_schema_is_at_the_path_of_its_id(site: Path) -> None:
    schemas = [path for path in versions.root().rglob("*.schema.json") if "$id" in json.loads(path.read_bytes())]
    assert len(schemas) > 8
    for path in schemas:
        document = json.loads(path.read_bytes())
        assert document["$id"].startswith("https://vizschema.org/")
        served = site / document["$id"].removeprefix("https://vizschema.org/")
        assert json.loads(served.read_bytes()) == document


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?://[^"]+)"', text)
        loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+href="(https?://[^"]+)"', text)
        assert loaded == [], path


# The code of the pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs").as_posix())
def test_every_block_of_code_is_of_a_kind_that_is_looked_at(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(blocks(page)), "a fence that is not read here"
    assert {block.language for block in blocks(page)} <= {*RUN, *SHOWN}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with archives in `runs`, and our program on the path."""
    (tmp_path / "runs").mkdir()
    write_example("trace", tmp_path / "runs" / "a.zarr")
    write_example("trace", tmp_path / "runs" / "b.h5")
    (tmp_path / "programs").mkdir()
    program = tmp_path / "programs" / "vizschema"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vizschema "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_console(text: str, capsys: pytest.CaptureFixture[str], _: dict[str, Any]) -> None:
    command, _, expected = text.partition("\n")
    program, *arguments = shlex.split(command.removeprefix("$ "))
    assert program == "vizschema"
    assert main(arguments) in (0, 1, 2, 4)
    output = capsys.readouterr().out
    assert shows(expected, output), f"{command}\n{output}"


def run_python(text: str, _: pytest.CaptureFixture[str], names: dict[str, Any]) -> None:
    exec(compile(text, "the page", "exec"), names)  # noqa: S102  (our own page)


def run_shell(text: str, *_: Any) -> None:
    result = subprocess.run(["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def parse(text: str, *_: Any) -> None:
    json.loads(text)


def parse_yaml(text: str, *_: Any) -> None:
    assert isinstance(yaml.safe_load(text), dict)


def is_table(text: str) -> bool:
    return "[nodes]" in text or text.startswith("mapping = ")


def load_toml(text: str, *_: Any) -> None:
    """A configuration is loaded; the table of a profile, or a mapping, is used by the commands that follow it."""
    if is_table(text):
        assert tomllib.loads(text)["nodes"]
        return
    Path("parsed.toml").write_text(text, encoding="utf-8")
    configuration.load(Path("parsed.toml"))


RUN = {
    "console": run_console,
    "python": run_python,
    "sh": run_shell,
    "bash": run_shell,
    "json": parse,
    "yaml": parse_yaml,
    "toml": load_toml,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT / "docs").as_posix())
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        if block.reason is not None or block.language in SHOWN:
            continue
        if block.title is not None and ("/" in block.title or is_table(block.text)):
            (folder / block.title).parent.mkdir(exist_ok=True)
            (folder / block.title).write_text(block.text, encoding="utf-8")
        RUN[block.language](block.text, capsys, names)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "spec/README.md"])
def test_a_link_of_the_repository_leads_to_a_file(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    local = [link for link in links if not link.startswith("https://")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("console", "$ vizschema explain axis-one-size\nsomething else\n"),
        ("python", "assert False\n"),
        ("sh", "false | true\n"),
        ("json", "{"),
        ("yaml", "- a list\n"),
        ("toml", "colour = 1\n"),
    ],
)
def test_a_block_that_does_not_do_what_it_says_is_noticed(
    language: str, text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((AssertionError, ValueError, SpecError)):
        RUN[language](text, capsys, {})


def test_every_public_name_is_on_the_page_of_the_interface_as_it_is_imported() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: (.+)$", page, re.MULTILINE)) == sorted(
        f"vizschema.{name}" for name in vizschema._HOME
    )


TYPED = re.compile(r"^(?:    |\$ )vizschema ((?:(?!  ).)+)", re.MULTILINE)
NAMED = re.compile(r"`vizschema ([a-z]+)(?: ([a-z]+))?")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_every_command_on_a_page_is_one_that_can_be_typed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for typed in TYPED.findall(text):
        parsed(shlex.split(typed))  # exits where it is wrong usage
    commands = words_of(whole_parser())
    for command, action in NAMED.findall(text):
        assert command in commands[""], command
        if action and command == "spec":
            assert action in commands["spec"], action


def test_a_command_that_cannot_be_typed_is_noticed() -> None:
    (typed,) = TYPED.findall("Text.\n\n    vizschema validate a.zarr --no-value   structure alone\n")
    assert typed == "validate a.zarr --no-value"
    for wrong in ("validate a.zarr --values-not", "valdate a.zarr", "benchmark nothing"):
        with pytest.raises(SystemExit):
            parsed(shlex.split(wrong))


def titled(title: str) -> dict[str, Any]:
    """The YAML of the page on CI with this title."""
    (found,) = (block for block in blocks(ROOT / "docs" / "ci.md") if block.title == title)
    return dict(yaml.safe_load(found.text))


def test_what_gitlab_runs_runs(folder: Path) -> None:
    job = titled("gitlab")["archives"]
    for line in job["script"]:
        run_shell(line)
    assert (folder / job["artifacts"]["reports"]["junit"]).read_text().startswith("<?xml")
    assert all((folder / path).is_file() for path in job["artifacts"]["paths"])
    (install,) = job["before_script"]
    assert install == f"pip install git+{titled('pre-commit')['repos'][0]['repo']}@COMMIT"


def test_the_examples_name_our_hook_and_our_inputs() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    (repository,) = titled("pre-commit")["repos"]
    assert [each["id"] for each in repository["hooks"]] == [hook["id"]]
    assert repository["rev"] == "COMMIT"
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    step = titled("action")["jobs"]["archives"]["steps"][1]
    assert step["uses"] == "OWNER/vizschema@COMMIT"
    assert set(step["with"]) <= set(inputs)


def test_no_page_names_a_release_or_a_package_index_before_there_is_one() -> None:
    for page in [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"vizschema@v[0-9]|rev: v[0-9]|pip install [^\n`]*\bvizschema\b(?!@)", text), page
    for module in [*(ROOT / "vizschema").rglob("*.py"), *(ROOT / "conformance").rglob("*.py")]:
        assert not re.search(r"pip install '?\"?vizschema", module.read_text(encoding="utf-8")), module


@pytest.mark.parametrize("name", ["mnist", "vit", "openfold"])
def test_a_page_of_a_model_says_whether_the_committed_data_are_an_archive(name: str) -> None:
    page = " ".join((ROOT / "docs" / "models" / f"{name}.md").read_text(encoding="utf-8").split())
    data = f"conformance/fixtures/data/{name}.npz"
    says = "is raw data and not an archive" if name == "openfold" else "conforms as it is"
    assert f"`{data}`, {says}" in page
    assert vizschema.validate(ROOT / data, values=False).conforms == (name != "openfold")


def test_the_suppressions_of_the_page_name_rules() -> None:
    (shown,) = (block for block in blocks(ROOT / "docs" / "ci.md") if block.title == "accepted.toml")
    found = set(re.findall(r'rule = "([^"]+)"', shown.text)) | set(
        re.findall(r'^([a-z-]+) = "(?:off|error|warning)"', shown.text, re.MULTILINE)
    )
    assert found <= rules()


def test_the_picture_of_the_first_screen_shows_what_is_found(tmp_path: Path) -> None:
    good, broken = first_screen.write_pair(tmp_path)
    assert vizschema.validate(good).conforms
    assert [finding.rule for finding in vizschema.validate(broken).errors] == [
        "attention-row-sum",
        "self-attention-axes",
    ]
    for page, picture in ((ROOT / "README.md", "docs/img/first.png"), (ROOT / "docs" / "index.md", "img/recorded.png")):
        assert f"]({picture})" in page.read_text(encoding="utf-8")
        assert (page.parent / picture).stat().st_size < 150_000
