"""The document beside arrays that have no place for axes and attributes: what it says of each node. Opens nothing.

It is `vizschema.json` of an NPZ file. Source: spec.md, "The containers".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from vizschema.containers.base import Document, Unreadable, is_path, quote

NAME = "vizschema.json"

Steps = tuple[str, ...]


class Account(NamedTuple):
    """What the document says of one node; `axes` are not yet held against its shape."""

    kind: str
    axes: Sequence[str | None] | None
    attributes: Document


NOTHING = Account("array", None, {})
"""What is known of a node that the document does not list."""


def accounts(document: Document, source: str) -> dict[Steps, Account | Unreadable]:
    """The account of each node by the steps of its path, or why it cannot be used; raises `Unreadable` for them all.

    `source` is what the document is called.
    """
    nodes = document.get("nodes")
    if type(nodes) is not dict:
        raise Unreadable("metadata-invalid", f"{source} holds no object `nodes`")
    _known(document, {"nodes"}, source, source)
    found: dict[Steps, Account | Unreadable] = {}
    for path, entry in nodes.items():
        steps = tuple(path[1:].split("/")) if path != "/" else ()
        if not path.startswith("/") or not is_path(steps):
            raise Unreadable("metadata-invalid", f"{source} lists {quote(path)}, which is not a path from the root")
        try:
            found[steps] = _account(path, entry, source)
        except Unreadable as unreadable:
            found[steps] = unreadable
    return found


def named_axes(axes: Sequence[str | None] | None, rank: int, what: str) -> tuple[list[str | None] | None, str | None]:
    """The axes of an array of this rank, and why there are none where `what` should have named them."""
    if axes is None:
        return (None if rank else []), None
    if len(axes) != rank:
        return None, f"{what} has {len(axes)} names for {rank} dimensions"
    return (list(axes) if not rank or any(name is not None for name in axes) else None), None


def _account(path: str, entry: Any, source: str) -> Account:
    if type(entry) is not dict or entry.get("kind") not in ("group", "array"):
        raise Unreadable("metadata-invalid", f"{source} does not say that {quote(path)} is a group or an array")
    attributes = entry.get("attributes", {})
    if type(attributes) is not dict:
        raise Unreadable("metadata-invalid", f"the attributes of {quote(path)} in {source} are not an object")
    is_array = entry["kind"] == "array"
    _known(entry, {"kind", "axes", "attributes"} if is_array else {"kind", "attributes"}, quote(path), source)
    return Account(entry["kind"], _axes(path, entry.get("axes"), source), attributes)


def _axes(path: str, axes: Any, source: str) -> Sequence[str | None] | None:
    if axes is None:
        return None
    if type(axes) is not list or any(name is not None and type(name) is not str for name in axes):
        raise Unreadable("metadata-invalid", f"the axes of {quote(path)} in {source} are not a list of names")
    return axes


def _known(document: Mapping[str, Any], known: set[str], where: str, source: str) -> None:
    others = sorted(document.keys() - known)
    if others:
        raise Unreadable("unsupported", f"{source} has the field {quote(others[0])} at {where}, unknown to this reader")
