"""safetensors: the header to nodes, what its library refuses, and what a checkpoint of other software is taken for."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file
from support import traces

import vizschema
from vizschema.conformance.corpus.hostile import safetensors as harmless
from vizschema.conformance.corpus.hostile.mutate import mutated
from vizschema.conformance.corpus.raw.safetensors import DOCUMENT, Tensor, headed, safetensors
from vizschema.containers.base import Limits
from vizschema.containers.opening import open_container
from vizschema.description import STORED_AS
from vizschema.report.options import Options
from vizschema.report.text import render

ONE = Tensor("F32", [2], np.arange(2, dtype="<f4").tobytes())
LATER = {"data_offsets": [4, 12]}
ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def described(folder: Path, raw: bytes, **limits: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `container` block and the nodes of a file."""
    path = folder / "a.safetensors"
    path.write_bytes(raw)
    description = vizschema.describe(path) if not limits else None
    if description is not None:
        return description["container"], description["nodes"]
    container = open_container(str(path), Limits(**limits))
    nodes = dict(container.nodes())
    container.close()
    return container.identity(), nodes


def told(**nodes: Any) -> dict[str, str]:
    """`__metadata__` with a document of these nodes."""
    return {DOCUMENT: json.dumps({"nodes": nodes})}


def fault_of(nodes: dict[str, Any], path: str = "/") -> str:
    return f"{nodes[path]['reason']}: {nodes[path]['detail']}"


class TestTree:
    def test_names_are_paths_with_or_without_the_first_slash(self, tmp_path: Path) -> None:
        _, nodes = described(tmp_path, safetensors({"/a/b": ONE, "a/c": ONE, "model.weight": ONE}))
        assert {path: node["kind"] for path, node in nodes.items()} == {
            **{"/": "group", "/a": "group"},
            **{"/a/b": "array", "/a/c": "array", "/model.weight": "array"},
        }

    def test_axes_and_attributes_come_from_the_document(self, tmp_path: Path) -> None:
        metadata = told(**{"/": {"kind": "group", "attributes": {"k": 1}}, "/a": {"kind": "array", "axes": ["x"]}})
        _, nodes = described(tmp_path, safetensors({"a": ONE}, {**metadata, "format": "pt"}))
        assert nodes["/"]["attributes"] == {"k": 1}
        assert nodes["/a"]["axes"] == ["x"]

    def test_without_the_document_texts_are_attributes_of_the_root(self, tmp_path: Path) -> None:
        _, nodes = described(tmp_path, safetensors({"a": ONE}, {"format": "pt"}))
        assert nodes["/"]["attributes"] == {"format": "pt"}
        assert nodes["/a"]["axes"] is None

    @pytest.mark.parametrize(
        ("nodes", "path", "fault"),
        [
            ({"/b": {"kind": "array"}}, "/b", "metadata-conflict: the node is an array in the text"),
            ({"/a": {"kind": "group"}}, "/a", "metadata-conflict: an array stands beside a group"),
            ({"/a": {"kind": "array", "axes": 1}}, "/a", "metadata-invalid: the axes of /a"),
            (
                {"/a": {"kind": "array", "new": 1}},
                "/a",
                "unsupported: the text vizschema of __metadata__ has the field new",
            ),
            ({"a": {"kind": "array"}}, "/", "metadata-invalid: the text vizschema of __metadata__ lists a"),
        ],
    )
    def test_a_document_that_does_not_fit_is_a_fault(
        self, nodes: dict[str, Any], path: str, fault: str, tmp_path: Path
    ) -> None:
        assert fault_of(described(tmp_path, safetensors({"a": ONE}, told(**nodes)))[1], path).startswith(fault)

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("{", "metadata-malformed: the text vizschema of __metadata__ is not JSON"),
            ('{"nodes": {}, "nodes": {}}', "metadata-malformed: the text vizschema of __metadata__ repeats the key"),
            ('{"nodes": ' + '{"/": ' * 40 + "1" + "}" * 41, "over-limit: the text vizschema of __metadata__ is nested"),
        ],
    )
    def test_a_document_that_is_none_is_a_fault_of_the_root(self, text: str, fault: str, tmp_path: Path) -> None:
        assert fault_of(described(tmp_path, safetensors({"a": ONE}, {DOCUMENT: text}))[1]).startswith(fault)

    @pytest.mark.parametrize(
        ("stored", "dtype"),
        [
            *(("F8_E4M3", "float8_e4m3fn"), ("F8_E5M2", "float8_e5m2"), ("F8_E8M0", "F8_E8M0")),
            *(("F8_E4M3FNUZ", "float8_e4m3fnuz"), ("F8_E5M2FNUZ", "float8_e5m2fnuz")),
        ],
    )
    def test_eight_bit_floats_have_the_names_of_ml_dtypes(self, stored: str, dtype: str, tmp_path: Path) -> None:
        _, nodes = described(tmp_path, safetensors({"a": Tensor(stored, [3], b"abc")}))
        assert (nodes["/a"]["dtype"], nodes["/a"]["bytes"]) == (dtype, 3)


def changed(entry: dict[str, Any]) -> bytes:
    """A file whose only tensor has these fields changed."""
    return headed(json.dumps({"a": {**ENTRY, **entry}}), bytes(8))


HEADERS: dict[str, tuple[bytes, str, str]] = {
    "no JSON": (headed('{"a": tru}'), "/", "metadata-malformed: the header is not JSON"),
    "repeated key": (headed(f'{{"a": {json.dumps(ENTRY)}, "a": {json.dumps(ENTRY)}}}'), "/", "metadata-malformed"),
    "longer than the file": (
        (99).to_bytes(8, "little") + b'{"a": 1}',
        "/",
        "metadata-malformed: the header is",
    ),
    "metadata": (headed('{"__metadata__": {"a": 1}}'), "/", "metadata-invalid: __metadata__ holds something else"),
    "one path twice": (safetensors({"a": ONE, "/a": ONE}), "/", "metadata-conflict: the header lists two tensors"),
    "no path": (safetensors({"a//b": ONE}), "/", "metadata-invalid: the header lists a//b, which is not a path"),
    "no name": (safetensors({"": ONE}), "/", "metadata-invalid: the header lists"),
    "no entry": (headed('{"a": 1}'), "/a", "metadata-invalid: the header does not give data_offsets, dtype, shape"),
    "a field more": (
        headed(json.dumps({"a": {**ENTRY, "b": 1}}), bytes(8)),
        "/a",
        "unsupported: the header has the field b",
    ),
    "data type": (changed({"dtype": "F4"}), "/a", "unsupported: the data type F4"),
    "negative": (
        headed(json.dumps({"a": {**ENTRY, "shape": [-2]}}), bytes(8)),
        "/a",
        "metadata-invalid: shape: expected",
    ),
    "minus zero": (
        headed('{"a": {"dtype": "F32", "shape": [2], "data_offsets": [-0, 8]}}', bytes(8)),
        "/",
        "metadata-invalid: the header has the number -0",
    ),
    "true": (
        headed(json.dumps({"a": {**ENTRY, "shape": [True]}}), bytes(8)),
        "/a",
        "metadata-invalid: shape: expected",
    ),
    "rank": (changed({"shape": [1] * 65}), "/a", "over-limit: the shape has 65"),
    "huge": (changed({"shape": [0, 2**62]}), "/a", "metadata-invalid: the shape"),
    "offsets": (
        headed(json.dumps({"a": {**ENTRY, "data_offsets": [0, 4]}}), bytes(8)),
        "/a",
        "metadata-invalid: data_off",
    ),
    "backwards": (
        headed(json.dumps({"a": {**ENTRY, "data_offsets": [8, 0]}}), bytes(8)),
        "/a",
        "metadata-invalid: data_off",
    ),
    "cut": (safetensors({"a": ONE})[:-1], "/a", "damaged: its values end at byte 8 behind the header, the file at 7"),
}
"""Headers that are wrong: the file, the node that shows it, and how this begins."""


@pytest.mark.parametrize("name", HEADERS)
def test_a_wrong_header_is_a_fault(name: str, tmp_path: Path) -> None:
    raw, path, fault = HEADERS[name]
    _, nodes = described(tmp_path, raw)
    assert fault_of(nodes, path).startswith(fault)
    assert vizschema.validate(tmp_path / "a.safetensors").exit_code == 1


@pytest.mark.parametrize("number", ["-0", "0.0", "0e0", "00", "+0", '"0"', "null", "false"])
def test_an_offset_that_the_library_refuses_is_a_fault(number: str, tmp_path: Path) -> None:
    described(tmp_path, headed(f'{{"a": {{"dtype": "F32", "shape": [2], "data_offsets": [{number}, 8]}}}}', bytes(8)))
    assert vizschema.validate(tmp_path / "a.safetensors").exit_code == 1
    with pytest.raises(SafetensorError):
        safe_open(str(tmp_path / "a.safetensors"), "numpy").__enter__()


def test_minus_zero_in_a_name_is_text(tmp_path: Path) -> None:
    _, nodes = described(tmp_path, safetensors({"-0": ONE}))
    assert nodes["/-0"]["kind"] == "array"


def test_a_header_larger_than_the_limit_is_not_read(tmp_path: Path) -> None:
    _, nodes = described(tmp_path, safetensors({"a": ONE}), consolidated_bytes=16)
    assert fault_of(nodes).startswith("over-limit: the header has ")


@pytest.mark.parametrize(
    ("entries", "size", "reading"),
    [
        ({"a": ENTRY}, 12, "bytes 8 to 12 behind the header belong to no tensor"),
        ({"a": {**ENTRY, **LATER}}, 12, "bytes 0 to 4 behind the header belong to no tensor"),
        (
            {"a": ENTRY, "b": {**ENTRY, **LATER}},
            12,
            "bytes 4 to 8 behind the header belong to two tensors",
        ),
        ({"a": ENTRY, "b": ENTRY}, 8, "bytes 0 to 8 behind the header belong to two tensors"),
    ],
)
def test_every_byte_belongs_to_one_tensor(entries: dict[str, Any], size: int, reading: str, tmp_path: Path) -> None:
    container, _ = described(tmp_path, headed(json.dumps(entries), bytes(size)))
    assert container["readings"] == [reading]
    with pytest.raises(SafetensorError):
        safe_open(str(tmp_path / "a.safetensors"), "numpy").__enter__()


def test_what_is_sound_here_its_library_reads(tmp_path: Path) -> None:
    raw = harmless.plain(tmp_path).read_bytes()
    sound = 0
    for number in range(1500):
        mutant = mutated(random.Random(number), raw)  # noqa: S311  (seeded, so that each mutant can be had again)
        try:
            container, nodes = described(tmp_path, mutant)
        except vizschema.NotAnArchive:
            continue
        if "readings" not in container and all(node["kind"] in ("group", "array") for node in nodes.values()):
            sound += 1
            with safe_open(str(tmp_path / "a.safetensors"), "numpy") as library:
                arrays = {path for path, node in nodes.items() if node["kind"] == "array"}
                assert {f"/{name.removeprefix('/')}" for name in library.keys()} == arrays  # noqa: SIM118
    assert sound > 50


def test_values_are_those_that_the_library_wrote(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dtypes = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32")
    given = {f"block.{name}": (rng.normal(size=(3, 5)) * 9).astype(name) for name in (*dtypes, "float64")}
    save_file(given, tmp_path / "a.safetensors", {"format": "np"})
    with vizschema.open(tmp_path / "a.safetensors") as archive:
        for name, values in given.items():
            assert archive[f"/{name}"].dtype == values.dtype
            assert archive[f"/{name}"][1:, ::2].tobytes() == values[1:, ::2].tobytes()


def test_a_checkpoint_is_an_archive_that_does_not_conform(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"layers.0.weight": np.ones((2, 3), np.float32)}, path, {"format": "pt"})
    report = vizschema.validate(path)
    assert (report.verdict, report.exit_code) == ("does not conform", 1)
    assert "(safetensors file)" in " ".join("".join(render([report], Options())).split())
    converted = vizschema.convert(path, tmp_path / "model.zarr")
    assert converted.digest == vizschema.digest(path) == vizschema.digest(tmp_path / "model.zarr")
    assert load_file(path)["layers.0.weight"].sum() == 6


def test_a_trace_conforms_and_has_the_digest_that_it_has_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    vizschema.write(tmp_path / "a.npz", traces.held(path, traces.arrays()), traces.attributes(), profile="trace")
    digest = vizschema.digest(tmp_path / "a.npz")
    traces.repacked(tmp_path / "a.npz", path)
    assert vizschema.validate(path).exit_code == 0
    assert vizschema.digest(path) == digest
    with vizschema.open(path) as archive:
        assert archive["/activations/gates"].dtype == ml_dtypes.bfloat16
    vizschema.convert(path, tmp_path / "b.h5")
    assert vizschema.digest(tmp_path / "b.h5") == digest


def test_what_is_written_is_read_by_the_library_of_the_format(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    given = traces.held(path, traces.arrays())
    vizschema.write(path, given, traces.attributes(), profile="trace")
    assert vizschema.validate(path).conforms
    with safe_open(path, "numpy") as file:
        assert set(file.keys()) == {name[1:] for name in given}
        for name, array in given.items():
            if np.asarray(array.data).dtype.name != "bfloat16":
                assert np.array_equal(file.get_tensor(name[1:]), array.data)


@pytest.mark.parametrize("name", STORED_AS)
def test_dtypes_that_numpy_lacks_are_written_under_their_names_or_as_bits(name: str, tmp_path: Path) -> None:
    values = np.array([0, 1, 7]).astype(getattr(ml_dtypes, name))
    given = {
        "/outputs/logits": vizschema.Array(np.eye(2), ["sample", "class"]),
        "/extra/x": vizschema.Array(values, ["x"]),
    }
    vizschema.write(tmp_path / "a.safetensors", given, {"/metadata": traces.METADATA}, profile="trace")
    with vizschema.open(tmp_path / "a.safetensors") as archive:
        assert (archive["/extra/x"].dtype, archive["/extra/x"][...].tobytes()) == (values.dtype, values.tobytes())
    converted = vizschema.convert(tmp_path / "a.safetensors", tmp_path / "a.h5")
    again = vizschema.convert(tmp_path / "a.h5", tmp_path / "b.safetensors")
    assert converted.digest == again.digest


def test_complex128_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    wave = {"/outputs/wave": vizschema.Array(np.ones(2, np.complex128), ["x"])}
    with pytest.raises(vizschema.UsageError, match="/outputs/wave: safetensors has no complex128; choose another"):
        vizschema.write(tmp_path / "a.safetensors", wave, {"/metadata": traces.METADATA}, profile="trace")
    vizschema.write(tmp_path / "a.npz", wave, {"/metadata": traces.METADATA}, profile="trace")
    with pytest.raises(vizschema.NotSupported, match="/outputs/wave"):
        vizschema.convert(tmp_path / "a.npz", tmp_path / "b.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
