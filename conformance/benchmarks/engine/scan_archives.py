"""The archives that scanning is measured on: one trace of realistic values, in every form, by the usual libraries.

Attention is a softmax over logits that fall off with distance; pair tensors are smooth products of waves. Noise would
measure the speed of reading what cannot be compressed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import h5py
import numcodecs
import numpy as np
import zarr
from zarr.codecs import ZstdCodec

Values = np.ndarray[Any, Any]

UNIT_BYTES = 36 << 20
"""The bytes of one layer: attention and pair, each in single and in half precision."""

_HEADS, _TOKENS, _RESIDUES, _CHANNELS = 8, 512, 256, 64


def layers(size: int) -> Iterator[tuple[str, Values]]:
    """Paths and values of about `size` bytes, layer by layer: attention [head, query, key], pair [i, j, channel]."""
    for layer in range(max(1, size // UNIT_BYTES)):
        rng = np.random.default_rng(layer)
        attention, pair = _attention(rng), _pair(rng)
        for name, dtype in (("single", np.float32), ("half", np.float16)):
            yield f"attention/{name}/layer_{layer:02}", attention.astype(dtype)
            yield f"activations/{name}/layer_{layer:02}", pair.astype(dtype)


def _attention(rng: np.random.Generator) -> Values:
    place = np.arange(_TOKENS, dtype=np.float32)
    distance = np.abs(place[:, None] - place[None, :])
    reach = rng.uniform(8, 80, size=(_HEADS, 1, 1)).astype(np.float32)
    logits = -distance / reach + rng.normal(scale=0.5, size=(_HEADS, _TOKENS, _TOKENS)).astype(np.float32)
    weights = np.exp(logits)
    result: Values = weights / weights.sum(axis=-1, keepdims=True)
    return result


def _pair(rng: np.random.Generator) -> Values:
    place = np.linspace(0, 1, _RESIDUES, dtype=np.float32)
    waves = rng.uniform(0.5, 9, size=(3, _CHANNELS)).astype(np.float32)
    rows = np.sin(place[:, None] * waves[0] * 6)[:, None, :]
    columns = np.cos(place[:, None] * waves[1] * 6)[None, :, :]
    result: Values = rows * columns * waves[2]
    return result


def chunk_of(values: Values) -> tuple[int, ...]:
    """One head, or tiles of 64 by 64 residues with all channels: about a MiB each in single precision."""
    return (1, *values.shape[1:]) if values.shape[0] == _HEADS else (64, 64, values.shape[-1])


def axes_of(values: Values) -> list[str]:
    """The names of the axes, where a form has room for them: Zarr and HDF5."""
    return ["head", "token:query", "token:key"] if values.shape[0] == _HEADS else ["residue:i", "residue:j", "channel"]


def _zarr(path: Path, size: int, version: Literal[2, 3], **options: Any) -> None:
    zipped = zarr.storage.ZipStore(path, mode="w") if path.suffix == ".zip" else None
    group = zarr.open_group(path if zipped is None else zipped, mode="w", zarr_format=version)
    for name, values in layers(size):
        chunks = chunk_of(values)
        more: dict[str, Any] = {"shards": values.shape} if options.get("sharded") else {}
        plain = {key: value for key, value in options.items() if key != "sharded"}
        if version == 3:
            more["dimension_names"] = axes_of(values)
        array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=chunks, **plain, **more)
        array[...] = values
        if version == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = axes_of(values)
    if zipped is not None:
        zipped.close()


def _hdf5(path: Path, size: int, *, chunked: bool = True, **options: Any) -> None:
    with h5py.File(path, "w") as file:
        for name, values in layers(size):
            chunks = {"chunks": chunk_of(values)} if chunked else {}
            dataset = file.create_dataset(name, data=values, **chunks, **options)
            for dimension, axis in zip(dataset.dims, axes_of(values), strict=True):
                dimension.label = axis


def _hdf5_blosc(path: Path, size: int) -> None:
    import hdf5plugin

    _hdf5(path, size, **hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=hdf5plugin.Blosc.SHUFFLE))


def _npz(path: Path, size: int, save: Callable[..., None]) -> None:
    save(path, **dict(layers(size)))


def _asdf(path: Path, size: int, compression: str | None) -> None:
    import asdf

    tree: dict[str, Any] = {}
    for name, values in layers(size):
        *above, last = name.split("/")
        group = tree
        for step in above:
            group = group.setdefault(step, {})
        group[last] = values
    asdf.AsdfFile(tree).write_to(path, all_array_compression=compression)


_BLOSC: Mapping[str, Any] = {
    "compressors": numcodecs.Blosc("zstd", clevel=5, shuffle=numcodecs.Blosc.SHUFFLE),
    "fill_value": 0,
}
_ZSTD: Mapping[str, Any] = {"compressors": ZstdCodec(level=1)}

FORMS: Mapping[str, tuple[str, Callable[[Path, int], None]]] = {
    "zarr v2 blosc-zstd": ("v2.zarr", lambda path, size: _zarr(path, size, 2, **_BLOSC)),
    "zarr v3 zstd": ("v3.zarr", lambda path, size: _zarr(path, size, 3, **_ZSTD)),
    "zarr v3 sharded": ("sharded.zarr", lambda path, size: _zarr(path, size, 3, sharded=True, **_ZSTD)),
    "zarr v3 zip": ("v3.zip", lambda path, size: _zarr(path, size, 3, **_ZSTD)),
    "hdf5 gzip": ("gzip.h5", lambda path, size: _hdf5(path, size, compression="gzip", shuffle=True)),
    "hdf5 blosc": ("blosc.h5", _hdf5_blosc),
    "hdf5 contiguous": ("contiguous.h5", lambda path, size: _hdf5(path, size, chunked=False)),
    "npz stored": ("stored.npz", lambda path, size: _npz(path, size, np.savez)),
    "npz compressed": ("compressed.npz", lambda path, size: _npz(path, size, np.savez_compressed)),
    "asdf uncompressed": ("plain.asdf", lambda path, size: _asdf(path, size, None)),
    "asdf lz4": ("lz4.asdf", lambda path, size: _asdf(path, size, "lz4")),
}
"""Every form: the name of its file, and what writes about so many bytes into it."""
