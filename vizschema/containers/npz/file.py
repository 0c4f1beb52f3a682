"""The NPZ container: a zip file of `.npy` members. Headers are read and no values; nothing is ever unpickled.

Axes and attributes come from the member `vizschema.json`; without it there are none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vizschema.containers.accounts import NAME, Steps, accounts
from vizschema.containers.attributes import real_dtype
from vizschema.containers.base import Limits, Unreadable, parse, read_as
from vizschema.containers.bytes.packed import Run
from vizschema.containers.listed import Listed, Stored, Told
from vizschema.containers.npz.npy import FIRST, Header, header_length, read_header
from vizschema.containers.values import ChunkDamaged
from vizschema.containers.zips.directory import Member
from vizschema.containers.zips.members import AHEAD, Zip
from vizschema.description import Node, fault

SUFFIX = ".npy"
_STRAY = ("stray-file", "a zip member that is not an .npy file")


class Npz(Listed):
    """An open NPZ file, as a `Container`."""

    document = NAME

    def __init__(self, file: Zip, limits: Limits) -> None:
        self._file = file
        self._arrays = {_steps(member.name): member for member in file.members if _is_array(member)}
        self._others = [member for member in file.members if not _is_array(member) and not member.is_folder]
        self._odd = [member for member in file.members if member.is_folder and member.problem is not None]
        beside = {_steps(member.name, suffix="") for member in self._others if member.name != NAME}
        super().__init__(self._arrays.keys(), beside, limits)

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        return read_as({"format": "npz", "version": None, "store": "file", "consolidated": False}, self._file.readings)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def told(self) -> Told:
        """What `vizschema.json` says of each node, nothing where there is none; raises `Unreadable`."""
        found = [member for member in self._others if member.name == NAME]
        if not found:
            return {}
        raw = self._file.document(found[0], self._limits.consolidated_bytes)
        return accounts(parse(raw, NAME, self._limits), NAME)

    def stored(self, steps: Steps, attributes: dict[str, Any]) -> Stored:
        """The array of this name; takes the attribute `stored_dtype`. Raises `Unreadable`."""
        run, header = _read_header(self._file, self._arrays[steps])
        name, item_bytes = header.dtype
        return Stored(
            real_dtype(name, attributes), item_bytes, header.shape, run, header.code, header.bytes, header.fortran
        )

    def stray(self) -> Sequence[tuple[Steps, Node]]:
        """Members of the zip file that are not arrays, by name."""
        members = (member for member in (*self._others, *self._odd) if member.name != NAME)
        return [(_steps(member.name, suffix=""), fault(*member.problem or _STRAY)) for member in members]


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
    """The steps of a path; of a name that is not a path below the root, the steps as they stand."""
    return tuple((name.removesuffix(suffix) if suffix else name.rstrip("/")).split("/"))
