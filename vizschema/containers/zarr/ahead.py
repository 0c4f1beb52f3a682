"""The values of a Zarr array on the network: chunks under way before they are asked for, within a bound on bytes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

from vizschema.containers.bytes.sources import Buffer, Bytes, Held, Source, require_length
from vizschema.containers.remote.files import RemoteRanges
from vizschema.containers.remote.store import Answer, Missing, Remote, place_of
from vizschema.containers.values import Block, Box, ChunkDamaged, Piece, Placed, Reads, Values, reads_of
from vizschema.containers.zarr.values import ZarrValues
from vizschema.errors import NotAnArchive

CHUNK = 64 << 20
"""The largest chunk or shard that is fetched whole; of a larger one, ranges."""

SMALL = 64 << 10
"""The size up to which a chunk may be larger than it should be."""

AHEAD = 16
"""Chunks of an array that are under way before they are asked for."""

IN_FLIGHT = 64 << 20
"""Bytes of chunks that are under way, or wait to be asked for, by what they decode to."""


class Budget:
    """Maximum bytes in flight; beyond it, chunks are fetched on demand."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._lock = threading.Lock()

    def taken(self, size: int) -> bool:
        """Whether the budget covers `size` bytes, which are then taken from it."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def back(self, size: int) -> None:
        """Return `size` bytes to the budget."""
        with self._lock:
            self._left += size


class RemoteChunks:
    """Opens the chunks of the array in the folder `names` by their keys, those under way first."""

    def __init__(self, remote: Remote, names: Sequence[str], budget: Budget) -> None:
        self._remote = remote
        self._prefix = "".join(f"{name}/" for name in names)
        self._budget = budget
        self._under_way: dict[str, tuple[Future[Answer], int]] = {}

    def begin(self, piece: Piece) -> bool:
        """Whether a piece is under way from now on."""
        size = min(piece.decoded_bytes * max(piece.chunks, 1), CHUNK)
        if not self._budget.taken(size):
            return False
        most = min(2 * size + SMALL, CHUNK)  # what is larger is fetched in ranges, if it is not refused
        self._under_way[piece.key] = (self._remote.begin(f"{self._prefix}{piece.key}", None, most), size)
        return True

    def __call__(self, key: str) -> Source | None:
        """What lies under a key, None if nothing does; raises `NotAnArchive` where that is unknown."""
        place = f"{self._prefix}{key}"
        future, size = self._under_way.pop(key, (None, 0))
        try:
            answer = self._remote.fetch(place, None, CHUNK) if future is None else future.result()
        finally:
            self._budget.back(size)
        if answer is Missing.ABSENT:
            return None
        if isinstance(answer, Missing):
            raise NotAnArchive(
                (
                    f"{answer.value}: without the right to list, a chunk that was never written looks like "
                    "one that may not be read"
                ),
                path=place_of(self._remote.shown, place),
            )
        if len(answer.data) == answer.size:
            return Held(answer.data)
        return _Ranged(RemoteRanges(self._remote, place, answer.size))

    def forget(self) -> None:
        """Give up what is under way."""
        while self._under_way:
            _, (future, size) = self._under_way.popitem()
            future.cancel()
            self._budget.back(size)


class _Ranged:
    """A chunk or shard that is too large to fetch whole, as a `Source`."""

    def __init__(self, file: RemoteRanges) -> None:
        self._file = file

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self._file.size

    def take(self, start: int, length: int, buffer: Buffer) -> Bytes:
        """`length` bytes from `start`."""
        require_length(min(length, self._file.size - start), length)
        return Held(self._file.read(start, length)).take(0, length, buffer)

    def close(self) -> None:
        """Let go of what is kept."""
        self._file.close()


class ValuesAhead:
    """The values of an array, as `Values`: whenever a piece is read, those that follow it are under way."""

    def __init__(self, values: ZarrValues, chunks: RemoteChunks) -> None:
        self.dtype = values.dtype
        self.shape = values.shape
        self.fill = values.fill
        self._values = values
        self._chunks = chunks
        self._coming = values.pieces()
        self._next: Piece | None = next(self._coming, None)
        self._last: float = math.inf
        self._lock = threading.Lock()

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in storage order; under way when it is given, within the budget."""
        for piece in self._values.pieces():
            self._begin(piece.index - 1, piece.index)
            yield piece

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The index of the first entry of a piece, and the shape of what it holds."""
        return self._values.extent(piece)

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in storage order."""
        return self._values.touching(box)

    def until(self, last: int) -> None:
        """Fetch nothing ahead that lies behind the piece with this index: it will not be requested."""
        self._last = last

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece; a damaged chunk in their place, and the others follow."""
        self._begin(piece.index, piece.index + AHEAD)
        return self._values.read(piece)

    def _begin(self, after: int, last: int) -> None:
        """Has the pieces behind `after` under way, up to the `last`, as far as the budget reaches."""
        with self._lock:
            while self._next is not None and self._next.index <= min(last, self._last):
                if self._next.index > after and not self._chunks.begin(self._next):
                    return
                self._next = next(self._coming, None)

    def __del__(self) -> None:
        """Give up what is under way."""
        self._chunks.forget()


class WatchedValues:
    """The values of an array that a library reads, as `Values`; after each block, `check` may raise what it hides."""

    def __init__(self, values: Values, check: Callable[[], None]) -> None:
        self.dtype = values.dtype
        self.shape = values.shape
        self.fill = getattr(values, "fill", None)
        self._values = values
        self._check = check

    def pieces(self) -> Iterator[Piece]:
        """Every piece once, in storage order."""
        return self._values.pieces()

    def extent(self, piece: Piece) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The index of the first entry of a piece, and the shape of what it holds."""
        if isinstance(self._values, Placed):
            return self._values.extent(piece)
        return tuple(0 for _ in self.shape), self.shape

    def touching(self, box: Box) -> Iterator[Piece]:
        """The pieces that touch a box, in storage order; all of them where that is unknown."""
        return self._values.touching(box) if isinstance(self._values, Placed) else self._values.pieces()

    def reads(self, box: Box) -> Reads | None:
        """Return what reading a box takes; None if that is unknown."""
        return reads_of(self._values, box)

    def read(self, piece: Piece) -> Iterator[Block | ChunkDamaged]:
        """The blocks of a piece; a damaged chunk in their place, and the others follow."""
        for found in self._values.read(piece):
            self._check()
            yield found
