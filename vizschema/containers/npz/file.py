"""The NPZ container: a zip file of `.npy` members. Headers are read and no values; nothing is ever unpickled.

Axes and attributes come from the member `vizschema.json`; without it there are none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from vizschema import description
from vizschema.containers.base import Limits, Watch, is_path, name_node, read_as, unwatched
from vizschema.containers.bytes.flat import FlatValues
from vizschema.containers.bytes.packed import Run
from vizschema.containers.bytes.sources import Rooms
from vizschema.containers.document import Unreadable, parse, quote
from vizschema.containers.npz.document import NAME, NOTHING, STORED, Account, Steps, accounts, named_axes, portable
from vizschema.containers.npz.npy import FIRST, Header, header_length, read_header
from vizschema.containers.values import TEXTS, ChunkDamaged
from vizschema.containers.zips.directory import Member
from vizschema.containers.zips.members import AHEAD, Zip
from vizschema.description import ITEM_BYTES, Node, fault
from vizschema.text import escape_name

SUFFIX = ".npy"


class _Stored(NamedTuple):
    """Where the values of an array lie, and what they are."""

    run: Run
    header: Header
    dtype: str


class Npz:
    """An open NPZ file, as a `Container`."""

    def __init__(self, file: Zip, limits: Limits) -> None:
        self._file = file
        members = file.members
        self._limits = limits
        self._rooms = Rooms()
        self._arrays = {_steps(member.name): member for member in members if _is_array(member)}
        self._others = [member for member in members if not _is_array(member) and not member.is_folder]
        self._odd = [member for member in members if member.is_folder and member.problem is not None]
        self._stored: dict[str, _Stored] | None = None

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        return read_as({"format": "npz", "version": None, "store": "file", "consolidated": False}, self._file.readings)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""
        self._stored = {}
        instead = watch("/")
        if instead is not None:
            yield "/", instead
            return
        try:
            told = self._told()
            root = told.get((), Account("group", None, {}))
        except Unreadable as unreadable:
            told, root = {}, unreadable
        yield "/", self._group(root, "", is_array=() in self._arrays)[1]
        yield from self._below(told, watch)
        for path, node in self._stray():
            yield path, watch(path) or node

    def _below(self, told: Mapping[Steps, Account | Unreadable], watch: Watch) -> Iterator[tuple[str, Node]]:
        """Every node below the root, a group before its members; none below one that `watch` stands in for."""
        names = {_steps(member.name, suffix="") for member in self._others if member.name != NAME}
        groups = {above for steps in (*self._arrays, *told) for above in _above(steps)}
        groups |= {steps for steps, account in told.items() if isinstance(account, Account) and account.kind == "group"}
        alone: Steps | None = None
        for count, steps in enumerate(sorted((groups | self._arrays.keys() | told.keys()) - {()}), 2):
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
            yield path, instead or self._node(path, steps, told, steps in groups, steps in names)

    def values(self, path: str) -> FlatValues:
        """The values of the array at `path`; raises `ChunkDamaged` where there is none of a dtype of `ITEM_BYTES`."""
        if self._stored is None:
            for _ in self.nodes():
                pass
        stored = (self._stored or {}).get(path)
        if stored is None:
            raise ChunkDamaged(path, "undecodable", "there is no array of numbers of this name")
        run, header, dtype = stored
        lies = np.dtype(header.code)
        return FlatValues(run, dtype, lies, header.shape, header.bytes, fortran=header.fortran, rooms=self._rooms)

    def _told(self) -> Mapping[Steps, Account | Unreadable]:
        """What `vizschema.json` says of each node, nothing where there is none; raises `Unreadable`."""
        found = [member for member in self._others if member.name == NAME]
        if not found:
            return {}
        raw = self._file.document(found[0], self._limits.consolidated_bytes)
        return accounts(parse(raw, NAME, self._limits))

    def _node(
        self, path: str, steps: Steps, told: Mapping[Steps, Account | Unreadable], is_group: bool, shadowed: bool
    ) -> Node:
        account = told.get(steps)
        member = self._arrays.get(steps)
        if shadowed or (is_group and member is not None):
            what = f"the member {quote('/'.join(steps))}" if shadowed else "an array"
            other = "a group" if is_group else "an array"
            node = fault("metadata-conflict", f"{what} stands beside {other} of this name: two accounts of one node")
            return name_node(node, steps[-1], [])[1]
        if member is None:
            return self._group(account, steps[-1], is_array=False)[1]
        try:
            if isinstance(account, Unreadable):
                raise account
            node, escaped = self._array(path, member, account or NOTHING)
        except Unreadable as unreadable:
            node, escaped = unreadable.node(), []
        return name_node(node, steps[-1], escaped)[1]

    def _group(self, account: Account | Unreadable | None, name: str, *, is_array: bool) -> tuple[str, Node]:
        """The node of a group, or what stands for one that is none; the root has no `name`."""
        escaped: list[str] = []
        if isinstance(account, Unreadable):
            node = account.node()
        elif is_array or (account is not None and account.kind == "array"):
            what = "has a member .npy" if is_array else f"is an array in {NAME}, and there is no member for it"
            node = fault("metadata-conflict", f"the node {what}")
        else:
            attributes, escaped = portable(account or NOTHING, self._limits)
            node = description.group(attributes)
        return name_node(node, name or "/", escaped)

    def _array(self, path: str, member: Member, account: Account) -> tuple[Node, list[str]]:
        """The node of an array and what was escaped in it; raises `Unreadable`."""
        run, header = _read_header(self._file, member)
        attributes = dict(account.attributes)
        name, item_bytes = header.dtype
        if name == "uint16" and attributes.get(STORED) == "bfloat16":
            name = attributes.pop(STORED)
        axes, problem = named_axes(account.axes, len(header.shape), NAME)
        cleaned, escaped = portable(account._replace(attributes=attributes), self._limits)
        node = description.array(name, header.shape, axes, cleaned, None, item_bytes=item_bytes)
        if problem is not None:
            node["axes_detail"] = problem
        if item_bytes and (name in ITEM_BYTES or name in TEXTS) and self._stored is not None:
            self._stored[path] = _Stored(run, header, name)
        return node, escaped

    def _stray(self) -> Iterator[tuple[str, Node]]:
        for member in (*self._others, *self._odd):
            if member.name == NAME:
                continue
            steps = _steps(member.name, suffix="")
            reason, detail = member.problem or ("stray-file", "a zip member that is no .npy file")
            yield _path(steps), name_node(fault(reason, detail), steps[-1], [])[1]


def _read_header(file: Zip, member: Member) -> tuple[Run, Header]:
    """Where the member lies and its header, once the size of its values agrees with it; raises `Unreadable`."""
    run = file.run(member, AHEAD)
    try:
        head = run.head(FIRST)
        length = header_length(head)
        header = read_header(head[:length] if length <= len(head) else run.head(length))
    except ChunkDamaged as damaged:
        raise Unreadable("damaged", f"{damaged.key}: {damaged.detail}") from None
    declared = math.prod(header.shape) * header.dtype.item_bytes
    if run.size - header.bytes != declared:
        detail = f"the .npy header declares {declared} bytes of values, and the member holds {run.size - header.bytes}"
        raise Unreadable("metadata-invalid", detail)
    return run, header


def _is_array(member: Member) -> bool:
    return member.name.endswith(SUFFIX)


def _steps(name: str, suffix: str = SUFFIX) -> Steps:
    """The steps of a path; of a name that is no path below the root, the steps as they stand."""
    return tuple((name.removesuffix(suffix) if suffix else name.rstrip("/")).split("/"))


def _above(steps: Steps) -> Iterator[Steps]:
    """The groups that hold a node, none where its name is no path below the root."""
    proper = is_path(steps)
    return (steps[:length] for length in range(len(steps) if proper else 0))


def _path(steps: Steps) -> str:
    return "/" + "/".join(map(escape_name, steps))
