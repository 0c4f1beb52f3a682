"""Which archives lie below a folder or a prefix: by names alone, sorted, never within an archive, never over a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from vizschema.errors import NotAnArchive
from vizschema.fleet.places import archives_below


def made(folder: Path, *names: str) -> Path:
    """`folder` with empty files of these names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def below(folder: Path) -> list[str]:
    return [Path(path).relative_to(folder).as_posix() for path in archives_below(str(folder))]


def test_archives_of_every_kind_are_found_at_any_depth_in_order(tmp_path: Path) -> None:
    names = ("b/run.h5", "a/deep/er/run.npz", "z.asdf", "b/RUN.HDF5", "c/model.safetensors", "a/x.zarr.zip", "a/x.zip")
    made(tmp_path, *names, "notes.txt", "b/table.csv", "empty/readme.md")
    assert below(tmp_path) == sorted(names)


@pytest.mark.parametrize("document", ["zarr.json", ".zgroup", ".zarray", ".zattrs", ".zmetadata"])
def test_a_folder_with_a_document_of_zarr_is_an_archive_whatever_its_name(document: str, tmp_path: Path) -> None:
    made(tmp_path, f"run/{document}", "run/inner/zarr.json", "run/inner/a.h5")
    assert below(tmp_path) == ["run"]


@pytest.mark.parametrize("lost", ["run.zarr/readme.md", "run.zarr/x/a.h5", "layer/0.0", "layer/0"])
def test_an_archive_that_lost_its_documents_is_not_passed_over(lost: str, tmp_path: Path) -> None:
    made(tmp_path, lost)
    assert below(tmp_path) == [lost.partition("/")[0]]


def test_numbered_folders_are_no_chunks(tmp_path: Path) -> None:
    made(tmp_path, "0/run.h5", "1/run.h5", "c/0/run.npz")
    assert below(tmp_path) == ["0/run.h5", "1/run.h5", "c/0/run.npz"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    made(tmp_path / "out", "secret.h5", "more.zarr/zarr.json")
    made(tmp_path / "in", "run.h5")
    (tmp_path / "in/file.h5").symlink_to(tmp_path / "out/secret.h5")
    (tmp_path / "in/folder").symlink_to(tmp_path / "out")
    (tmp_path / "in/again").symlink_to(tmp_path / "in")
    assert below(tmp_path / "in") == ["run.h5"]


def test_what_is_an_archive_stands_for_itself(tmp_path: Path) -> None:
    made(tmp_path, "run.zarr/zarr.json", "run.zarr/a/c/0/0", "plain.h5", "notes.txt")
    for name in ("run.zarr", "run.zarr/a", "run.zarr/a/c", "plain.h5", "notes.txt", "missing", "missing.zarr"):
        assert list(archives_below(str(tmp_path / name))) == [str(tmp_path / name)]


@pytest.mark.parametrize("names", [(), ("notes.txt", "a/b/table.csv")])
def test_a_folder_without_archives_is_refused_with_what_is_looked_for(names: tuple[str, ...], tmp_path: Path) -> None:
    made(tmp_path, *names)
    with pytest.raises(NotAnArchive, match=r"a folder without archives; pass an archive, or a folder .*\.zarr"):
        list(archives_below(str(tmp_path)))
