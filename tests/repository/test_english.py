"""Shown texts are plain English: documentation, specification, help and the schemas use no word of this list."""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vizschema.cli.parser import whole_parser
from vizschema.conformance.corpus.breaks import all_breaks
from vizschema.conformance.corpus.hostile import BY_NAME

ROOT = Path(__file__).resolve().parents[2]
PAGES = [page for folder in ("docs", "spec") for page in (ROOT / folder).rglob("*.md")] + list(ROOT.glob("*.md"))

REFUSED = {
    r"mend(s|ed|ing)?": "fix",
    r"nobody|whoever": "name the actor: user, caller, reader",
    r"strangers?": "untrusted",
    r"(break|breaks|broke|broken) off": "truncated, interrupted, crashed",
    r"(go|goes|going|gone|went) on with": "resume, continue",
    r"ours|our own": "vizschema, built-in",
    r"bug of vizschema": "internal error",
    r"anew": "again",
    r"told": "reported, logged",
    r"(?<!there )(is|are) no(?! longer| larger| more| less)": "is not a",
}
"""What is refused, as a whole word, and what to write: idioms and metaphors that a reader has to translate."""

WORDS = re.compile("|".join(rf"\b(?:{pattern})\b" for pattern in REFUSED), re.IGNORECASE)


def prose(page: Path) -> str:
    """The text of a page without code, output and what a command wrote into it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]+`|^    .*$", "`…`", text, flags=re.MULTILINE)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of its commands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from parsers(each)


def shown_by(schema: Any) -> Iterator[str]:
    """The titles and descriptions in a schema."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in ("title", "description") and isinstance(value, str):
                yield value
            else:
                yield from shown_by(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from shown_by(each)


def refused(text: str) -> list[str]:
    """The refused words in a text, each with its surroundings."""
    return [text[max(0, found.start() - 30) : found.end() + 30] for found in WORDS.finditer(" ".join(text.split()))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_is_plain_english(page: Path) -> None:
    assert refused(prose(page)) == []


def test_the_help_of_every_command_is_plain_english() -> None:
    assert [words for parser in parsers(whole_parser()) for words in refused(parser.format_help())] == []


@pytest.mark.parametrize("profile", ["trace", "vit"])
def test_the_rules_of_a_profile_are_plain_english(profile: str) -> None:
    schemas = [json.loads(path.read_bytes()) for path in (ROOT / "spec/1.0.0" / profile).glob("*.schema.json")]
    assert [words for schema in schemas for text in shown_by(schema) for words in refused(text)] == []


def test_messages_and_docstrings_are_plain_english() -> None:
    found = []
    for module in sorted((ROOT / "vizschema").rglob("*.py")):
        for node in ast.walk(ast.parse(module.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = refused(re.sub(r"`[^`\n]+`", "`…`", node.value))
                found += [f"{module.name}:{node.lineno}: {each}" for each in words]
    assert found == []


def test_cases_say_in_plain_english_why() -> None:
    whys = {each.why for spec in ("1.0.0", "1.1.0") for each in all_breaks(spec)}
    whys |= {each.why for each in BY_NAME.values()}
    assert len(whys) > 1000
    assert [words for why in sorted(whys) for words in refused(why)] == []


@pytest.mark.parametrize("text", ["Mend: copy it", "whoever reads", "a group is no\narray", "we go on with it", "Told"])
def test_a_refused_word_is_found(text: str) -> None:
    assert len(refused(text)) == 1


def test_words_that_only_look_alike_are_let_through() -> None:
    assert refused("There is no chunk; it is no longer there, recommended, in hours, and none of the colours.") == []
