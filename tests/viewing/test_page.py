"""The page of `vizschema view` in a browser: tree, verdict, slices; nothing but its own server is asked."""

from __future__ import annotations

import importlib.util
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.chromium import Page, page
from support.needed import built

import vizschema
from vizschema.conformance.examples import write_example
from vizschema.viewing.pages import FOLDER, page_files
from vizschema.viewing.served import Served
from vizschema.viewing.server import Viewer

AXE = Path(str(importlib.util.find_spec("axe_core_python").submodule_search_locations[0])) / "axe.min.js"  # type: ignore[union-attr]
HOSTILE = '<img src="x" onerror="window.hit=1">'


@contextmanager
def viewed(path: Path, folder: Path, *, width: int = 1200, name: str = "") -> Iterator[tuple[Page, Viewer]]:
    """The page of an archive, or another page of its server by `name`, once it has said what it is."""
    built(FOLDER / "index.html", "npm ci && npm run build in vizschema/page")
    served = Served(str(path))
    with Viewer(served, page_files()) as viewer, page(folder / "browser") as opened:
        thread = threading.Thread(target=viewer.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            opened.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
            )
            opened.call("Page.navigate", url=viewer.url + name)
            until(opened, "location.href.startsWith('http') && document.readyState === 'complete'")
            until(opened, "document.getElementById('summary').textContent !== 'Opening the archive'")
            yield opened, viewer
        finally:
            viewer.shutdown()
            thread.join()
    served.close()


def until(opened: Page, expression: str) -> None:
    deadline = time.monotonic() + 30
    while not opened.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < deadline, expression
        time.sleep(0.02)


def words(opened: Page, place: str) -> str:
    return str(opened.evaluate(f"document.getElementById('{place}').textContent"))


def chosen(opened: Page, path: str) -> None:
    opened.evaluate(
        f"{{ const it = document.getElementById('search'); it.value = {json.dumps(path)};"
        " it.dispatchEvent(new Event('input')); document.querySelector('#tree button').click() }"
    )
    until(opened, "document.querySelector('.map canvas')")


def test_an_archive_is_opened_judged_and_looked_at(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    with viewed(tmp_path / "run.zarr", tmp_path) as (opened, viewer):
        assert words(opened, "summary") == "zarr v3 (directory), 9 arrays"
        until(opened, "!document.getElementById('verdict').hidden")
        assert words(opened, "verdict-words") == "structure conforms, by the profile vit of 1.0.0; values not read"
        chosen(opened, "attention/self/layer_00")
        with vizschema.open(tmp_path / "run.zarr") as archive:
            values = np.asarray(archive["/attention/self/layer_00"])
        canvas = "document.querySelector('.map canvas')"
        assert opened.evaluate(f"[{canvas}.height, {canvas}.width]") == [5, 5]
        opened.evaluate(f"{canvas}.focus()")
        opened.evaluate(f"{canvas}.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowDown' }}))")
        shown = str(opened.evaluate("document.querySelector('[aria-live]').textContent"))
        assert shown == f"sample 0, head 0, token:query 1, token:key 0: {values[0, 0, 1, 0]:.6g}"
        opened.evaluate("document.getElementById('read-values').click()")
        until(opened, "document.getElementById('verdict-words').textContent.startsWith('conforms')")
        opened.evaluate(AXE.read_text(encoding="utf-8") + ";0")
        for scheme in ("light", "dark"):
            opened.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            result = json.loads(opened.evaluate("axe.run(document).then(found => JSON.stringify(found))"))
            assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]] == []
        assert opened.complaints == []
        assert all(url.startswith((viewer.url, "data:")) for url in opened.requests)


@pytest.mark.parametrize("suffix", ["zarr", "npz"])
def test_hostile_names_stay_text_on_a_phone(suffix: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {HOSTILE: np.eye(3), f"long{'x' * 200}": np.eye(3)}
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez(path, **arrays)
    else:
        attributes = {"/metadata": {"model_name": HOSTILE, "model_version": "1"}}
        given = {f"/extra/{name}": vizschema.Array(values, ["a", "b"]) for name, values in arrays.items()}
        given["/activations/layer_00"] = vizschema.Array(np.eye(3), ["a", "b"])
        vizschema.write(path, given, attributes, profile="trace")
    with viewed(path, tmp_path, width=390) as (opened, _):
        until(opened, "!document.getElementById('verdict').hidden")
        chosen(opened, "onerror")
        assert HOSTILE in words(opened, "array-title")
        assert opened.evaluate("window.hit") is None
        assert opened.evaluate("document.documentElement.scrollWidth <= 390")
        assert opened.complaints == []


def test_a_finding_has_its_fix_and_leads_to_its_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"attention/self/layer_00": np.eye(3)})
    rules = vizschema.validate(tmp_path / "a.npz", values=False).findings
    with viewed(tmp_path / "a.npz", tmp_path) as (opened, _):
        until(opened, "!document.getElementById('verdict').hidden")
        shown = words(opened, "findings")
        assert rules
        assert all(finding.rule in shown and finding.fix in shown for finding in rules)
        opened.evaluate("document.querySelector('#findings button:not(:disabled)').click()")
        until(opened, "document.querySelector('.map canvas')")
        assert words(opened, "array-title") == "/attention/self/layer_00"
        assert opened.complaints == []


def test_dropped_archives_are_judged_without_a_server(tmp_path: Path) -> None:
    for name in ("a.zarr", "a.zarr.zip", "a.npz", "a.h5", "a.asdf"):
        write_example("vit", tmp_path / name)
    save_file({"/outputs/logits": np.eye(3)}, tmp_path / "a.safetensors")
    with viewed(tmp_path / "a.zarr", tmp_path, name="site.html") as (opened, viewer):
        assert words(opened, "summary") == "Nothing is open."
        for path in sorted(tmp_path.glob("a.*")):
            drop(opened, path)
            until(opened, f"document.getElementById('name').textContent === '{path.name}'")
            until(opened, "!document.getElementById('verdict').hidden")
            profile = "trace" if path.suffix == ".safetensors" else "vit"
            words_before = "does not conform" if profile == "trace" else "structure conforms"
            found = f"{words_before}, by the profile {profile} of 1.0.0; values not read"
            assert words(opened, "verdict-words") == found, path
            if profile == "vit":
                chosen(opened, "attention/self/layer_00")
        (tmp_path / "b.txt").write_bytes(b"text")
        drop(opened, tmp_path / "b.txt")
        until(opened, "document.getElementById('summary').textContent.startsWith('This is not an archive')")
        assert opened.complaints == []
        assert not [url for url in opened.requests if "archive" in url.removeprefix(viewer.url)]


def drop(opened: Page, path: Path) -> None:
    """Drop a file or a folder onto the page."""
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        opened.call("Input.dispatchDragEvent", type=kind, x=40, y=40, data=data)
