"""The ASDF container: a YAML tree and the blocks behind it, read without any extension; no tag is ever constructed.

A mapping `{data, axes, attributes}` is an array, any other mapping a group (spec.md, "The containers").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from vizschema import description
from vizschema.containers.accounts import named_axes
from vizschema.containers.asdf.account import asdf_readings
from vizschema.containers.asdf.arrays import Ndarray
from vizschema.containers.asdf.blocks import STANDARDS, StoredBlock, read_blocks, read_frame
from vizschema.containers.asdf.nodes import is_ndarray, read_ndarray
from vizschema.containers.asdf.strided import StridedValues
from vizschema.containers.asdf.tree import Alias, Broken, Tagged, read_tree
from vizschema.containers.attributes import Attributes, Unsupported, clean_attributes, real_dtype
from vizschema.containers.base import Limits, Unreadable, Watch, name_node, quote, read_as, unwatched
from vizschema.containers.bytes.flat import FlatValues
from vizschema.containers.bytes.ranges import Ranges
from vizschema.containers.bytes.sources import BufferPool
from vizschema.containers.values import ChunkDamaged
from vizschema.description import Node, fault
from vizschema.errors import NotAnArchive, not_readable
from vizschema.text import escape_name

ATTRIBUTES, DATA, AXES = "attributes", "data", "axes"
LIBRARY = ("asdf_library", "history")
"""Keys of the root that the asdf library keeps for itself."""

_CORE = "tag:stsci.edu:asdf/core/asdf-1."
_PYTHON = ("tag:yaml.org,2002:python", "!python", "!!python")


class Asdf:
    """An open ASDF file, as a `Container`; a tree that cannot be read is a fault of the root."""

    def __init__(
        self,
        file: Ranges,
        tree: Any,
        limits: Limits,
        blocks: Sequence[StoredBlock] = (),
        standard: str = STANDARDS[-1],
        readings: Sequence[str] = (),
    ) -> None:
        self._file = file
        self._tree = tree
        self._blocks = blocks
        self._standard = standard
        self._readings = readings
        self._limits = limits
        self._pool = BufferPool()
        self._told: set[str] = set()
        self._stored: dict[str, tuple[Ndarray, str]] | None = None

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        identity = {"format": "asdf", "version": None, "store": "file", "consolidated": False}
        return read_as(identity, [*self._readings, *self._lost()])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _lost(self) -> Iterator[str]:
        """Damage of blocks that no array needs: readers that go from block to block do."""
        problems = (block.problem for block in self._blocks if block.problem is not None)
        yield from (words for reason, words in problems if reason == "damaged" and words not in self._told)

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""
        self._stored = {}
        root = self._tree
        if type(root) is Tagged and root.tag.startswith(_CORE):
            root = root.value
        if type(root) is dict:
            root = {key: value for key, value in root.items() if key not in LIBRARY}
        pending: list[tuple[str, str, int, Any]] = [("/", "/", 0, root)]
        count = 0
        while pending:
            path, name, depth, value = pending.pop()
            count += 1
            if count > self._limits.nodes:
                yield path, name_node(fault("over-limit", f"more than {self._limits.nodes} nodes"), name, [])[1]
                return
            instead = watch(path) or _misnamed(name, depth)
            node, escaped = self._node(path, depth, value) if instead is None else (instead, [])
            yield path, name_node(node, name, escaped)[1]
            if node["kind"] == "group":
                for key, inner in reversed(_members(value)):
                    # A slash within a name would make it the path of another node.
                    step = escape_name(key).replace("/", "\\u002f")
                    pending.append((description.join(path, step), key, depth + 1, inner))

    def values(self, path: str) -> FlatValues | StridedValues:
        """The values of the array at `path`; raises `ChunkDamaged` where there is none, or none that NumPy has."""
        if self._stored is None:
            for _ in self.nodes():
                pass
        found = (self._stored or {}).get(path)
        if found is None or found[0].stored is None:
            raise ChunkDamaged("undecodable", "there is no array of this name, or of a type that NumPy lacks", path)
        array, dtype = found
        if array.strides is not None:
            return StridedValues(array.run, dtype, found[0].stored, array.shape, array.offset, array.strides)
        return FlatValues(
            array.run, dtype, found[0].stored, array.shape, array.offset, fortran=array.fortran, pool=self._pool
        )

    def _node(self, path: str, depth: int, value: Any) -> tuple[Node, list[str]]:
        """The node of a value of the tree, and what was escaped in it."""
        try:
            if depth > self._limits.path_depth:
                raise Unreadable("over-limit", f"more than {self._limits.path_depth} levels deep")
            if type(value) is dict and _is_array(value):
                return self._array(path, value[DATA], value.get(AXES), value.get(ATTRIBUTES, {}))
            if is_ndarray(value):
                return self._array(path, value, None, {})
            if type(value) is dict:
                attributes = value.get(ATTRIBUTES)
                cleaned = self._attributes(attributes if type(attributes) is dict else {})
                return cleaned.of(description.group({})), cleaned.escaped
            if depth == 0 and type(value) in (list, str, int, float, bool, type(None)):
                raise Unreadable("metadata-invalid", "the tree is not a mapping")
            return _other(value), []
        except Unreadable as unreadable:
            self._told.add(unreadable.detail)
            return unreadable.node(), []

    def _array(self, path: str, data: Any, axes: Any, attributes: Any) -> tuple[Node, list[str]]:
        if type(data) is Alias:
            raise Unreadable("internal-link", f"an alias of the array anchored as {quote(data.anchor)}")
        array = read_ndarray(data, self._blocks, self._standard)
        if type(attributes) is not dict:
            raise Unreadable("metadata-invalid", "the attributes beside the array are not a mapping")
        name, item_bytes = array.dtype
        raw = dict(attributes)
        name = real_dtype(name, raw)
        is_list = axes is None or (type(axes) is list and all(each is None or type(each) is str for each in axes))
        words = (None, "axes is not a list of names") if not is_list else named_axes(axes, len(array.shape), AXES)
        cleaned = self._attributes(raw)
        node = cleaned.of(description.array(name, array.shape, words[0], {}, None, item_bytes=item_bytes))
        if words[1] is not None:
            node["axes_detail"] = words[1]
        if item_bytes and self._stored is not None:
            self._stored[path] = array, name
        return node, cleaned.escaped

    def _attributes(self, raw: dict[str, Any]) -> Attributes:
        return clean_attributes({key: _plain(value) for key, value in raw.items()}, self._limits)


def open_asdf_ranges(file: Ranges, shown: str, limits: Limits) -> Asdf:
    """The archive in an ASDF file that is open already, which is closed with it; raises `NotAnArchive`, and closes."""
    try:
        try:
            frame = read_frame(file, limits)
            blocks = read_blocks(file, frame.blocks, limits)
        except Unreadable as unreadable:
            return Asdf(file, Broken(unreadable.reason, unreadable.detail), limits)
        except OSError as error:
            raise not_readable(quote(shown), error) from None
        if not frame.tree:
            raise NotAnArchive("an ASDF file without a tree, which names no array", path=quote(shown))
        try:
            tree = read_tree(frame.tree, limits)
        except Unreadable as unreadable:
            tree = Broken(unreadable.reason, unreadable.detail)
        readings = asdf_readings(file, blocks, limits)
        return Asdf(file, tree, limits, blocks.stored, frame.standard, readings)
    except BaseException:
        file.close()
        raise


_NODES = (dict, Tagged, Alias, Broken)


def _is_array(value: dict[str, Any]) -> bool:
    data = value.get(DATA)
    is_data = is_ndarray(data) or (type(data) is Alias and AXES in value)
    return is_data and value.keys() <= {DATA, AXES, ATTRIBUTES}


def _misnamed(name: str, depth: int) -> Node | None:
    """The node in place of one whose name is not a step of a path; None for all others."""
    if depth == 0 or (name not in (".", "..") and "/" not in name):
        return None
    return fault("metadata-invalid", f"the name {quote(name)}, which is not a step of a path")


def _members(value: Any) -> list[tuple[str, Any]]:
    """The members of a group; of a list of nodes, by their place in it."""
    if type(value) is Tagged:
        value = value.value
    if type(value) is list:
        return [(str(index), item) for index, item in enumerate(value)]
    return [(key, inner) for key, inner in value.items() if key != ATTRIBUTES or type(inner) is not dict]


def _has_nodes(value: Any) -> bool:
    """Whether a value is a list that contains nodes, or lists of nodes."""
    return type(value) is list and any(type(item) in _NODES or _has_nodes(item) for item in value)


def _other(value: Any) -> Node:
    """The node of a value that is neither a mapping nor an ndarray."""
    if type(value) is Broken:
        return fault(value.reason, value.detail)
    if type(value) is Alias:
        return fault("internal-link", f"an alias of what is anchored as {quote(value.anchor)}")
    if type(value) is Tagged:
        if value.tag.startswith(_PYTHON):
            return fault("pickle", f"the tag {quote(value.tag)} would construct a Python object")
        return fault("unsupported", f"the tag {quote(value.tag)} needs an extension of ASDF")
    if _has_nodes(value):
        return description.group({})
    return fault("stray-file", "a value that is neither a group nor an array")


def _plain(value: Any) -> Any:
    """The value of an attribute as JSON has it; what JSON does not have is `Unsupported`."""
    if type(value) is Tagged:
        return Unsupported(f"tag {value.tag}")
    if type(value) is Alias:
        return Unsupported("alias")
    if type(value) is Broken:
        return Unsupported(value.detail)
    if type(value) is list:
        return [_plain(item) for item in value]
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items()}
    return value
