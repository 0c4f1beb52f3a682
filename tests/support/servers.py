"""A server on loopback for tests of remote archives: static HTTP, that counts and may misbehave."""

from __future__ import annotations

import mimetypes
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit


class Request(NamedTuple):
    """A request that a server got."""

    method: str
    path: str
    query: str
    range: str | None
    headers: dict[str, str]
    status: int
    length: int


Misbehave = Callable[["Handler"], bool]
"""Answers a request in its own way; false where the server shall answer as usual."""


class StaticServer(ThreadingHTTPServer):
    """The files of a folder; `requests` are those that were answered, `most_at_once` how many of them overlapped."""

    daemon_threads = True

    def __init__(self, root: Path, *, ranges: bool, delay: float, misbehave: Misbehave | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = root
        self.ranges = ranges
        self.delay = delay
        self.misbehave = misbehave
        self.requests: list[Request] = []
        self.most_at_once = 0
        self.running = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """GET of one file, or a range of it."""

    server: StaticServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.running += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.running)
        try:
            time.sleep(self.server.delay)
            if self.server.misbehave is None or not self.server.misbehave(self):
                self.answer_file()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.running -= 1

    def answer_file(self) -> None:
        path = self.server.root / unquote(urlsplit(self.path).path).lstrip("/")
        if not path.is_file():
            self.answer(404, b"nothing here")
            return
        data = path.read_bytes()
        kind = {"Content-Type": mimetypes.guess_type(path.name)[0] or "application/octet-stream"}
        match = re.fullmatch(r"bytes=([0-9]*)-([0-9]+)", self.headers.get("Range", ""))
        if match is None or not self.server.ranges:
            self.answer(200, data, kind)
            return
        first, last = int(match[1] or max(0, len(data) - int(match[2]))), len(data) - 1
        last = min(int(match[2]), last) if match[1] else last
        if first >= len(data):
            self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        else:
            self.answer(206, data[first : last + 1], {**kind, "Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Sends all of it; `headers` may lie about the length."""
        sent = {"Content-Length": str(len(body)), **(headers or {})}
        self.log(status, len(body))
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log(self, status: int, length: int) -> None:
        parts = urlsplit(self.path)
        request = Request("GET", parts.path, parts.query, self.headers.get("Range"), dict(self.headers), status, length)
        with self.server.lock:
            self.server.requests.append(request)

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def static(
    root: Path, *, ranges: bool = True, delay: float = 0, misbehave: Misbehave | None = None
) -> Iterator[StaticServer]:
    """A server of the files in `root`, until the block ends."""
    server = StaticServer(root, ranges=ranges, delay=delay, misbehave=misbehave)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
