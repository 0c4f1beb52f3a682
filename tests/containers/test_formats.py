"""The table of container formats: everything that it names is there, and nothing else lists formats by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vizschema.cli.parser import whole_parser
from vizschema.containers.formats import FORMATS, REMOTE, SUFFIXES, WRITERS, Format, loaded
from vizschema.writer.forms import FORMS

PACKAGE = Path(__file__).resolve().parents[2] / "vizschema"


@pytest.mark.parametrize("form", [*FORMATS, REMOTE], ids=lambda form: f"{form.name} {form.store}")
def test_everything_that_a_record_names_is_there(form: Format) -> None:
    places = [place for place in (form.open, form.open_ranges, form.told) if place is not None]
    assert all(callable(loaded(place)) for place in places)
    assert form.open or form.open_ranges
    written = [loaded(place) for place in form.writers.values()]
    assert [each.name for each in written] == list(form.writers)
    for each in written:
        assert {**each.identity, "version": None, "consolidated": False} == form.identity


def test_formats_with_one_head_are_told_apart_by_all_but_the_last() -> None:
    heads = {form.head for form in FORMATS if form.head is not None}
    for head in heads:
        told = [form.told is not None for form in FORMATS if form.head == head]
        assert told == [True] * (len(told) - 1) + [False]


def test_a_suffix_belongs_to_one_format() -> None:
    suffixes = [suffix for form in FORMATS for suffix in (*form.suffixes, *form.other_suffixes)]
    assert sorted(suffixes) == sorted(SUFFIXES)


def test_help_names_every_format_and_every_form() -> None:
    words = re.findall(r"[\w-]+", " ".join(str(whole_parser().description).split()))
    assert {form.shown for form in FORMATS} <= set(words)
    assert list(FORMS) == list(WRITERS)


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_no_other_module_lists_suffixes(suffix: str) -> None:
    listing = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(rf'"\*?{re.escape(suffix)}"', path.read_text(encoding="utf-8"))
    }
    # Exports are in containers of other layouts, which have forms of their own.
    assert listing <= {"containers/formats.py", "migration/exporting/layouts.py"}
