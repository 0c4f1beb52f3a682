"""Archives in object stores: S3 as moto speaks it, and what fsspec keeps in memory. Requests are counted."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import fsspec
import numpy as np
import pytest
import s3fs
import traces
import zarr
from moto.s3.models import get_canned_acl, s3_backends
from servers import Handler, S3Server, StaticServer, s3, static

import vizschema
from vizschema.cli import main
from vizschema.conformance.benchmarks import remote as benchmark
from vizschema.containers import remote, remote_tree
from vizschema.containers.base import Limits
from vizschema.containers.remote_store import Patience

HASTY = Patience(connect=0.5, read=0.3, whole=0.6, rate=64 << 10, tries=2, pause=0.01)
SECRETS = ("AKIASECRETKEY", "very-secret")
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
def store(written: Path) -> Iterator[S3Server]:
    """S3 with everything that was written in the bucket `archives`."""
    with pytest.MonkeyPatch.context() as environment, s3() as server:
        environment.setenv("AWS_ENDPOINT_URL", server.url)
        environment.setenv("AWS_ACCESS_KEY_ID", SECRETS[0])
        environment.setenv("AWS_SECRET_ACCESS_KEY", SECRETS[1])
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        s3fs.S3FileSystem.clear_instance_cache()
        backend().create_bucket("archives", "us-east-1")
        for path in written.rglob("*"):
            if path.is_file():
                put(path.relative_to(written).as_posix(), path.read_bytes())
        yield server
        s3fs.S3FileSystem.clear_instance_cache()


def backend() -> Any:
    return s3_backends["123456789012"]["aws"]


def put(key: str, data: bytes) -> None:
    backend().put_object("archives", key, data)


def listings(server: S3Server) -> list[str]:
    return [path for _, path in server.requests if "list-type=2" in path]


@pytest.fixture
def counted(store: S3Server) -> S3Server:
    store.requests.clear()
    return store


@pytest.fixture
def unconsolidated(store: S3Server, written: Path) -> str:
    """The URL of the archive in Zarr v3, without its consolidated copy."""
    for path in (written / "zarr-v3/trace.zarr").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            if path.parent.name == "trace.zarr":
                document = json.loads(data)
                data = json.dumps({key: document[key] for key in document if key != "consolidated_metadata"}).encode()
            put(f"plain/{path.relative_to(written / 'zarr-v3').as_posix()}", data)
    store.requests.clear()
    return "s3://archives/plain/trace.zarr"


class TestDescribing:
    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("form", FORMS)
    def test_an_archive_is_the_same_here_and_there(self, written: Path, form: str) -> None:
        here, there = vizschema.describe(written / form), vizschema.describe(f"s3://archives/{form}")
        assert there["container"] == {**here["container"], "store": "remote"}
        assert {**there, "container": None} == {**here, "container": None}

    @pytest.mark.parametrize("form", FORMS)
    def test_describing_costs_at_most_three_requests_and_no_listing(self, counted: S3Server, form: str) -> None:
        assert not vizschema.validate(f"s3://archives/{form}", values=False).error
        assert len(counted.requests) <= 3
        assert not listings(counted)

    def test_an_unconsolidated_archive_is_listed_once_and_every_document_is_read_once(
        self, unconsolidated: str, counted: S3Server, written: Path
    ) -> None:
        there = vizschema.describe(unconsolidated)
        assert there["nodes"] == vizschema.describe(written / "zarr-v3/trace.zarr")["nodes"]
        assert there["container"]["consolidated"] is False
        assert len(listings(counted)) == 1
        documents = list((written / "zarr-v3/trace.zarr").rglob("zarr.json"))
        # And one look for the `.zmetadata` that is not there.
        assert len(counted.requests) == len(documents) + 2
        assert not [path for _, path in counted.requests if "/c" in path.removeprefix("/archives")]

    def test_a_listing_takes_as_many_pages_as_it_needs(self, counted: S3Server) -> None:
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
    def test_a_folder_above_is_said_to_be_one(self) -> None:
        error = vizschema.validate("s3://archives/zarr-v2").error
        assert "did you mean s3://archives/zarr-v2/trace.zarr?" in str(error)

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("url", ["s3://archives/nothing.zarr", "s3://archives/nothing.h5", "s3://no-bucket/x"])
    def test_nothing_there(self, url: str) -> None:
        report = vizschema.validate(url)
        assert report.exit_code == 3
        assert str(report.error) == f"{url}: nothing there (404): no file, and no Zarr metadata below it"

    @pytest.mark.usefixtures("store")
    def test_a_whole_bucket_may_be_an_archive(self) -> None:
        backend().create_bucket("whole", "us-east-1")
        backend().put_object("whole", "zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {"a": 1}}')
        assert vizschema.describe("s3://whole")["nodes"]["/"]["attributes"] == {"a": 1}

    @pytest.mark.usefixtures("store")
    def test_an_empty_document_is_a_finding(self) -> None:
        put("empty.zarr/zarr.json", b"")
        assert vizschema.describe("s3://archives/empty.zarr")["nodes"]["/"]["reason"] == "metadata-malformed"

    def test_documents_that_are_too_large_are_not_fetched(self, counted: S3Server) -> None:
        put("large.zarr/zarr.json", b'{"zarr_format": 3, "node_type": "group"}')
        put("large.zarr/a/zarr.json", b" " * 5000)
        node = vizschema.describe("s3://archives/large.zarr", limits=Limits(document_bytes=4096))["nodes"]["/a"]
        assert node["reason"] == "over-limit"
        assert not [path for _, path in counted.requests if path.endswith("/a/zarr.json")]


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

    def test_every_chunk_is_fetched_once(self, counted: S3Server) -> None:
        assert main(["validate", "s3://archives/zarr-v3/trace.zarr"]) == 0
        paths = [path for _, path in counted.requests]
        assert len(paths) == len(set(paths))
        assert len([path for path in paths if "/c" not in path.removeprefix("/archives")]) == 2

    def test_a_worker_lists_by_proxy(self, unconsolidated: str, counted: S3Server) -> None:
        assert main(["validate", unconsolidated]) == 0
        assert len(listings(counted)) == 1

    @pytest.mark.usefixtures("store")
    def test_a_large_shard_is_read_by_ranges(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vizschema.containers.remote_values.CHUNK", 1000)
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


class TestWithoutCredentials:
    def test_the_store_is_asked_anonymously(self, store: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
        backend().put_object_acl("archives", "zarr-v3/trace.zarr/zarr.json", get_canned_acl("public-read"))
        store.requests.clear()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            assert vizschema.validate("s3://archives/zarr-v3/trace.zarr", values=False).conforms
            assert len(store.requests) == 2
        finally:
            s3fs.S3FileSystem.clear_instance_cache()


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
                "its objects may not be listed (403): grant s3:ListBucket, or consolidate it",
            ),
            (lists_nothing, "its objects may not be listed (403)"),
            (refuse(403, "InvalidAccessKeyId"), "may not be listed (403)"),
            (refuse(400, "AuthorizationHeaderMalformed"), "the store answers with AuthorizationHeaderMalformed"),
            (refuse(400, "ExpiredToken"), "may not be listed (403)"),
            (refuse(503, "SlowDown"), "(tried 2 times)"),
            (refuse(500, "InternalError"), "(tried 2 times)"),
            (cut, "(tried 2 times)"),
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
        connect = remote.connect
        monkeypatch.setattr(remote, "connect", lambda url, *_: connect(url, HASTY))
        with static(tmp_path, misbehave=misbehave) as server:
            monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": server.url})
            assert main(["validate", "--trust", "s3://archives/run.zarr"]) == 3
        said = capsys.readouterr().out
        assert len(said.strip().splitlines()) == 1
        assert said.startswith("s3://archives/run.zarr")
        assert words in said
        assert not [secret for secret in SECRETS if secret in said]


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


def refuse_in_json(status: int, message: str) -> Callable[[Handler], bool]:
    def misbehave(handler: Handler) -> bool:
        body = json.dumps({"error": {"code": status, "message": message}}).encode()
        handler.answer(status, body, {"Content-Type": "application/json"})
        return True

    return misbehave


class TestGoogleCloud:
    """The few requests that gcsfs makes, answered as the JSON interface of Cloud Storage answers them."""

    @pytest.fixture
    def bucket(self, written: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StaticServer]:
        def answers(handler: Handler) -> bool:
            path, query = urlsplit(handler.path).path, parse_qs(urlsplit(handler.path).query)
            download = re.fullmatch(r"/download/storage/v1/b/bucket/o/(.+)", path)
            item = re.fullmatch(r"/storage/v1/b/bucket/o/(.+)", path)
            if download is not None:
                handler.path = f"/{download[1].replace('%2F', '/')}"
                return False
            if item is not None:
                file = written / unquote(item[1])
                body = {"name": unquote(item[1]), "size": str(file.stat().st_size)} if file.is_file() else None
                handler.answer(
                    404 if body is None else 200, json.dumps(body).encode(), {"Content-Type": "application/json"}
                )
                return True
            prefix = query["prefix"][0]
            files = [path for path in written.rglob("*") if path.is_file()]
            names = {path.relative_to(written).as_posix(): path.stat().st_size for path in files}
            items = [{"name": name, "size": str(size)} for name, size in names.items() if name.startswith(prefix)]
            handler.answer(200, json.dumps({"items": items}).encode(), {"Content-Type": "application/json"})
            return True

        with static(written, misbehave=answers) as server:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
            yield server

    @pytest.mark.parametrize("form", FORMS)
    def test_an_archive_is_the_same_here_and_there(self, written: Path, bucket: StaticServer, form: str) -> None:
        here, there = vizschema.describe(written / form), vizschema.describe(f"gs://bucket/{form}")
        assert there["container"] == {**here["container"], "store": "remote"}
        assert {**there, "container": None} == {**here, "container": None}
        # gcsfs asks twice at once for the size of a file.
        assert len(bucket.requests) <= (3 if form.endswith(".zarr") else 5)

    @pytest.mark.usefixtures("bucket")
    def test_values_are_validated(self) -> None:
        assert vizschema.validate("gs://bucket/zarr-v3/trace.zarr").verdict == "conforms"

    def test_an_unconsolidated_archive_is_listed_once(self, bucket: StaticServer, written: Path) -> None:
        (written / "zarr-v2/plain.zarr").mkdir(exist_ok=True)
        shutil.copytree(written / "zarr-v2/trace.zarr", written / "zarr-v2/plain.zarr", dirs_exist_ok=True)
        (written / "zarr-v2/plain.zarr/.zmetadata").unlink()
        here, there = (
            vizschema.describe(place) for place in (written / "zarr-v2/plain.zarr", "gs://bucket/zarr-v2/plain.zarr")
        )
        assert there["nodes"] == here["nodes"]
        assert len([request for request in bucket.requests if request.path.endswith("/o")]) == 1

    @pytest.mark.parametrize(
        ("misbehave", "words"),
        [
            (refuse_in_json(404, "no"), "nothing there (404)"),
            (refuse_in_json(403, "very-secret"), "may not be listed (403)"),
            (refuse_in_json(401, "very-secret"), "may not be listed (403)"),
            (refuse_in_json(400, "invalid very-secret"), "the connection fails (ValueError)"),
            (refuse_in_json(409, "very-secret"), "the store answers with 409"),
        ],
    )
    def test_the_archive_is_not_judged_and_one_sentence_says_why(
        self,
        tmp_path: Path,
        misbehave: Any,
        words: str,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        connect = remote.connect
        monkeypatch.setattr(remote, "connect", lambda url, *_: connect(url, HASTY))
        with static(tmp_path, misbehave=misbehave) as server:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
            assert main(["validate", "--trust", "gs://bucket/run.zarr"]) == 3
        said = capfd.readouterr()
        assert said.out.startswith("gs://bucket/run.zarr")
        assert words in said.out
        assert not [secret for secret in SECRETS if secret in said.out + said.err]


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
