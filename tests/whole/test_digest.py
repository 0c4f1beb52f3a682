"""The digest of an archive: equal whatever holds it, different for whatever counts, an error where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import digest_vectors
from support.grids import GridValues, PlacedGridValues
from support.traces import CONTAINERS, METADATA, arrays, attributes

import vizschema
from vizschema import Array
from vizschema.bounds import MEMORY, Bounds, Reading
from vizschema.cli.main import main
from vizschema.containers.values import Values
from vizschema.description import Description, Node, array, complete, fault, group
from vizschema.digests import ENTRY, digest_of, values_digest_of
from vizschema.errors import Damaged, NoDigest, NotAnArchive, UsageError
from vizschema.rules import versions
from vizschema.scan.coverage import describe_scanned
from vizschema.scan.threads import scan

VECTORS = json.loads((versions.root() / "1.0.0" / "digest_vectors.json").read_bytes())
ROOT = {"/": {"created_at": "2026-11-21T09:00:00Z", "generator": "test 1"}}


class Memory:
    """A container in memory, as a `Container`."""

    def __init__(self, nodes: dict[str, Node], values: dict[str, Values]) -> None:
        self._nodes = nodes
        self._values = values

    def values(self, path: str) -> Values:
        return self._values[path]

    def described(self, jobs: int | None = None, memory: int = MEMORY) -> Description:
        reading = Reading(jobs, Bounds(memory))
        description = complete({"format": "npz"}, self._nodes)
        return describe_scanned(description, scan(self, description, [ENTRY], reading))  # type: ignore[arg-type]


def one_array(values: Any, chunk: Any, **bounds: Any) -> str:
    """The digest of a root with one array `/a`, in a grid of this chunk."""
    axes = [f"axis{number}" for number in range(values.ndim)]
    nodes = {"/": group({}), "/a": array(values.dtype.name, values.shape, axes, {}, None)}
    return digest_of(Memory(nodes, {"/a": PlacedGridValues(values, chunk)}).described(**bounds))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One trace in every container."""
    paths = {}
    for container, name in CONTAINERS.items():
        paths[container] = tmp_path_factory.mktemp(container) / name
        given = {**attributes(), **ROOT}
        vizschema.write(paths[container], arrays(), given, profile="trace", container=container)
    return paths


# What does not count


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_digest_is_the_same_in_every_container(written: dict[str, Path], container: str) -> None:
    assert vizschema.digest(written[container]) == vizschema.digest(written["zarr-v3"])


@pytest.mark.parametrize("container", ["zarr-v3", "hdf5", "npz"])
def test_the_digest_is_the_same_on_any_number_of_threads_in_any_memory_in_any_process(
    written: dict[str, Path], container: str
) -> None:
    found = vizschema.digest(written[container])
    assert vizschema.digest(written[container], jobs=1) == found
    assert vizschema.digest(written[container], jobs=5, memory=4 << 20) == found
    assert vizschema.digest(written[container], isolated=True) == found


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_the_digest_is_the_same_for_every_chunk_grid_and_memory(data: st.DataObject) -> None:
    values = np.random.default_rng(0).normal(size=(70, 60, 80)).astype("f4")  # 1.3 MB: two blocks
    chunk = tuple(data.draw(st.sampled_from([size, size // 2, size // 3])) for size in values.shape)
    memory = data.draw(st.sampled_from([4 << 20, 192 << 20]))
    jobs = data.draw(st.sampled_from([1, 3]))
    assert one_array(values, chunk, memory=memory, jobs=jobs) == one_array(values, values.shape)


def test_chunks_shards_codecs_and_consolidation_do_not_count(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(40, 30, 50)).astype("f4")

    def written(name: str, **cut: Any) -> str:
        item = Array(data, ["sample", "token", "hidden"], **cut)
        given = {"/metadata": METADATA, "/activations": {"num_layers": 1}, **ROOT}
        vizschema.write(tmp_path / name, {"/activations/layer_00": item}, given, profile="trace")
        return vizschema.digest(tmp_path / name)

    whole = written("whole.zarr")
    assert written("cut.zarr", chunks=[7, 30, 11]) == whole
    assert written("shards.zarr", chunks=[10, 30, 25], shards=[20, 30, 50]) == whole
    document = json.loads((tmp_path / "whole.zarr" / "zarr.json").read_bytes())
    del document["consolidated_metadata"]
    (tmp_path / "whole.zarr" / "zarr.json").write_text(json.dumps(document))
    assert vizschema.digest(tmp_path / "whole.zarr") == whole


def test_stray_files_do_not_count(written: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "trace.zarr"
    vizschema.write(path, arrays(), {**attributes(), **ROOT}, profile="trace")
    (path / ".DS_Store").write_bytes(b"\0")
    (path / "notes.txt").write_text("mine")
    assert vizschema.digest(path) == vizschema.digest(written["hdf5"])


# What counts


def changed(how: str) -> Description:
    """A description with values, changed in one way."""
    values = {"/a": np.arange(6, dtype="i4").reshape(2, 3), "/b": np.zeros(3, "f4")}
    axes = {"/a": ["x", "y"], "/b": ["y"]}
    notes: dict[str, dict[str, Any]] = {
        "/": {"created_at": "now", "complete": True},
        "/a": {"unit": "ångström", "n": 1},
    }
    rename = {path: path for path in ("/", "/g", "/a", "/b")}
    match how:
        case "value":
            values["/a"][1, 2] = 7
        case "minus zero":
            values["/b"][0] = -0.0
        case "dtype":
            values["/a"] = values["/a"].astype("u4")
        case "shape":
            values["/a"], axes["/a"] = values["/a"].reshape(3, 2), ["y", "x"]
        case "axis name":
            axes["/a"][0] = "z"
        case "axis role":
            axes["/a"][0] = "x:query"
        case "axis order":
            axes["/a"].reverse()
        case "attribute value":
            notes["/a"]["n"] = 2
        case "attribute type":
            notes["/a"]["n"] = "1"
        case "attribute list":
            notes["/a"]["n"] = [1]
        case "attribute name":
            notes["/a"]["m"] = notes["/a"].pop("n")
        case "attribute of the root":
            notes["/"]["complete"] = False
        case "attribute of another node":
            notes["/b"] = {"n": notes["/a"].pop("n")}
        case "path of an array":
            rename["/b"] = "/c"
        case "path of a group":
            rename["/g"] = "/h"
        case "paths exchanged":
            values["/a"], values["/b"], axes["/a"], axes["/b"] = values["/b"], values["/a"], axes["/b"], axes["/a"]
    nodes = {rename["/"]: group(notes["/"]), rename["/g"]: group({})}
    for path in ("/a", "/b"):
        item = values[path]
        nodes[rename[path]] = array(item.dtype.name, item.shape, axes[path], notes.get(path, {}), None)
    return Memory(nodes, {rename[path]: GridValues(values[path], values[path].shape) for path in values}).described()


CHANGES = (
    *("nothing", "value", "minus zero", "dtype", "shape", "axis name", "axis role", "axis order"),
    *("attribute value", "attribute type", "attribute list", "attribute name", "attribute of the root"),
    *("attribute of another node", "path of an array", "path of a group", "paths exchanged"),
)


def test_whatever_counts_changes_the_digest() -> None:
    digests = {how: digest_of(changed(how)) for how in CHANGES}
    assert len(set(digests.values())) == len(CHANGES), digests
    assert digest_of(changed("nothing")) == digests["nothing"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 8 * 4800 - 1))
def test_any_bit_of_any_value_changes_the_digest(bit: int) -> None:
    values = np.arange(1200, dtype="f4").reshape(20, 60)
    raw = bytearray(values.tobytes())
    raw[bit // 8] ^= 1 << bit % 8
    other = np.frombuffer(bytes(raw), "f4").reshape(20, 60)
    assert one_array(values, (7, 13)) != one_array(other, (7, 13))


def test_the_payload_of_a_nan_counts() -> None:
    one = np.array([0x7FC00000], "u4").view("f4")
    other = np.array([0x7FC00001], "u4").view("f4")
    assert one_array(one, (1,)) != one_array(other, (1,))


# The definition


@pytest.mark.parametrize("vector", VECTORS["archives"], ids=lambda vector: vector["name"])
def test_an_archive_has_the_digest_of_the_vectors(vector: dict[str, Any]) -> None:
    nodes: dict[str, Node] = {}
    for path, told in vector["nodes"].items():
        notes = digest_vectors.attributes_of(told["attributes"])
        if told["kind"] == "group":
            nodes[path] = group(notes)
            continue
        nodes[path] = array(told["dtype"], told["shape"], told["axes"], notes, None)
        nodes[path]["facts"] = {"values_hash": vector["expect"]["values"][path]}
    assert digest_of(complete({"format": "npz"}, nodes)) == vector["expect"]["digest"]
    assert values_digest_of(complete({"format": "npz"}, nodes)) == vector["expect"]["values_digest"]


def test_the_digest_of_values_is_the_same_where_only_attributes_differ(tmp_path: Path) -> None:
    arrays = {"/outputs/logits": vizschema.Array(np.eye(3), ["sample", "class"])}
    for name, more in {"a.zarr": {}, "b.npz": {"note": "x", "created_at": "2026-11-21T09:00:00Z"}}.items():
        given = {"/": more, "/metadata": {"model_name": name, "model_version": "1"}}
        vizschema.write(tmp_path / name, arrays, given, profile="trace")
    one, other = (vizschema.digest(tmp_path / name, values_only=True) for name in ("a.zarr", "b.npz"))
    assert one == other
    assert one.startswith("vz1-values:blake3:")
    assert vizschema.digest(tmp_path / "a.zarr") != vizschema.digest(tmp_path / "b.npz")
    arrays["/outputs/logits"] = vizschema.Array(np.eye(3), ["class", "sample"])
    given = {"/metadata": {"model_name": "m", "model_version": "1"}}
    vizschema.write(tmp_path / "c.npz", arrays, given, profile="trace")
    assert vizschema.digest(tmp_path / "c.npz", values_only=True) != one


def test_an_attribute_that_no_container_stores_leaves_the_digest_of_values(tmp_path: Path) -> None:
    path = odd_archive(tmp_path / "odd.zarr")
    assert vizschema.digest(path, values_only=True).startswith("vz1-values:blake3:")


def test_the_command_prints_the_digest_of_values(written: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["digest", str(written["npz"]), "--values", "--trust"]) == 0
    assert capsys.readouterr().out.split()[0] == vizschema.digest(written["npz"], values_only=True)


# Where there is none


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (fault("damaged", "cannot be opened"), "/x: expected a group or an array, found unreadable (damaged)"),
        (fault("external-link", "leads away"), "/x: expected a group or an array, found link (external-link)"),
        (array("string", [2], ["a"], {}, None), "/x: expected numbers, found string"),
        ({**group({}), "unsupported": {"odd": "compound"}}, "/x: attribute odd: expected a JSON value, found compound"),
        ({**group({}), "escaped": ["name"]}, "/x: expected printable names and texts, found something escaped in name"),
        (array("float32", [2], ["a"], {}, None), "/x: not all of its values were read"),
    ],
)
def test_an_archive_that_not_every_container_could_hold_has_no_digest(node: Node, words: str) -> None:
    with pytest.raises(NoDigest, match="it has no digest") as caught:
        digest_of(complete({"format": "npz"}, {"/": group({}), "/x": node}))
    assert words in str(caught.value)
    assert caught.value.exit_code == 1


def test_the_message_names_three_faults_and_counts_the_others() -> None:
    nodes = {"/": group({}), **{f"/x{number}": fault("damaged", "why") for number in range(5)}}
    with pytest.raises(NoDigest, match=r"/x2: .*; and 2 more\. Fix what `validate` reports"):
        digest_of(complete({"format": "npz"}, nodes))


def test_a_damaged_chunk_leaves_no_digest() -> None:
    nodes = {"/": group({}), "/a": array("float32", [4, 4], ["a", "b"], {}, None)}
    damaged = PlacedGridValues(np.zeros((4, 4), "f4"), (2, 4), damaged=frozenset({1}))
    with pytest.raises(Damaged, match=r"/a: cannot be read: chunk c/1: truncated: cut short"):
        digest_of(Memory(nodes, {"/a": damaged}).described())


def test_nothing_is_read_of_an_archive_without_a_digest(tmp_path: Path) -> None:
    path = odd_archive(tmp_path / "odd.zarr")
    with pytest.raises(NoDigest, match="attribute large"):
        vizschema.digest(path, progress=lambda total: pytest.fail(f"{total} bytes were about to be read"))


def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(NotAnArchive):
        vizschema.digest(tmp_path / "nothing.zarr")


# In a validation


@pytest.mark.parametrize("isolated", [False, True])
def test_a_validation_gives_the_digest_too(written: dict[str, Path], isolated: bool) -> None:
    path = written["hdf5"]
    report = vizschema.validate(path, digest=True, isolated=isolated)
    assert report.digest == vizschema.digest(path)
    assert report == replace(vizschema.validate(path, isolated=isolated), digest=report.digest)


def test_the_expected_digest_is_no_finding(written: dict[str, Path]) -> None:
    report = vizschema.validate(written["npz"], expect_digest=vizschema.digest(written["zarr-v2"]))
    assert report.conforms
    assert report.digest is not None


def test_another_digest_than_the_expected_one_is_an_error_that_shows_both(written: dict[str, Path]) -> None:
    expected = f"vz1:blake3:{'0' * 64}"
    report = vizschema.validate(written["npz"], expect_digest=expected)
    (finding,) = report.errors
    assert finding.rule == "expected-digest"
    assert finding.message == f"/: expected the digest {expected}, found {report.digest}"
    assert report.exit_code == 1


def odd_archive(path: Path) -> Path:
    """An archive with an attribute that only Zarr can hold."""
    vizschema.write(path, arrays(), attributes(), profile="trace")
    document = json.loads((path / "extra" / "zarr.json").read_bytes())
    document["attributes"] = {"large": ["x" * (1 << 20)]}
    (path / "extra" / "zarr.json").write_text(json.dumps(document))
    document = json.loads((path / "zarr.json").read_bytes())
    del document["consolidated_metadata"]
    (path / "zarr.json").write_text(json.dumps(document))
    return path


def test_an_archive_without_a_digest_is_reported_with_the_reason(tmp_path: Path) -> None:
    path = odd_archive(tmp_path / "odd.zarr")
    report = vizschema.validate(path, digest=True)
    assert report.digest is None
    assert any(
        note.startswith("it has no digest: /extra: attribute large: expected a JSON value") for note in report.notes
    )
    assert {finding.rule for finding in report.errors} == {"portable-attribute"}
    report = vizschema.validate(path, expect_digest=f"vz1:blake3:{'0' * 64}")
    assert {finding.rule for finding in report.errors} == {"portable-attribute", "expected-digest"}
    (finding,) = (finding for finding in report.errors if finding.rule == "expected-digest")
    assert "found none: it has no digest: /extra: attribute large" in finding.message


@pytest.mark.parametrize("text", ["", "vz1:blake3:0", f"vz1:sha256:{'0' * 64}", f"vz1:blake3:{'A' * 64}"])
def test_what_is_no_digest_cannot_be_expected(written: dict[str, Path], text: str) -> None:
    with pytest.raises(UsageError, match="expected a digest as `vizschema digest` prints it, vz1:blake3:"):
        vizschema.validate(written["npz"], expect_digest=text)


def test_a_digest_needs_the_values(written: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="a digest needs all values; remove --no-values"):
        vizschema.validate(written["npz"], digest=True, values=False)


# On the command line


def test_the_command_prints_a_line_for_each_archive(
    written: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(written["zarr-v3"]), str(tmp_path / "nothing"), str(odd_archive(tmp_path / "odd.zarr"))]
    assert main(["digest", *paths]) == 3
    out, err = capsys.readouterr()
    assert out == f"{vizschema.digest(written['hdf5'])}  {paths[0]}\n"
    assert f"vizschema: {paths[1]}: no such file or folder\n" in err
    assert f"vizschema: {paths[2]}: it has no digest: /extra: attribute large" in err
    assert main(["digest", paths[2]]) == 1


def test_validate_prints_the_digest_and_compares_it(
    written: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(written["asdf"])
    expected = vizschema.digest(path)
    assert main(["validate", path, "--digest"]) == 0
    assert f"\n  digest {expected}\n" in capsys.readouterr().out
    assert main(["validate", path, "--expect-digest", expected, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["archives"][0]["digest"] == expected
    assert main(["validate", path, "--expect-digest", f"vz1:blake3:{'0' * 64}"]) == 1
    assert f"found {expected}" in " ".join(capsys.readouterr().out.split())
    assert main(["validate", path, "--expect-digest", "sha256:0"]) == 2
