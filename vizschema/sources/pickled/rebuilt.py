"""The functions that a pickle may ask for, by name: each makes a plain value of its arguments, and calls nothing.

Source: `__reduce__` of the classes in NumPy 1 and 2, PyTorch 0.4 to 2, and JAX.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from vizschema.sources.pickled.values import Dtype, Global, Malformed, Pairs, Record, Storage, Stored, Tensor

_CODE = re.compile(r"[?bBhHiIlLqQefdFD]|[biuf][1248]|f[248]|c8|c16|[SU][0-9]{1,6}|O8?", re.ASCII)

_REAL: Mapping[str, str] = {
    f"{kind}Storage": name
    for kind, name in {
        "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64",
        "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool",
        "ComplexFloat": "complex64", "ComplexDouble": "complex128", "Untyped": "uint8",
    }.items()
}  # fmt: skip
"""The dtype of each class of storages of PyTorch."""

_TORCH: Mapping[str, str] = {
    **{name: name for name in (
        "float64", "float32", "float16", "bfloat16", "complex64", "complex128", "bool", "uint8", "uint16", "uint32",
        "uint64", "int8", "int16", "int32", "int64", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
        "float8_e5m2fnuz",
    )},
    "double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32", "short": "int16",
    "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip
"""The canonical name of each dtype of PyTorch."""

_ML = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int4", "uint4"})


class Asks(Protocol):
    """What a function is given of the machine."""

    def charge(self, steps: int) -> None:
        """Count steps; raises `Malformed` above the limit."""

    def content(self, raw: Any) -> bytes:
        """The bytes that a part of the file has."""

    def called(self, function: Any, arguments: Any) -> Any:
        """The result of a function."""

    def nested(self, raw: Any) -> Any:
        """The object of a file of PyTorch that lies in these bytes."""


def storage_dtype(kind: Any) -> str | None:
    """The dtype of a class of storages, or None for one that is not known."""
    known = isinstance(kind, Global) and kind.module in ("torch", "torch.storage", "torch.cuda")
    return _REAL.get(kind.name) if known else None


def torch_dtype(kind: Any) -> str | None:
    """The canonical name of a dtype of PyTorch, or None."""
    return _TORCH.get(kind.name) if isinstance(kind, Global) and kind.module == "torch" else None


def set_state(machine: Asks, target: Any, state: Any) -> None:
    """Set the state of an object, as BUILD does; raises `TypeError`, `ValueError` for one that has none."""
    if isinstance(target, Stored):
        _, target.shape, target.dtype, target.fortran, target.raw = state
        if isinstance(target.raw, str):
            target.raw = machine.content(target.raw)
    elif isinstance(target, Dtype):
        _, order, _, names, _, *_ = state
        target.order = "<" if order in ("|", "=") else order
        if names is not None or target.order not in ("<", ">"):
            target.code = None
    elif isinstance(target, Record | Pairs) and target.state is None:
        target.state = state
    elif isinstance(target, Tensor):
        raise Malformed("a tensor with attributes of its own")
    else:
        raise TypeError("a state for what has none")


def _pairs(machine: Asks, pairs: Any = ()) -> Pairs:
    if isinstance(pairs, Pairs):
        pairs = pairs.items
    machine.charge(len(pairs))
    return Pairs([(key, value) for key, value in pairs])


def _default(_machine: Asks, *_: Any) -> Pairs:
    return Pairs()


def _listed(machine: Asks, items: Any = ()) -> list[Any]:
    if not isinstance(items, list | tuple):
        raise TypeError("expected a list")
    machine.charge(len(items))
    return list(items)


def _size(machine: Asks, sizes: Any = ()) -> tuple[Any, ...]:
    return tuple(_listed(machine, sizes))


def _encoded(machine: Asks, text: str, encoding: str = "utf-8") -> bytes:
    """`_codecs.encode`: how Python 3 writes bytes in protocols 0 to 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError("the encoding")
    return machine.content(text)


def _bytearray(machine: Asks, raw: Any = b"", encoding: str = "latin-1") -> Any:
    if isinstance(raw, str):
        return _encoded(machine, raw, encoding)
    if isinstance(raw, list):
        machine.charge(len(raw))
        return bytes(raw)
    return raw


def _complex(_machine: Asks, real: float, imaginary: float) -> complex:
    return complex(real, imaginary)


def _reconstructor(_machine: Asks, kind: Any, _base: Any, state: Any) -> Record:
    """`copyreg._reconstructor`: an object of a class, in protocols 0 and 1."""
    if not isinstance(kind, Global):
        raise TypeError("expected a class")
    return Record(kind, () if state is None else (state,))


def _dtype(machine: Asks, kind: Any, *_: Any) -> Dtype:
    if isinstance(kind, Global):
        known = kind.module.partition(".")[0] == "ml_dtypes" and kind.name in _ML
        return Dtype(kind.name if known else None)
    text = kind if isinstance(kind, str) else machine.content(kind).decode("ascii", "replace")
    order, code = (text[0], text[1:]) if text[:1] in ("<", ">", "|", "=") else ("<", text)
    return Dtype(code if code in _ML or _CODE.fullmatch(code) else None, ">" if order == ">" else "<")


def _array(_machine: Asks, kind: Any, *_: Any) -> Any:
    """`_reconstruct`: an array that is empty until its state is set."""
    known = kind in (Global("numpy", "ndarray"), Global("numpy", "memmap"))
    return Stored() if known else Record(kind, (), called=True)


def _from_buffer(_machine: Asks, raw: Any, dtype: Dtype, shape: Any, order: Any = "C", *_: Any) -> Stored:
    return Stored(dtype, shape, order == "F", raw)


def _scalar(machine: Asks, dtype: Dtype, raw: Any = b"") -> Stored:
    return Stored(dtype, (), False, [raw] if dtype.code in ("O", "O8") else _bytearray(machine, raw))


def _jax(machine: Asks, function: Any, arguments: Any, state: Any, *_: Any) -> Any:
    """An array of JAX: that of NumPy which it is pickled as."""
    made = machine.called(function, arguments)
    set_state(machine, made, state)
    return made


def _tensor(_machine: Asks, storage: Storage, offset: Any, shape: Any, strides: Any, *_: Any) -> Any:
    if not isinstance(storage, Storage):
        raise TypeError("expected a storage")
    return Tensor(storage, storage.dtype, offset, shape, strides)


def _tensor_of_dtype(
    machine: Asks, storage: Storage, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, dtype: Any, *_: Any
) -> Any:
    found = _tensor(machine, storage, offset, shape, strides)
    found.dtype = torch_dtype(dtype)
    return found


def _parameter(_machine: Asks, data: Any, *_: Any) -> Any:
    return data


def _of_type(machine: Asks, function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """`_rebuild_from_type_v2`: a tensor with attributes of its own, or of a class of its own."""
    found = machine.called(function, arguments)
    empty = state is None or (isinstance(state, Pairs) and not state.items)
    plain = kind in (Global("torch", "Tensor"), Global("torch.nn.parameter", "Parameter"))
    return found if empty and plain else Record(kind, (found,), state=state)


def _from_numpy(_machine: Asks, array: Any, *_: Any) -> Any:
    """`_rebuild_device_tensor_from_numpy`: a tensor of a device without storages."""
    if not isinstance(array, Stored):
        raise TypeError("expected an array")
    return array


def _text(_machine: Asks, text: Any, *_: Any) -> Any:
    return text


def _nested(machine: Asks, raw: Any) -> Any:
    return machine.nested(raw)


Function = Callable[..., Any]


def _named(*rows: tuple[str, str, Function]) -> dict[Global, Function]:
    return {Global(module, name): function for modules, name, function in rows for module in modules.split()}


_NUMPY = "numpy.core.multiarray numpy._core.multiarray"

FUNCTIONS: Mapping[Global, Function] = _named(
    ("collections", "OrderedDict", _pairs),
    ("collections", "defaultdict", _default),
    ("collections", "Counter", _pairs),
    ("builtins __builtin__", "dict", _pairs),
    ("builtins __builtin__", "list", _listed),
    ("builtins __builtin__", "tuple", _size),
    ("builtins __builtin__", "set", _listed),
    ("builtins __builtin__", "frozenset", _listed),
    ("builtins __builtin__", "complex", _complex),
    ("builtins __builtin__", "bytearray", _bytearray),
    ("builtins __builtin__", "bytes", _bytearray),
    ("_codecs", "encode", _encoded),
    ("copyreg copy_reg", "_reconstructor", _reconstructor),
    (_NUMPY, "_reconstruct", _array),
    (_NUMPY, "scalar", _scalar),
    ("numpy.core.numeric numpy._core.numeric", "_frombuffer", _from_buffer),
    ("numpy", "dtype", _dtype),
    ("jax._src.array", "_reconstruct_array", _jax),
    ("jax._src.device_array jax.interpreters.xla", "reconstruct_device_array", _jax),
    ("torch._utils", "_rebuild_tensor", _tensor),
    ("torch._utils", "_rebuild_tensor_v2", _tensor),
    ("torch._utils", "_rebuild_tensor_v3", _tensor_of_dtype),
    ("torch._utils", "_rebuild_parameter", _parameter),
    ("torch._utils", "_rebuild_device_tensor_from_numpy", _from_numpy),
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor", _parameter),
    ("torch._tensor", "_rebuild_from_type_v2", _of_type),
    ("torch.storage", "_load_from_bytes", _nested),
    ("torch.serialization", "_get_layout", _text),
    ("torch", "Size", _size),
    ("torch", "device", _text),
)
"""What becomes of each name that a pickle may ask for."""


def element_range(shape: Any, strides: Any, offset: Any) -> tuple[int, int]:
    """The first entry of a storage that a tensor takes, and the one past the last; raises `Malformed`."""
    sizes = (*shape, *strides, offset) if isinstance(shape, tuple) and isinstance(strides, tuple) else (None,)
    if any(type(size) is not int or not 0 <= size < 1 << 48 for size in sizes) or len(shape) != len(strides):
        raise Malformed("sizes, strides or offset of a tensor that are not whole numbers, or too large")
    if math.prod(shape) == 0:
        return offset, offset
    return offset, offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
