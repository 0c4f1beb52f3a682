"""`vizschema view`: what a browser of this machine is served of one archive, and what nobody else is."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.viewing import pages
from vizschema.viewing.pages import PageFile, page_files
from vizschema.viewing.served import Served
from vizschema.viewing.server import CONNECTIONS, POLICY, Viewer

PAGE = {
    "index.html": PageFile(b"<!DOCTYPE html>", "text/html; charset=utf-8"),
    "main.js": PageFile(b"1", "text/javascript"),
}
SECRET = b"not of the archive"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive beside a secret, with links to it, a FIFO, and names that need escapes."""
    folder = tmp_path_factory.mktemp("view")
    (folder / "secret.txt").write_bytes(SECRET)
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "secret.txt").write_bytes(SECRET)
    path = folder / "run.zarr"
    write_example("trace", path)
    (path / "link.txt").symlink_to(folder / "secret.txt")
    (path / "linked").symlink_to(folder / "elsewhere")
    (path / "within").symlink_to("zarr.json")
    os.mkfifo(path / "fifo")
    (path / "a b%2e\u00e4").write_bytes(b"named")
    return path


def serving(path: Path) -> Iterator[Viewer]:
    served = Served(str(path))
    with Viewer(served, PAGE) as viewer:
        thread = threading.Thread(target=viewer.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield viewer
        viewer.shutdown()
        thread.join()
    served.close()


@pytest.fixture(scope="module")
def viewer(archive: Path) -> Iterator[Viewer]:
    yield from serving(archive)


@pytest.fixture(scope="module")
def file_viewer(archive: Path) -> Iterator[Viewer]:
    write_example("trace", archive.parent / "run.h5")
    yield from serving(archive.parent / "run.h5")


def asked(
    viewer: Viewer, target: str, headers: dict[str, str] | None = None, *, method: str = "GET", token: bool = True
) -> tuple[int, dict[str, str], bytes]:
    """(status, headers, body) of a request for exactly this target, below the token."""
    connection = http.client.HTTPConnection("127.0.0.1", viewer.server_port, timeout=20)
    try:
        connection.putrequest(method, f"/{viewer.token}{target}" if token else target, skip_host=True)
        for name, value in {"Host": f"127.0.0.1:{viewer.server_port}", **(headers or {})}.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


# What is served


def test_the_page_and_the_archive_are_served_behind_the_token(viewer: Viewer, archive: Path) -> None:
    assert viewer.server_address[0] == "127.0.0.1"
    assert len(viewer.token) >= 32
    status, headers, body = asked(viewer, "/")
    assert (status, body, headers["content-security-policy"]) == (200, b"<!DOCTYPE html>", POLICY)
    assert asked(viewer, "/main.js")[:1] == (200,)
    assert json.loads(asked(viewer, "/archive.json")[2]) == {"name": "run.zarr", "folder": True, "size": None}
    status, headers, body = asked(viewer, "/archive/zarr.json")
    assert (status, body) == (200, (archive / "zarr.json").read_bytes())
    assert (headers["content-type"], headers["content-security-policy"]) == ("application/octet-stream", "sandbox")
    assert asked(viewer, "/archive/a%20b%252e%C3%A4")[2] == b"named"
    listed = json.loads(asked(viewer, "/list/")[2])
    assert listed["files"]["zarr.json"] == (archive / "zarr.json").stat().st_size
    assert set(listed["folders"]) == {
        each.name for each in archive.iterdir() if each.is_dir() and not each.is_symlink()
    }
    assert not {"link.txt", "linked", "within", "fifo"} & {*listed["files"], *listed["folders"]}
    assert json.loads(asked(viewer, "/list/outputs/logits/c")[2])["whole"] is True


def test_a_file_is_served_in_ranges(file_viewer: Viewer, archive: Path) -> None:
    data = (archive.parent / "run.h5").read_bytes()
    size = len(data)
    assert json.loads(asked(file_viewer, "/archive.json")[2]) == {"name": "run.h5", "folder": False, "size": size}
    assert asked(file_viewer, "/archive")[2] == data
    for text, part in {"0-3": data[:4], "8-": data[8:], "-5": data[-5:], f"4-{size + 9}": data[4:]}.items():
        status, headers, body = asked(file_viewer, "/archive", {"Range": f"bytes={text}"})
        assert (status, body) == (206, part)
        first = size - len(part) if text == "-5" else int(text.partition("-")[0])
        assert headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{size}"
    status, headers, body = asked(file_viewer, "/archive", method="HEAD")
    assert (status, body, headers["content-length"], headers["accept-ranges"]) == (200, b"", str(size), "bytes")


@pytest.mark.parametrize("text", [f"bytes={10**17}-", "bytes=5-2", "bytes=-0"])
def test_a_range_without_a_byte_is_refused(text: str, file_viewer: Viewer) -> None:
    assert asked(file_viewer, "/archive", {"Range": text})[0] == 416


@pytest.mark.parametrize("text", ["bytes=0-1,3-4", "bytes=-", "items=0-1", "bytes=a-b", "bytes=0-" + "9" * 30])
def test_a_range_of_another_kind_is_the_whole_file(text: str, file_viewer: Viewer, archive: Path) -> None:
    status, _, body = asked(file_viewer, "/archive", {"Range": text})
    assert (status, body) == (200, (archive.parent / "run.h5").read_bytes())


# What is not


@pytest.mark.parametrize(
    "target",
    [
        "/archive/../secret.txt",
        "/archive/%2e%2e/secret.txt",
        "/archive/..%2fsecret.txt",
        "/archive/outputs/../../secret.txt",
        "/archive//etc/passwd",
        "/archive/%2fetc%2fpasswd",
        "/archive/./zarr.json",
        "/archive/zarr.json%00",
        "/archive/zarr.json/",
        "/archive/%ff",
        "/archive/link.txt",
        "/archive/linked/secret.txt",
        "/archive/within",
        "/archive/fifo",
        "/archive/outputs",
        "/archive/",
        "/archive",
        "/archive/" + "a/" * 100 + "b",
        "/archive/" + "a" * 5000,
        "/list/..",
        "/list/linked",
        "/list/linked/",
        "/list//outputs",
        "/list/%2e%2e/",
        "/list/zarr.json",
        "/../secret.txt",
        "/secret.txt",
        "/page/index.html",
        "",
    ],
)
def test_nothing_outside_the_archive_and_no_link_is_served(target: str, viewer: Viewer) -> None:
    status, headers, body = asked(viewer, target)
    assert (status, body) == (404, b"")
    assert "location" not in headers


@pytest.mark.parametrize("target", ["/", "/archive.json", "/archive/zarr.json", "/favicon.ico", "/wrong/archive.json"])
def test_without_the_token_there_is_nothing(target: str, viewer: Viewer) -> None:
    assert asked(viewer, target, token=False)[0] == 404
    assert asked(viewer, f"/{viewer.token[:-1]}{target}", token=False)[0] == 404
    assert asked(viewer, f"http://127.0.0.1:{viewer.server_port}/{viewer.token}/archive.json", token=False)[0] == 404


HOSTS = ("", "evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{}.evil.example", "0.0.0.0:{}")


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_that_was_bound_to_this_machine_is_refused(host: str, viewer: Viewer) -> None:
    assert asked(viewer, "/archive/zarr.json", {"Host": host.format(viewer.server_port)})[::2] == (403, b"")


def test_the_own_names_are_not(viewer: Viewer) -> None:
    own = f"http://localhost:{viewer.server_port}"
    headers = {"Host": own[7:], "Origin": own, "Sec-Fetch-Site": "same-origin"}
    assert asked(viewer, "/archive/zarr.json", headers)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_reads_nothing(headers: dict[str, str], viewer: Viewer) -> None:
    status, answered, body = asked(viewer, "/archive/zarr.json", headers)
    assert (status, body) == (403, b"")
    assert not any(name.startswith("access-control") for name in answered)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "PROPFIND"])
def test_get_is_all_that_there_is(method: str, viewer: Viewer) -> None:
    status, headers, _ = asked(viewer, "/archive.json", {"Origin": "https://evil.example"}, method=method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /{} HTTP/1.1\r\nHost: {}\r\nHost: {}\r\n\r\n",
        b"GET /{} HTTP/1.1\r\nHost: {}\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /{} HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /{}\r\nHost: {}\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET /{} HTTP/1.1\r\n" + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_a_request_that_is_malformed_ends_the_connection(raw: bytes, viewer: Viewer) -> None:
    with socket.create_connection(("127.0.0.1", viewer.server_port), timeout=20) as connection:
        host = f"127.0.0.1:{viewer.server_port}".encode()
        first, *rest = raw.split(b"{}")
        parts = [f"{viewer.token}/archive.json".encode(), *[host] * len(rest)]
        connection.sendall(first + b"".join(part + more for part, more in zip(parts, rest, strict=False)))
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    assert b" 200 " not in answer.partition(b"\r\n")[0]
    assert b"run.zarr" not in answer


def test_silent_connections_keep_nobody_out_for_long(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vizschema.viewing.server.IDLE", 0.2)
    silent = [socket.create_connection(("127.0.0.1", viewer.server_port)) for _ in range(CONNECTIONS + 8)]
    try:
        assert asked(viewer, "/archive.json")[0] == 200
    finally:
        for connection in silent:
            connection.close()


def test_an_archive_that_is_replaced_by_a_link_is_the_one_that_was_opened(tmp_path: Path) -> None:
    write_example("trace", tmp_path / "a.h5")
    data = (tmp_path / "a.h5").read_bytes()
    for viewer in serving(tmp_path / "a.h5"):
        (tmp_path / "a.h5").unlink()
        (tmp_path / "secret").write_bytes(SECRET)
        (tmp_path / "a.h5").symlink_to(tmp_path / "secret")
        assert asked(viewer, "/archive")[2] == data


# The command


def built(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "index.html").write_text("<!DOCTYPE html>")
    monkeypatch.setattr(pages, "FOLDER", folder)


def test_where_the_page_was_not_built_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(vizschema.UsageError, match=r"expected its built files .*found none.*npm run build"):
        page_files(tmp_path / "none")


@pytest.mark.parametrize(("path", "code"), [("none.zarr", 3), ("https://example.org/a.zarr", 2), (".", 3)])
def test_what_is_not_an_archive_of_this_machine_is_refused(
    path: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    monkeypatch.setattr("vizschema.viewing.pages.page_files", lambda: PAGE)
    assert main(["view", path, "--no-browser"]) == code
    assert "found a URL" in capsys.readouterr().err or code == 3


def test_the_command_prints_the_address_and_ends_with_ctrl_c(archive: Path) -> None:
    program = (
        "import sys; from vizschema.viewing import pages; from vizschema.cli.main import main;"
        "pages.page_files = lambda: {'index.html': pages.PageFile(b'x', 'text/html')};"
        f"sys.exit(main(['view', {str(archive)!r}, '--no-browser']))"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        connection: Any = http.client.HTTPConnection(address.split("/")[2], timeout=20)
        connection.request("GET", "/" + address.split("/", 3)[3])
        assert connection.getresponse().read() == b"x"
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()
