"""Containers that list their arrays by name, with one document beside these for everything else.

A name is a path, groups are what paths need, and axes and attributes come from the document; without it there are none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar, NamedTuple

from vizschema import description
from vizschema.containers.accounts import NOTHING, Account, Steps, named_axes
from vizschema.containers.attributes import clean_attributes
from vizschema.containers.base import Limits, Unreadable, Watch, is_path, name_node, quote, unwatched
from vizschema.containers.bytes.flat import FlatValues
from vizschema.containers.bytes.packed import Run
from vizschema.containers.bytes.sources import BufferPool
from vizschema.containers.stored import stored_v2
from vizschema.containers.values import ChunkDamaged
from vizschema.description import Node, fault
from vizschema.text import escape_name

Told = Mapping[Steps, Account | Unreadable]


class Stored(NamedTuple):
    """An array: its canonical type and shape, and where its values lie in the decoded bytes of a run, as which type."""

    dtype: str
    item_bytes: int
    shape: tuple[int, ...]
    run: Run
    code: Any
    skip: int = 0
    fortran: bool = False


class Listed(ABC):
    """Arrays under `names`, as a `Container`; `beside` are the names of what is not an array."""

    document: ClassVar[str]
    """What the document is called."""

    def __init__(self, names: Set[Steps], beside: Set[Steps], limits: Limits) -> None:
        self._names = names
        self._beside = beside
        self._limits = limits
        self._pool = BufferPool()
        self._stored: dict[str, Stored] | None = None

    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    @abstractmethod
    def told(self) -> Told:
        """What the document says of each node, nothing where there is none; raises `Unreadable`."""

    @abstractmethod
    def stored(self, steps: Steps, attributes: dict[str, Any]) -> Stored:
        """The array of this name; takes from `attributes` what says how it is stored. Raises `Unreadable`."""

    def stray(self) -> Sequence[tuple[Steps, Node]]:
        """What is not an array and no document, by name."""
        return ()

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""
        self._stored = {}
        instead = watch("/")
        if instead is not None:
            yield "/", instead
            return
        try:
            told = self.told()
            root = told.get((), Account("group", None, {}))
        except Unreadable as unreadable:
            told, root = {}, unreadable
        yield "/", self._group(root, "", is_array=() in self._names)
        yield from self._below(told, watch)
        for steps, node in self.stray():
            path = _path(steps)
            yield path, watch(path) or name_node(node, steps[-1], [])[1]

    def values(self, path: str) -> FlatValues:
        """The values of the array at `path`; raises `ChunkDamaged` where there is none, or none that NumPy has."""
        if self._stored is None:
            for _ in self.nodes():
                pass
        found = (self._stored or {}).get(path)
        if found is None:
            raise ChunkDamaged("undecodable", "there is no array of this name", path)
        try:
            stored = stored_v2(found.code)
        except TypeError as error:
            raise ChunkDamaged("undecodable", str(error), path) from None
        return FlatValues(
            found.run,
            found.dtype,
            stored,
            found.shape,
            found.skip,
            fortran=found.fortran,
            pool=self._pool,
        )

    def _below(self, told: Told, watch: Watch) -> Iterator[tuple[str, Node]]:
        """Every node below the root, a group before its members; none below one that `watch` stands in for."""
        groups = {above for steps in (*self._names, *told) for above in _above(steps)}
        groups |= {steps for steps, account in told.items() if isinstance(account, Account) and account.kind == "group"}
        alone: Steps | None = None
        for count, steps in enumerate(sorted((groups | self._names | told.keys()) - {()}), 2):
            if alone is not None and steps[: len(alone)] == alone:
                continue
            path = _path(steps)
            instead = watch(path)
            if count > self._limits.nodes:
                yield path, name_node(fault("over-limit", f"more than {self._limits.nodes} nodes"), steps[-1], [])[1]
                return
            if instead is None and len(steps) > self._limits.path_depth:
                detail = f"more than {self._limits.path_depth} levels deep"
                instead = name_node(fault("over-limit", detail), steps[-1], [])[1]
            alone = alone if instead is None else steps
            yield path, instead or self._node(path, steps, told.get(steps), is_group=steps in groups)

    def _node(self, path: str, steps: Steps, account: Account | Unreadable | None, *, is_group: bool) -> Node:
        is_array, shadowed = steps in self._names, steps in self._beside
        if shadowed or (is_group and is_array):
            what = f"the member {quote('/'.join(steps))}" if shadowed else "an array"
            other = "a group" if is_group else "an array"
            node = fault("metadata-conflict", f"{what} stands beside {other} of this name: two accounts of one node")
            return name_node(node, steps[-1], [])[1]
        if not is_array:
            return self._group(account, steps[-1], is_array=False)
        try:
            if isinstance(account, Unreadable):
                raise account
            node, escaped = self._array(path, steps, account or NOTHING)
        except Unreadable as unreadable:
            node, escaped = unreadable.node(), []
        return name_node(node, steps[-1], escaped)[1]

    def _group(self, account: Account | Unreadable | None, name: str, *, is_array: bool) -> Node:
        """The node of a group, or what stands for one that is none; the root has no `name`."""
        escaped: list[str] = []
        if isinstance(account, Unreadable):
            node = account.node()
        elif is_array:
            node = fault("metadata-conflict", "there is an array of the name of the root")
        elif account is not None and account.kind == "array":
            node = fault(
                "metadata-conflict", f"the node is an array in {self.document}, and there is none of this name"
            )
        else:
            cleaned = clean_attributes((account or NOTHING).attributes, self._limits)
            node, escaped = cleaned.of(description.group({})), cleaned.escaped
        return name_node(node, name or "/", escaped)[1]

    def _array(self, path: str, steps: Steps, account: Account) -> tuple[Node, list[str]]:
        """The node of an array and what was escaped in it; raises `Unreadable`."""
        attributes = dict(account.attributes)
        stored = self.stored(steps, attributes)
        axes, problem = named_axes(account.axes, len(stored.shape), self.document)
        cleaned = clean_attributes(attributes, self._limits)
        node = cleaned.of(description.array(stored.dtype, stored.shape, axes, {}, None, item_bytes=stored.item_bytes))
        if problem is not None:
            node["axes_detail"] = problem
        if stored.item_bytes and self._stored is not None:
            self._stored[path] = stored
        return node, cleaned.escaped


def _above(steps: Steps) -> Iterator[Steps]:
    """The groups that hold a node, none where its name is not a path below the root."""
    proper = is_path(steps)
    return (steps[:length] for length in range(len(steps) if proper else 0))


def _path(steps: Steps) -> str:
    return "/" + "/".join(map(escape_name, steps))
