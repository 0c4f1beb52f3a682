"""The one pool of readers: every piece once, in bounded memory, and one failure, the same however threads run."""

from __future__ import annotations

import threading

import pytest

from vizschema.containers.values import Piece
from vizschema.scan.pool import read_pieces

JOBS = [1, 2, 7]


def pieces(count: int, size: int = 10) -> list[Piece]:
    return [Piece(number, f"c/{number}", size, 1) for number in range(count)]


@pytest.mark.parametrize("jobs", JOBS)
def test_every_piece_is_read_once(jobs: int) -> None:
    read: list[int] = []
    read_pieces(lambda piece: read.append(piece.index), pieces(100), jobs, 25)
    assert sorted(read) == list(range(100))


@pytest.mark.parametrize(("limit", "most"), [(25, 2), (5, 1), (1000, 7)])
def test_no_more_is_in_flight_than_the_bound_but_always_one_piece(limit: int, most: int) -> None:
    lock = threading.Lock()
    full = threading.Event()
    flying: set[int] = set()
    peak = 0

    def read(piece: Piece) -> None:
        nonlocal peak
        with lock:
            flying.add(piece.index)
            peak = max(peak, len(flying))
            if len(flying) == most:
                full.set()
        full.wait(30)
        with lock:
            flying.discard(piece.index)

    read_pieces(read, pieces(50), 7, limit)
    assert peak == most


@pytest.mark.parametrize("jobs", JOBS)
def test_the_failure_is_that_of_the_first_piece_in_storage_order(jobs: int) -> None:
    begun: list[int] = []
    together = threading.Barrier(jobs)

    def read(piece: Piece) -> None:
        begun.append(piece.index)
        together.wait(30)
        raise ValueError(piece.key)

    with pytest.raises(ValueError, match=r"^c/0$"):
        read_pieces(read, pieces(100), jobs, 1000)
    assert sorted(begun) == list(range(jobs))


@pytest.mark.parametrize("jobs", JOBS)
def test_a_failure_to_list_pieces_is_raised(jobs: int) -> None:
    def listed():  # type: ignore[no-untyped-def]
        yield from pieces(3)
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        read_pieces(lambda _: None, listed(), jobs, 1000)
