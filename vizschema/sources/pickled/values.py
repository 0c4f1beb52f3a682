"""What a pickle is read as: plain values, and inert records of all else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Malformed(Exception):
    """A pickle that cannot be read, or exceeds a limit; the words say why."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of the file, which are not read until they are needed."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Global:
    """A name of a module, which is not imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """Both, with a dot between."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Pairs:
    """A dictionary: its keys and values in order. Keys are never hashed. `state` is what a subclass has beside them."""

    items: list[tuple[Any, Any]] = field(default_factory=list)
    state: Any = None


@dataclass(slots=True, eq=False)
class Record:
    """An object of a class that is not known, or with `called` the result of a function that was not called."""

    kind: Global
    arguments: Any = ()
    called: bool = False
    state: Any = None
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Dtype:
    """A dtype of NumPy by its code, such as `f4` or `bfloat16`; None for one that is not read."""

    code: str | None
    order: str = "<"


@dataclass(slots=True, eq=False)
class Stored:
    """An array of NumPy: raw bytes, or for a dtype of objects the list of them. Empty until its state is set."""

    dtype: Dtype = field(default_factory=lambda: Dtype(None))
    shape: Any = ()
    fortran: bool = False
    raw: Any = b""


@dataclass(slots=True, eq=False)
class Storage:
    """The bytes behind tensors: a canonical dtype (None: not known), how many, and what reads `size` from `start`."""

    dtype: str | None
    size: int = 0
    read: Callable[[int, int], Any] = lambda _start, _size: b""
    order: str = "<"


@dataclass(slots=True, eq=False)
class Tensor:
    """A tensor: which entries of a storage it consists of, counted in entries."""

    storage: Storage
    dtype: str | None
    offset: Any
    shape: Any
    strides: Any
