"""The containers of other layouts, as their writers write them: Zarr v2, HDF5, NPZ, safetensors, folders of files.

Arrays have no axes there, and texts are arrays too: so these are not the containers of the specification.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

from vizschema.containers.safetensors import DTYPES
from vizschema.containers.values import grid_of, regions
from vizschema.errors import UsageError
from vizschema.sources.item import Values
from vizschema.sources.views import View, blocks, cast, view_of

Arrays = Mapping[str, View]
Attributes = Mapping[str, Mapping[str, Any]]

CHUNK = 4 << 20
"""Most bytes of a chunk that is written."""

_SAFETENSORS = {name: code for code, (name, stored, _) in DTYPES.items() if stored is not None}
WIDER: Mapping[str, str] = {
    "bfloat16": "float32",
    **dict.fromkeys(("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"), "float32"),
    **dict.fromkeys(("int4", "uint4"), "int8"),
}
"""A dtype of NumPy that has each value of one that NumPy lacks."""

_OTHER = "pass --container zarr-v2 or hdf5"
_PLAIN = "biufcU"
_FILLS: Mapping[str, Any] = {"U": "", "b": False, "c": [0.0, 0.0]}


def zarr_v2(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write a folder in version 2 of the Zarr format."""
    path.mkdir()
    groups = {above for name in (*arrays, *attributes) for above in _above(name)} | {"/", *attributes} - arrays.keys()
    for place in groups:
        folder = path / place[1:]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".zgroup").write_text('{"zarr_format": 2}\n')
    for place, values in arrays.items():
        _zarr_array(path / place[1:], values)
    for place, members in attributes.items():
        (path / place[1:] / ".zattrs").write_text(json.dumps(members, indent=1) + "\n")


def zarr_v2_zip(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write the same in a zip file, whose members are stored."""
    folder = path.with_name(f"{path.name}.folder")
    zarr_v2(folder, arrays, attributes)
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as file:
        for each in sorted(each for each in folder.rglob("*") if each.is_file()):
            file.writestr(zipfile.ZipInfo(each.relative_to(folder).as_posix()), each.read_bytes())


def _zarr_array(folder: Path, values: View) -> None:
    values = _fixed(values, folder)
    chunks = [max(1, length) for length in grid_of(values.shape, values.dtype.itemsize, CHUNK)]
    is_text = values.dtype.kind == "U"
    document = {
        "zarr_format": 2,
        "shape": list(values.shape),
        "chunks": chunks,
        "dtype": values.dtype.str,
        "compressor": None if is_text else {"id": "zlib", "level": 1},
        "fill_value": _FILLS.get(values.dtype.kind, 0),
        "order": "C",
        "filters": None,
    }
    folder.mkdir(parents=True)
    (folder / ".zarray").write_text(json.dumps(document, indent=1) + "\n")
    for region, block in blocks(replace(values, chunks=tuple(chunks))):
        for inner in regions(block.shape, chunks):
            whole = np.zeros(chunks, values.dtype)
            part = block[inner or ...]
            whole[tuple(map(slice, part.shape))] = part
            starts = zip(region, inner, chunks, strict=True)
            name = ".".join(str((outer.start + within.start) // chunk) for outer, within, chunk in starts)
            data = whole.tobytes()
            (folder / (name or "0")).write_bytes(data if is_text else zlib.compress(data, 1))


def hdf5(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write an HDF5 file; texts have a variable length, and attributes that HDF5 has no type for are JSON texts."""
    with h5py.File(path, "x") as file:
        for place, values in arrays.items():
            if values.dtype.kind in "UT":
                file.create_dataset(place, data=values.whole().astype(object), dtype=h5py.string_dtype())
                continue
            fixed = _fixed(values, place)
            stored = file.create_dataset(place, fixed.shape, fixed.dtype)
            for region, block in blocks(fixed):
                stored[region or ...] = block
        for place, members in attributes.items():
            owner = file.require_group(place) if place not in file else file[place]
            for name, value in members.items():
                owner.attrs[name] = value if _is_native(value) else json.dumps(value)


def _is_native(value: Any) -> bool:
    items = value if isinstance(value, list) and value else [value]
    return isinstance(items[0], (str, int, float, bool)) and len({type(item) for item in items}) == 1


def npz(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write the members of an NPZ file, stored; it has no attributes."""
    _refuse_attributes(path, attributes)
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as file:
        for place, values in arrays.items():
            with file.open(zipfile.ZipInfo(f"{place[1:]}.npy"), "w", force_zip64=True) as member:
                _write_npy(member, _fixed(values, place))


def safetensors(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write a safetensors file; attributes of the root that are texts are its metadata."""
    _refuse_attributes(path, {place: each for place, each in attributes.items() if place != "/"})
    header: dict[str, Any] = {}
    if attributes.get("/"):
        header["__metadata__"] = {name: str(value) for name, value in attributes["/"].items()}
    start = 0
    for place, values in arrays.items():
        if values.dtype.name not in _SAFETENSORS:
            found = "text" if values.dtype.kind in "TU" else values.dtype.name
            raise UsageError(path=place, expected="a dtype that safetensors has", found=found, fix=_OTHER)
        end = start + math.prod(values.shape) * values.dtype.itemsize
        header[place[1:]] = {
            "dtype": _SAFETENSORS[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [start, end],
        }
        start = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in arrays.values():
            _write_all(file, values)


def files(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write a folder: each step with the suffix of a file is a file, and what follows is in it."""
    path.mkdir()
    inside: dict[str, tuple[dict[str, View], dict[str, Mapping[str, Any]]]] = {}
    for place, values in arrays.items():
        file, inner = _split(place)
        inside.setdefault(file, ({}, {}))[0][inner] = values
    for place, members in attributes.items():
        file, inner = _split(place)
        inside.setdefault(file, ({}, {}))[1][inner] = members
    for file, (held, said) in inside.items():
        suffix = Path(file).suffix
        if suffix not in _FILES:
            raise UsageError(
                path=file,
                expected=f"a file of a kind that is written: {', '.join(_FILES)}",
                found=suffix or "no suffix",
            )
        target = path / file[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        _FILES[suffix](target, held, said)


def _split(place: str) -> tuple[str, str]:
    """The file of a path, and what is left: the path within the file."""
    steps = place.split("/")
    for number, step in enumerate(steps):
        if Path(step).suffix in _FILES:
            return "/".join(steps[: number + 1]), "/" + "/".join(steps[number + 1 :])
    return place, "/"


def _npy(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    _refuse_attributes(path, attributes)
    with path.open("xb") as file:
        _write_npy(file, _fixed(_only(path, arrays, "/"), path))


def _write_npy(file: IO[bytes], values: View) -> None:
    """Write a header of NumPy's format, and the values."""
    header = {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape}
    np.lib.format.write_array_header_1_0(file, header)
    _write_all(file, values)


def _write_all(file: IO[bytes], values: View) -> None:
    """Write the bytes of all values in C order, little-endian."""
    for _, block in blocks(values):
        file.write(np.ascontiguousarray(block).tobytes())


def _json(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    if arrays or set(attributes) != {"/"}:
        raise UsageError(
            path=path, expected="attributes of one group in a JSON file", found=", ".join([*arrays, *attributes])
        )
    path.write_text(json.dumps(attributes["/"], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _txt(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """The largest weights of each head: a line for the head, then one of query, key and weight for each entry."""
    _refuse_attributes(path, attributes)
    indices = _only(path, arrays, "/indices", "/weights").whole()
    weights = _only(path, arrays, "/weights", "/indices").whole()
    number = re.search(r"layer_?([0-9]+)", path.name)
    lines = []
    for head, (pairs, entries) in enumerate(zip(indices, weights, strict=True)):
        lines.append(f"Layer {int(number[1]) if number else 0}, Head {head}")
        lines += [
            f"{query} {key} {_decimal(float(weight))}" for (query, key), weight in zip(pairs, entries, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def _sequences(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Sequences as text, each after a line with its name, of which the attribute `names` has one for each."""
    rows = np.atleast_2d(_only(path, arrays, "/").whole())
    said = dict(attributes.get("/", {}))
    names = said.pop("names", None)
    _refuse_attributes(path, {"/": said})
    wanted = f"uint8 codes, and the attribute names with {len(rows)} texts of one line"
    if rows.ndim != 2 or rows.dtype != np.uint8 or not isinstance(names, list) or len(names) != len(rows):
        raise UsageError(path=path, expected=wanted, found=f"{rows.dtype.name} {list(rows.shape)}, names {names!r:.80}")
    records = zip(names, rows, strict=True)
    path.write_bytes(b"".join(f">{name}\n".encode() + row.tobytes() + b"\n" for name, row in records))


def _decimal(weight: float) -> str:
    short = f"{weight:.6f}"
    return short if float(short) == weight else repr(weight)


def _only(path: Path, arrays: Arrays, name: str, *others: str) -> View:
    if arrays.keys() != {name, *others}:
        raise UsageError(
            path=path, expected=f"the arrays {', '.join([name, *others])}", found=", ".join(arrays) or "none"
        )
    return arrays[name]


def _fixed(values: View, place: object) -> View:
    """The values in a type of NumPy's own, little-endian; raises `UsageError` for others."""
    if values.dtype.kind in "TU":
        texts: Values = np.asarray(values.whole().astype(object), dtype=np.str_)
        return view_of(texts.astype(f"<U{max(1, texts.dtype.itemsize // 4)}"))
    if values.dtype.kind not in _PLAIN:
        fix = "write another container, such as --container safetensors"
        if values.dtype.name in WIDER:
            fix = f"add --widen to write it as {WIDER[values.dtype.name]}, which has each of its values, or {fix}"
        wanted = "a dtype that the layout's container has"
        raise UsageError(path=str(place), expected=wanted, found=values.dtype.name, fix=fix)
    return cast(values, values.dtype.newbyteorder("<"))


def is_lacking(container: str, place: str, dtype: np.dtype[Any]) -> bool:
    """Whether the container has no such dtype, and a wider one."""
    file = container == "folder" and _split(place)[0].endswith(".safetensors")
    return dtype.name in WIDER and not ((file or container == "safetensors") and dtype.name in _SAFETENSORS)


def _refuse_attributes(path: Path, attributes: Attributes) -> None:
    for place, members in attributes.items():
        if members:
            found = f"{place}@{next(iter(members))}"
            raise UsageError(path=path, expected="no attributes", found=found, fix=_OTHER)


def _above(place: str) -> Iterator[str]:
    while place != "/":
        place = place.rpartition("/")[0] or "/"
        yield place


Write = Callable[[Path, Arrays, Attributes], None]

LAYOUTS: Mapping[str, Write] = {
    "zarr-v2": zarr_v2,
    "zarr-v2-zip": zarr_v2_zip,
    "hdf5": hdf5,
    "npz": npz,
    "safetensors": safetensors,
    "folder": files,
}
"""What writes each container."""

SUFFIXES: Mapping[str, str] = {
    **{".zarr": "zarr-v2", ".zip": "zarr-v2-zip", ".h5": "hdf5", ".hdf5": "hdf5", ".npz": "npz"},
    ".safetensors": "safetensors",
}
"""The container by the suffix of the target."""

_FILES: Mapping[str, Write] = {
    **{".npy": _npy, ".json": _json, ".txt": _txt},
    **dict.fromkeys((".fasta", ".a3m"), _sequences),
    **{suffix: LAYOUTS[name] for suffix, name in SUFFIXES.items() if suffix != ".zip"},
}


def container_of(path: Path, asked: str | None, arrays: Iterable[str]) -> str:
    """The container that was asked for, else that of the suffix, else a folder if paths have files, else Zarr v2.

    Raises `UsageError` for one that there is not.
    """
    if asked is not None:
        if asked not in LAYOUTS:
            raise UsageError(path=f"--container {asked}", expected=", ".join(LAYOUTS), found=asked)
        return asked
    has_files = any(_split(place)[0] != place or Path(place).suffix in _FILES for place in arrays)
    return SUFFIXES.get(path.suffix, "folder" if has_files else "zarr-v2")
