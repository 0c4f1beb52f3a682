"""ASDF files that every reader reads alike: versions, tags, the block index, and no byte that belongs to nothing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asdf
import numpy as np
import pytest
from support.asdf_files import HEADER, YAML, Stored, asdf_file, ndarray

import vizschema
from vizschema import validate
from vizschema.describing import describe

ONES = Stored(np.ones((2, 3), np.float32).tobytes())
TWOS = Stored((2 * np.ones((2, 3), np.float32)).tobytes())
TREE = f"a: {ndarray(0)}\nb: {ndarray(1)}"
INDEX = b"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n"


def plain(*blocks: Stored, padding: bytes = b"") -> bytes:
    return asdf_file(TREE, *(blocks or (ONES, TWOS)), padding=padding)


def places(raw: bytes) -> list[int]:
    first = raw.index(b"\xd3BLK")
    return [first, raw.index(b"\xd3BLK", first + 1)]


def index(offsets: list[int]) -> bytes:
    return INDEX + b"".join(b"- %d\n" % offset for offset in offsets) + b"...\n"


def readings(folder: Path, raw: bytes) -> list[str]:
    path = folder / "a.asdf"
    path.write_bytes(raw)
    found: list[str] = describe(path)["container"].get("readings", [])
    return found


def hidden(raw: bytes, more: bytes = b"") -> bytes:
    """A file whose last block holds text that begins like an index."""
    text = b"#ASDF BLOCK INDEX\n- %d\n- %d\n" % (places(raw)[0], places(raw)[0])
    return raw[: places(raw)[1]] + asdf_file("", Stored(text.ljust(64, b"#"))).partition(b"...\n")[2] + more


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "index-of-fewer-blocks": (lambda: plain() + index(places(plain())[:1]), "expected 2 offsets (PLACES), found 1"),
    "index-of-other-places": (lambda: plain() + index(places(plain())[::-1]), "expected 2 offsets"),
    "index-of-none": (lambda: plain() + INDEX + b"[]\n...\n", "expected 2 offsets"),
    "index-of-text": (lambda: plain() + INDEX + b"hello\n...\n", "found another text"),
    "index-in-octal": (lambda: plain() + INDEX + b"- 0117\n- 0195\n...\n", "the block index at byte"),
    "index-within-a-block": (lambda: hidden(plain()), "a block index within a block, at byte"),
    "bytes-behind": (lambda: plain() + b"PK\3\4 and more", "13 bytes from byte"),
    "bytes-behind-index": (lambda: plain() + index(places(plain())) + b"more: 1\n", "the block index at byte"),
    "bytes-before-blocks": (lambda: plain(padding=b"hello\n"), "belong to no block"),
}


def test_damage_of_a_block_that_no_array_needs_is_found_and_that_of_an_array_is_its_own(tmp_path: Path) -> None:
    raw = asdf_file(f"a: {ndarray(0)}", ONES, TWOS._replace(allocated=10**9))
    assert readings(tmp_path, raw) == ["block 1 claims 1000000000 bytes, and the file has 24 left"]
    raw = asdf_file(f"a: {ndarray(0)}\nb: {ndarray(1)}", ONES, TWOS._replace(allocated=10**9))
    assert readings(tmp_path, raw) == []
    assert describe(tmp_path / "a.asdf")["nodes"]["/b"]["reason"] == "damaged"


@pytest.mark.parametrize("name", BROKEN)
def test_what_readers_read_otherwise_is_named_with_its_place(name: str, tmp_path: Path) -> None:
    build, words = BROKEN[name]
    found = readings(tmp_path, build())
    expected = words.replace("PLACES", ", ".join(map(str, places(plain()))))
    assert any(expected in each for each in found), found
    finding = next(each for each in validate(tmp_path / "a.asdf").findings if each.rule == "container-readings")
    assert (finding.path, expected in finding.found) == ("/", True)


def written(folder: Path, **options: Any) -> bytes:
    path = folder / "written.asdf"
    asdf.AsdfFile({"a": np.arange(6.0), "b": np.ones((300, 3), np.float32)}).write_to(path, **options)
    return path.read_bytes()


def streamed(folder: Path) -> bytes:
    path = folder / "streamed.asdf"
    with path.open("wb") as file:
        asdf.AsdfFile({"a": asdf.tags.core.Stream([2], np.float64)}).write_to(file)
        file.write(np.ones((5, 2)).tobytes())
    return path.read_bytes()


LEGAL: dict[str, Callable[[Path], bytes]] = {
    "asdf": written,
    "asdf-padded": lambda folder: written(folder, pad_blocks=True),
    "asdf-without-index": lambda folder: written(folder, include_block_index=False),
    "asdf-packed": lambda folder: written(folder, all_array_compression="zlib"),
    "asdf-inline": lambda folder: written(folder, all_array_storage="inline"),
    "asdf-streamed": streamed,
    **{
        f"asdf-{version}": lambda folder, version=version: written(folder, version=version)  # type: ignore[misc]
        for version in ("1.0.0", "1.3.0", "1.5.0", "1.6.0")
    },
    "by-hand": lambda _: plain(),
    "zeros-before-blocks": lambda _: plain(padding=bytes(500)),
    "zeros-behind": lambda _: plain() + bytes(500),
    "index-in-flow-style": lambda _: plain() + INDEX + b"[%d, %d]\n...\n" % tuple(places(plain())),
    "index-as-yaml-has-it": lambda _: plain() + INDEX + b"-  %d # one\n- +%d\n" % tuple(places(plain())),
}


def by_asdf(path: Path) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with asdf.open(path, memmap=False) as file:
            return {key: np.array(file[key]) for key in file.tree if key not in ("asdf_library", "history")}


@pytest.mark.parametrize("name", LEGAL)
def test_what_all_readers_read_alike_has_no_finding(name: str, tmp_path: Path) -> None:
    assert readings(tmp_path, LEGAL[name](tmp_path)) == []
    expected = by_asdf(tmp_path / "a.asdf")
    with vizschema.open(tmp_path / "a.asdf") as archive:
        for key, values in expected.items():
            stored: Any = archive[f"/{key}"]
            assert np.array_equal(stored[...], values)


@pytest.mark.parametrize(
    ("old", "new", "reason", "words"),
    [
        (b"#ASDF 1.0.0", b"#ASDF 9.9.9", "unsupported", "expected version 1.0.0, found 9.9.9"),
        (b"#ASDF 1.0.0", b"#ASDF 1.0.0 x", "metadata-malformed", "the first line"),
        (b"STANDARD 1.6.0", b"STANDARD 99.0.0", "unsupported", "expected version 1.0.0 to 1.6.0, found 99.0.0"),
        (b"STANDARD 1.6.0\n", b"STANDARD 1.6.0\nhello\n", "metadata-malformed", "line 3: expected a comment"),
        (b"STANDARD 1.6.0\n", b"STANDARD 1.6.0\n# %YAML 1.1\n", "metadata-malformed", "line 3"),
        (b"%YAML 1.1\n", b"", "metadata-malformed", "line 3"),
    ],
)
def test_a_file_that_asdf_cannot_open_cannot_be_read(
    old: bytes, new: bytes, reason: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.asdf"
    path.write_bytes(plain().replace(old, new, 1))
    logging.disable(logging.CRITICAL)
    with pytest.raises(Exception, match=r"."):
        by_asdf(path)
    node = describe(path)["nodes"]["/"]
    assert node["reason"] == reason
    assert words in node["detail"]


@pytest.mark.parametrize(
    ("standard", "tag", "reason"),
    [
        ("1.6.0", "ndarray-1.0.0", "unsupported"),
        ("1.5.0", "ndarray-1.1.0", "unsupported"),
        ("1.6.0", "ndarray-1.2.0", "unsupported"),
        ("1.5.0", "ndarray-1.0.0", None),
        ("1.0.0", "ndarray-1.0.0", None),
        (None, "ndarray-1.0.0", None),
        (None, "ndarray-1.1.0", "unsupported"),
    ],
)
def test_an_array_has_the_tag_of_the_standard_of_its_file(
    standard: str | None, tag: str, reason: str | None, tmp_path: Path
) -> None:
    line = "" if standard is None else f"#ASDF_STANDARD {standard}\n"
    head = ("#ASDF 1.0.0\n" + line + YAML).encode()
    raw = plain().replace((HEADER + YAML).encode(), head).replace(b"ndarray-1.1.0", tag.encode())
    (tmp_path / "a.asdf").write_bytes(raw)
    assert describe(tmp_path / "a.asdf")["nodes"]["/a"].get("reason") == reason
    assert (by_asdf(tmp_path / "a.asdf")["a"].dtype == object) == (reason is not None)


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2, 3]",
        "[[1, 2], [3, 4]]",
        "[1.5, 2]",
        "[true, false]",
        "[true, 2]",
        "[.nan, .inf, -1.0e+300]",
        "{data: [1, 2], datatype: int8}",
        "{data: [1, 2], datatype: float16, shape: [2]}",
        "{data: [[1, 2]], datatype: uint64}",
        "{data: [0, 1], datatype: bool8}",
        "{data: [], datatype: int32, shape: [0, 3]}",
        "[]",
    ],
)
def test_values_in_the_tree_are_read_as_asdf_reads_them(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.asdf"
    path.write_bytes(asdf_file(f"a: !core/ndarray-1.1.0 {text}"))
    expected = by_asdf(path)["a"]
    with vizschema.open(path) as archive:
        stored: Any = archive["/a"]
        assert (stored.shape, stored.dtype) == (expected.shape, expected.dtype)
        assert np.array_equal(stored[...], expected, equal_nan=True)


def test_an_array_at_the_root_is_told_what_to_do_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "a.asdf"
    path.write_bytes(asdf_file(f"data: {ndarray()}", ONES))
    finding = next(each for each in validate(path).findings if each.rule == "root-group")
    assert "move `data` below another key" in finding.fix
