"""The files of the page, as they were built: read once, whole, and served by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from vizschema.errors import UsageError

FOLDER = Path(__file__).resolve().parents[1] / "page" / "built"
"""Where the page is built to."""

_KINDS: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
}


class PageFile(NamedTuple):
    """A file of the page and its media type."""

    data: bytes
    kind: str


def page_files(folder: Path | None = None) -> dict[str, PageFile]:
    """Return the files of the page in `folder` (None: `FOLDER`) by name; raise `UsageError` where it was not built."""
    folder = folder or FOLDER
    if not (folder / "index.html").is_file():
        raise UsageError(
            path="the page",
            expected="its built files in the package (vizschema/page/built)",
            found="none",
            fix="in a checkout, run `npm ci && npm run build` in vizschema/page (Node 20)",
        )
    files = [path for path in sorted(folder.iterdir()) if path.suffix in _KINDS and path.is_file()]
    return {path.name: PageFile(path.read_bytes(), _KINDS[path.suffix]) for path in files}
