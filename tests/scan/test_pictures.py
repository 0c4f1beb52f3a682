"""Pictures of arrays read a bounded part of them, whatever their size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vizschema.containers.values import Block, Piece
from vizschema.scan.pictures import picture


class Unwritten:
    """4 TB that were never written, as one block of the fill value."""

    dtype = np.dtype(np.float32)
    shape = (1_000_000, 1000, 1000)

    def pieces(self) -> Iterator[Piece]:
        return iter([Piece(0, "c/0/0/0", 0, 1_000_000, count=1_000_000)])

    def read(self, _: Piece) -> Iterator[Block]:
        yield Block((0, 0, 0), np.broadcast_to(np.float32(2.5), self.shape), absent=1_000_000)


def test_a_picture_of_chunks_that_were_never_written_takes_no_memory() -> None:
    drawn = picture(Unwritten(), ["head", "token:query", "token:key"])
    assert drawn is not None
    assert (drawn["minimum"], drawn["maximum"], drawn["seen"]) == (2.5, 2.5, "all values")
    assert sum(drawn["counts"]) == max(drawn["counts"]) > 1000
    assert set(bytes.fromhex(drawn["levels"])) == {0}
