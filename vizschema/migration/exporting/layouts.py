"""The containers of other layouts, as their writers write them: Zarr v2, HDF5, NPZ, safetensors, folders of files.

Arrays have no axes there, and texts are arrays too: so these are not the containers of the specification.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vizschema.errors import UsageError
from vizschema.sources.item import Values

Arrays = Mapping[str, Values]
Attributes = Mapping[str, Mapping[str, Any]]

CHUNK = 4 << 20
"""Most bytes of a chunk that is written, if an entry along the first axis is smaller."""

_SAFETENSORS = {
    **{"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "bool": "BOOL"},
    **{f"int{bits}": f"I{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)},
}
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


def _zarr_array(folder: Path, values: Values) -> None:
    values = _fixed(values, folder)
    rows = max(1, CHUNK // max(1, values[:1].nbytes)) if values.ndim else 1
    chunks = [max(1, min(size, rows) if number == 0 else size) for number, size in enumerate(values.shape)]
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
    for numbers in product(*(range(-(-size // chunk)) for size, chunk in zip(values.shape, chunks, strict=True))):
        part = values[tuple(slice(n * chunk, (n + 1) * chunk) for n, chunk in zip(numbers, chunks, strict=True))]
        whole = np.zeros(chunks, values.dtype)
        whole[tuple(map(slice, part.shape))] = part
        data = whole.tobytes()
        (folder / (".".join(map(str, numbers)) or "0")).write_bytes(data if is_text else zlib.compress(data, 1))


def hdf5(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write an HDF5 file; texts have a variable length, and attributes that HDF5 has no type for are JSON texts."""
    with h5py.File(path, "x") as file:
        for place, values in arrays.items():
            if values.dtype.kind in "UT":
                file.create_dataset(place, data=values.astype(object), dtype=h5py.string_dtype())
            else:
                file.create_dataset(place, data=_fixed(values, place))
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
                np.lib.format.write_array(member, _fixed(values, place), allow_pickle=False)


def safetensors(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write a safetensors file; attributes of the root that are texts are its metadata."""
    _refuse_attributes(path, {place: each for place, each in attributes.items() if place != "/"})
    header: dict[str, Any] = {}
    if attributes.get("/"):
        header["__metadata__"] = {name: str(value) for name, value in attributes["/"].items()}
    start = 0
    for place, values in arrays.items():
        if values.dtype.name not in _SAFETENSORS:
            raise UsageError(path=place, expected="a dtype that safetensors has", found=values.dtype.name)
        end = start + values.nbytes
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
            file.write(np.ascontiguousarray(values).tobytes())


def files(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """Write a folder: each step with the suffix of a file is a file, and what follows is in it."""
    path.mkdir()
    inside: dict[str, tuple[dict[str, Values], dict[str, Mapping[str, Any]]]] = {}
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
    np.save(path, _fixed(_only(path, arrays, "/"), path), allow_pickle=False)


def _json(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    if arrays or set(attributes) != {"/"}:
        raise UsageError(
            path=path, expected="attributes of one group in a JSON file", found=", ".join([*arrays, *attributes])
        )
    path.write_text(json.dumps(attributes["/"], indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _txt(path: Path, arrays: Arrays, attributes: Attributes) -> None:
    """The largest weights of each head: a line for the head, then one of query, key and weight for each entry."""
    _refuse_attributes(path, attributes)
    indices, weights = _only(path, arrays, "/indices", "/weights"), _only(path, arrays, "/weights", "/indices")
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
    rows = np.atleast_2d(_only(path, arrays, "/"))
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


def _only(path: Path, arrays: Arrays, name: str, *others: str) -> Values:
    if arrays.keys() != {name, *others}:
        raise UsageError(
            path=path, expected=f"the arrays {', '.join([name, *others])}", found=", ".join(arrays) or "none"
        )
    return arrays[name]


def _fixed(values: Values, place: object) -> Values:
    """The values in a type of NumPy's own, little-endian; raises `UsageError` for others."""
    if values.dtype.kind == "T":
        values = values.astype(f"<U{max([1, *map(len, values.ravel().tolist())])}")
    if values.dtype.kind not in _PLAIN:
        fix = "write another container, such as --container safetensors"
        wanted = "a dtype that the layout's container has"
        raise UsageError(path=str(place), expected=wanted, found=values.dtype.name, fix=fix)
    if values.dtype.str == "<U0":
        values = values.astype("<U1")
    return np.asarray(values.astype(values.dtype.newbyteorder("<"), copy=False), order="C")


def _refuse_attributes(path: Path, attributes: Attributes) -> None:
    for place, members in attributes.items():
        if members:
            raise UsageError(
                path=path, expected="no attributes", found=f"{place}@{next(iter(members))}", fix="use another container"
            )


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


def container_of(path: Path, asked: str | None, arrays: Arrays) -> str:
    """The container that was asked for, else that of the suffix, else a folder if paths have files, else Zarr v2.

    Raises `UsageError` for one that there is not.
    """
    if asked is not None:
        if asked not in LAYOUTS:
            raise UsageError(path=f"--container {asked}", expected=", ".join(LAYOUTS), found=asked)
        return asked
    has_files = any(_split(place)[0] != place or Path(place).suffix in _FILES for place in arrays)
    return SUFFIXES.get(path.suffix, "folder" if has_files else "zarr-v2")
