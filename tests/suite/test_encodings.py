"""Encodings: rows that cover every pair, files that are what their levels say to other libraries, values that flip."""

from __future__ import annotations

import ast
import io
import itertools
import json
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import asdf
import h5py
import numpy as np
import pytest
import safetensors.numpy
import tensorstore
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vizschema.conformance import encodings
from vizschema.conformance.corpus.cases import FOLDER, TOPIC, corpus
from vizschema.conformance.corpus.encodings import contents
from vizschema.conformance.corpus.encodings.cutting import absent_of, chunk_of, cut, places
from vizschema.conformance.corpus.encodings.spoiling import spoiled
from vizschema.conformance.corpus.encodings.table import FACTORS, LEAST, missing, plain, rows, settled
from vizschema.conformance.corpus.encodings.writing import WRITERS
from vizschema.conformance.corpus.encodings.zarr2 import is_coarse
from vizschema.conformance.corpus.raw import SUFFIXES, scratch
from vizschema.conformance.harness.roles import Item, check, prepare
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.subjects import InProcess
from vizschema.errors import UsageError

CASES = [case for case in corpus() if case.rule == TOPIC]
LAYER = "/attention/self/layer_00"


def written(folder: str, container: str, encoding: Any, number: int, content: str = "right") -> tuple[Path, Any]:
    """An archive in an encoding, and its nodes."""
    path = Path(folder) / f"a{SUFFIXES[container]}"
    nodes = contents.nodes(content, container, encoding, number)
    WRITERS[container](path, nodes, encoding)
    return path, nodes


@pytest.mark.parametrize("container", FACTORS)
def test_the_frozen_rows_cover_every_pair_of_levels(container: str) -> None:
    frozen = json.loads((FOLDER / "1.0.0/encodings" / f"{container}.json").read_text("utf-8"))
    made = [row["encoding"] for row in frozen["rows"]]
    assert frozen["factors"] == {factor: list(levels) for factor, levels in FACTORS[container].items()}
    assert missing(container, made) == set()
    assert made[0] == plain(container)
    assert all(settled(container, row) == row for row in made)
    assert {(factor, level) for row in made for factor, level in row.items()} == {
        (factor, level) for factor, levels in FACTORS[container].items() for level in levels
    }
    assert missing(container, made[:1])
    assert all(
        sum(row[factor] == level for row in made) >= LEAST
        for factor, levels in FACTORS[container].items()
        for level in levels
    )


def test_filters_that_lose_something_are_given_values_that_they_keep() -> None:
    row = {**plain("zarr-v2"), "filters": "offset"}
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        path, nodes = written(folder, "zarr-v2", row, 0)
        (told,) = json.loads((path / LAYER[1:] / ".zarray").read_bytes())["filters"]
        assert (told["id"], told["offset"], told["scale"]) == ("fixedscaleoffset", 3, 64)
        assert np.array_equal(values_by("zarr-v2", path, row), nodes[LAYER].values)
    assert not is_coarse(np.array([0.1]))
    assert not is_coarse(np.array([-0.0]))
    assert not is_coarse(np.array([np.nan]))


def test_the_rows_are_the_same_every_time_and_are_those_that_are_frozen() -> None:
    for container in ("npz", "asdf", "zarr-v3-zip"):
        frozen = json.loads((FOLDER / "1.0.0/encodings" / f"{container}.json").read_text("utf-8"))
        assert rows(container) == [row["encoding"] for row in frozen["rows"]]


def test_every_flip_has_three_cases_in_each_container_that_can_have_it() -> None:
    found: dict[tuple[str, str], int] = {}
    for container in FACTORS:
        for row in json.loads((FOLDER / "1.0.0/encodings" / f"{container}.json").read_text("utf-8"))["rows"]:
            key = container, row["cases"]["wrong"]["flip"]
            found[key] = found.get(key, 0) + 1
    assert min(found.values()) >= 3
    assert {container for container, flip in found if flip == "endian"} == {"zarr-v3", "zarr-v2", "hdf5", "npz", "asdf"}
    assert {container for container, flip in found if flip == "order"} == {"zarr-v3", "zarr-v2", "npz", "asdf"}
    assert {container for container, flip in found if flip == "fill"} == {"zarr-v3", "zarr-v2"}


# What other libraries say of the files


def zarr_levels(path: Path, row: Any) -> None:
    if row.get("shards") == "turned":
        codecs = json.loads((path / LAYER[1:] / "zarr.json").read_bytes())["codecs"]
        assert [codec["name"] for codec in codecs] == [*["transpose"] * (len(codecs) - 1), "sharding_indexed"]
        return
    array = zarr.open_array(path, path=LAYER, mode="r")
    metadata = array.metadata.to_dict()
    if metadata["zarr_format"] == 2:
        assert (str(metadata["dtype"])[0] == ">") is (row["endian"] == "big")
        assert metadata["order"] == row["order"]
        assert metadata["dimension_separator"] == ("/" if row["separator"] == "slash" else ".")
        assert (metadata["compressor"] is None) is (row["compressor"] == "none")
        return
    codecs = metadata["codecs"]
    if row["shards"] != "none":
        assert codecs[0]["name"] == "sharding_indexed"
        shard = codecs[0]["configuration"]
        assert shard["index_location"] == ("start" if row["shards"] == "start" else "end")
        assert len(shard["index_codecs"]) == (1 if row["shards"] == "unchecked" else 2)
        codecs = shard["codecs"]
    names = [codec["name"] for codec in codecs]
    turns = {"none": 0, "twice": 2}.get(row["order"], 1)
    assert names.count("transpose") == turns
    endian = codecs[names.index("bytes")]["configuration"]["endian"]
    assert getattr(endian, "value", endian) == row["endian"]
    assert names[-1] == {"none": "bytes"}.get(row["compression"], row["compression"].partition("-")[0])
    assert metadata["chunk_key_encoding"]["name"] == row["keys"].partition("-")[0]


def hdf5_levels(path: Path, row: Any) -> None:
    with h5py.File(path) as file:
        dataset = file[LAYER]
        assert (dataset.dtype.byteorder == ">") is (row["endian"] == "big")
        layouts = {"contiguous": h5py.h5d.CONTIGUOUS, "compact": h5py.h5d.COMPACT}
        assert dataset.id.get_create_plist().get_layout() == layouts.get(row["layout"], h5py.h5d.CHUNKED)
        unlimited = {"extensible": 1, "btree2": 2}.get(row["layout"], 0)
        assert sum(size is None for size in dataset.maxshape) == unlimited
        if row["layout"] not in layouts:
            assert dataset.shuffle is (row["filters"] in ("shuffle-deflate", "skipped", "unfiltered-edges"))
            assert dataset.fletcher32 is (row["filters"] == "fletcher32")
        assert [bool(dimension.label) for dimension in dataset.dims] == [row["axes"] == "labels"] * 3
        assert [len(dimension) for dimension in dataset.dims] == [int(row["axes"] == "scales")] * 3
        assert (file.userblock_size == 512) is (row["file"] == "user-block")
        kind = h5py.h5a.open(file.id, b"generator").get_type()
        assert kind.is_variable_str() is (row["texts"] == "variable")
        if row["filters"] == "skipped":
            assert dataset.id.get_chunk_info(0).filter_mask == 3


def npz_levels(path: Path, row: Any) -> None:
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        files = [name for name in names if not name.endswith("/")]
        assert (files[0] == "vizschema.json") is (row["document"] == "first")
        assert any(name.endswith("/") for name in names) is (row["zip"] == "folders")
        assert (file.getinfo(names[-1]).flag_bits & 8 != 0) is (row["zip"] == "sizes-after")
        raw = file.read(f"{LAYER[1:]}.npy")
    assert np.lib.format.read_magic(io.BytesIO(raw)) == (int(row["version"][0]), 0)
    end = raw.index(b"\n")
    header = ast.literal_eval(raw[raw.index(b"{") : end].decode())
    assert (header["fortran_order"], header["descr"][0]) == (
        row["order"] == "F",
        {"big": ">", "little": "<"}[row["endian"]],
    )
    assert (end + 1) % int(row["padding"]) == 0


def asdf_levels(path: Path, row: Any) -> None:
    with asdf.open(path, lazy_load=False, memmap=False) as file:
        values = file["attention"]["self"]["layer_00"]["data"]
        made = np.asarray(values)
        assert (made.dtype.byteorder == ">") is (row["endian"] == "big")
        assert made.flags.f_contiguous is (row["strides"] == "F")
        assert (made.strides[-1] == 8) is (row["strides"] == "stepped")
        assert str(file.version) == {"1.1.0": "1.6.0", "1.0.0": "1.5.0"}[row["tag"]]
    raw = path.read_bytes()
    assert (b"ASDF BLOCK INDEX" in raw) is (row["index"] == "there")
    assert (raw.count(b"\xd3BLK") == 1) is (row["strides"] == "shared")


def safetensors_levels(path: Path, row: Any) -> None:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    pairs = json.loads(raw[8 : 8 + length], object_pairs_hook=list)
    names = [name for name, _ in pairs if name != "__metadata__"]
    assert (names == sorted(names)) is (row["order"] == "listed")
    assert all(name.startswith("/") for name in names) is (row["names"] == "slash")
    assert (pairs[0][0] == "__metadata__") is (row["document"] == "first")
    assert length % int(row["padding"]) == 0
    assert (b"\\u0074" in raw[: 8 + length]) is (row["spelling"] == "escaped")
    assert (b"\n" in raw[: 8 + length]) is (row["spelling"] == "spaced")


LEVELS = {
    **{"zarr-v3": zarr_levels, "zarr-v2": zarr_levels, "hdf5": hdf5_levels, "npz": npz_levels, "asdf": asdf_levels},
    "safetensors": safetensors_levels,
}


def values_by(container: str, path: Path, row: Any) -> Any:
    """The values of the attention, as a library that is not ours has them."""
    if row.get("shards") == "turned":  # which zarr-python refuses, by the shape before the transposition
        driver = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}{LAYER}"}}
        return tensorstore.open(driver).result().read().result()
    if container.startswith("zarr"):
        store = zarr.storage.ZipStore(path, mode="r") if path.is_file() else path
        below = "run.zarr" if row.get("root") == "below" else ""
        return zarr.open_array(store, path=f"{below}{LAYER}", mode="r")[...]
    if container == "safetensors":
        found = safetensors.numpy.load_file(path)
        return found.get(LAYER, found.get(LAYER[1:]))
    if container == "hdf5":
        with h5py.File(path) as file:
            return file[LAYER][...]
    if container == "npz":
        with np.load(path) as file:
            return file[LAYER[1:]]
    with asdf.open(path, lazy_load=False, memmap=False) as file:
        return np.array(file["attention"]["self"]["layer_00"]["data"])


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("container", FACTORS)
def test_other_libraries_find_the_levels_and_the_values_of_each_row(container: str) -> None:
    for number, row in enumerate(rows(container)[::3]):
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            path, nodes = written(folder, container, row, number)
            if container in LEVELS:
                LEVELS[container](path, row)
            if row.get("documents") not in ("transformers", "unknown-field"):
                assert np.array_equal(values_by(container, path, row), nodes[LAYER].values), (container, row)


# Contents


@pytest.mark.parametrize("container", FACTORS)
def test_hashes_hold_what_careless_readers_lose(container: str) -> None:
    nodes = contents.nodes("hashes", container, plain(container), 1)
    arrays = {path: node for path, node in nodes.items() if node.values is not None and path.startswith("/extra/")}
    assert len({node.dtype for node in arrays.values()}) == (14 if container == "safetensors" else 15)
    assert len({node.dtype for node in arrays.values() if node.stored.size == 0}) == 4
    for node in arrays.values():
        assert len(set(node.stored.shape)) == node.stored.ndim
        if node.stored.itemsize > 1 and node.stored.size:
            assert not np.array_equal(
                np.frombuffer(node.stored.byteswap().tobytes(), "u1"), np.frombuffer(node.stored.tobytes(), "u1")
            )
    flat = nodes["/extra/int64"].stored.ravel().tolist()
    assert {2**63 - 1, -(2**63), 2**53 + 1} <= set(flat)
    floats = nodes["/extra/float32"].stored.ravel()
    assert len(set(floats[np.isnan(floats)].view("u4").tolist())) == 2
    assert (np.signbit(floats) & (floats == 0)).any()
    assert ((floats != 0) & (np.abs(floats) < 1e-38)).any()
    assert nodes["/extra/noted"].attributes["seed"] == 9007199254740993


def test_absent_chunks_hold_the_fill_value_and_edges_hold_rubbish() -> None:
    row = {**plain("zarr-v3"), "absent": "inside", "fill": "value", "grid": "over"}
    nodes = contents.nodes("hashes", "zarr-v3", row, 0)
    node = nodes["/extra/int32"]
    (place,) = node.absent
    for at, chunk in cut(node.stored, node.chunks):
        if at == place:
            assert (chunk == 7).sum() >= 1
    assert any((chunk.view("u1") == 0xA5).any() for _, chunk in cut(node.stored, node.chunks))


@pytest.mark.parametrize(
    ("shape", "level"), list(itertools.product([(), (7,), (2, 3, 4), (0, 2)], FACTORS["zarr-v3"]["grid"]))
)
def test_chunks_cover_an_array(shape: tuple[int, ...], level: str) -> None:
    chunk = chunk_of(shape, level)
    every = list(places(shape, chunk))
    assert (len(every) > 0) is (0 not in shape)
    assert absent_of(shape, chunk, "all") == frozenset(every)
    assert len(absent_of(shape, chunk, "edge")) == len(absent_of(shape, chunk, "inside")) == (len(every) > 1)


@pytest.mark.parametrize("content", ["hashes", "right", "wrong", "spoiled"])
def test_this_package_passes_cases_of_each_container(content: str) -> None:
    role = "reader" if content == "hashes" else "validator"
    own = InProcess(Own())
    own.ask("spec", "done", version="1.0.0")
    asked = [case for case in CASES if case.base == content][:: {"hashes": 31, "spoiled": 11}.get(content, 17)]
    assert {case.containers[0] for case in asked} >= {"zarr-v3", "zarr-v2", "hdf5"}
    for case in asked:
        with tempfile.TemporaryDirectory(dir=scratch()) as folder:
            item = Item(case, case.containers[0])
            assert check(role, own, item, prepare(role, item, Path(folder))) is None, case.name


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(FACTORS)).flatmap(lambda name: st.tuples(st.just(name), encodings(name))))
def test_whatever_is_drawn_reads_as_its_content(drawn: tuple[str, dict[str, str]]) -> None:
    container, row = drawn
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        path, nodes = written(folder, container, row, 2, "right")
        reply = Own().validate({"path": str(path), "profile": "trace", "values": True})
        assert reply["verdict"] == "valid", reply
        read = Own().read({"path": str(path)})["nodes"]
        assert set(read) == set(nodes)


def test_a_checksum_is_wrong_and_nothing_else() -> None:
    row = {**plain("npz"), "zip": "deflated"}
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        path, _ = written(folder, "npz", row, 0)
        raw = path.read_bytes()
        assert spoiled(path, "npz", row)
        differing = [at for at, (one, other) in enumerate(zip(raw, path.read_bytes(), strict=True)) if one != other]
        assert len(differing) == 2  # in the header of the member, and in the directory
        with zipfile.ZipFile(path) as file, pytest.raises(zipfile.BadZipFile, match="CRC"):
            file.read(f"{LAYER[1:]}.npy")
    assert not spoiled(path, "safetensors", plain("safetensors"))
    case = next(case for case in CASES if case.base == "spoiled" and case.containers == ("hdf5",))
    with tempfile.TemporaryDirectory(dir=scratch()) as folder, pytest.raises(UsageError, match="with a checksum"):
        replace(case, encoding=plain("hdf5")).write(Path(folder) / "a.h5", "hdf5")


def test_a_container_without_encodings_is_named() -> None:
    with pytest.raises(UsageError, match="expected a container with encodings, one of zarr-v3"):
        encodings("zarr-v3-sharded")
