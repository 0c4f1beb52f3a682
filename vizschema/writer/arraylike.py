"""Whatever a caller has as an array, as something whose values are read region by region.

Nothing is imported for it: a tensor of torch is known by the module of its class.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from vizschema.errors import UsageError
from vizschema.writer.forms.base import Readable

_BITS = {1: "uint8", 2: "uint16"}


class Lazy:
    """Values that `fetch` gives for a region, as a dtype in native byte order."""

    def __init__(
        self, shape: Sequence[int], dtype: np.dtype[Any], fetch: Callable[[Any], Any], cut: Any = None
    ) -> None:
        self.shape = tuple(int(size) for size in shape)
        self.dtype = dtype.newbyteorder("=")
        self.cut = cut
        self._fetch = fetch

    def __getitem__(self, key: Any, /) -> Any:
        found = np.asarray(self._fetch(key))
        if not np.can_cast(found.dtype, self.dtype, "safe"):
            raise UsageError(expected=f"values of {self.dtype}, as the array says", found=f"{found.dtype}")
        return found.astype(self.dtype, copy=False)


def readable(path: str, data: Any) -> Readable:
    """`data` as values that are read as they are indexed; nothing is read of what is not in memory.

    Raises `UsageError`, which says what to do, for what is not an array.
    """
    if isinstance(data, Lazy):
        return data
    if isinstance(data, np.ma.MaskedArray):
        raise _refused(path, "a masked array", "store data.filled(value) and, as an array of its own, ~data.mask")
    if isinstance(data, np.memmap):
        return Lazy(data.shape, data.dtype, partial(_mapped, data))
    if isinstance(data, np.ndarray):
        return data if data.dtype.isnative else Lazy(data.shape, data.dtype, data.__getitem__)
    module = type(data).__module__.partition(".")[0]
    if module == "torch":
        return _tensor(path, data)
    if data is None:
        raise _refused(path, "None", "models return it for values that were not asked for; ask for them")
    if isinstance(data, Iterator):
        raise _refused(path, "an iterator", "blocks of an iterator are arrays; make an array of it")
    if hasattr(data, "todense") or hasattr(data, "tocoo"):
        raise _refused(path, f"the sparse {type(data).__name__}", "store .todense(), or its indices and values")
    indexed = all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__"))
    if indexed and module != "pandas" and not isinstance(data, np.generic):
        return _indexed(path, data)
    return _converted(path, data)


def _mapped(data: np.memmap[Any, Any], key: Any) -> Any:
    """A copy of a part of a mapped file, whose pages are then given back: they would count as memory of the process.

    Pages that are private to it, which have changes that no file has, stay.
    """
    found = np.array(data[key])
    mapped, shared = getattr(data, "_mmap", None), data.mode in ("r", "r+", "w+")
    if mapped is not None and shared and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
    return found


def _indexed(path: str, data: Any) -> Readable:
    """What is read as it is indexed: of dask, zarr, h5py, jax, tensorstore."""
    dtype = getattr(data.dtype, "numpy_dtype", data.dtype)
    try:
        dtype = np.dtype(dtype)
    except TypeError:
        return _converted(path, data)
    if any(not isinstance(size, int | np.integer) for size in data.shape):
        raise _refused(path, f"unknown sizes {tuple(data.shape)}", "call compute_chunk_sizes() first")
    return Lazy(data.shape, dtype, lambda key: data[key], _cut(data, len(data.shape)))


def _cut(data: Any, dimensions: int) -> tuple[int, ...] | None:
    """How the values lie in chunks, so that none is read twice; dask gives the sizes of all, others one for all."""
    chunks = getattr(data, "chunks", None)
    if not isinstance(chunks, tuple) or len(chunks) != dimensions:
        return None
    lengths = [max(each, default=1) if isinstance(each, tuple) else each for each in chunks]
    return tuple(int(length) for length in lengths) if all(lengths) else None


def _converted(path: str, data: Any) -> Readable:
    """What NumPy converts: lists, scalars, `__array__`, `__dlpack__`."""
    try:
        if not hasattr(data, "__array__") and hasattr(data, "__dlpack__"):
            return np.from_dlpack(data)
        values = np.asarray(data)
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        found = f"{type(data).__name__} ({error})"
        raise _refused(path, found, "pad lists to one length, and pass one array per path") from None
    if isinstance(data, list | tuple) and values.dtype == object:
        raise _refused(path, f"a {type(data).__name__} of different things", "pass one array per path")
    return readable(path, values)


def _tensor(path: str, data: Any) -> Readable:
    """A tensor of torch: without its gradient, of any device, region by region."""
    torch: Any = sys.modules["torch"]
    if not isinstance(data, torch.Tensor):
        return _converted(path, data)
    if data.layout != torch.strided:
        raise _refused(path, f"a tensor of layout {data.layout}", "store .to_dense(), or its indices and values")
    if data.is_quantized:
        raise _refused(path, "a quantized tensor", "store .dequantize(), or .int_repr() with scale and zero point")
    if data.is_meta:
        raise _refused(path, "a tensor on the device meta, which has no values", "run the model on a real device")
    if getattr(data, "is_nested", False):
        raise _refused(path, "a nested tensor", "store torch.nested.to_padded_tensor, and the lengths")
    if hasattr(data, "full_tensor"):
        raise _refused(path, "a distributed tensor", "store .full_tensor(), or write its region by `reserve`")
    plain = data.detach()
    name = str(data.dtype).removeprefix("torch.")
    own = getattr(ml_dtypes, name, None)
    if own is None:
        try:
            dtype = np.dtype(name)
        except TypeError:
            raise _refused(path, f"a tensor of {name}", "convert it, to float32 for example") from None
        return Lazy(plain.shape, dtype, lambda key: plain[key].cpu().resolve_conj().resolve_neg().numpy())
    dtype = np.dtype(own)  # NumPy has no such number, so it gets the bits
    bits: Any = getattr(torch, _BITS[dtype.itemsize])
    return Lazy(plain.shape, dtype, lambda key: plain[key].contiguous().view(bits).cpu().numpy().view(dtype))


def _refused(path: str, found: str, fix: str) -> UsageError:
    return UsageError(path=path, expected="an array of numbers or booleans", found=found, fix=fix)
