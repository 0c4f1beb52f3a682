"""Wrong decoders: this package, before which the documents of an archive are made to say what a careless reader takes.

Zarr in folders and NPZ; the archive is changed on disk.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vizschema.conformance.wrong.kinds import Wrong

_LARGE = 16 << 20


def _documents(path: Path, name: str, change: Callable[[dict[str, Any]], None]) -> bool:
    """Whether a document of an array called `name` below `path` was changed; consolidated copies with it."""
    changed = False
    if path.is_dir():
        for file in (*path.rglob(name), *([path / "zarr.json", path / ".zmetadata"] if path.is_dir() else [])):
            if not file.is_file() or file.is_symlink() or file.stat().st_size > _LARGE:
                continue
            try:
                document = json.loads(file.read_text("utf-8", "surrogatepass"))
            except (ValueError, RecursionError):
                continue  # not JSON, which is the fault of the archive
            before = json.dumps(document)
            for each in _arrays(document):
                change(each)
            if json.dumps(document) != before:
                file.write_text(json.dumps(document), "utf-8")
                changed = True
    return changed


def _arrays(document: Any) -> list[dict[str, Any]]:
    """The documents of arrays in a document: itself, and those of a consolidated copy."""
    if not isinstance(document, dict):
        return []
    copies = document.get("consolidated_metadata") or document
    inner = copies.get("metadata") if isinstance(copies, dict) else None
    nested = list(inner.values()) if isinstance(inner, dict) else []
    return [each for each in (document, *nested) if isinstance(each, dict) and "shape" in each]


def _codec_lists(array: dict[str, Any]) -> list[list[Any]]:
    """The codecs of an array of version 3, and those within its shards."""
    found = []
    codecs = array.get("codecs")
    while isinstance(codecs, list):
        found.append(codecs)
        inner = [each for each in codecs if isinstance(each, dict) and each.get("name") == "sharding_indexed"]
        codecs = inner[0].get("configuration", {}).get("codecs") if inner else None
    return found


def _npy(path: Path, pattern: bytes, instead: bytes) -> bool:
    """Whether a header of a member of the NPZ file `path` was changed."""
    if path.suffix != ".npz":
        return False
    if not zipfile.is_zipfile(path) or path.stat().st_size > _LARGE:
        return False
    raw, changed = io.BytesIO(), False
    with zipfile.ZipFile(path) as file, zipfile.ZipFile(raw, "w") as out:
        for name in file.namelist():
            try:
                data = file.read(name)
            except zipfile.BadZipFile:
                return False  # a damaged member, which is the fault of the archive
            other = re.sub(pattern, instead, data[:128]) + data[128:] if name.endswith(".npy") else data
            changed |= other != data
            out.writestr(name, other)
    if changed:
        path.write_bytes(raw.getvalue())
    return changed


def _little(array: dict[str, Any]) -> None:
    if isinstance(array.get("dtype"), str):
        array["dtype"] = array["dtype"].replace(">", "<")
    for codecs in _codec_lists(array):
        for codec in codecs:
            if isinstance(codec, dict) and codec.get("name") == "bytes" and codec.get("configuration"):
                codec["configuration"] = {"endian": "little"}


def _c_order(array: dict[str, Any]) -> None:
    if array.get("order") == "F":
        array["order"] = "C"
    for codecs in _codec_lists(array):
        codecs[:] = [each for each in codecs if not (isinstance(each, dict) and each.get("name") == "transpose")]


def _zero(array: dict[str, Any]) -> None:
    if "fill_value" in array:
        fill = array["fill_value"]
        array["fill_value"] = False if isinstance(fill, bool) else [0, 0] if isinstance(fill, list) else 0


def both(name: Callable[[dict[str, Any]], None]) -> Callable[[Path], bool]:
    """A change of the documents of arrays of either version of Zarr."""

    def change(path: Path) -> bool:
        return _documents(path, "zarr.json", name) | _documents(path, ".zarray", name)

    return change


absent_zeroed = both(_zero)
"""Whether the fill value of an array below a path was made 0."""


def filled(change: Callable[[Any, str], Any]) -> Callable[[Path], bool]:
    """Whether the fill value of an array below a path was changed: by `change` (fill value, data type)."""

    def of(array: dict[str, Any]) -> None:
        if "fill_value" in array:
            array["fill_value"] = change(array["fill_value"], str(array.get("data_type", array.get("dtype"))))

    return both(of)


def _byte_order(path: Path) -> bool:
    return both(_little)(path) or _npy(path, rb"'descr': '>", b"'descr': '<")


def _memory_order(path: Path) -> bool:
    return both(_c_order)(path) or _npy(path, rb"'fortran_order': True, ", b"'fortran_order': False,")


def _believed(path: Path) -> bool:
    """Whether documents of nodes were replaced by what a consolidated copy says of them."""
    changed = False
    for name, of in (("zarr.json", "consolidated_metadata"), (".zmetadata", "")):
        try:
            document = json.loads((path / name).read_bytes())
            copies = (document[of] if of else document)["metadata"]
            for key, copy in copies.items():
                file = path / key / "zarr.json" if of else path / key
                if file.parent.is_dir() and file.resolve().is_relative_to(path.resolve()):
                    before = file.read_bytes() if file.is_file() else b""
                    file.write_text(json.dumps(copy), "utf-8")
                    changed |= not before or json.loads(before) != copy
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # no copy, or a malformed one
    return changed


def _texts(change: Callable[[str], str], *names: str) -> Callable[[Path], bool]:
    """A change of the text of every document of these names."""

    def of(path: Path) -> bool:
        changed = False
        for file in (file for name in names for file in path.rglob(name) if path.is_dir()):
            if file.is_file() and not file.is_symlink() and file.stat().st_size <= _LARGE:
                raw = file.read_bytes()
                other = change(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
                if other != raw:
                    file.write_bytes(other)
                    changed = True
        return changed

    return of


_EVERY = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def _first_names(text: str) -> str:
    """JSON of which the first of two members of one name stays; as it is where there is none."""
    twice = False

    def first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        twice |= len(dict(pairs)) < len(pairs)
        return dict(reversed(pairs))

    try:
        document = json.loads(text, object_pairs_hook=first)
    except (ValueError, RecursionError):
        return text
    return json.dumps(document) if twice else text


def _no_constants(text: str) -> str:
    """JSON in which NaN and infinities, which are no JSON, are null."""
    found = False

    def null(_: str) -> None:
        nonlocal found
        found = True

    try:
        document = json.loads(text, parse_constant=null)
    except (ValueError, RecursionError):
        return text
    return json.dumps(document) if found else text


def _separators(array: dict[str, Any]) -> None:
    array.pop("dimension_separator", None)
    if isinstance(array.get("chunk_key_encoding"), dict):
        array["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}


def _unfiltered(array: dict[str, Any]) -> None:
    if array.get("filters"):
        array["filters"] = None


_FIELDS = frozenset(
    {
        *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"),
        *(
            "attributes",
            "dimension_names",
            "consolidated_metadata",
            "chunks",
            "dtype",
            "compressor",
            "filters",
            "order",
        ),
        *("dimension_separator", "metadata", "zarr_consolidated_format"),
    }
)


def _known_fields(array: dict[str, Any]) -> None:
    for key in set(array) - _FIELDS:
        del array[key]


def _no_copy(path: Path) -> bool:
    """Whether a consolidated copy was left out."""
    (path / ".zmetadata").unlink() if (copied := (path / ".zmetadata").is_file()) else None
    if (path / "zarr.json").is_symlink():
        return copied
    try:
        document = json.loads((path / "zarr.json").read_bytes())
        copied |= document.pop("consolidated_metadata", None) is not None
        (path / "zarr.json").write_text(json.dumps(document), "utf-8")
    except (OSError, ValueError, AttributeError, RecursionError):
        return copied  # malformed, or of another version
    return copied


def _finite(fill: Any, _: str) -> Any:
    return 0 if isinstance(fill, str) else fill


DECODERS: tuple[Wrong, ...] = (
    Wrong("separators_ignored", "validator", "separators of chunk keys ignored", archive=both(_separators)),
    Wrong("filters_ignored", "validator", "filters of Zarr v2 ignored", archive=both(_unfiltered)),
    Wrong("fill_in_text_ignored", "validator", "fill values that are texts taken for 0", archive=filled(_finite)),
    Wrong("first_name", "validator", "the first of two members of one name", archive=_texts(_first_names, *_EVERY)),
    Wrong("constants_read", "validator", "NaN in JSON taken for null", archive=_texts(_no_constants, *_EVERY)),
    Wrong(
        "mark_skipped",
        "validator",
        "a byte order mark before JSON skipped",
        archive=_texts(lambda text: text.removeprefix("\ufeff"), *_EVERY),
    ),
    Wrong("fields_dropped", "validator", "unknown fields of documents of arrays skipped", archive=both(_known_fields)),
    Wrong("copy_left_out", "validator", "consolidated copies not compared", archive=_no_copy),
    Wrong("byte_order_ignored", "validator", "byte order ignored", archive=_byte_order),
    Wrong("memory_order_ignored", "validator", "memory order ignored", archive=_memory_order),
    Wrong("absent_is_zero", "validator", "absent chunk is 0, not fill", archive=absent_zeroed),
    Wrong("copy_believed", "validator", "consolidated copy believed", archive=_believed),
)
