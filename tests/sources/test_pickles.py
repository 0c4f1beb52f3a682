"""Pickles and files of PyTorch: what is in them is read, and nothing in them is executed or trusted."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from support.torch_files import unpacked

from vizschema.errors import NotAnArchive
from vizschema.sources.folder import opened
from vizschema.sources.item import Item
from vizschema.sources.pickled import items, machine
from vizschema.sources.pickled.machine import Machine
from vizschema.sources.pickled.values import Malformed
from vizschema.text import EMPTY_NAME

ROW = np.arange(24, dtype="float32").reshape(2, 3, 4)

SAVED: dict[str, Any] = {
    "/hidden_states/2": ROW[0] + 2,
    "/attn": np.full((2, 3, 3), 1 / 3, "float32").astype(ml_dtypes.bfloat16),
    "/e4m3": np.array([1.75, -0.5], ml_dtypes.float8_e4m3fn),
    "/e5m2": np.array([1.75, -0.5], ml_dtypes.float8_e5m2),
    "/uint16": np.array([0, 65535], "uint16"),
    "/half": np.array([1.5, 65504], "float16"),
    "/complex": np.array([1 + 2j], "complex64"),
    "/bool": np.array([True, False]),
    "/turned": ROW.transpose(2, 1, 0),
    "/view": ROW[1, 1:],
    "/expanded": np.ones((5, 2), "float32"),
    "/parameter": np.ones(3, "float32"),
    "/scalar": np.array(3),
    "/empty": np.zeros((0, 3), "float32"),
}


class Own:
    def __init__(self) -> None:
        self.step = 7
        self.weights = np.ones(2)


def read(path: Path) -> dict[str, Item]:
    with opened(str(path)) as tree:
        return dict(tree)


def written(raw: bytes, folder: Path, name: str = "a.pkl") -> Path:
    (folder / name).write_bytes(raw)
    return folder / name


def reason(path: Path) -> str:
    (item,) = read(path).values()
    assert (item.path, item.kind) == ("/", "unreadable")
    return item.reason


# What is read


@pytest.mark.parametrize("name", ["zipped.pt", "legacy.pt", "plain.pkl"])
def test_tensors_have_the_values_that_pytorch_saved(name: str, tmp_path: Path) -> None:
    with opened(str(unpacked(name, tmp_path))) as tree:
        arrays = {path: item.values() for path, item in tree.items() if item.kind == "array"}
        assert {path: item.shape for path, item in tree.items() if path in SAVED} == {
            path: values.shape for path, values in SAVED.items()
        }
        assert tree["/"].attributes == {"dtype": "torch.float32", "size": [2, 3, 4]}
        assert tree["/config"].attributes == {"lr": 0.5, "sizes": [1, 2], "name": "net"}
    assert arrays.keys() == {*SAVED, "/hidden_states/0", "/hidden_states/1"}
    for path, expected in SAVED.items():
        assert (arrays[path].dtype, arrays[path].tobytes()) == (expected.dtype, expected.tobytes()), path


def test_a_file_of_one_tensor_is_one_array(tmp_path: Path) -> None:
    with opened(str(unpacked("one.pt", tmp_path))) as tree:
        np.testing.assert_array_equal(tree["/"].values(), ROW)


def test_names_with_dots_and_what_an_ordered_dictionary_has_beside_are_kept(tmp_path: Path) -> None:
    tree = read(unpacked("state.pt", tmp_path))
    assert (tree["/weight"].shape, tree["/bias"].shape) == ((3, 2), (3,))
    assert tree[f"/__state__/_metadata/{EMPTY_NAME}"].attributes == {"version": 1}


def test_an_object_of_an_unknown_class_is_its_state(tmp_path: Path) -> None:
    tree = read(unpacked("own.pt", tmp_path))
    assert tree["/own"].attributes == {"__class__": "__main__.Own", "step": 7}
    assert tree["/own/weights"].shape == (2,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_of_numpy_are_read_in_every_protocol(protocol: int, tmp_path: Path) -> None:
    expected = {
        "f4": ROW,
        "fortran": np.asfortranarray(ROW),
        "big": ROW.astype(">f8"),
        "bits": np.array([1.5, -2], ml_dtypes.bfloat16),
        "scalar": np.float16(0.5),
        "text": np.array(["a", "bcd"]),
        "nothing": np.zeros((0, 2)),
    }
    beside = {
        "own": Own(),
        "set": {1},
        "default": defaultdict(list, a=1),
        "ordered": OrderedDict(b=2),
        "raw": b"x" * 300,
    }
    path = written(pickle.dumps({**expected, **beside, "list": [ROW, 1]}, protocol), tmp_path)
    with opened(str(path)) as tree:
        for name, values in expected.items():
            found = tree[f"/{name}"].values()
            assert found.tolist() == values.tolist()
            assert found.dtype == np.dtype(values.dtype).newbyteorder("=")
        assert tree["/"].attributes == {"set": [1]}
        assert tree["/"].unsupported == {"raw": "bytes"}
        assert (tree["/default"].attributes, tree["/ordered"].attributes) == ({"a": 1}, {"b": 2})
        assert tree["/own"].attributes == {"__class__": f"{__name__}.Own", "step": 7}
        assert (tree["/list/0"].shape, tree["/list"].attributes) == ((2, 3, 4), {"1": 1})


def test_arrays_of_older_numpy_are_read(tmp_path: Path) -> None:
    raw = pickle.dumps(ROW, 2)
    assert raw.count(b"numpy._core.multiarray") == 1
    with opened(str(written(raw.replace(b"numpy._core", b"numpy.core"), tmp_path))) as tree:
        np.testing.assert_array_equal(tree["/"].values(), ROW)


def test_a_saved_dictionary_in_an_npy_file_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array({"acts": ROW, "step": 3}, dtype=object), allow_pickle=True)
    with opened(str(tmp_path / "a.npy")) as tree:
        np.testing.assert_array_equal(tree["/acts"].values(), ROW)
        assert tree["/"].attributes == {"step": 3}


def test_there_is_a_meaning_for_every_opcode() -> None:
    names = {code.name for code in pickletools.opcodes}
    assert {*machine._OPCODES, *machine._REFUSED, "STOP"} == names


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_objects_are_what_pickle_makes_of_them(protocol: int) -> None:
    value = [None, True, 1, -(2**70), 1.5, "é\n", ("a", ("b",)), [[], ()], 300, 70000, "x" * 300]
    raw = pickle.dumps(value, protocol)
    assert Machine(io.BytesIO(raw), 0, len(raw)).run() == value


# Nothing is executed


class Trap:
    def __reduce__(self) -> Any:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_function_is_never_called(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tree = read(written(pickle.dumps({"a": Trap(), "b": np.ones(2)}, protocol), tmp_path))
    name = f"{os.system.__module__}.system"
    assert tree["/a"].reason == f"the pickle asks for {name}, which is not called"
    assert (tree["/a"].kind, tree["/a"].attributes["__arguments__"]) == ("object", ["touch executed"])
    assert tree["/b"].shape == (2,)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pkl"]


@pytest.mark.parametrize(
    "raw",
    [
        b"cos\nsystem\n(S'touch executed'\ntR.",
        b"(S'touch executed'\nios\nsystem\n.",
        b"(cos\nsystem\nS'touch executed'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0etouch executed\x85\x81.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0etouch executed\x85}\x92.",
        b"\x80\x02cbuiltins\neval\n\x8c\x011\x85R}\x8c\x01a\x8c\x01bsb.",
        b"\x80\x02cbuiltins\n__import__\n\x8c\x0bantigravity\x85R.",
    ],
    ids=["reduce", "inst", "obj", "newobj", "newobj_ex", "build", "import"],
)
def test_no_opcode_calls_or_imports(raw: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("builtins.__import__", _no_import)
        value = Machine(io.BytesIO(raw), 0, len(raw)).run()
    assert value.kind.name in ("system", "eval", "__import__")
    assert list(tmp_path.iterdir()) == []


def _no_import(name: str, *_: Any, **__: Any) -> Any:
    raise AssertionError(f"{name} was imported")


# Nothing is trusted


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "found the end"),
        (b"\x80\x04", "found the end"),
        (b"\xff.", "a byte that is not an opcode"),
        (b".", "STOP"),
        (b"\x8b\xff\xff\xff\x7f.", "an integer of 2147483647 bytes"),
        (b"\x8e" + b"\xff" * 7 + b"\x7f.", "expected 9223372036854775807 bytes"),
        (b"\x8d" + b"\xff" * 8 + b".", "expected 18446744073709551615 bytes"),
        (b"X\xff\xff\xff\xff.", "expected 4294967295 bytes"),
        (b"T\xff\xff\xff\xff.", "expected"),
        (b"I" + b"9" * 5000 + b"\n.", "INT"),
        (b"\x82\x01.", "the opcode EXT1"),
        (b"\x97.", "the opcode NEXT_BUFFER"),
        (b"P0\n.", "refers to objects outside itself"),
        (b"h\x05.", "BINGET"),
        (b"NNs.", "SETITEM"),
        (b"]}b.", "BUILD"),
        (b"cnumpy\ndtype\n)R.", "REDUCE"),
        (b"cbuiltins\ncomplex\n]]\x86R.", "REDUCE"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n(K\x01K\x00)))NtR.", "REDUCE"),
    ],
)
def test_a_malformed_pickle_is_an_item_that_says_why(raw: bytes, words: str, tmp_path: Path) -> None:
    assert words in reason(written(raw, tmp_path))


@pytest.mark.parametrize(
    "opening", [b"]", b"}", b"(", b"\x80\x02cos\nx\n"], ids=["lists", "dictionaries", "marks", "names"]
)
def test_nesting_without_end_is_bounded(opening: bytes, tmp_path: Path) -> None:
    closing = {b"]": b"a", b"}": b"", b"(": b"l"}.get(opening, b"\x85R")
    if opening == b"}":
        raw = b"}" + b"K\x01}" * 100_000 + b"s" * 100_000 + b"."
    elif opening.endswith(b"\n"):
        raw = b"".join([b"cos\nx\n"] * 100_000) + b")" + b"R\x85" * 100_000 + b"."
    else:
        raw = opening * 100_000 + closing * 99_999 + b"."
    assert "exceeds the limit of" in str([item.reason for item in read(written(raw, tmp_path)).values()])


@pytest.mark.parametrize("kind", ["list", "dictionary", "tuple"])
def test_a_memo_that_grows_without_end_is_bounded(kind: str, tmp_path: Path) -> None:
    """Ten references to what has ten references to …: 10^40 values in a few hundred bytes."""
    step = {
        "list": lambda n: b"](" + b"h%c" % n * 10 + b"eq%c" % (n + 1),
        "dictionary": lambda n: b"}(" + b"".join(b"K%ch%c" % (i, n) for i in range(10)) + b"uq%c" % (n + 1),
        "tuple": lambda n: b"(" + b"h%c" % n * 10 + b"tq%c" % (n + 1),
    }[kind]
    raw = b"K\x01q\x00" + b"".join(step(n) for n in range(40)) + b"."
    assert "exceeds the limit" in reason(written(raw, tmp_path))


def test_a_list_that_contains_itself_is_bounded(tmp_path: Path) -> None:
    assert "exceeds the limit" in reason(written(b"]q\x00h\x00a.", tmp_path))


def test_work_without_end_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MAX_STEPS", 10_000)
    call = b"ccollections\nOrderedDict\nh\x00\x85R0"
    raw = b"](" + b"K\x01K\x02\x86" * 500 + b"eq\x00" + call * 100 + b"."
    assert "exceeds the limit of 10000 steps" in reason(written(raw, tmp_path))


def test_nodes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "MAX_NODES", 20)
    assert "exceeds the limit of 20 nodes" in reason(written(pickle.dumps([{}] * 30), tmp_path))


@pytest.mark.parametrize(
    ("shape", "raw"), [((3,), b"\0" * 4), ((1 << 50,), b""), ((-1,), b""), ((2**40, 2**40), b"")], ids=str
)
def test_an_array_has_the_bytes_that_its_shape_says(shape: Any, raw: bytes, tmp_path: Path) -> None:
    array = np.zeros(1, "f4")
    whole = pickle.dumps(_Other(array.__reduce__()[0], array.__reduce__()[1], (1, shape, array.dtype, False, raw)))
    assert "cannot be read" in reason(written(whole, tmp_path))


class _Other:
    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def zipped(folder: Path, data: bytes, storage: bytes = b"", **options: Any) -> Path:
    with zipfile.ZipFile(folder / "a.pt", "w", **options) as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/data/0", storage)
    return folder / "a.pt"


def tensor(offset: int = 0, shape: tuple[int, ...] = (2,), strides: tuple[int, ...] = (1,), count: int = 2) -> bytes:
    """A pickle of a tensor of float32 in the storage 0."""
    out = io.BytesIO()
    out.write(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n")
    out.write(b"X\x01\0\0\x000X\x03\0\0\0cpuJ" + struct.pack("<i", count) + b"tQ")
    for value in (offset, shape, strides):
        out.write(pickle.dumps(value, 2)[2:-1])
    out.write(b"\x89ccollections\nOrderedDict\n)RtR.")
    return out.getvalue()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"shape": (3,)}, "expected 12 bytes in the storage, found 8"),
        ({"offset": 1}, "expected 12 bytes in the storage, found 8"),
        ({"offset": -1}, "not whole numbers"),
        ({"strides": (-1,)}, "not whole numbers"),
        ({"strides": (2**60,)}, "or too large"),
        ({"shape": (2, 2)}, "not whole numbers"),
    ],
)
def test_a_tensor_stays_within_its_storage(parts: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in reason(zipped(tmp_path, tensor(**parts), b"\0" * 8))


def test_an_expanded_tensor_counts_in_full(tmp_path: Path) -> None:
    tree = read(zipped(tmp_path, tensor(shape=(1 << 30, 1 << 10), strides=(0, 0)), b"\0" * 8))
    assert tree["/"].size == 1 << 42


def test_a_compressed_storage_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = zipped(tmp_path, tensor(), b"\0" * (1 << 24), compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 1 << 16
    assert "is compressed" in reason(path)


def test_a_zip_file_that_is_not_of_pytorch_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "b.npz", a=np.ones(2))
    (tmp_path / "b.npz").rename(tmp_path / "b.pt")
    assert "expected one data.pkl" in reason(tmp_path / "b.pt")


def test_members_and_bytes_that_nothing_refers_to_are_items(tmp_path: Path) -> None:
    path = zipped(tmp_path, b"K\x01.", b"\0" * 8)
    assert read(path)["/a/data/0"].kind == "stray"
    path = written(pickle.dumps(1) + pickle.dumps(2), tmp_path)
    assert [item.reason for item in read(path).values() if item.kind == "stray"] == ["5 bytes behind the first pickle"]


def test_a_storage_that_is_changed_is_damaged(tmp_path: Path) -> None:
    raw = bytearray(unpacked("one.pt", tmp_path).read_bytes())
    raw[raw.index(np.float32(23).tobytes())] ^= 1
    with opened(str(written(bytes(raw), tmp_path, "b.pt"))) as tree, pytest.raises(NotAnArchive, match="CRC"):
        tree["/"].values()


@pytest.mark.parametrize("cut", range(0, 1600, 297))
def test_a_legacy_file_that_is_truncated_is_unreadable(cut: int, tmp_path: Path) -> None:
    raw = unpacked("legacy.pt", tmp_path).read_bytes()
    assert "cannot be read" in reason(written(raw[: len(raw) - 1 - cut], tmp_path, "b.pt"))


@pytest.mark.parametrize("name", ["legacy.pt", "plain.pkl", "zipped.pt"])
def test_no_byte_that_is_changed_ends_in_another_exception(name: str, tmp_path: Path) -> None:
    raw = unpacked(name, tmp_path).read_bytes()
    rng = np.random.default_rng(0)
    kinds = set()
    for place, byte in zip(rng.integers(0, len(raw), 150), rng.integers(0, 256, 150), strict=True):
        changed = raw[:place] + bytes([byte]) + raw[place + 1 :]
        with opened(str(written(changed, tmp_path, f"x{Path(name).suffix}"))) as tree:
            for item in tree.values():
                kinds.add(item.kind)
                if item.kind == "array" and item.size < 1 << 20:
                    try:
                        item.values()
                    except NotAnArchive:
                        kinds.add("damaged")
    assert {"array", "group", "unreadable"} <= kinds


def test_the_machine_ends_at_the_end_of_its_pickle() -> None:
    raw = pickle.dumps([1, 2])
    with pytest.raises(Malformed):
        Machine(io.BytesIO(raw), 0, len(raw) - 1).run()
    found = Machine(io.BytesIO(raw + b"more"), 0, len(raw) + 4)
    assert (found.run(), found.place) == ([1, 2], len(raw))


def test_arrays_of_objects_in_an_npz_file_are_read_as_pickles(tmp_path: Path) -> None:
    ragged = np.empty(2, object)
    ragged[:] = [np.ones((2, 3), "float32"), np.zeros((4, 3), "float32")]
    np.savez_compressed(tmp_path / "a.npz", acts=ragged, words=np.array(["a", "bb"], object), plain=np.ones(2))
    found = read(tmp_path / "a.npz")
    assert {path: item.shape for path, item in found.items() if item.kind == "array"} == {
        "/acts/0": (2, 3),
        "/acts/1": (4, 3),
        "/plain": (2,),
    }
    np.testing.assert_array_equal(found["/acts/0"].values(), ragged[0])
    assert found["/words"].attributes == {"value": ["a", "bb"]}


def test_nothing_in_an_array_of_objects_of_an_npz_file_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.empty(2, object)
    array[:] = [_Other(os.system, ("exit 3",)), 7]
    np.savez(tmp_path / "a.npz", bad=array)
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("it was called"))
    found = read(tmp_path / "a.npz")
    assert "the pickle asks for posix.system, which is not called" in found["/bad/0"].reason
    raw = (tmp_path / "a.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "cut.npz", "w") as file, zipfile.ZipFile(io.BytesIO(raw)) as whole:
        file.writestr("bad.npy", whole.read("bad.npy")[:-9])
    assert read(tmp_path / "cut.npz")["/bad"].kind == "unreadable"
