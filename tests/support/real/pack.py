"""Write `archives.tar.xz`, the archives of README.md, from the whole data: python -m support.real.pack FOLDER."""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import numcodecs
import numpy as np

ARCHIVES = Path(__file__).with_name("archives.tar.xz")
FOLDERS = ("openfold", "published", "writers")
SAMPLES = 8
"""How many samples of `writers/mnist_cnn.zarr` are kept."""

CHANNELS = {"s": 64, "single": 64, "m_first_row": 8, "z": 4, "pair": 4}
"""How many channels, the last axis, of each OpenFold representation are kept."""

YEAR_2000 = 946_684_800
"""The modification time of every file, in seconds since 1970; zip files have none before 1980."""


def unpack(folder: Path) -> None:
    """Unpack the archives into `folder`."""
    with tarfile.open(ARCHIVES, "r:xz") as packed:
        packed.extractall(folder, filter="data")


def keep_first_samples(path: Path, samples: int) -> None:
    """Shorten the first axis of every array of a Zarr v2 group, each of one chunk, in place."""
    for document in sorted(path.rglob(".zarray")):
        array = json.loads(document.read_bytes())
        assert array["chunks"] == array["shape"]
        (chunk,) = (file for file in document.parent.iterdir() if file != document)
        codec = numcodecs.get_codec(array["compressor"])
        values = np.frombuffer(codec.decode(chunk.read_bytes()), array["dtype"]).reshape(array["shape"])
        chunk.write_bytes(codec.encode(np.ascontiguousarray(values[:samples])))
        array["chunks"] = array["shape"] = [samples, *array["shape"][1:]]
        document.write_text(json.dumps(array, indent=4), encoding="utf-8")


def keep_first_channels(path: Path) -> None:
    """Shorten the last axis of the representations in an OpenFold capture, in place."""
    with np.load(path) as members:
        kept = {name: members[name] for name in members.files}
    for name in kept:
        if (kind := name.rpartition("/")[2]) in CHANNELS:
            kept[name] = kept[name][..., : CHANNELS[kind]]
    np.savez_compressed(path, allow_pickle=False, **kept)


def normalised(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return the entry without what depends on the machine that packed it."""
    entry.mtime = YEAR_2000
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() else 0o644
    return entry


def main(source: Path) -> None:
    """Copy the whole data, shorten the large ones, and pack them."""
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(ARCHIVES, "w:xz", preset=9) as packed:
        for name in FOLDERS:
            shutil.copytree(source / name, Path(temporary) / name, copy_function=shutil.copyfile)
        keep_first_samples(Path(temporary) / "writers" / "mnist_cnn.zarr", SAMPLES)
        keep_first_channels(Path(temporary) / "openfold" / "1ubq_4_blocks.npz")
        for name in FOLDERS:
            packed.add(Path(temporary) / name, name, filter=normalised)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
