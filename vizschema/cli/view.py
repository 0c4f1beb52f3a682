"""`view`: the page and one archive, served to the browser of this machine until Ctrl-C."""

from __future__ import annotations

import sys
import threading
import webbrowser
from contextlib import closing, suppress

from vizschema.text import escape_text, local_path


def view(path: str, *, browser: bool) -> int:
    """Return 0 after Ctrl-C. Raises `NotAnArchive`, and `UsageError` for a URL or where the page was not built."""
    from vizschema.viewing.pages import page_files
    from vizschema.viewing.served import Served
    from vizschema.viewing.server import Viewer

    files = page_files()
    with closing(Served(local_path(path))) as served, Viewer(served, files) as viewer:
        print(viewer.url, flush=True)
        print(f"vizschema: serves {escape_text(served.name)} to this machine until Ctrl-C", file=sys.stderr)
        if browser:
            threading.Thread(target=webbrowser.open, args=(viewer.url,), daemon=True).start()
        with suppress(KeyboardInterrupt):
            viewer.serve_forever(poll_interval=0.1)
    return 0
