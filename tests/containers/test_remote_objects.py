"""Archives in object stores: S3, Google Cloud Storage, Azure, and what fsspec keeps in memory. Requests are counted."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from support import traces
from support.servers import Handler, static

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.benchmarks.engine import remote as benchmark
from vizschema.conformance.benchmarks.engine.store_server import StoreServer, store_server
from vizschema.containers import by_url
from vizschema.containers.base import Limits
from vizschema.containers.remote.store import Timeouts
from vizschema.containers.zarr import remote_tree

HASTY = Timeouts(connect=0.5, read=0.3, whole=0.6, rate=64 << 10, tries=2, pause=0.01)
SECRETS = ("AKIASECRETKEY", "very-secret")
Put = Callable[[str, bytes], None]
FORMS = ["zarr-v2/trace.zarr", "zarr-v3/trace.zarr", "zarr-v3/trace.zarr.zip", "hdf5/trace.h5", "plain.npz"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    for container, name in traces.CONTAINERS.items():
        (folder / container).mkdir()
        vizschema.write(
            folder / container / name, traces.arrays(), traces.attributes(), profile="trace", container=container
        )
    shutil.make_archive(str(folder / "zarr-v3/trace.zarr"), "zip", folder / "zarr-v3/trace.zarr")
    np.savez(folder / "plain.npz", **{"a/b": np.arange(6).reshape(2, 3)})
    return folder


@pytest.fixture(scope="module")
def store(written: Path) -> Iterator[StoreServer]:
    """S3 with everything that was written in the bucket `archives`."""
    with pytest.MonkeyPatch.context() as environment, store_server() as server:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        environment.setenv("AWS_ACCESS_KEY_ID", SECRETS[0])
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRETS[1])
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fill(server, written)
        yield server


def fill(server: StoreServer, folder: Path) -> None:
    """Puts every file below the folder into the bucket `archives`."""
    for path in folder.rglob("*"):
        if path.is_file():
            server.put("archives", path.relative_to(folder).as_posix(), path.read_bytes())


def listings(server: StoreServer) -> list[str]:
    return [request.path for request in server.requests if "list" in request.path.partition("?")[2]]


@pytest.fixture
def counted(store: StoreServer) -> StoreServer:
    store.clear()
    return store


@pytest.fixture
def put(store: StoreServer) -> Put:
    return lambda key, data: store.put("archives", key, data)


@pytest.fixture
def unconsolidated(store: StoreServer, written: Path) -> str:
    """The URL of the archive in Zarr v3, without its consolidated copy."""
    for path in (written / "zarr-v3/trace.zarr").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.parent.name == "trace.zarr":
                document = json.loads(data)
                data = json.dumps({key: document[key] for key in document if key != "consolidated_metadata"}).encode()
            store.put("archives", f"plain/{path.relative_to(written / 'zarr-v3').as_posix()}", data)
    store.clear()
    return "s3://archives/plain/trace.zarr"


def unlisted(form: str) -> dict[str, bool]:
    """What the container of an archive on the network says of the folders of its arrays."""
    return {"unlisted": True} if form.endswith(".zarr") else {}


class TestDescribing:
    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("form", FORMS)
    def test_an_archive_is_the_same_here_and_there(self, written: Path, form: str) -> None:
        here, there = vizschema.describe(written / form), vizschema.describe(f"s3://archives/{form}")
        assert there["container"] == {**here["container"], "store": "remote", **unlisted(form)}
        assert {**there, "container": None} == {**here, "container": None}

    @pytest.mark.parametrize("form", FORMS)
    def test_describing_costs_at_most_three_requests_and_no_listing(self, counted: StoreServer, form: str) -> None:
        assert not vizschema.validate(f"s3://archives/{form}", values=False).error
        assert len(counted.requests) <= 3
        assert not listings(counted)

    def test_an_unconsolidated_archive_is_listed_once_and_every_document_is_read_once(
        self, unconsolidated: str, counted: StoreServer, written: Path
    ) -> None:
        there = vizschema.describe(unconsolidated)
        assert there["nodes"] == vizschema.describe(written / "zarr-v3/trace.zarr")["nodes"]
        assert there["container"]["consolidated"] is False
        assert len(listings(counted)) == 1
        documents = list((written / "zarr-v3/trace.zarr").rglob("zarr.json"))
        # And one look for the `.zmetadata` that is not there.
        assert len(counted.requests) == len(documents) + 2
        assert not [request.path for request in counted.requests if "/c" in request.path.removeprefix("/archives")]

    def test_a_listing_takes_as_many_pages_as_it_needs(self, counted: StoreServer, put: Put) -> None:
        array = {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [1500],
            "data_type": "float32",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1]}},
            "chunk_key_encoding": {"name": "default"},
            "fill_value": 0,
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        }
        put("many.zarr/zarr.json", json.dumps({"zarr_format": 3, "node_type": "group"}).encode())
        put("many.zarr/a/zarr.json", json.dumps(array).encode())
        for index in range(1500):
            put(f"many.zarr/a/c/{index}", b"\0\0\0\0")
        assert vizschema.describe("s3://archives/many.zarr")["nodes"]["/a"]["shape"] == [1500]
        assert len(listings(counted)) == 2
        assert len(counted.requests) == 2 + 2 + 1

    @pytest.mark.usefixtures("store")
    def test_an_endpoint_that_is_no_url_is_wrong_usage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
        report = vizschema.validate("s3://archives/run.zarr")
        assert report.exit_code == 2
        assert "expected a URL with http:// or https:// in AWS_ENDPOINT_URL" in str(report.error)

    @pytest.mark.usefixtures("store")
    def test_a_folder_above_is_said_to_be_one(self) -> None:
        error = vizschema.validate("s3://archives/zarr-v2").error
        assert "did you mean s3://archives/zarr-v2/trace.zarr?" in str(error)

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("url", ["s3://archives/nothing.zarr", "s3://archives/nothing.h5", "s3://no-bucket/x"])
    def test_nothing_there(self, url: str) -> None:
        report = vizschema.validate(url)
        assert report.exit_code == 3
        assert str(report.error) == f"{url}: nothing there (404): no file, and no Zarr metadata below it"

    def test_a_whole_bucket_may_be_an_archive(self, store: StoreServer) -> None:
        store.put("whole", "zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {"a": 1}}')
        assert vizschema.describe("s3://whole")["nodes"]["/"]["attributes"] == {"a": 1}

    def test_an_empty_document_is_a_finding(self, put: Put) -> None:
        put("empty.zarr/zarr.json", b"")
        assert vizschema.describe("s3://archives/empty.zarr")["nodes"]["/"]["reason"] == "metadata-malformed"

    def test_documents_that_are_too_large_are_not_fetched(self, counted: StoreServer, put: Put) -> None:
        put("large.zarr/zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
        put("large.zarr/a/zarr.json", b" " * 5000)
        node = vizschema.describe("s3://archives/large.zarr", limits=Limits(document_bytes=4096))["nodes"]["/a"]
        assert node["reason"] == "over-limit"
        assert not [request.path for request in counted.requests if request.path.endswith("/a/zarr.json")]

    def test_a_bucket_in_another_region_is_found(self, store: StoreServer, written: Path) -> None:
        store.regions["archives"] = "eu-north-1"
        try:
            there = vizschema.describe("s3://archives/zarr-v3/trace.zarr")
        finally:
            store.regions.clear()
        assert there["nodes"] == vizschema.describe(written / "zarr-v3/trace.zarr")["nodes"]

    @pytest.mark.parametrize("name", ["a//b", "a/../b", "a/./b", "a\tb"])
    def test_a_name_that_cannot_be_asked_for_is_said(self, store: StoreServer, put: Put, name: str) -> None:
        put("odd/run.zarr/zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
        put(f"odd/run.zarr/{name}", b"")
        try:
            error = str(vizschema.validate("s3://archives/odd/run.zarr").error)
        finally:
            del store.buckets["archives"][f"odd/run.zarr/{name}"]
        assert error.startswith("s3://archives/odd/run.zarr: an object has an invalid name")

    def test_objects_that_stand_for_folders_are_none(self, put: Put) -> None:
        for root in ("plain", "marked"):
            put(f"{root}.zarr/zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
            put(f"{root}.zarr/a/zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
        for name in ("", "a/"):
            put(f"marked.zarr/{name}", b"")
        plain, marked = (vizschema.describe(f"s3://archives/{root}.zarr")["nodes"] for root in ("plain", "marked"))
        assert marked == plain


class TestValues:
    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize(
        ("form", "worker"), [(FORMS[0], True), (FORMS[1], False), (FORMS[2], False), (FORMS[3], True)]
    )
    def test_values_are_validated(self, form: str, worker: bool, capsys: pytest.CaptureFixture[str]) -> None:
        options = [] if worker else ["--trust"]
        assert main(["validate", "--format", "json", f"s3://archives/{form}", *options]) == 0
        said = capsys.readouterr()
        (report,) = json.loads(said.out)["archives"]
        assert report["values"] == "read"
        assert report["archive"] == f"s3://archives/{form}"
        assert not [secret for secret in SECRETS if secret in said.out + said.err]

    def test_every_chunk_is_fetched_once(self, counted: StoreServer) -> None:
        assert main(["validate", "s3://archives/zarr-v3/trace.zarr"]) == 0
        paths = [request.path for request in counted.requests]
        assert len(paths) == len(set(paths))
        assert len([path for path in paths if "/c" not in path.removeprefix("/archives")]) == 2

    def test_a_worker_lists_by_proxy(self, unconsolidated: str, counted: StoreServer) -> None:
        assert main(["validate", unconsolidated]) == 0
        assert len(listings(counted)) == 1

    def test_a_large_shard_is_read_by_ranges(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Put) -> None:
        monkeypatch.setattr("vizschema.containers.zarr.ahead.CHUNK", 1000)
        data = np.random.default_rng(0).random((64, 64))
        zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(8, 64), shards=(64, 64))
        for path in (tmp_path / "a.zarr").rglob("*"):
            if path.is_file():
                put(f"shard.zarr/{path.relative_to(tmp_path / 'a.zarr').as_posix()}", path.read_bytes())
        with vizschema.open("s3://archives/shard.zarr") as archive:
            assert np.array_equal(archive["/"][8:16], data[8:16])
        assert vizschema.validate("s3://archives/shard.zarr").coverage["chunks_read"] == 8

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("form", FORMS[:-1])
    def test_open_reads_lazily(self, form: str) -> None:
        expected = np.asarray(traces.arrays()["/activations/layer_01"].data)
        with vizschema.open(f"s3://archives/{form}") as archive:
            assert np.array_equal(archive["/activations/layer_01"][1, 2:4], expected[1, 2:4])


KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class TestWithoutCredentials:
    @pytest.fixture(autouse=True)
    def nobody(self, store: StoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in KEYS:
            monkeypatch.delenv(name)
        store.clear()

    def test_the_store_is_asked_anonymously(self, store: StoreServer) -> None:
        store.public.add("archives/zarr-v3/trace.zarr/zarr.json")
        assert vizschema.validate("s3://archives/zarr-v3/trace.zarr", values=False).conforms
        assert len(store.requests) == 2
        assert not [request for request in store.requests if "authorization" in request.headers]

    def test_what_is_not_public_is_denied(self) -> None:
        error = vizschema.validate("s3://archives/zarr-v2/trace.zarr").error
        assert "may not be listed (403)" in str(error)

    @pytest.mark.usefixtures("store")
    def test_a_profile_needs_boto3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "work")
        monkeypatch.setitem(sys.modules, "boto3", None)
        report = vizschema.validate("s3://archives/zarr-v3/trace.zarr")
        assert report.exit_code == 2
        assert str(report.error).startswith(
            "s3://archives/zarr-v3/trace.zarr: AWS_PROFILE needs boto3: install it, or set"
        )


def refuse(status: int, code: str) -> Callable[[Handler], bool]:
    def misbehave(handler: Handler) -> bool:
        body = f"<Error><Code>{code}</Code><Message>{SECRETS[0]} no</Message></Error>".encode()
        handler.answer(status, body, {"Content-Type": "application/xml"})
        return True

    return misbehave


def cut(handler: Handler) -> bool:
    handler.close_connection = True
    handler.answer(200, b"{", {"Content-Length": "1000"})
    return True


def huge(handler: Handler) -> bool:
    handler.close_connection = True
    handler.answer(200, b"{", {"Content-Length": str(1 << 50)})
    return True


def slow(handler: Handler) -> bool:
    time.sleep(1)
    return False


def another_range(handler: Handler) -> bool:
    """Metadata that is not there, and a file of which other bytes are sent than those that were asked for."""
    if handler.headers.get("Range") is None:
        return refuse(404, "NoSuchKey")(handler)
    changed = {"ETag": "x", "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}
    handler.answer(206, b"ab", {**changed, "Content-Range": "bytes 1-2/3"})
    return True


def longer(handler: Handler) -> bool:
    if handler.headers.get("Range") is None:
        return refuse(404, "NoSuchKey")(handler)
    handler.answer(206, b"a" * 100, {"Content-Range": "bytes 0-1/2"})
    return True


def no_listing(handler: Handler) -> bool:
    if "list-type" not in handler.path:
        return refuse(404, "NoSuchKey")(handler)
    handler.answer(200, b"<html>very-secret")
    return True


def lists_nothing(handler: Handler) -> bool:
    if "list-type" in handler.path:
        return refuse(403, "AccessDenied")(handler)
    return refuse(404, "NoSuchKey")(handler)


@pytest.mark.usefixtures("store")
class TestStoresThatMisbehave:
    @pytest.mark.parametrize(
        ("misbehave", "words"),
        [
            (
                refuse(403, "AccessDenied"),
                "its objects may not be listed (403): grant the right to list them, or consolidate it",
            ),
            (lists_nothing, "its objects may not be listed (403)"),
            (refuse(403, "InvalidAccessKeyId"), "may not be listed (403)"),
            (refuse(301, "PermanentRedirect"), "the bucket is in another region: set AWS_REGION to it"),
            (refuse(400, "AuthorizationHeaderMalformed"), "the store responds with AuthorizationHeaderMalformed"),
            (refuse(400, "ExpiredToken"), "the store responds with ExpiredToken"),
            (refuse(400, "RequestTimeout"), "the store responds with RequestTimeout (tried 2 times)"),
            (refuse(429, "<no code>"), "the store responds with status 429 (tried 2 times)"),
            (refuse(503, "SlowDown"), "(tried 2 times)"),
            (refuse(500, "InternalError"), "(tried 2 times)"),
            (cut, "the connection fails: connection closed (tried 2 times)"),
            (slow, "timeout (tried 2 times)"),
            (another_range, "the store responds with another byte range than requested"),
            (longer, "expected a response of 2 bytes, found 100 (tried 2 times)"),
            (no_listing, "the store responds with a malformed listing"),
            (huge, f"{1 << 50} bytes, more than is read of metadata"),
        ],
    )
    def test_the_archive_is_not_judged_and_one_sentence_says_why(
        self,
        tmp_path: Path,
        misbehave: Any,
        words: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        connect = by_url.connect
        monkeypatch.setattr(by_url, "connect", lambda url, *_: connect(url, HASTY))
        with static(tmp_path, misbehave=misbehave) as server:
            monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
            assert main(["validate", "--trust", "s3://archives/run.zarr"]) == 3
        said = capsys.readouterr().out
        assert len(said.strip().splitlines()) == 1
        assert said.startswith("s3://archives/run.zarr")
        assert words in said
        assert not [secret for secret in SECRETS if secret in said]


def test_a_listing_that_fails_once_is_asked_for_again(
    store: StoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def once(handler: Handler) -> bool:
        if "list-type" not in handler.path:
            return refuse(404, "NoSuchKey")(handler)
        asked.append(handler.path)
        if len(asked) == 1:
            return refuse(503, "SlowDown")(handler)
        handler.answer(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        return True

    connect = by_url.connect
    monkeypatch.setattr(by_url, "connect", lambda url, *_: connect(url, HASTY))
    with static(tmp_path, misbehave=once) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        assert "nothing there (404)" in str(vizschema.validate("s3://archives/run.zarr").error)
    assert len(asked) == 2


def test_settings_that_make_no_store_are_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "very-secret.json"))
    report = vizschema.validate("gs://archives/run.zarr")
    assert report.exit_code == 2
    assert str(report.error).endswith("the settings are not valid: check GOOGLE_APPLICATION_CREDENTIALS")


class TestListing:
    """What a listing shows is what a folder shows: through fsspec's memory, which needs no server."""

    @pytest.fixture
    def memory(self) -> Iterator[Any]:
        files = fsspec.filesystem("memory")
        yield files
        files.store.clear()

    @pytest.mark.parametrize(
        "name",
        [
            "published/vit_mnist_trace.zarr",
            "published/metadata_only_run.zarr",
            "published/1ubq_metadata_lost.zarr",
            "published/1ubq_metadata_restored.zarr",
        ],
    )
    def test_real_archives_are_the_same_here_and_there(self, real: Path, memory: Any, name: str) -> None:
        for path in (real / name).rglob("*"):
            if path.is_file() and path.name != ".zmetadata":
                memory.pipe(f"/x.zarr/{path.relative_to(real / name).as_posix()}", path.read_bytes())
        here, there = vizschema.describe(real / name), vizschema.describe("memory://x.zarr")
        assert there["nodes"] == here["nodes"]

    def test_odd_folders_are_the_same_here_and_there(self, tmp_path: Path, memory: Any) -> None:
        root = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
        for name in ("0", "c", "layer_00"):
            root.create_group(f"deep/{name}").create_array("x", data=np.arange(40.0), chunks=(1,))
        (tmp_path / "a.zarr/deep/layer_00/x/zarr.json").unlink()
        for index in range(40):
            (tmp_path / f"a.zarr/deep/note_{index:02}.txt").write_text("x")
        (tmp_path / "a.zarr/deep/empty.txt").write_text("")
        for path in (tmp_path / "a.zarr").rglob("*"):
            if path.is_file():
                memory.pipe(f"/a.zarr/{path.relative_to(tmp_path / 'a.zarr').as_posix()}", path.read_bytes())
        here, there = vizschema.describe(tmp_path / "a.zarr"), vizschema.describe("memory://a.zarr")
        assert there["nodes"] == here["nodes"]

    def test_folders_that_stand_for_another_place_are_not_entered(self) -> None:
        group = b'{"zarr_format": 3, "node_type": "group"}'
        tree = remote_tree.RemoteFolder()
        tree.documents["zarr.json"] = group
        for name in ("", "..", "fine"):
            tree.folders[name] = remote_tree.RemoteFolder()
            tree.folders[name].documents["zarr.json"] = group
        assert [(entry.name, entry.what) for entry in tree.entries()] == [
            ("", "damaged"),
            ("..", "damaged"),
            ("fine", "folder"),
            ("zarr.json", "file"),
        ]

    def test_millions_of_objects_are_not_listed(self, memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_tree, "LISTED", 3)
        for index in range(5):
            memory.pipe(f"/a.zarr/x/c/{index}", b"")
        error = vizschema.validate("memory://a.zarr").error
        assert str(error) == "memory://a.zarr: more than 3 objects: consolidate it, so that none is listed"

    def test_metadata_have_a_bound_in_all(self, memory: Any) -> None:
        for index in range(5):
            memory.pipe(f"/a.zarr/g{index}/zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
        with pytest.raises(vizschema.NotAnArchive, match="its metadata has 200 bytes, more than 150: consolidate it"):
            vizschema.describe("memory://a.zarr", limits=Limits(consolidated_bytes=150))

    def test_what_is_deeper_than_is_looked_at_is_a_finding(self, memory: Any) -> None:
        for depth in range(8):
            memory.pipe(f"/a.zarr/{'g/' * depth}zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
        nodes = vizschema.describe("memory://a.zarr", limits=Limits(path_depth=3))["nodes"]
        assert nodes["/g/g/g/g"]["reason"] == "over-limit"
        assert len(nodes) == 5


GOOGLE = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY")
AZURE = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": "dmVyeS1zZWNyZXQ="}


@pytest.mark.parametrize("scheme", ["gs", "az"])
class TestOtherStores:
    """Google Cloud Storage, asked anonymously, and Azure, asked with a key."""

    @pytest.fixture
    def bucket(
        self, scheme: str, written: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Iterator[StoreServer]:
        monkeypatch.setenv("HOME", str(tmp_path))
        for name in GOOGLE:
            monkeypatch.delenv(name, raising=False)
        with store_server() as server:
            fill(server, written)
            server.public.update({"archives"} if scheme == "gs" else {})
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url.removeprefix("http://"))
            for name, value in {**AZURE, "AZURE_STORAGE_ENDPOINT": server.url}.items():
                monkeypatch.setenv(name, value)
            yield server

    @pytest.mark.parametrize("form", FORMS)
    def test_an_archive_is_the_same_here_and_there(
        self, scheme: str, written: Path, bucket: StoreServer, form: str
    ) -> None:
        here, there = vizschema.describe(written / form), vizschema.describe(f"{scheme}://archives/{form}")
        assert there["container"] == {**here["container"], "store": "remote", **unlisted(form)}
        assert {**there, "container": None} == {**here, "container": None}
        assert len(bucket.requests) <= 3
        assert {"authorization" in request.headers for request in bucket.requests} == {scheme == "az"}

    @pytest.mark.usefixtures("bucket")
    def test_values_are_validated(self, scheme: str) -> None:
        assert vizschema.validate(f"{scheme}://archives/zarr-v3/trace.zarr").verdict == "conforms"

    def test_an_unconsolidated_archive_is_listed_once(self, scheme: str, bucket: StoreServer, written: Path) -> None:
        del bucket.buckets["archives"]["zarr-v2/trace.zarr/.zmetadata"]
        there = vizschema.describe(f"{scheme}://archives/zarr-v2/trace.zarr")
        assert there["nodes"] == vizschema.describe(written / "zarr-v2/trace.zarr")["nodes"]
        assert len(listings(bucket)) == 1

    @pytest.mark.usefixtures("bucket")
    @pytest.mark.parametrize("place", ["archives/nothing.zarr", "archives/nothing.h5", "nothing/x"])
    def test_nothing_there(self, scheme: str, place: str) -> None:
        assert "nothing there (404)" in str(vizschema.validate(f"{scheme}://{place}").error)

    @pytest.mark.parametrize(
        ("misbehave", "words"),
        [
            (refuse(403, "AccessDenied"), "may not be listed (403)"),
            (refuse(401, "AccessDenied"), "may not be listed (403)"),
            (refuse(409, "PublicAccessNotPermitted"), "the store responds with PublicAccessNotPermitted"),
            (refuse(503, "ServerBusy"), "the store responds with ServerBusy (tried 2 times)"),
            (another_range, "the store responds with another byte range than requested"),
        ],
    )
    @pytest.mark.usefixtures("bucket")
    def test_the_archive_is_not_judged_and_one_sentence_says_why(
        self,
        scheme: str,
        tmp_path: Path,
        misbehave: Any,
        words: str,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        connect = by_url.connect
        monkeypatch.setattr(by_url, "connect", lambda url, *_: connect(url, HASTY))
        with static(tmp_path, misbehave=misbehave) as server:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
            monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", server.url)
            assert main(["validate", "--trust", f"{scheme}://archives/run.zarr"]) == 3
        said = capfd.readouterr()
        assert said.out.startswith(f"{scheme}://archives/run.zarr")
        assert words in said.out
        assert not [secret for secret in (*SECRETS, "dmVyeS1z") if secret in said.out + said.err]


class TestBenchmark:
    def test_it_counts_what_describing_and_scanning_ask_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert benchmark.main(["--arrays", "3", "--latency", "0"]) == 0
        lines = capsys.readouterr().out.splitlines()
        found = {
            line[:26].strip(): [int(float(cell)) for cell in line[26:].split()]
            for line in lines
            if line.startswith(("zarr-v3", "zarr-v2"))
        }
        assert {
            form: (row[1], row[6]) for form, row in found.items() if form.startswith("zarr-v") and "zip" not in form
        } == {
            "zarr-v3": (2, 5),
            "zarr-v2": (2, 5),
            "zarr-v3, unconsolidated": (8, 11),
        }
