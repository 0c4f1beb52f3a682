"""A chunk that cannot be read is one exception in every container: never zeros, never memory that nobody wrote."""

from __future__ import annotations

import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asdf
import h5py
import numpy as np
import pytest
import zarr

import vizschema
from vizschema import Damaged, NotAnArchive
from vizschema.containers.values import ChunkDamaged
from vizschema.writer.convert import convert

VALUES = np.arange(1, 257, dtype=np.float64).reshape(4, 64)
ROW = VALUES[1].tobytes()


def folder(root: Path, version: int = 3, **codecs: Any) -> Path:
    """A Zarr archive with one array [4, 64] in chunks of a row."""
    group = zarr.create_group(root / "a.zarr", zarr_format=version)
    group.create_array("x", data=VALUES, chunks=(1, 64), fill_value=0.0, **codecs)
    return root / "a.zarr"


def chunk(root: Path, **codecs: Any) -> Path:
    return folder(root, **codecs) / "x/c/1/0"


def cut(root: Path) -> Path:
    place = chunk(root)
    place.write_bytes(place.read_bytes()[:-9])
    return root / "a.zarr"


def cut_raw(root: Path) -> Path:
    place = folder(root, 2, compressors=None) / "x/1.0"
    place.write_bytes(place.read_bytes()[:-9])
    return root / "a.zarr"


def checksum(root: Path) -> Path:
    place = chunk(root, compressors=[zarr.codecs.Crc32cCodec()])
    raw = bytearray(place.read_bytes())
    raw[5] ^= 1
    place.write_bytes(raw)
    return root / "a.zarr"


def short(root: Path) -> Path:
    place = folder(root, 2, compressors={"id": "zlib", "level": 1}) / "x/1.0"
    place.write_bytes(zlib.compress(ROW[:100]))
    return root / "a.zarr"


def a_folder(root: Path) -> Path:
    place = chunk(root)
    place.unlink()
    place.mkdir()
    return root / "a.zarr"


def a_fifo(root: Path) -> Path:
    place = chunk(root)
    place.unlink()
    os.mkfifo(place)
    return root / "a.zarr"


def a_link(root: Path) -> Path:
    """A chunk that is a link to one outside, of values of its own."""
    place = chunk(root, compressors=None)
    place.rename(root / "secret")
    place.symlink_to(root / "secret")
    return root / "a.zarr"


def a_linked_folder(root: Path) -> Path:
    place = chunk(root, compressors=None).parent
    place.rename(root / "secret")
    place.symlink_to(root / "secret")
    return root / "a.zarr"


def zipped(root: Path, damage: Callable[[Path], Path]) -> Path:
    """A folder with damage, in a zip file."""
    source = damage(root)
    with zipfile.ZipFile(root / "a.zip", "w") as file:
        for place in sorted(source.rglob("*")):
            if place.is_file():
                file.write(place, place.relative_to(source))
    return root / "a.zip"


def flipped(path: Path, inside: bytes) -> Path:
    """One bit of these bytes of a file turned over."""
    raw = bytearray(path.read_bytes())
    raw[raw.index(inside) + len(inside) // 2] ^= 1
    path.write_bytes(raw)
    return path


def zip_sum(root: Path) -> Path:
    return flipped(zipped(root, lambda root: folder(root, compressors=None)), ROW)


def hdf5(root: Path, write: Callable[[Any], object], **storage: Any) -> Path:
    with h5py.File(root / "a.h5", "w") as file:
        dataset = file.create_dataset("x", data=VALUES, chunks=(1, 64), **storage)
        write(dataset.id)
    return root / "a.h5"


def hdf5_sum(root: Path) -> Path:
    return flipped(hdf5(root, lambda _: None, fletcher32=True), ROW)


def npz(root: Path, save: Any) -> Path:
    save(root / "a.npz", x=VALUES)
    return root / "a.npz"


def npz_packed(root: Path) -> Path:
    path = npz(root, np.savez_compressed)
    with zipfile.ZipFile(path) as file:
        summed = file.infolist()[0].CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(summed, b"\1\2\3\4"))
    return path


def asdf_sum(root: Path) -> Path:
    asdf.AsdfFile({"x": VALUES.copy()}).write_to(root / "a.asdf")
    return flipped(root / "a.asdf", ROW)


DAMAGE: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "zarr: truncated": (cut, "c/1/0", "truncated"),
    "zarr: truncated, raw": (cut_raw, "1.0", "truncated"),
    "zarr: checksum": (checksum, "c/1/0", "checksum"),
    "zarr: inflates to less": (short, "1.0", "truncated"),
    "zarr: a folder": (a_folder, "c/1/0", "undecodable"),
    "zarr: a FIFO": (a_fifo, "c/1/0", "undecodable"),
    "zarr: a link": (a_link, "c/1/0", "undecodable"),
    "zarr: a linked folder": (a_linked_folder, "c/1/0", "undecodable"),
    "zip: truncated": (lambda root: zipped(root, cut), "c/1/0", "truncated"),
    "zip: inflates to less": (lambda root: zipped(root, short), "1.0", "truncated"),
    "zip: checksum": (zip_sum, "c/1/0", "checksum"),
    "hdf5: inflates to less": (
        lambda root: hdf5(root, lambda id_: id_.write_direct_chunk((1, 0), zlib.compress(ROW[:100])), compression=1),
        "/x[1, 0]",
        "truncated",
    ),
    "hdf5: truncated": (
        lambda root: hdf5(root, lambda id_: id_.write_direct_chunk((1, 0), zlib.compress(ROW)[:20]), compression=1),
        "/x[1, 0]",
        "truncated",
    ),
    "hdf5: checksum": (hdf5_sum, "/x[1, 0]", "checksum"),
    "npz: checksum": (lambda root: flipped(npz(root, np.savez), ROW), "x.npy", "checksum"),
    "npz: checksum of packed bytes": (npz_packed, "x.npy", "checksum"),
    "asdf: checksum": (asdf_sum, "block 0", "checksum"),
}
"""How an archive is damaged in its second row, the key of the chunk, and the reason."""

damage = pytest.mark.parametrize(("make", "key", "reason"), DAMAGE.values(), ids=DAMAGE.keys())


@damage
def test_a_damaged_chunk_is_one_exception_wherever_it_is_read(
    make: Callable[[Path], Path], key: str, reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    with vizschema.open(path) as archive, pytest.raises(Damaged) as opened:
        archive["/x"][...]
    with pytest.raises(Damaged) as digested:
        vizschema.digest(path)
    with pytest.raises(Damaged) as converted:
        convert(path, tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()
    for found in (opened.value, digested.value, converted.value):
        assert (found.path, found.key, found.reason) == ("/x", key, reason)
        assert isinstance(found, NotAnArchive)
        assert found.exit_code == 3
        assert str(found).startswith("/x: cannot be read: ")
        assert key in str(found)
        assert found.detail in str(found)


@damage
def test_a_damaged_chunk_is_a_finding_of_the_same_words(
    make: Callable[[Path], Path], key: str, reason: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    report = vizschema.validate(path)
    found = [finding for finding in report.findings if finding.rule == "chunk-readable"]
    assert len(found) == 1
    assert found[0].found.startswith(f"{key} {reason}: ")


@pytest.mark.parametrize("name", [name for name in DAMAGE if name.partition(":")[0] in ("zarr", "zip", "hdf5")])
def test_what_is_sound_is_read_beside_what_is_damaged(name: str, tmp_path: Path) -> None:
    with vizschema.open(DAMAGE[name][0](tmp_path)) as archive:
        for row in (0, 2, 3):
            assert np.array_equal(archive["/x"][row], VALUES[row])
        with pytest.raises(Damaged, match=r"1"):
            archive["/x"][1:3, ::7]


def test_the_first_damaged_chunk_is_named_by_any_number_of_threads(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(64, 32, 256))
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=3)
    group.create_array("x", data=values, chunks=(1, 32, 256))
    for place in (7, 8, 20, 60):
        (tmp_path / f"a.zarr/x/c/{place}/0/0").write_bytes(b"")
    with vizschema.open(tmp_path / "a.zarr") as archive:
        for _ in range(20):
            with pytest.raises(Damaged, match="c/7/0/0"):
                archive["/x"][...]
        assert np.array_equal(archive["/x"][21:60], values[21:60])


def test_damage_can_be_pickled() -> None:
    damaged = Damaged("/x", "c/0", "truncated", "why")
    copy = pickle.loads(pickle.dumps(damaged))  # noqa: S301  (made above)
    assert (copy.path, copy.key, copy.reason, copy.detail) == ("/x", "c/0", "truncated", "why")
    assert str(copy) == str(damaged) == "/x: cannot be read: chunk c/0: truncated: why"


def test_damage_is_told_without_a_key_until_somebody_knows_it() -> None:
    decoding = ChunkDamaged("truncated", "its zstd frame ends after 3 bytes")
    assert (decoding.key, str(decoding)) == ("", "its zstd frame ends after 3 bytes")
    found = pickle.loads(pickle.dumps(decoding.at("c/0")))  # noqa: S301  (made above)
    assert (found.key, found.reason, found.detail) == ("c/0", decoding.reason, decoding.detail)
    assert str(found) == "c/0: truncated: its zstd frame ends after 3 bytes"
