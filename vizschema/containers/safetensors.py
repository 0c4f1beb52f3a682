"""The safetensors container: a JSON header, then the values of every tensor, without a gap.

A tensor's name is its path, with or without the first slash. Axes and attributes come from the text `vizschema` of the
header's `__metadata__`, a document like `vizschema.json` of an NPZ file. Without it there are no axes, and the texts
of `__metadata__` are the attributes of the root. Source: github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from vizschema.containers.accounts import Account, Steps, accounts
from vizschema.containers.attributes import real_dtype
from vizschema.containers.base import Document, Limits, Unreadable, is_path, parse, quote, read_as
from vizschema.containers.bytes.packed import Run
from vizschema.containers.bytes.ranges import Ranges
from vizschema.containers.listed import Listed, Stored, Told
from vizschema.containers.zarr.dtypes import MAXIMUM
from vizschema.errors import not_readable

KEY = "vizschema"
"""The text of `__metadata__` that holds the document."""

LENGTH = 8
_RANK = 64
_FIELDS = frozenset({"dtype", "shape", "data_offsets"})
_STRING_OR_MINUS_ZERO = re.compile(rb'"(?:[^"\\]|\\.)*"|(-0)')

DTYPES: Mapping[str, tuple[str, str | None, int]] = {
    "BOOL": ("bool", "|b1", 1),
    **{f"I{8 * size}": (f"int{8 * size}", f"<i{size}", size) for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": (f"uint{8 * size}", f"<u{size}", size) for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": (f"float{8 * size}", f"<f{size}", size) for size in (2, 4, 8)},
    "BF16": ("bfloat16", "<u2", 2),
    "C64": ("complex64", "<c8", 8),
    **{
        f"F8_{name.upper()}": (f"float8_{canonical}", "|u1", 1)
        for name, canonical in {
            "E4M3": "e4m3fn",
            "E5M2": "e5m2",
            "E4M3FNUZ": "e4m3fnuz",
            "E5M2FNUZ": "e5m2fnuz",
        }.items()
    },
    "F8_E8M0": ("F8_E8M0", None, 1),
}
"""The canonical name of a data type (or its own, where there is none), how NumPy has it, and the bytes of an item."""


class Tensor(NamedTuple):
    """An entry of the header, checked; its values lie from `begin` to `end` behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Safetensors(Listed):
    """An open safetensors file, as a `Container`; a header that cannot be read is a fault of the root."""

    document = f"the text {KEY} of __metadata__"

    def __init__(self, file: Ranges, limits: Limits) -> None:
        self._file = file
        self._metadata: Document | Unreadable
        tensors: dict[Steps, Tensor | Unreadable] = {}
        self._readings: list[str] = []
        self._start = 0
        try:
            header, self._start = _header(file, limits)
            self._metadata = _metadata(header.pop("__metadata__", {}))
            tensors = _tensors(header)
            known = (each for each in tensors.values() if isinstance(each, Tensor))
            self._readings = list(_readings(known, file.size - self._start))
        except Unreadable as unreadable:
            self._metadata = unreadable
        self._tensors = tensors
        super().__init__(tensors.keys(), frozenset(), limits)

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        identity = {"format": "safetensors", "version": None, "store": "file", "consolidated": False}
        return read_as(identity, self._readings)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def told(self) -> Told:
        """What the document says of each node; raises `Unreadable`, also for the header."""
        if isinstance(self._metadata, Unreadable):
            raise self._metadata
        if KEY not in self._metadata:
            return {(): Account("group", None, self._metadata)}
        return accounts(parse(self._metadata[KEY].encode(), self.document, self._limits), self.document)

    def stored(self, steps: Steps, attributes: dict[str, Any]) -> Stored:
        """The tensor of this name; takes the attribute `stored_dtype`. Raises `Unreadable`."""
        tensor = self._tensors[steps]
        if isinstance(tensor, Unreadable):
            raise tensor
        size, available = tensor.end - tensor.begin, self._file.size - self._start
        if tensor.end > available:
            raise Unreadable(
                "damaged", f"its values end at byte {tensor.end} behind the header, the file at {available}"
            )
        name, code, item_bytes = DTYPES[tensor.dtype]
        run = Run(self._file, "/".join(steps), self._start + tensor.begin, size, size)
        return Stored(real_dtype(name, attributes), item_bytes, tensor.shape, run, code)


def open_safetensors(file: Ranges, shown: str, limits: Limits) -> Safetensors:
    """The archive in a safetensors file, which is closed with it; raises `NotAnArchive`, and closes."""
    try:
        return Safetensors(file, limits)
    except OSError as error:
        file.close()
        raise not_readable(quote(shown), error) from None
    except BaseException:
        file.close()
        raise


def _header(file: Ranges, limits: Limits) -> tuple[Document, int]:
    """The header, and where the values begin; raises `Unreadable`."""
    length = int.from_bytes(file.read(0, LENGTH), "little")
    if length > file.size - LENGTH:
        detail = f"the header is declared to have {length} bytes, and the file has {file.size}"
        raise Unreadable("metadata-malformed", detail)
    if length > limits.consolidated_bytes:
        raise Unreadable("over-limit", f"the header has {length} bytes, more than {limits.consolidated_bytes}")
    raw = file.read(LENGTH, length)
    header = parse(raw, "the header", limits)
    if b"-0" in raw and any(found[1] for found in _STRING_OR_MINUS_ZERO.finditer(raw)):
        raise Unreadable("metadata-invalid", "the header has the number -0, which the library of the format refuses")
    return header, LENGTH + length


def _metadata(found: Any) -> Document:
    if type(found) is not dict or any(type(text) is not str for text in found.values()):
        raise Unreadable("metadata-invalid", "__metadata__ holds something else than texts")
    return found


def _tensors(header: Document) -> dict[Steps, Tensor | Unreadable]:
    """The entries of the header by the steps of their paths, or why one cannot be used; raises `Unreadable` for all."""
    found: dict[Steps, Tensor | Unreadable] = {}
    for name, entry in header.items():
        steps = tuple(name.removeprefix("/").split("/"))
        if not is_path(steps):
            raise Unreadable("metadata-invalid", f"the header lists {quote(name)}, which is not a path from the root")
        if steps in found:
            raise Unreadable("metadata-conflict", f"the header lists two tensors of the path {quote('/'.join(steps))}")
        try:
            found[steps] = _tensor(entry)
        except Unreadable as unreadable:
            found[steps] = unreadable
    return found


def _tensor(entry: Any) -> Tensor:
    if type(entry) is not dict or not entry.keys() >= _FIELDS:
        raise Unreadable("metadata-invalid", f"the header does not give {', '.join(sorted(_FIELDS))} of it")
    others = sorted(entry.keys() - _FIELDS)
    if others:
        raise Unreadable("unsupported", f"the header has the field {quote(others[0])}, unknown to this reader")
    dtype, shape = entry["dtype"], _whole_numbers("shape", entry["shape"])
    if type(dtype) is not str or dtype not in DTYPES:
        raise Unreadable("unsupported", f"the data type {quote(dtype)}")
    if len(shape) > _RANK:
        raise Unreadable("over-limit", f"the shape has {len(shape)} dimensions, more than {_RANK}")
    item_bytes = DTYPES[dtype][2]
    if math.prod(size or 1 for size in shape) * item_bytes >= MAXIMUM:
        raise Unreadable("metadata-invalid", f"the shape {quote(list(shape))} is one of 2^63 bytes or more")
    offsets = _whole_numbers("data_offsets", entry["data_offsets"])
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * item_bytes:
        detail = f"data_offsets {quote(list(offsets))} do not span the {dtype} of the shape {quote(list(shape))}"
        raise Unreadable("metadata-invalid", detail)
    return Tensor(dtype, shape, *offsets)


def _whole_numbers(what: str, found: Any) -> tuple[int, ...]:
    if type(found) is not list or any(type(each) is not int or not 0 <= each < MAXIMUM for each in found):
        raise Unreadable("metadata-invalid", f"{what}: expected a list of whole numbers, found {quote(found)}")
    return tuple(found)


def _readings(tensors: Iterable[Tensor], size: int) -> Iterator[str]:
    """Where the values do not follow one another to the end of the file, in words: other readers refuse it."""
    at = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end)):
        if tensor.begin > at:
            yield f"bytes {at} to {tensor.begin} behind the header belong to no tensor"
        if tensor.begin < at:
            yield f"bytes {tensor.begin} to {min(at, tensor.end)} behind the header belong to two tensors"
        at = max(at, tensor.end)
    if at < size:
        yield f"bytes {at} to {size} behind the header belong to no tensor"
