"""An HDF5 file is one thing: what stands before its superblock, and behind the end that it declares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from vizschema import validate
from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped
from vizschema.describing import describe

ZIP = zipped([Entry("x.npy", b"values")])


def written(folder: Path, **options: Any) -> bytes:
    with h5py.File(folder / "plain.h5", "w", **options) as file:
        file["x"] = np.arange(10)
    return (folder / "plain.h5").read_bytes()


def readings(folder: Path, raw: bytes) -> list[str]:
    path = folder / "a.h5"
    path.write_bytes(raw)
    found: list[str] = describe(path)["container"].get("readings", [])
    return found


def before(block: bytes, size: int = 512, **options: Any) -> Callable[[Path], bytes]:
    """A file whose user block is `block`: of its own, or put before it since, as `cat` does."""
    own = options.pop("own", True)

    def build(folder: Path) -> bytes:
        raw = written(folder, **options, userblock_size=size) if own else bytes(size) + written(folder, **options)
        return block + raw[len(block) :]

    return build


BROKEN: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "user-block-zip": (before(b"PK\3\4"), "the user block, bytes 0 to 512, begins like a zip file"),
    "user-block-put-before": (before(b"MZ", own=False), "the user block, bytes 0 to 512, begins like a program"),
    "user-block-large": (before(b"#!/bin/sh\n", 4096), "the user block, bytes 0 to 4096, begins like a script"),
    "user-block-tar": (before(bytes(257) + b"ustar", 1024), "begins like a tar file"),
    "user-block-asdf": (before(b"#ASDF 1.0.0\n"), "begins like an ASDF file"),
    "bytes-behind": (lambda folder: written(folder) + b"\n", "1 bytes follow the end that the superblock declares"),
    "bytes-behind-latest": (lambda folder: written(folder, libver="latest") + ZIP, f"{len(ZIP)} bytes follow the end"),
    "bytes-behind-zeros": (lambda folder: written(folder) + bytes(9_000_000) + b"x", "9000001 bytes follow the end"),
    "bytes-behind-user-block": (lambda folder: written(folder, userblock_size=512) + b"x", "1 bytes follow the end"),
    "bytes-behind-put-before": (
        lambda folder: bytes(512) + written(folder, libver="latest") + b"xy",
        "2 bytes follow the end",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_stands_before_or_behind_a_file_is_found(name: str, tmp_path: Path) -> None:
    build, words = BROKEN[name]
    (found,) = readings(tmp_path, build(tmp_path))
    assert words in found
    finding = next(each for each in validate(tmp_path / "a.h5").findings if each.rule == "container-readings")
    assert (finding.path, words in finding.found) == ("/", True)


def without_a_dataset(folder: Path) -> bytes:
    path = folder / "deleted.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(100_000)
        file["y"] = np.arange(10)
    with h5py.File(path, "r+") as file:
        del file["x"]
    return path.read_bytes()


LEGAL: dict[str, Callable[[Path], bytes]] = {
    **{libver: lambda folder, libver=libver: written(folder, libver=libver) for libver in ("earliest", "latest")},  # type: ignore[misc]
    "pages": lambda folder: written(folder, fs_strategy="page", fs_page_size=4096),
    "free-space-kept": lambda folder: written(folder, fs_strategy="fsm", fs_persist=True),
    "after-a-deletion": without_a_dataset,
    "zeros-behind": lambda folder: written(folder) + bytes(10_000),
    "user-block-of-zeros": before(b"", 2048),
    "user-block-put-before": before(b"", own=False, libver="latest"),
    "user-block-of-matlab": before(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"),
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_the_library_writes_and_zeros_have_no_finding(name: str, tmp_path: Path) -> None:
    assert readings(tmp_path, LEGAL[name](tmp_path)) == []
