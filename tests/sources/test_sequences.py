"""Files of sequences become arrays of codes; what an alignment cannot hold is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vizschema.sources.item import Item
from vizschema.sources.sequences import sequences
from vizschema.sources.shelf import Shelf


def read(path: Path, text: str | bytes) -> Item:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (item,) = sequences(path, "/a", Shelf())
    return item


def letters(item: Item) -> list[str]:
    return [bytes(row).decode() for row in np.atleast_2d(item.values())]


@pytest.mark.parametrize(
    ("name", "text", "shape", "rows"),
    [
        ("a.fasta", ">q some words\nMQI\r\nFV\n\n", (5,), ["MQIFV"]),
        ("a.fa", ">q\nMQ\n>r\nM-\n", (2, 2), ["MQ", "M-"]),
        ("a.fa", ">q\nmq\n", (2,), ["mq"]),
        ("a.a3m", ">q\nMQI\n>r\nMaa-.I\n", (2, 3), ["MQI", "M-I"]),
        ("a.A3M", ">q\nMQI\n", (1, 3), ["MQI"]),
    ],
)
def test_sequences_are_codes(name: str, text: str, shape: tuple[int, ...], rows: list[str], tmp_path: Path) -> None:
    item = read(tmp_path / name, text)
    assert (item.kind, item.dtype, item.shape, letters(item)) == ("array", "uint8", shape, rows)
    assert len(item.attributes["names"]) == len(rows)


def test_insertions_of_an_alignment_are_what_a_mapping_has_to_lose(tmp_path: Path) -> None:
    assert read(tmp_path / "a.a3m", ">q\nMQ\n>r\nMaaQ\n").unsupported == {"insertions": "2 letters that have no column"}
    assert read(tmp_path / "b.a3m", ">q\nMQ\n").unsupported == {}


@pytest.mark.parametrize("text", ["", "MQ\n", ">q\nMQ\n>r\nM\n", ">q\nM\xe9\n", b">\xff\nMQ\n"])
def test_what_is_no_list_of_sequences_is_unreadable(text: str | bytes, tmp_path: Path) -> None:
    item = read(tmp_path / "a.fasta", text)
    assert item.kind == "unreadable"
    assert "sequences" in item.reason
