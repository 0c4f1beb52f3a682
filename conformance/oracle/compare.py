"""Two accounts of an archive, node by node: each difference is one line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vizschema.description import STORED_AS
from vizschema.text import escape_text, shorten

Node = Mapping[str, Any]
Nodes = Mapping[str, Node]

LISTS_ARRAYS_ONLY = frozenset({"tensorstore", "xarray"})
"""Libraries that have no groups, or none without arrays."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What `library` reads otherwise, or refuses: `field` is what differs, `dtype` and `codecs` are of our node."""

    archive: str
    container: str
    library: str
    version: str
    path: str
    field: str
    ours: str
    theirs: str
    dtype: str = ""
    codecs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{self.archive} ({self.container}): {self.path}: {self.field}: "
            f"expected {self.ours} as vizschema reads it, found {self.theirs} by {self.library} {self.version}"
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which archive was read, by which library."""

    archive: str
    container: str
    library: str
    version: str

    def difference(self, path: str, field: str, ours: Any, theirs: Any, **features: Any) -> Difference:
        """A difference at `path`."""
        return Difference(
            self.archive,
            self.container,
            self.library,
            self.version,
            path,
            field,
            _shown(ours),
            _shown(theirs),
            **features,
        )


def differences(asked: Asked, own: Mapping[str, Any], reply: Mapping[str, Any]) -> list[Difference]:
    """Every difference between our account and the reply of a library."""
    if "refused" in reply:
        kinds = sorted({node["dtype"] for node in own["nodes"].values() if "dtype" in node})
        codecs = tuple(sorted({codec for each in own["codecs"].values() for codec in each}))
        what = {"dtype": " ".join(kinds), "codecs": codecs}
        return [asked.difference("/", "refused", "an archive", reply["refused"], **what)]
    mine, other = own["nodes"], reply["nodes"]
    if asked.library in LISTS_ARRAYS_ONLY:
        mine = {path: node for path, node in mine.items() if node["kind"] == "array"}
    found: list[Difference] = []
    for path in sorted({*mine, *other}):
        features = {"dtype": mine.get(path, {}).get("dtype", ""), "codecs": tuple(own["codecs"].get(path, ()))}
        found += [asked.difference(path, *each, **features) for each in _of_node(mine.get(path), other.get(path))]
    return found


def _of_node(mine: Node | None, other: Node | None) -> Iterator[tuple[str, Any, Any]]:
    if mine is None or other is None:
        yield "tree", "nothing" if mine is None else mine["kind"], "nothing" if other is None else other["kind"]
        return
    if "refused" in other or "refused" in mine:
        if "refused" not in mine:  # else the run says so once, whatever the library
            yield "refused", f"an {mine['kind']}" if mine["kind"] == "array" else "a group", other["refused"]
        return
    if mine["kind"] != other["kind"]:
        yield "tree", mine["kind"], other["kind"]
        return
    yield from _differing(mine, other)


def _differing(mine: Node, other: Node) -> Iterator[tuple[str, Any, Any]]:
    given, kept = _dtype(other), _nested(dict(other.get("attributes", {})))
    if given in STORED_AS and kept.get("stored_dtype") == given:
        del kept["stored_dtype"]
    bits = STORED_AS.get(str(mine.get("dtype"))) == given and "attributes" not in other
    if mine.get("dtype") != given and not bits:
        yield "dtype", mine.get("dtype"), given
    if mine.get("shape") != other.get("shape"):
        yield "shape", mine.get("shape"), other.get("shape")
    if "axes" in mine and "axes" in other and _axes(mine["axes"]) != _axes(other["axes"]):
        yield "axes", mine["axes"], other["axes"]
    if "attributes" in other:
        yield from _attributes(mine["attributes"], kept)
    if mine.get("sha256") != other.get("sha256"):
        yield "values", mine.get("sha256"), other.get("sha256")


def _nested(attributes: dict[str, Any]) -> dict[str, Any]:
    """Attributes with the values of those that are JSON texts, by the list that spec.md, "The containers", defines."""
    listed = attributes.pop("json_attributes", ())
    return {key: json.loads(value) if key in listed else value for key, value in attributes.items()}


def _dtype(node: Node) -> Any:
    """The dtype; that of bits which say what they are (spec.md, "Arrays") is what they say."""
    dtype, said = node.get("dtype"), node.get("attributes", {}).get("stored_dtype")
    return said if isinstance(said, str) and said in STORED_AS and STORED_AS[said] == dtype else dtype


def _axes(axes: Sequence[str | None] | None) -> list[str | None] | None:
    return list(axes) if axes and any(name is not None for name in axes) else None


def _attributes(mine: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*mine, *other}):
        if name not in mine or name not in other or _text(mine[name]) != _text(other[name]):
            yield "attributes", _named(name, mine), _named(name, other)


def _named(name: str, attributes: Mapping[str, Any]) -> str:
    return f"{name} = {_text(attributes[name])}" if name in attributes else f"no {name}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _shown(value: Any) -> str:
    return shorten(escape_text(value if isinstance(value, str) else _text(value)), 400)
