"""ASDF: the tree first, then a raw block with its checksum for each array; readable by the asdf library as it is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vizschema.containers.asdf.file import ATTRIBUTES, AXES, DATA, LIBRARY
from vizschema.writer.forms.base import Form, PlannedArray, unchunked

_HEADER = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n"
_PREFIX = "tag:stsci.edu:asdf/"
_BLOCK = struct.Struct(">4sHI4sQQQ16s")
_RAW = b"\0\0\0\0"


@dataclass(frozen=True, slots=True)
class _Under:
    """A mapping under a tag of the ASDF core."""

    tag: str
    fields: Mapping[str, Any]


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]  # C where there is libyaml
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """True: what is written twice is written twice."""
        return True


_Dumper.add_representer(
    _Under, lambda dumper, node: dumper.represent_mapping(f"{_PREFIX}core/{node.tag}", list(node.fields.items()))
)


class AsdfWriter:
    """A new file at `path`, which must not exist. Its tree is written by `outline`, so that blocks can follow it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")

    def outline(self, groups: Mapping[str, Mapping[str, Any]], arrays: Mapping[str, PlannedArray]) -> None:
        """Write the tree, with the number of the block that each array will have."""
        root: dict[str, Any] = {}
        places: dict[str, dict[str, Any]] = {"/": root}
        for path, attributes in groups.items():
            if path != "/":
                parent, _, name = path.rpartition("/")
                places[path] = places[parent or "/"].setdefault(name, {})
            if attributes:
                places[path][ATTRIBUTES] = dict(attributes)
        for number, (path, planned) in enumerate(arrays.items()):
            parent, _, name = path.rpartition("/")
            places[parent or "/"][name] = _array(number, planned)
        version = importlib.metadata.version("vizschema")
        library = _Under("software-1.0.0", {"name": "vizschema", "version": version})
        tree = yaml.dump(
            _Under("asdf-1.1.0", {LIBRARY[0]: library, **root}),
            Dumper=_Dumper,
            version=(1, 1),
            tags={"!": _PREFIX},
            explicit_start=True,
            explicit_end=True,
            sort_keys=False,
            width=1000,
        )
        self._file.write(_HEADER + tree.encode("ascii"))

    def group(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Do nothing: groups are in the tree."""

    def array(self, path: str, planned: PlannedArray) -> None:  # noqa: ARG002  (blocks come in the order of the outline)
        """Write the block of the next array, range by range; its checksum goes into its header at the end."""
        start = self._file.tell()
        self._file.write(bytes(_BLOCK.size))
        md5 = hashlib.md5(usedforsecurity=False)
        size = 0
        for region in planned.rows():
            values = planned.part(region)
            raw = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
            md5.update(raw)
            size += len(raw)
            self._file.write(raw)
        self._file.seek(start)
        self._file.write(_BLOCK.pack(b"\xd3BLK", 48, 0, _RAW, size, size, size, md5.digest()))
        self._file.seek(0, 2)

    def annotate(self, path: str, attributes: Mapping[str, Any]) -> None:
        """Nothing can be added to a tree that blocks follow: only `create` would, which does not write ASDF."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing to sum up: blocks are found one behind the other."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _array(number: int, planned: PlannedArray) -> dict[str, Any]:
    dtype = planned.stored_dtype
    fields = {
        "source": number,
        "datatype": "bool8" if dtype.kind == "b" else dtype.name,
        "byteorder": "little",
        "shape": list(planned.shape),
    }
    attributes = planned.marked
    return {
        DATA: _Under("ndarray-1.1.0", fields),
        **({} if planned.axes is None else {AXES: list(planned.axes)}),
        **({ATTRIBUTES: attributes} if attributes else {}),
    }


def _refusal(path: str, _: Mapping[str, Any]) -> str | None:
    """Names that ASDF, or the layout in it, keeps for itself."""
    if ATTRIBUTES in path.split("/"):
        return f"in ASDF the key {ATTRIBUTES} is reserved for the attributes of a group; choose another name"
    if path.split("/")[1] in LIBRARY:
        return f"the asdf library reserves the key {path.split('/')[1]} of the root; choose another name"
    return None


ASDF = Form(
    name="asdf",
    identity={"format": "asdf", "version": None, "store": "file", "consolidated": False},
    shards=False,
    storage=unchunked,
    begin=AsdfWriter,
    refusal=_refusal,
)
