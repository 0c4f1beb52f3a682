"""The server of `view`: loopback, GET alone, behind a token; Host and Origin are checked, no other site reads anything.

/TOKEN/              the page, and its files beside it
/TOKEN/archive.json  the name of the archive, whether it is a folder, its size
/TOKEN/archive       the file, or /TOKEN/archive/KEY a file below the folder; with ranges
/TOKEN/list/KEY      the members of a folder
"""

from __future__ import annotations

import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

from vizschema.viewing.pages import PageFile
from vizschema.viewing.served import Opened, Served

HOST = "127.0.0.1"
CONNECTIONS = 32
"""Connections at a time; further ones wait."""

SECONDS = 30
"""How long a connection may take no byte of an answer."""

IDLE = 5
"""How long a connection may be silent before it has asked for anything, or for anything more."""

STEP = 1 << 20
"""Bytes that are sent at a time."""

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may do; what is of the archive may do nothing."""

_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)
_CONTENT = "application/octet-stream"


class Viewer(ThreadingHTTPServer):
    """A server of one archive and of the files of the page, on a free port."""

    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = 64

    def __init__(self, served: Served, page: Mapping[str, PageFile]) -> None:
        self.served = served
        self.page = page
        self.token = secrets.token_urlsafe(24)
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((HOST, 0), _Handler)
        self.hosts = frozenset(f"{name}:{self.server_port}" for name in (HOST, "localhost"))

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection on a thread of its own, once one is free."""
        self._free.acquire()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        self._free.release()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that its other end gave up."""
        import sys

        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Viewer
    protocol_version = "HTTP/1.1"
    server_version = "vizschema"
    sys_version = ""
    timeout = IDLE

    def handle_one_request(self) -> None:
        """Wait for a request, for a short time, and answer it."""
        self.connection.settimeout(IDLE)
        super().handle_one_request()

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Refuse what is not a request, or not one by GET, without a page about it."""
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code))

    def _answer(self) -> None:
        self.connection.settimeout(SECONDS)
        with_body = "Content-Length" in self.headers or "Transfer-Encoding" in self.headers
        if with_body or self.request_version == "HTTP/0.9":
            self._refuse(HTTPStatus.BAD_REQUEST)
            return
        if not self._allowed():
            self._refuse(HTTPStatus.FORBIDDEN)
            return
        target = self.path.partition("?")[0].partition("#")[0]
        token, slash, rest = target.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not (target.startswith("/") and slash and known):
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            steps = [unquote_to_bytes(step).decode() for step in rest.split("/")]
        except UnicodeDecodeError:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        self._route(steps, rest)

    def _allowed(self) -> bool:
        """Whether a request is for this server by its own name, and not by the page of another site."""
        hosts, origins = self.headers.get_all("Host", []), self.headers.get_all("Origin", [])
        own = [f"http://{host}" for host in hosts]
        site = self.headers.get("Sec-Fetch-Site", "none")
        named = len(hosts) == 1 and hosts[0].lower() in self.server.hosts
        return named and origins in ([], own) and site in ("none", "same-origin")

    def _route(self, steps: Sequence[str], rest: str) -> None:
        served = self.server.served
        if rest == "archive.json":
            self._send_json(served.about())
        elif steps[0] == "archive":
            self._send_opened(served.open(steps[1:]))
        elif steps[0] == "list":
            self._send_json(served.list(steps[1:-1] if steps[-1] == "" else steps[1:]))
        else:
            file = self.server.page.get(rest or "index.html")
            if file is None:
                self._refuse(HTTPStatus.NOT_FOUND)
            else:
                self._head(HTTPStatus.OK, len(file.data), {"Content-Type": file.kind}, POLICY)
                self._body(file.data)

    def _send_json(self, document: Any) -> None:
        if document is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        data = json.dumps(document).encode()
        self._head(HTTPStatus.OK, len(data), {"Content-Type": "application/json"})
        self._body(data)

    def _send_opened(self, opened: Opened | None) -> None:
        """Send a file, or the range of it that is asked for."""
        if opened is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        try:
            asked = self.headers.get("Range")
            ends = None if asked is None else _range(asked, opened.size)
            if ends == ():
                self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, {"Content-Range": f"bytes */{opened.size}"})
                return
            headers = {"Content-Type": _CONTENT, "Accept-Ranges": "bytes"}
            first, end = ends or (0, opened.size)
            if ends is not None:
                headers["Content-Range"] = f"bytes {first}-{end - 1}/{opened.size}"
            self._head(HTTPStatus.OK if ends is None else HTTPStatus.PARTIAL_CONTENT, end - first, headers)
            self._stream(opened.fd, first, end)
        finally:
            opened.close()

    def _stream(self, fd: int, first: int, end: int) -> None:
        while first < end and self.command != "HEAD":
            part = os.pread(fd, min(STEP, end - first), first)
            if not part:  # it is shorter now: the connection ends before what was promised
                self.close_connection = True
                return
            self.wfile.write(part)
            first += len(part)

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True
        allow = {"Allow": "GET, HEAD"} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        self._head(status, 0, allow)

    def _head(self, status: HTTPStatus, length: int, headers: Mapping[str, str], policy: str = "sandbox") -> None:
        self.send_response(status)
        sent = {"Content-Length": str(length), "Content-Security-Policy": policy, **_HEADERS, **headers}
        if self.close_connection:
            sent["Connection"] = "close"
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()

    def _body(self, data: bytes) -> None:
        if self.command != "HEAD":
            self.wfile.write(data)


def _range(asked: str, size: int) -> tuple[int, int] | tuple[()] | None:
    """The first byte of a range and the one behind its last; nothing where it has none; None to send everything."""
    match = _RANGE.fullmatch(asked.strip())
    if match is None or match[0] == "bytes=-":
        return None  # several ranges, or another unit: RFC 9110 lets a server send everything
    if not match[1]:
        first, end = max(0, size - int(match[2])), size
    else:
        first, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    return (first, end) if first < end else ()
