"""Pages of the site that follow from data: one a rule, their table, the prose of the spec, the changelog, the schemas.

An mkdocs hook (`hooks:` of mkdocs.yml). Nothing here is written by hand but the words around what the schemas say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from vizschema.conformance.corpus.cases import Case, corpus
from vizschema.conformance.corpus.code import code_of
from vizschema.conformance.examples import example
from vizschema.findings import Rule
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.viewing.pages import FOLDER, page_files

ROOT = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The files of the site, with those that are made here."""
    for path, content in (*_rule_pages(), *_prose(), *_schemas(), *_page_of_archives()):
        files.append(File.generated(config, path, content=content))
    return files


def _page_of_archives() -> Iterator[tuple[str, bytes]]:
    """The page that opens an archive in the browser, below `page/`, where it was built."""
    if (FOLDER / "index.html").is_file():
        for name, file in page_files().items():
            if name != "index.html":
                yield f"page/{'index.html' if name == 'site.html' else name}", file.data


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The text of a page, with the tree of an example for each `<!-- tree: profile -->`."""
    return re.sub(r"<!-- tree: ([a-z]+) -->", lambda match: f"```text\n{tree(match[1])}\n```", markdown)


Stated = tuple[str, Rule]
"""A rule, and the first version that has it."""


def rules() -> dict[str, Stated]:
    """Every rule of every version by its id, sorted: as the first version states it that has it."""
    found: dict[str, Stated] = {}
    for version in versions.versions():
        spec = versions.load(version)
        for name in spec.profiles:
            for rule in spec.profile(name).rules.values():
                found.setdefault(rule.id, (version, rule))
    return {name: found[name] for name in sorted(found)}


def tree(profile: str) -> str:
    """The nodes of the example of a profile, indented, arrays with axes and dtype."""
    lines = ["/"]
    nodes = example(profile)["nodes"]
    paths = {above for path in nodes for above in _with_those_above(path)} - {"/"}
    for path in sorted(paths):
        name = path.rpartition("/")[2]
        node = nodes.get(path, {"kind": "group"})
        what = "/" if node["kind"] == "group" else f"  [{', '.join(node['axes'])}]  {node['dtype']}"
        lines.append(f"{'    ' * path.count('/')}{name}{what}")
    return "\n".join(lines)


def _with_those_above(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _rule_pages() -> Iterator[tuple[str, str]]:
    cases: dict[tuple[str, str], list[Case]] = {}
    for case in (case for version in versions.versions() for case in corpus(version)):
        cases.setdefault((case.spec, case.rule), []).append(case)
    named = rules()
    yield "rules/index.md", "\n".join(_table(named))
    for version, rule in named.values():
        yield f"rules/{rule.id}.md", "\n".join(_page(version, rule, cases.get((version, rule.id), [])))


def _table(named: dict[str, Stated]) -> Iterator[str]:
    yield "# Rules\n"
    yield "A MUST is an error, a SHOULD a warning. A profile has the rules of `trace` and its own; a version those"
    yield "of the versions before it.\n"
    yield "| rule | | profile | since | clause |"
    yield "|---|---|---|---|---|"
    for version, rule in named.values():
        yield f"| [{rule.id}]({rule.id}.md) | {_level(rule)} | {rule.profile} | {version} | {_cell(rule.title)} |"


def _level(rule: Rule) -> str:
    return "MUST" if rule.severity == "error" else "SHOULD"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _page(version: str, rule: Rule, cases: list[Case]) -> Iterator[str]:
    yield f"# {rule.id}\n"
    yield f"**{_level(rule)}**, profile `{rule.profile}`, since spec {version}.\n"
    yield f"{rule.title}\n"
    yield f"## Why\n\n{rule.reason}\n"
    yield f"## How to fix it\n\n{rule.fix}\n"
    broken = [case for case in cases if case.kind == "broken"]
    conforming = [case for case in cases if case.kind == "neighbour"]
    if broken:
        yield "## What breaks it\n"
        yield from _example(broken[0])
    yield "## What keeps it\n"
    if conforming:
        yield from _example(conforming[0])
    elif broken:
        yield f"The archive `{broken[0].base}` of the corpus as it is, without that change."
    number = len(cases)
    yield f"\nThe corpus has {number} case{'s' if number != 1 else ''} of this rule: `conformance/cases/"
    yield f"{version}/{rule.id}/`."


def _example(case: Case) -> Iterator[str]:
    yield f"{case.why} (`{case.name}`, a change of the conforming archive `{case.base}`)\n"
    lines = code_of(case)
    if lines:
        text = "\n".join(lines)
        yield f"As code, from that archive as `run.zarr` (or `run.h5`):\n\n```python\n{text}\n```\n"
    for title, operations in (("archive", case.patch), ("description", case.described), ("file", case.damage)):
        if operations:
            text = json.dumps(list(operations), indent=2, ensure_ascii=False)
            yield f"Change of the {title}:\n\n```json\n{text}\n```\n"
    if case.kind == "broken" and not case.damage:
        description = case.description(case.containers[0])
        for finding in judge(description, case.loaded_profile):
            if finding.rule == case.rule:
                yield f"What the validator says:\n\n```text\n{finding.message}\n```\n"
                return


def _prose() -> Iterator[tuple[str, str]]:
    named = rules()

    def linked(match: re.Match[str]) -> str:
        return f"([`{match[1]}`](../../rules/{match[1]}.md))" if match[1] in named else match[0]

    for spec in map(versions.load, versions.versions()):
        prose = (spec.folder / "spec.md").read_text(encoding="utf-8")
        yield f"spec/{spec.version}/index.md", _within_site(re.sub(r"\(`([a-z]+(?:-[a-z]+)*)`\)", linked, prose))
        for path in sorted(spec.folder.glob("*.md")):
            if path.name != "spec.md":
                yield f"spec/{spec.version}/{path.name}", _within_site(path.read_text(encoding="utf-8"))
    yield "spec/index.md", _within_site((versions.root() / "README.md").read_text(encoding="utf-8"))
    yield "changelog.md", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def _within_site(text: str) -> str:
    """`text` with the links of the repository as those of the site."""
    return (
        re.sub(r"\]\(((?:[.][.]/)?[0-9.]+/)spec[.]md\)", r"](\1index.md)", text)
        .replace("](../README.md)", "](../index.md)")
        .replace("](spec.md)", "](index.md)")
    )


def _schemas() -> Iterator[tuple[str, str]]:
    """Every schema at the path of its `$id` below https://vizschema.org/."""
    for path in sorted(versions.root().rglob("*.json")):
        yield f"spec/{path.relative_to(versions.root()).as_posix()}", path.read_text(encoding="utf-8")
