"""Archives on plain web servers: what they cost in requests, and what a server may do to us."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from support import traces
from support.servers import Handler, StaticServer, static

import vizschema
from vizschema.cli.main import main
from vizschema.containers import by_url
from vizschema.containers.remote import files, http
from vizschema.containers.remote.store import Missing, Refused, Timeouts
from vizschema.writer.forms.zarr_documents import consolidate

HASTY = Timeouts(connect=0.5, read=0.3, whole=0.6, rate=64 << 10, tries=2, pause=0.01)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the same trace in every container: `zarr-v2/trace.zarr`, `hdf5/trace.h5`, …"""
    folder = tmp_path_factory.mktemp("written")
    for container in traces.READABLE:
        (folder / container).mkdir()
        traces.written(folder / container, container)
    for container in ("zarr-v2", "zarr-v3"):
        shutil.make_archive(str(folder / container / "trace.zarr"), "zip", folder / container / "trace.zarr")
    np.savez(folder / "plain.npz", **{"a/b": np.arange(6).reshape(2, 3)})
    given = {"/activations/layer_00": traces.hidden()}
    vizschema.write(folder / "small.h5", given, {"/metadata": traces.METADATA}, profile="trace")
    return folder


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a server."""
    connect = by_url.connect
    monkeypatch.setattr(by_url, "connect", lambda url, *_: connect(url, HASTY))


@pytest.fixture
def server(written: Path) -> Iterator[StaticServer]:
    with static(written) as server:
        yield server


def trusted(url: str, *options: str) -> int:
    return main(["validate", "--trust", "--no-values", url, *options])


def error_of(url: str) -> str:
    """The message of an archive that cannot be judged."""
    report = vizschema.validate(url, values=False)
    assert report.exit_code == 3, report
    return str(report.error)


FORMS = [
    "zarr-v2/trace.zarr",
    "zarr-v3/trace.zarr",
    "zarr-v2/trace.zarr.zip",
    "zarr-v3/trace.zarr.zip",
    "hdf5/trace.h5",
]


def unlisted(form: str) -> dict[str, bool]:
    """What the container of an archive on the network says of the folders of its arrays."""
    return {"unlisted": True} if form.endswith(".zarr") else {}


class TestConverting:
    @pytest.mark.parametrize("form", [*FORMS, "npz/trace.npz", "asdf/trace.asdf", "safetensors/trace.safetensors"])
    def test_an_archive_is_converted_from_its_url(
        self, written: Path, server: StaticServer, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "trace.h5" if "hdf5" not in form else tmp_path / "trace.npz"
        assert main(["convert", f"{server.url}/{form}?X-Amz-Signature=SECRET", str(target)]) == 0
        assert vizschema.digest(target) == vizschema.digest(written / form)
        captured = capsys.readouterr()
        assert str(vizschema.digest(target)) in captured.out
        assert "SECRET" not in captured.out + captured.err

    @pytest.mark.usefixtures("hasty")
    def test_a_network_that_fails_leaves_nothing(self, written: Path, tmp_path: Path) -> None:
        def misbehave(handler: Handler) -> bool:
            if "/c/" in handler.path:
                handler.answer(500, b"")
                return True
            return False

        with static(written, misbehave=misbehave) as server:
            assert main(["convert", f"{server.url}/zarr-v3/trace.zarr", str(tmp_path / "trace.h5")]) == 3
        assert list(tmp_path.iterdir()) == []


class TestDescribing:
    @pytest.mark.parametrize("ranges", [True, False])
    @pytest.mark.parametrize("form", [*FORMS, "plain.npz", "safetensors/trace.safetensors"])
    def test_an_archive_is_the_same_here_and_there(self, written: Path, form: str, ranges: bool) -> None:
        here = vizschema.describe(written / form)
        with static(written, ranges=ranges) as server:
            there = vizschema.describe(f"{server.url}/{form}")
        assert there["container"] == {**here["container"], "store": "remote", **unlisted(form)}
        assert {**there, "container": None} == {**here, "container": None}

    @pytest.mark.parametrize("form", ["zarr-v2/trace.zarr", "zarr-v3/trace.zarr"])
    def test_a_consolidated_archive_costs_at_most_three_requests(self, server: StaticServer, form: str) -> None:
        report = vizschema.validate(f"{server.url}/{form}/", values=False)
        assert report.conforms
        assert len(server.requests) <= 3
        assert report.container["consolidated"] is True
        assert any("consolidated copy" in note and "trusted" in note for note in report.notes)
        assert any(note.startswith("stray files, and chunks under other keys") for note in report.notes)

    @pytest.mark.parametrize("form", ["small.h5", "zarr-v2/trace.zarr.zip", "plain.npz"])
    def test_a_small_file_costs_one_request(self, written: Path, server: StaticServer, form: str) -> None:
        assert (written / form).stat().st_size <= files.BLOCK
        assert not vizschema.validate(f"{server.url}/{form}", values=False).error
        assert [request.range for request in server.requests] == ["bytes=0-65535"]

    def test_a_query_goes_with_every_request_and_into_no_report(self, server: StaticServer) -> None:
        report = vizschema.validate(f"{server.url}/zarr-v3/trace.zarr?sig=a%2Bb", values=False)
        assert {request.query for request in server.requests} == {"sig=a%2Bb"}
        assert report.archive == f"{server.url}/zarr-v3/trace.zarr?***"

    @pytest.mark.parametrize("version", [2, 3])
    def test_a_single_array_needs_no_consolidated_copy(self, tmp_path: Path, version: Any) -> None:
        zarr.create_array(tmp_path / "a.zarr", shape=(4,), dtype="f4", zarr_format=version)
        with static(tmp_path) as server:
            assert vizschema.describe(f"{server.url}/a.zarr")["nodes"]["/"]["shape"] == [4]

    @pytest.mark.parametrize("version", [2, 3])
    def test_an_unconsolidated_archive_is_told_to_consolidate(self, tmp_path: Path, version: Any) -> None:
        zarr.create_group(tmp_path / "a.zarr", zarr_format=version).create_array("x", shape=(4,), dtype="f4")
        with static(tmp_path) as server:
            said = error_of(f"{server.url}/a.zarr")
        assert "without consolidated metadata, on a server that cannot list what it holds: consolidate it" in said

    def test_a_broken_copy_is_a_finding_at_the_root(self, tmp_path: Path) -> None:
        zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
        document = tmp_path / "a.zarr" / "zarr.json"
        document.write_text(json.dumps({**json.loads(document.read_text()), "consolidated_metadata": {"metadata": 1}}))
        with static(tmp_path) as server:
            node = vizschema.describe(f"{server.url}/a.zarr")["nodes"]["/"]
        assert node["reason"] == "metadata-invalid"

    def test_names_are_quoted_once(self, tmp_path: Path) -> None:
        root = zarr.create_group(tmp_path / "a b#1.zarr", zarr_format=3)
        root.create_array("ü %2e?", shape=(2,), dtype="i4")[:] = [1, 2]
        consolidate(tmp_path / "a b#1.zarr", 3)
        with static(tmp_path) as server, vizschema.open(f"{server.url}/a%20b%231.zarr") as archive:
            assert archive["/ü %2e?"][...].tolist() == [1, 2]


class TestValues:
    @pytest.mark.parametrize(
        ("form", "worker"), [*((form, False) for form in FORMS), (FORMS[1], True), (FORMS[-1], True)]
    )
    def test_values_are_validated(
        self, server: StaticServer, form: str, worker: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        options = [] if worker else ["--trust"]
        assert main(["validate", "--format", "json", f"{server.url}/{form}?sig=secret", *options]) == 0
        said = capsys.readouterr()
        (report,) = json.loads(said.out)["archives"]
        assert report["values"] == "read"
        assert "secret" not in said.out + said.err

    def test_a_consolidated_archive_costs_its_chunks_and_two_requests(self, server: StaticServer) -> None:
        assert main(["validate", f"{server.url}/zarr-v3/trace.zarr"]) == 0
        chunks = [request for request in server.requests if "/c" in request.path]
        assert len(server.requests) == len(chunks) + 2
        assert len({request.path for request in chunks}) == len(chunks)

    def test_chunks_are_fetched_many_at_a_time(self, tmp_path: Path) -> None:
        zarr.create_array(tmp_path / "a.zarr", data=np.arange(64.0), chunks=(1,))
        with static(tmp_path, delay=0.01) as server:
            main(["validate", "--jobs", "1", f"{server.url}/a.zarr"])
        assert server.most_at_once >= 8

    def test_a_chunk_that_is_missing_is_absent(self, tmp_path: Path, written: Path) -> None:
        shutil.copytree(written / "zarr-v3" / "trace.zarr", tmp_path / "a.zarr")
        (tmp_path / "a.zarr/activations/layer_00/c/0/0/0").unlink()
        with static(tmp_path) as server, vizschema.open(f"{server.url}/a.zarr") as archive:
            assert not archive["/activations/layer_00"][...].any()

    @pytest.mark.parametrize("form", FORMS)
    @pytest.mark.parametrize(
        "key",
        [..., 0, (slice(None), 1), (-1, slice(1, 4)), (0, slice(4, 0, -2)), slice(0, 0), (0, 2, 3), [1, 0]],
    )
    def test_open_reads_what_an_index_asks_for(self, server: StaticServer, form: str, key: Any) -> None:
        expected = np.asarray(traces.arrays()["/activations/layer_00"].data)
        with vizschema.open(f"{server.url}/{form}") as archive:
            found = archive["/activations/layer_00"][key]
        assert found.shape == expected[key].shape
        assert found.tolist() == expected[key].tolist()

    def test_open_fetches_no_other_chunk(self, server: StaticServer) -> None:
        with vizschema.open(f"{server.url}/zarr-v3/trace.zarr") as archive:
            assert archive["/attention/self/layer_00"][1, 2].shape == (5, 5)
        assert [request.path for request in server.requests if "/c/" in request.path] == [
            "/zarr-v3/trace.zarr/attention/self/layer_00/c/1/2/0/0"
        ]

    def test_an_index_out_of_bounds_is_said_to_be_one(self, server: StaticServer) -> None:
        with (
            vizschema.open(f"{server.url}/zarr-v3/trace.zarr") as archive,
            pytest.raises(IndexError, match="index 9 is out of bounds for axis 0 with size 2"),
        ):
            archive["/activations/layer_00"][9]

    def test_bfloat16_is_read(self, server: StaticServer) -> None:
        with vizschema.open(f"{server.url}/zarr-v3/trace.zarr") as archive:
            assert archive["/activations/gates"][...].dtype == "bfloat16"


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"no") -> Callable[[Handler], bool]:
    def misbehave(handler: Handler) -> bool:
        handler.answer(code, body, headers)
        return True

    return misbehave


def cut(handler: Handler) -> bool:
    handler.close_connection = True
    handler.answer(200, b"{", {"Content-Length": "1000"})
    return True


def drip(handler: Handler) -> bool:
    handler.log(200, 0)
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(12):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)
    handler.close_connection = True
    return True


def endless(handler: Handler) -> bool:
    """A body without a length that would never end."""
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    for _ in range(1 << 12):
        handler.wfile.write(b" " * (1 << 16))
    return True


def sleep(handler: Handler) -> bool:
    time.sleep(0.8)
    return False


def garbage(handler: Handler) -> bool:
    handler.wfile.write(b"\x00\xffnonsense\r\n\r\n")
    handler.close_connection = True
    return True


@pytest.mark.usefixtures("hasty")
class TestServersThatMisbehave:
    @pytest.mark.parametrize(
        ("misbehave", "words"),
        [
            (status(404), "nothing there (404): no file, and no Zarr metadata below it"),
            (status(410), "nothing there (404)"),
            (status(403), "access denied (403): check the credentials"),
            (status(401), "access denied (403): check the credentials"),
            (status(500), "the server responds with status 500 (tried 2 times)"),
            (status(503), "the server responds with status 503 (tried 2 times)"),
            (status(418), "the server responds with status 418"),
            (status(206, {"Content-Range": "bytes 5-6/100"}), "another byte range than requested"),
            (status(206, {"Content-Range": "nonsense"}), "another byte range than requested"),
            (status(200, {"Content-Encoding": "gzip"}), "compressed (Content-Encoding)"),
            (status(200, {"Content-Length": str(1 << 50)}), f"{1 << 50} bytes, more than"),
            (status(200, body=b"<html>gone</html>"), "expected a metadata document, found a web page"),
            (cut, "truncated response: shorter than its Content-Length (tried 2 times)"),
            (drip, "timeout (tried 2 times)"),
            (sleep, "timeout (tried 2 times)"),
            (garbage, "malformed HTTP"),
            (
                status(302, {"Location": "file:///etc/passwd"}),
                "redirects to file://, which is never followed from http",
            ),
            (status(302, {"Location": "s3://bucket/x"}), "redirects to s3://, which is never followed from http"),
            (status(302, {"Location": "http://169.254.169.254/x"}), "169.254.169.254, which is not a public address"),
            (status(302, {"Location": "http://[::1]/x"}), "::1, which is not a public address"),
            *(
                (status(302, {"Location": f"http://[{address}]/x"}), f"{address}, which is not a public address")
                for address in (
                    "64:ff9b::a00:1",
                    "64:ff9b:1::a9fe:a9fe",
                    "2002:7f00:1::",
                    "::ffff:10.0.0.1",
                    "::7f00:1",
                )
            ),
            (status(302, {"Location": "http://localhost:1/x?sig=secret"}), "localhost, which is not a public address"),
            (status(302, {}), "redirects to an invalid URL"),
            (status(302, {"Location": "http://[bad/x"}), "redirects to an invalid URL"),
            (status(307, {"Location": "/again"}), "more than 5 redirects"),
        ],
    )
    def test_the_archive_is_not_judged_and_one_sentence_says_why(
        self, tmp_path: Path, misbehave: Any, words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with static(tmp_path, misbehave=misbehave) as server:
            code = trusted(f"{server.url}/run.zarr?sig=secret")
        said = capsys.readouterr().out
        assert code == 3
        assert len(said.strip().splitlines()) == 1
        assert said.startswith(f"{server.url}/run.zarr")
        assert words in said
        assert "secret" not in said

    def test_no_more_is_read_of_a_body_without_end_than_was_asked_for(self, tmp_path: Path) -> None:
        limits = vizschema.containers.base.Limits(consolidated_bytes=1 << 20)
        with (
            static(tmp_path, misbehave=endless) as server,
            pytest.raises(vizschema.NotAnArchive, match="more than is read"),
        ):
            vizschema.describe(f"{server.url}/run.zarr", limits=limits)

    def test_an_object_that_changes_between_ranges_is_not_read_as_a_mix(self) -> None:
        transport = http.HttpTransport("http://example.org/run.npz", HASTY)

        class Response:
            def __init__(self, status: int, tag: str) -> None:
                self.status, self.headers = status, {"ETag": tag}

        transport._require_unchanged("", Response(206, '"a"'), 0)  # type: ignore[arg-type]
        transport._require_unchanged("", Response(206, '"a"'), 10)  # type: ignore[arg-type]
        transport._require_unchanged("", Response(206, 'W/"b"'), 10)  # type: ignore[arg-type]
        for changed in (Response(206, '"b"'), Response(412, "")):
            with pytest.raises(Refused, match="it changed while it was read"):
                transport._require_unchanged("", changed, 20)  # type: ignore[arg-type]
        assert transport._tags == {"": '"a"'}

    def test_nobody_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        said = error_of(f"http://user:secret@127.0.0.1:{port}/run.zarr")
        assert said.startswith(f"http://***@127.0.0.1:{port}/run.zarr")
        assert "cannot be reached" in said

    def test_no_such_host(self) -> None:
        assert "cannot be reached" in error_of("http://nowhere.invalid/run.zarr")

    def test_https_to_http_is_not_followed(self) -> None:
        transport = http.HttpTransport("https://host/run.zarr", HASTY)
        with pytest.raises(http.Refused, match="from https to http"):
            transport._next(http._parsed("https://host/a"), "http://host/a")

    def test_no_key_leaves_the_archive(self, written: Path) -> None:
        with static(written) as server:
            connected = by_url.connect(f"{server.url}/zarr-v3/trace.zarr")
            assert connected.fetch("../../plain.npz", None, 1 << 20) is Missing.ABSENT
            assert not server.requests

    def test_a_redirect_on_the_same_server_is_followed(self, written: Path) -> None:
        def moved(handler: Handler) -> bool:
            if not handler.path.startswith("/old/"):
                return False
            handler.answer(302, b"", {"Location": handler.path.replace("/old/", "/zarr-v3/")})
            return True

        with static(written, misbehave=moved) as server:
            assert vizschema.validate(f"{server.url}/old/trace.zarr", values=False).conforms

    def test_credentials_stay_with_the_server_that_was_named(
        self, written: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(http, "_is_public", lambda _: True)
        with static(written) as other:

            def moved(handler: Handler) -> bool:
                handler.answer(302, b"", {"Location": f"{other.url}{handler.path}"})
                return True

            with static(written, misbehave=moved) as named:
                url = named.url.replace("://", "://me:secret@")
                assert vizschema.validate(f"{url}/zarr-v3/trace.zarr", values=False).conforms
        assert all("Authorization" in request.headers for request in named.requests)
        assert not any("Authorization" in request.headers for request in other.requests)

    def test_one_failure_is_not_the_end(self, written: Path) -> None:
        failed: list[str] = []

        def fails_once(handler: Handler) -> bool:
            if handler.path in failed:
                return False
            failed.append(handler.path)
            handler.answer(503, b"")
            return True

        with static(written, misbehave=fails_once) as server:
            assert vizschema.validate(f"{server.url}/zarr-v3/trace.zarr", values=False).conforms

    @pytest.mark.parametrize("worker", [True, False])
    @pytest.mark.parametrize("form", ["hdf5/trace.h5", "zarr-v3/trace.zarr", "zarr-v3/trace.zarr.zip"])
    def test_a_network_that_fails_later_is_no_damage(
        self, tmp_path: Path, form: str, worker: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        big = {f"/activations/layer_{index:02}": traces.hidden(index, tokens=9000) for index in range(4)}
        name = form.rpartition("/")[2].removesuffix(".zip")
        vizschema.write(tmp_path / name, big, {"/metadata": traces.METADATA}, profile="trace")
        if form.endswith(".zip"):
            shutil.make_archive(str(tmp_path / name), "zip", tmp_path / name)
        count = iter(range(1000))

        def fails(handler: Handler) -> bool:
            if next(count) < 3:
                return False
            handler.answer(500, b"")
            return True

        with static(tmp_path, misbehave=fails) as server:
            code = main(["validate", f"{server.url}/{form.rpartition('/')[2]}", *([] if worker else ["--trust"])])
        assert code == 3
        assert "the server responds with status 500" in capsys.readouterr().out

    def test_a_denied_chunk_is_no_absent_chunk(self, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
        def denies(handler: Handler) -> bool:
            if "/c/" not in handler.path:
                return False
            handler.answer(403, b"")
            return True

        with static(written, misbehave=denies) as server:
            assert main(["validate", f"{server.url}/zarr-v3/trace.zarr"]) == 3
        assert "a chunk that was never written looks like one that may not be read" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"", "an empty file"),
            (b"<html>hello</html>", "a web page, not an archive; fetch the file itself"),
            (
                b"\x80\x04\x95pickle",
                "a Python pickle, which is never read",
            ),
        ],
    )
    def test_a_file_that_is_none(self, tmp_path: Path, body: bytes, words: str) -> None:
        (tmp_path / "x.h5").write_bytes(body)
        with static(tmp_path) as server:
            assert error_of(f"{server.url}/x.h5").startswith(f"{server.url}/x.h5: {words}")

    def test_a_truncated_file_is_none(self, tmp_path: Path, written: Path) -> None:
        whole = (written / "hdf5/trace.h5").read_bytes()
        (tmp_path / "x.h5").write_bytes(whole[: len(whole) // 2])
        with static(tmp_path) as server:
            assert "an HDF5 file that cannot be opened" in error_of(f"{server.url}/x.h5")

    def test_a_large_file_needs_ranges(self, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "BLOCK", 100)
        monkeypatch.setattr(files, "WHOLE", 1000)
        with static(written, ranges=False) as server:
            assert "the server does not support byte ranges" in error_of(f"{server.url}/hdf5/trace.h5")


class TestRanges:
    def ranges(self, server: StaticServer, name: str) -> files.RemoteRanges:
        found = files.open_ranges(by_url.connect(f"{server.url}/{name}"), "")
        assert isinstance(found, files.RemoteRanges)
        return found

    def test_every_range_is_right_whatever_is_cached(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "BLOCK", 64)
        monkeypatch.setattr(files, "KEPT", 4)
        monkeypatch.setattr(files, "LARGE", 500)
        data = np.random.default_rng(0).bytes(3000)
        (tmp_path / "f").write_bytes(data)
        with static(tmp_path) as server:
            file = self.ranges(server, "f")
            for start in range(0, 3100, 297):
                for length in (0, 1, 64, 65, 300, 600):
                    assert file.read(start, length) == data[start : start + length]
            assert len(file._blocks) <= 4

    def test_reads_that_follow_one_another_take_ever_more_at_once(self, tmp_path: Path) -> None:
        size = 64 * files.BLOCK
        (tmp_path / "f").write_bytes(bytes(size))
        with static(tmp_path) as server:
            file = self.ranges(server, "f")
            for start in range(0, size, 1000):
                file.read(start, 1000)
        assert len(server.requests) <= 8

    def test_threads_may_share_a_file(self, tmp_path: Path) -> None:
        data = np.random.default_rng(0).bytes(1 << 20)
        (tmp_path / "f").write_bytes(data)
        wrong: list[int] = []
        with static(tmp_path) as server:
            file = self.ranges(server, "f")

            def read(seed: int) -> None:
                for start in np.random.default_rng(seed).integers(0, 1 << 20, 40).tolist():
                    if file.read(start, 999) != data[start : start + 999]:
                        wrong.append(start)

            threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert not wrong
