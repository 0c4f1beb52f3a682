"""An object store on this machine: what S3, the XML interface of Google Cloud Storage and Azure answer to who reads.

Objects are in memory and put there by the program itself. Signatures are asked for, but not checked.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 1000
_MODIFIED = "Wed, 01 Jan 2025 00:00:00 GMT"


class Request(NamedTuple):
    """A request that was answered: its headers by names in lower case, and the bytes of the answer's body."""

    method: str
    path: str
    headers: Mapping[str, str]
    status: int
    bytes: int


class StoreServer(ThreadingHTTPServer):
    """Buckets by name, each of objects by key. Answers after `latency` seconds.

    Buckets and objects (`bucket/key`) in `public` need no signature; `regions` of buckets have to be signed for.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, latency: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.latency = latency
        self.buckets: dict[str, dict[str, bytes]] = {}
        self.public: set[str] = set()
        self.regions: dict[str, str] = {}
        self.lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget the requests so far."""
        self.requests: list[Request] = []
        self.at_once = self.running = 0

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Keep an object, in a bucket that is made where there is none."""
        self.buckets.setdefault(bucket, {})[key] = data


class _Handler(BaseHTTPRequestHandler):
    server: StoreServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body go out together

    def do_GET(self) -> None:
        """A whole object, a range of it, or a listing."""
        server = self.server
        with server.lock:
            server.running += 1
            server.at_once = max(server.at_once, server.running)
        time.sleep(server.latency)
        try:
            status, body, headers = self._found()
        finally:
            with server.lock:
                server.running -= 1
        headers_in = {name.lower(): value for name, value in self.headers.items()}
        with server.lock:
            server.requests.append(Request(self.command, self.path, headers_in, status, len(body)))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        """What `do_GET` answers, without the body."""
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""

    def _found(self) -> tuple[int, bytes, dict[str, str]]:
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        objects = self.server.buckets.get(bucket)
        if objects is None:
            return _error(404, "NoSuchBucket")
        region = self.server.regions.get(bucket, "")
        if region and f"/{region}/" not in self.headers.get("Authorization", ""):
            return 301, b"", {"x-amz-bucket-region": region}
        if "Authorization" not in self.headers and not {bucket, f"{bucket}/{key}"} & self.server.public:
            return _error(403, "AccessDenied")
        if query.get("comp") == "list":
            return 200, _azure_page(objects, query), {"Content-Type": "application/xml"}
        if not key:
            return 200, _page(bucket, objects, query), {"Content-Type": "application/xml"}
        if key not in objects:
            return _error(404, "NoSuchKey")
        return self._object(objects[key])

    def _object(self, data: bytes) -> tuple[int, bytes, dict[str, str]]:
        tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        headers = {"ETag": tag, "Last-Modified": _MODIFIED, "Accept-Ranges": "bytes"}
        if self.headers.get("If-Match", tag) not in (tag, "*"):
            return _error(412, "PreconditionFailed")
        if self.headers.get("If-None-Match") in (tag, "*"):
            return 304, b"", headers
        match = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", self.headers.get("Range", ""))
        if match is None:
            return 200, data, headers
        first, last = int(match[1]), min(int(match[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return _error(416, "InvalidRange")
        return 206, data[first : last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}


@contextmanager
def store_server(latency: float = 0) -> Iterator[StoreServer]:
    """An empty store, until the block ends."""
    server = StoreServer(latency)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _error(status: int, code: str) -> tuple[int, bytes, dict[str, str]]:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return status, body, {"Content-Type": "application/xml"}


def _listed(objects: Mapping[str, bytes], query: Mapping[str, str], after: str) -> tuple[list[tuple[str, int]], str]:
    """A page of keys and sizes, and the last key where more follow."""
    most = min(PAGE, int(query.get("max-keys", PAGE)))
    names = sorted(name for name in objects if name.startswith(query.get("prefix", "")) and name > after)
    page = [(name, len(objects[name])) for name in names[:most]]
    return page, names[most - 1] if len(names) > most else ""


def _page(bucket: str, objects: Mapping[str, bytes], query: Mapping[str, str]) -> bytes:
    page, last = _listed(objects, query, query.get("continuation-token", query.get("start-after", "")))
    items = "".join(
        f"<Contents><Key>{escape(name)}</Key><LastModified>2025-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;x&quot;</ETag><Size>{size}</Size></Contents>"
        for name, size in page
    )
    more = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if last else ""
    truncated = "true" if last else "false"
    return (
        f"<ListBucketResult><Name>{bucket}</Name><IsTruncated>{truncated}</IsTruncated>{more}{items}</ListBucketResult>"
    ).encode()


def _azure_page(objects: Mapping[str, bytes], query: Mapping[str, str]) -> bytes:
    page, last = _listed(objects, query, query.get("marker", ""))
    items = "".join(
        f"<Blob><Name>{escape(name)}</Name><Properties><Last-Modified>{_MODIFIED}</Last-Modified><Etag>x</Etag>"
        f"<Content-Length>{size}</Content-Length><Content-Type>x</Content-Type></Properties></Blob>"
        for name, size in page
    )
    return (
        f"<EnumerationResults><Blobs>{items}</Blobs><NextMarker>{escape(last)}</NextMarker></EnumerationResults>"
    ).encode()
