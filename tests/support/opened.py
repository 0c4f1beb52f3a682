"""The page of archives in a browser, opened by its own server, by a URL, or by a drop."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from support.chromium import Page, page
from support.needed import built
from support.servers import StaticServer, static

from vizschema.viewing.pages import FOLDER, page_files
from vizschema.viewing.served import Served
from vizschema.viewing.server import Viewer


@contextmanager
def viewed(path: Path, *, width: int = 1200, name: str = "") -> Iterator[tuple[Page, Viewer]]:
    """The page of an archive, or another page of its server by `name`, once it has said what it is."""
    built(FOLDER / "index.html", "npm ci && npm run build in vizschema/page")
    served = Served(str(path))
    with Viewer(served, page_files()) as viewer, page() as opened:
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


def drop(opened: Page, path: Path) -> None:
    """Drop a file or a folder onto the page."""
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        opened.call("Input.dispatchDragEvent", type=kind, x=40, y=40, data=data)


@contextmanager
def hosted(root: Path, **how: Any) -> Iterator[tuple[Page, StaticServer]]:
    """A page of a browser, and a server that has the page for sites below /page/ and the files of `root`."""
    built(FOLDER / "index.html", "npm ci && npm run build in vizschema/page")
    shutil.copytree(FOLDER, root / "page")
    with static(root, **how) as server, page() as opened:
        yield opened, server


def link_of(server: StaticServer, url: str) -> str:
    """The link that opens a URL in the page of a server."""
    return f"{server.url}/page/site.html?{urlencode({'url': url})}"


def opened_by_url(opened: Page, server: StaticServer, url: str) -> str:
    """What the page says once it has opened a URL by a link."""
    opened.call("Page.navigate", url=link_of(server, url))
    until(opened, "document.getElementById('summary')?.textContent.match(/^(?!Opening|Nothing)./)")
    return words(opened, "summary")
