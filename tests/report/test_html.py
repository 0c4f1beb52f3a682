"""The page: looked at by a browser, by its keyboard and by axe-core; hostile text stays text; pictures are bounded."""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.axe import examined
from support.broken_archive import HOSTILE, write_broken
from support.chromium import Page, page
from support.sample_reports import finding, report

import vizschema
from vizschema.bounds import Reading
from vizschema.cli.details import PICTURED, details
from vizschema.cli.main import main
from vizschema.findings import Details, Picture
from vizschema.outline.figures import png
from vizschema.report import html
from vizschema.report.html_tree import NODES
from vizschema.report.options import Options, rule_page
from vizschema.rules import versions
from vizschema.scan.pictures import BYTES, SIDE
from vizschema.worker.warm import Warm

STOPS = "a[href], summary, button, input, select"
SELF = "/attention/self/layer_00"


def rendered(*reports: Any, **options: Any) -> str:
    return "\n".join(html.render(reports, Options(**options)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the broken archive, and its page as `report.html`, with pictures as where values were read."""
    folder = tmp_path_factory.mktemp("page")
    write_broken(folder)
    judged = vizschema.validate(folder / "run.zarr")
    good = vizschema.validate(folder / "good.zarr")
    unreadable = vizschema.validate(folder / "no.h5")
    text = rendered(
        judged,
        good,
        unreadable,
        details=lambda each: details(each, Reading(isolated=True)),
        timestamp="2026-11-21T09:00:00Z",
        page=lambda rule: rule_page(rule) if rule in versions.released_rules() else None,
    )
    (folder / "report.html").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def opened(folder: Path) -> Iterator[Page]:
    """The page, open in a browser."""
    with page() as opened:
        opened.open(folder / "report.html")
        yield opened


class Reader(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_asks_for_nothing_and_nobody_complains(folder: Path, opened: Page) -> None:
    assert opened.complaints == []
    assert {re.sub(r"^(data:).*", r"\1", url, flags=re.DOTALL) for url in opened.requests} <= {
        (folder / "report.html").resolve().as_uri(),
        "data:",
    }


def test_a_page_that_complains_is_noticed(tmp_path: Path) -> None:
    text = rendered(report()).replace(
        "</main>", '<script>alert(1)</script><img src="https://example.org/x.png"></main>'
    )
    (tmp_path / "bad.html").write_text(text, encoding="utf-8")
    with page() as opened:
        opened.open(tmp_path / "bad.html")
        assert len(opened.complaints) >= 2


def test_axe_finds_nothing(opened: Page) -> None:
    found = examined(opened, "light", "dark")
    assert found.faults == []
    assert len(found.passed) > 15
    assert found.passed.count("color-contrast") == 2


def test_axe_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text('<html><body><img src="data:,"><a href="#"></a></body></html>')
    with page() as opened:
        opened.open(tmp_path / "bad.html")
        assert {"image-alt", "link-name", "document-title"} <= {rule for rule, _ in examined(opened).faults}


def test_the_page_works_by_keyboard(opened: Page) -> None:
    stops = opened.evaluate(f"document.querySelectorAll('{STOPS}').length")
    assert stops > 10
    opened.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    seen = set()
    outlined = True
    for _ in range(stops):
        opened.press("Tab")
        seen.add(opened.evaluate(f"[...document.querySelectorAll('{STOPS}')].indexOf(document.activeElement)"))
        outlined &= opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen == set(range(stops))
    assert outlined
    opened.evaluate("document.querySelector('summary').focus()")
    before = opened.evaluate("document.querySelector('details').open")
    opened.press("Enter")
    assert opened.evaluate("document.querySelector('details').open") is not before
    opened.press("Enter")
    assert opened.evaluate("document.querySelector('details').open") is before
    opened.evaluate("document.querySelector('a[href^=\"#a1-n\"]').focus()")
    opened.press("Enter")
    deadline = time.monotonic() + 20
    while not opened.evaluate("location.hash") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert re.fullmatch(r"#a1-n[0-9]+", opened.evaluate("location.hash"))


def test_every_link_leads_somewhere_and_every_id_is_one(folder: Path) -> None:
    tags = Reader((folder / "report.html").read_text(encoding="utf-8")).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    links = [str(attributes["href"]) for tag, attributes in tags if tag == "a"]
    assert len(ids) == len(set(ids))
    pages = {f"https://vizschema.org/rules/{rule}/" for rule in versions.released_rules()}
    assert {link for link in links if link[1:] not in ids} <= pages
    assert any(link in pages for link in links)
    assert any(link.startswith("#a1-n") for link in links)


def test_the_table_of_archives_is_searched_filtered_and_sorted(opened: Page) -> None:
    rows = "[...document.querySelectorAll('#archives tbody tr')]"

    def shown() -> list[str]:
        names = opened.evaluate(f"{rows}.filter(row => !row.hidden).map(row => row.cells[0].textContent).join()")
        return [Path(name).name for name in str(names).split(",") if name]

    def typed(field: str, value: str) -> list[str]:
        opened.evaluate(
            f"{{ const it = document.getElementById('{field}'); it.value = '{value}';"
            " it.dispatchEvent(new Event(it.type === 'search' ? 'input' : 'change')) }"
        )
        return shown()

    assert shown() == ["run.zarr", "good.zarr", "no.h5"]
    assert typed("words", "GOOD") == ["good.zarr"]
    assert typed("words", "axis-one run") == ["run.zarr"]
    assert opened.evaluate("document.getElementById('shown').textContent") == "1 of 3 shown"
    assert typed("words", "") == ["run.zarr", "good.zarr", "no.h5"]
    assert typed("verdict", "good") == ["good.zarr"]
    assert typed("verdict", "") == ["run.zarr", "good.zarr", "no.h5"]
    head = "document.querySelector('#archives thead button')"
    opened.evaluate(f"{head}.click()")
    assert shown() == ["good.zarr", "no.h5", "run.zarr"]
    opened.evaluate(f"{head}.click()")
    assert shown() == ["run.zarr", "no.h5", "good.zarr"]


def test_hostile_text_stays_text(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    reader = Reader(text)
    assert {tag for tag, _ in reader.tags} & {"iframe", "object", "embed", "form", "base"} == set()
    assert [tag for tag, _ in reader.tags].count("script") == 1  # its own, allowed by its hash
    assert not any(name.startswith("on") or name == "style" for _, attributes in reader.tags for name in attributes)
    assert "<script>alert(1)" in "".join(reader.words)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def test_hostile_text_of_every_field_stays_text() -> None:
    hostile = finding("rule", f"/{HOSTILE}", expected=HOSTILE, found=HOSTILE, title=HOSTILE, fix=HOSTILE)
    nodes = {
        "/": {"kind": "group", "members": 1, "attributes": {}},
        f"/{HOSTILE}": {"kind": "object", "reason": HOSTILE},
    }
    picture = Picture(0.0, 1.0, (1,), HOSTILE, b"\0", 1, (HOSTILE, HOSTILE))
    shown = Details(nodes, {f"/{HOSTILE}": picture}, (HOSTILE,))
    text = rendered(report(hostile, archive=HOSTILE, profile=HOSTILE, notes=(HOSTILE,)), details=lambda _: shown)
    assert [tag for tag, _ in Reader(text).tags].count("script") == 1
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_the_tree_shows_every_node_with_what_is_found_at_it(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    words = " ".join("".join(Reader(text).words).split())
    assert "float32 · (sample 2, " in words
    assert "chunks of 1 × 1 × 5 × 5" in words
    assert "unreadable: metadata-malformed" in words


def test_a_tree_that_is_too_long_keeps_what_has_findings() -> None:
    nodes = {"/": {"kind": "group", "members": NODES + 50, "attributes": {}}}
    nodes |= {f"/node_{index:05}": {"kind": "object", "reason": "pickle"} for index in range(NODES + 50)}
    last = f"/node_{NODES + 49:05}"
    text = rendered(report(finding("pickle", last)), details=lambda _: Details(nodes))
    assert "51 nodes without findings not shown here" in text
    assert f'{last[1:]}</span> object: pickle\n<p><span class="error">' in text


def test_a_tree_that_cannot_be_read_again_is_a_note(tmp_path: Path) -> None:
    gone = report(archive=str(tmp_path / "gone.zarr"))
    assert details(gone, Reading()).notes[0].startswith("no tree: ")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of 5,000 findings of ten rules, open in a browser."""
    found = [
        replace(
            finding(f"rule-{index % 10}", f"/layer_{index:04}/x"), severity="warning" if index % 10 == 9 else "error"
        )
        for index in range(5000)
    ]
    folder = tmp_path_factory.mktemp("many")
    (folder / "report.html").write_text(rendered(report(*found)), encoding="utf-8")
    with page() as opened:
        opened.open(folder / "report.html")
        yield opened


SHOWN = "[...document.querySelectorAll('.rule:not([hidden]) li:not([hidden])')]"


@pytest.mark.parametrize(
    ("sought", "weight", "shown"),
    [("", "", 5000), ("layer_0042", "", 1), ("RULE-3 layer_00", "", 10), ("", "warning", 500), ("nothing", "", 0)],
)
def test_five_thousand_findings_are_searched_and_filtered(sought: str, weight: str, shown: int, many: Page) -> None:
    many.evaluate(
        f"document.getElementById('weight').value = '{weight}'; {{ const it = document.getElementById('sought');"
        f" it.value = '{sought}'; it.dispatchEvent(new Event('input')) }}"
    )
    assert many.evaluate(f"{SHOWN}.length") == shown
    assert many.evaluate("document.getElementById('matching').textContent") == f"{shown} of 5000 findings"
    if 0 < shown <= 10:
        assert many.evaluate(f"{SHOWN}.every(each => each.closest('details').open)")
    many.evaluate("document.getElementById('weight').value = ''")


def test_searching_five_thousand_findings_reads_no_text_again(many: Page) -> None:
    reads = many.evaluate(
        "{ let reads = 0; const text = Object.getOwnPropertyDescriptor(Node.prototype, 'textContent');"
        " const get = function () { reads++; return text.get.call(this) };"
        " Object.defineProperty(Node.prototype, 'textContent', { ...text, get });"
        " const it = document.getElementById('sought'); it.value = 'layer_1'; it.dispatchEvent(new Event('input'));"
        " Object.defineProperty(Node.prototype, 'textContent', text); reads }"
    )
    assert reads == 0
    assert many.complaints == []


class TestPictures:
    @pytest.mark.parametrize("reading", [Reading(), Reading(isolated=True)], ids=["here", "worker"])
    @pytest.mark.parametrize("suffix", ["zarr", "h5"])
    def test_a_map_and_a_histogram_of_an_array_with_findings(
        self, tmp_path: Path, suffix: str, reading: Reading
    ) -> None:
        path = tmp_path / f"a.{suffix}"
        ramp = np.arange(2 * 3 * 200 * 200, dtype="float32").reshape(2, 3, 200, 200)
        self.write(path, ramp)
        drawn = details(replace(report(finding("r", SELF)), archive=str(path), values="read"), reading)
        assert drawn.notes == ()
        picture = drawn.pictures[SELF]
        assert (picture.minimum, picture.axes) == (0.0, ("token:query", "token:key"))
        assert picture.seen == "all values"
        assert sum(picture.counts) > 1000
        levels = np.frombuffer(picture.levels, np.uint8).reshape(-1, picture.columns)
        assert levels.shape == (67, 67)
        assert levels.max() <= 254 // 5
        assert (np.diff(levels.astype(int), axis=0) >= 0).all()

    def write(self, path: Path, data: Any, *, values: bool = True) -> None:
        array = vizschema.Array(
            data, ["sample", "head", "token:query", "token:key"], {"normalization": "none", "source": "unknown"}
        )
        attributes = {"/metadata": {"model_name": "a", "model_version": "1"}, "/attention/self": {"num_layers": 1}}
        vizschema.write(path, {SELF: array}, attributes, profile="trace", values=values)

    def test_no_more_is_read_than_the_bound(self, tmp_path: Path) -> None:
        values = np.zeros((40, 4, 128, 128), "float64")
        values[:, :, 0, 0] = np.nan
        self.write(tmp_path / "a.zarr", values, values=False)
        picture = details(
            replace(report(finding("r", SELF)), archive=str(tmp_path / "a.zarr"), values="read"), Reading()
        ).pictures[SELF]
        assert picture.seen == f"the first {BYTES // 8} of {values.size} values"
        assert picture.levels[0] == 255
        assert len(picture.levels) <= SIDE * SIDE

    def test_what_conforms_has_pictures_too_a_bounded_number(self, tmp_path: Path) -> None:
        arrays = {f"/extra/{name}": vizschema.Array(np.eye(4), ["a", "b"]) for name in "abcdefghijkl"}
        attributes = {"/metadata": {"model_name": "a", "model_version": "1"}}
        arrays |= {f"/activations/layer_{at:02}": vizschema.Array((at + 1) * np.eye(4), ["a", "b"]) for at in range(30)}
        vizschema.write(tmp_path / "a.zarr", arrays, attributes, profile="trace")
        judged = vizschema.validate(tmp_path / "a.zarr")
        drawn = details(judged, Reading()).pictures
        assert list(drawn)[:2] == ["/activations/layer_00", "/extra/a"]
        drawn = {
            path: picture for path, picture in drawn.items() if path not in {each.path for each in judged.findings}
        }
        assert len(drawn) == PICTURED
        page = rendered(judged, details=lambda _: Details({}, drawn))
        assert page.count("<img ") == PICTURED
        assert "Pictures of 8 arrays without findings" in page

    def test_one_worker_judges_and_draws(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.write(tmp_path / "a.zarr", np.where(np.eye(4), np.nan, 1.0)[None, None], values=False)
        monkeypatch.chdir(tmp_path)
        forks = []
        fork = Warm.fork
        monkeypatch.setattr(Warm, "fork", lambda *given: forks.append(1) or fork(*given))
        assert main(["validate", "--format", "html", "a.zarr"]) == 1
        assert "<img " in capsys.readouterr().out
        assert len(forks) == 1

    def test_where_no_values_were_read_there_are_no_pictures(self, tmp_path: Path) -> None:
        self.write(tmp_path / "a.zarr", np.zeros((1, 1, 4, 4)))
        shown = details(replace(report(finding("r", SELF)), archive=str(tmp_path / "a.zarr")), Reading())
        assert shown.pictures == {}
        assert SELF in shown.nodes

    def test_a_picture_is_a_png(self) -> None:
        data = png(bytes([0, 127, 254, 255, 1, 2]), 3)
        assert data[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", data[16:24]) == (3, 2)
        body = data[data.index(b"IDAT") + 4 :]
        assert zlib.decompressobj().decompress(body) == bytes([0, 0, 127, 254, 0, 255, 1, 2])

    def test_the_page_shows_them(self, opened: Page) -> None:
        assert opened.evaluate("document.querySelectorAll('img').length") >= 1
        assert opened.evaluate(
            "[...document.querySelectorAll('img')].every(each => each.complete && each.naturalWidth > 0)"
        )
        assert opened.evaluate("document.querySelectorAll('svg rect').length") >= 1


def test_the_page_is_the_same_every_time(folder: Path) -> None:
    judged = vizschema.validate(folder / "run.zarr")
    first, second = (rendered(judged, details=lambda each: details(each, Reading())) for _ in range(2))
    assert first == second
