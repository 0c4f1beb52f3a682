"""A web server on this machine that knows ranges, waits before it answers, and counts; and a file that reads it."""

from __future__ import annotations

import http.client
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

LATENCY = 0.02
"""Seconds before every answer, about what an object store takes."""
BLOCK = 1 << 16
"""How much a reader of ranges fetches at least."""


class Counts:
    """Requests and bytes since they were last set to 0; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.bytes = 0

    def clear(self) -> None:
        """Set both to 0."""
        with self._lock:
            self.requests = self.bytes = 0

    def add(self, size: int) -> None:
        """One more request, answered with so many bytes."""
        with self._lock:
            self.requests += 1
            self.bytes += size


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, folder: Path, counts: Counts) -> None:
        self._folder, self._counts = folder, counts
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        time.sleep(LATENCY)
        path = self._folder / unquote(urlsplit(self.path).path).lstrip("/")
        if not path.is_file():
            self._counts.add(0)
            self.send_response(HTTPStatus.NOT_FOUND)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = path.stat().st_size
        begin, end = _range(self.headers.get("Range"), size)
        whole = (begin, end) == (0, size) and "Range" not in self.headers
        self.send_response(HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        if not whole:
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.end_headers()
        self._counts.add(end - begin if body else 0)
        if body:
            with path.open("rb") as file:
                file.seek(begin)
                self.wfile.write(file.read(end - begin))

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def _range(header: str | None, size: int) -> tuple[int, int]:
    if header is None:
        return 0, size
    first, _, last = header.removeprefix("bytes=").partition("-")
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(size, int(last) + 1) if last else size


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, Counts]]:
    """The URL of a server of `folder`, and what it counts."""
    counts = Counts()
    server = _Server(("127.0.0.1", 0), partial(_Handler, folder=folder, counts=counts))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", counts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Remote(io.RawIOBase):
    """A file behind a URL: one request a read, over one connection."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.netloc)
        self._connection.request("HEAD", self._path)
        response = self._connection.getresponse()
        response.read()
        self._size = int(response.headers["Content-Length"])
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        end = min(self._size, self._place + len(buffer))
        if end <= self._place:
            return 0
        self._connection.request("GET", self._path, headers={"Range": f"bytes={self._place}-{end - 1}"})
        content = self._connection.getresponse().read()
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)

    def close(self) -> None:
        self._connection.close()
        super().close()


def open_url(url: str) -> BinaryIO:
    """A file to read from, which fetches at least 64 KiB at a time and keeps the last of them."""
    return cast(BinaryIO, io.BufferedReader(_Remote(url), BLOCK))
