"""Zarr's codecs: their names in order, what their configurations hold, how a sharding codec cuts. Decodes nothing.

The configurations of codecs that a plain installation lacks are not looked at: those are findings of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from vizschema.containers.base import Unreadable, quote
from vizschema.containers.zarr.dtypes import MAXIMUM, is_pickle

Check = Callable[[Any], bool]

_NUMBERS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c(8|16))", re.ASCII)
_LARGEST = 1 << 31


class Fields(NamedTuple):
    """The fields of a configuration, by name, each with what its value must be; those that must be there; and what
    the others are where they are left out, in zarr-python and numcodecs."""

    known: Mapping[str, Check]
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}


def _whole(least: int, most: int = _LARGEST) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _one_of(*values: str) -> Check:
    return lambda value: type(value) is str and value in values


def _flag(value: Any) -> bool:
    return type(value) is bool


def _numbers(value: Any) -> bool:
    return type(value) is str and _NUMBERS.fullmatch(value) is not None


def _numbers_or_null(value: Any) -> bool:
    return value is None or _numbers(value)


def _number(value: Any) -> bool:
    return type(value) in (int, float)


def _filters(value: Any) -> bool:
    return value is None or (type(value) is list and all(type(entry) is dict for entry in value))


def _text(value: Any) -> bool:
    return type(value) is str


def _anything(_: Any) -> bool:
    return True


V3: Mapping[str, Fields] = {
    "bytes": Fields({"endian": _one_of("little", "big")}),
    "transpose": Fields({"order": _anything}, ("order",)),
    "sharding_indexed": Fields(
        dict.fromkeys(("chunk_shape", "codecs", "index_codecs", "index_location"), _anything),
        ("chunk_shape", "codecs", "index_codecs"),
        {"index_location": "end"},
    ),
    "crc32c": Fields({}),
    "gzip": Fields({"level": _whole(0, 9)}, (), {"level": 5}),
    "zstd": Fields({"level": _whole(-131072, 22), "checksum": _flag}, (), {"level": 0, "checksum": False}),
    "blosc": Fields(
        {
            "cname": _text,
            "clevel": _whole(0, 9),
            "shuffle": _one_of("noshuffle", "shuffle", "bitshuffle"),
            "typesize": _whole(1, 255),
            "blocksize": _whole(0),
        },
        (),
        {"cname": "zstd", "clevel": 5, "blocksize": 0},
    ),
}
"""By name, as the specifications of the codecs have them; chunk shapes and orders are checked where they are used."""

_LEVEL = {"level": _whole(-131072, 22)}
_ASTYPE = {"astype": None}
_CHECKSUM = Fields({"location": _one_of("start", "end")})
V2: Mapping[str, Fields] = {
    "blosc": Fields(
        {
            "cname": _text,
            "clevel": _whole(0, 9),
            "shuffle": _whole(-1, 2),
            "blocksize": _whole(0),
            "typesize": _anything,
        },
        (),
        {"cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0, "typesize": None},
    ),
    "zstd": Fields({**_LEVEL, "checksum": _flag}, (), {"level": 0, "checksum": False}),
    "gzip": Fields({"level": _whole(-1, 9)}, (), {"level": 1}),
    "zlib": Fields({"level": _whole(-1, 9)}, (), {"level": 1}),
    "bz2": Fields({"level": _whole(1, 9)}, (), {"level": 1}),
    "lz4": Fields({"acceleration": _whole(-_LARGEST)}, (), {"acceleration": 1}),
    "lzma": Fields(
        {"format": _whole(0, 3), "check": _whole(-1, 16), "preset": _anything, "filters": _filters},
        (),
        {"format": 1, "check": -1, "preset": None, "filters": None},
    ),
    "shuffle": Fields({"elementsize": _whole(1, 1 << 16)}, (), {"elementsize": 4}),
    "bitround": Fields({"keepbits": _whole(0, 64)}, ("keepbits",)),
    "delta": Fields({"dtype": _numbers, "astype": _numbers_or_null}, ("dtype",), _ASTYPE),
    "fixedscaleoffset": Fields(
        {"offset": _number, "scale": _number, "dtype": _numbers, "astype": _numbers_or_null},
        ("offset", "scale", "dtype"),
        _ASTYPE,
    ),
    "quantize": Fields(
        {"digits": _whole(-400, 400), "dtype": _numbers, "astype": _numbers_or_null}, ("digits", "dtype"), _ASTYPE
    ),
    "astype": Fields({"encode_dtype": _numbers, "decode_dtype": _numbers}, ("encode_dtype", "decode_dtype")),
    "packbits": Fields({}),
    "crc32": _CHECKSUM._replace(defaults={"location": "start"}),
    "crc32c": _CHECKSUM._replace(defaults={"location": "end"}),
    "adler32": _CHECKSUM._replace(defaults={"location": "start"}),
    "fletcher32": Fields({}),
}
"""By id, as numcodecs has them; a field `id` is there besides."""


def _check(name: str, configuration: Mapping[str, Any], fields: Mapping[str, Fields]) -> None:
    """Raise `Unreadable` for a configuration that the codec `name`, if `fields` knows it, does not have."""
    known = fields.get(name)
    if known is None:
        return
    for key, value in configuration.items():
        if key == "id" and fields is V2:
            continue
        if key not in known.known:
            raise Unreadable("unsupported", f"codec {name} has the field {quote(key)}, which this reader does not know")
        if not known.known[key](value):
            raise Unreadable("metadata-invalid", f"{key} of codec {name} is {quote(value)}, which it cannot be")
    missing = [key for key in known.required if key not in configuration]
    if missing:
        raise Unreadable("metadata-invalid", f"codec {name} has no {', '.join(missing)}")


_BLOSC_COMPRESSORS = ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
"""What every build of blosc has; snappy is the one that most lack."""

_ARRAY_TO_ARRAY = frozenset({"transpose"})
_ARRAY_TO_BYTES = frozenset({"bytes", "sharding_indexed"})
_BYTES_TO_BYTES = frozenset({"blosc", "zstd", "gzip", "crc32c"})
_KNOWN = _ARRAY_TO_ARRAY | _ARRAY_TO_BYTES | _BYTES_TO_BYTES
_CONFIGURED = frozenset({"blosc", "zstd", "gzip"})
"""Codecs that no reader opens without a configuration, be it an empty one."""

_INDEX_BYTES = 8
_EXTENSION = frozenset({"name", "configuration", "must_understand"})


class Codecs(NamedTuple):
    """The codecs of an array, each by name and configuration, in order.

    `names` are those of the description, of nested codecs too: a sharding codec has some `within` its chunks, and
    others `of_index`.
    """

    given: Sequence[tuple[str, Mapping[str, Any]]]
    names: list[str]
    within: Codecs | None = None
    of_index: Codecs | None = None


def v2_codecs(filters: Any, compressor: Any) -> Codecs:
    """The filters, then the compressor."""
    if filters is not None and type(filters) is not list:
        raise Unreadable("metadata-invalid", f"filters {quote(filters)} is neither null nor a list")
    codecs = [*(filters or ()), *(() if compressor is None else (compressor,))]
    names = []
    for codec in codecs:
        if type(codec) is not dict or type(codec.get("id")) is not str:
            raise Unreadable("metadata-invalid", f"the filter or compressor {quote(codec)} has no id")
        names.append(_named(codec["id"], codec))
    return Codecs([(codec["id"], codec) for codec in codecs], names)


def require_v2_configurations(codecs: Codecs) -> None:
    """Raise `Unreadable` unless every codec has its own configuration."""
    for name, configuration in codecs.given:
        _check(name, configuration, V2)


def v3_codecs(codecs: Any, chunk: Sequence[int], item_bytes: int) -> tuple[Codecs, list[int] | None]:
    """The codecs of an array whose chunk (or shard) has the shape `chunk`, and its entries `item_bytes` each.

    And the inner chunk where it is sharded, in the order of the array's axes.
    """
    found, inner = _read(codecs, list(chunk), list(range(len(chunk))), item_bytes, "codecs")
    if inner is None:
        return found, None
    restored = [0] * len(chunk)
    for axis, length in inner:
        restored[axis] = length
    return found, restored


def _read(
    codecs: Any, chunk: list[int], axes: list[int], item_bytes: int, place: str
) -> tuple[Codecs, list[tuple[int, int]] | None]:
    """The codecs, and (axis, length) of the innermost chunk; `axes` are the array's, in the order of `chunk`."""
    if type(codecs) is not list or not codecs:
        raise Unreadable("metadata-invalid", f"{place} is not a list of codecs")
    inner: list[tuple[int, int]] | None = None
    given = [named(codec, place) for codec in codecs]
    found = Codecs(given, [_named(name, configuration) for name, configuration in given])
    for name, configuration in given:
        _check(name, configuration, V3)
    _require_order([name for name, _ in given], place)
    for codec in codecs:
        if codec["name"] in _CONFIGURED and "configuration" not in codec:
            raise Unreadable("metadata-invalid", f"{place}: {codec['name']} has no configuration")
    for name, configuration in given:
        if name == "bytes" and item_bytes > 1 and "endian" not in configuration:
            raise Unreadable(
                "metadata-invalid", f"codec bytes in {place} has no endian, for entries of {item_bytes} bytes"
            )
        if name == "transpose":
            order = order_of(configuration["order"], len(axes))
            chunk, axes = [chunk[axis] for axis in order], [axes[axis] for axis in order]
        elif name == "sharding_indexed":
            length = _inner_chunk(configuration["chunk_shape"], chunk)
            within, index, deeper = _shard(configuration, length, axes, item_bytes)
            found = Codecs(given, [*found.names, *within.names, *index.names], within, index)
            inner = list(zip(axes, length, strict=True)) if deeper is None else deeper
    return found, inner


def _shard(
    configuration: Mapping[str, Any], chunk: list[int], axes: list[int], item_bytes: int
) -> tuple[Codecs, Codecs, list[tuple[int, int]] | None]:
    """The codecs of inner chunks and of the index of a sharding codec, and the chunk within its inner chunk."""
    place = "the codecs of sharding_indexed"
    within, deeper = _read(configuration["codecs"], chunk, axes, item_bytes, place)
    # The index has one axis more, for offset and length, and its size must be known before it is read.
    rank = len(axes) + 1
    index, _ = _read(configuration["index_codecs"], [1] * rank, list(range(rank)), _INDEX_BYTES, "the index_codecs")
    compressing = [name for name in index.names if name in _BYTES_TO_BYTES and name != "crc32c"]
    if compressing:
        raise Unreadable("metadata-invalid", f"the index_codecs hold {compressing[0]}: the index has no fixed size")
    if configuration.get("index_location", "end") not in ("start", "end"):
        raise Unreadable("metadata-invalid", "the index_location of sharding_indexed is neither start nor end")
    return within, index, deeper


def _require_order(names: Sequence[str], place: str) -> None:
    """Raise `Unreadable` unless exactly one codec converts arrays to bytes, after array and before byte codecs.

    An unknown codec is assumed to fit its position.
    """
    makes_bytes: str | None = None
    unknown = False
    for name in names:
        if name in _ARRAY_TO_BYTES and makes_bytes is not None:
            raise Unreadable("metadata-invalid", f"{place}: {name} makes bytes of an array, and so does {makes_bytes}")
        if name in _ARRAY_TO_ARRAY and makes_bytes is not None:
            raise Unreadable("metadata-invalid", f"{place}: {name} takes an array, and stands behind {makes_bytes}")
        if name in _BYTES_TO_BYTES and makes_bytes is None and not unknown:
            raise Unreadable("metadata-invalid", f"{place}: {name} takes bytes, and no codec before it makes any")
        if name in _ARRAY_TO_BYTES or (name in _BYTES_TO_BYTES and makes_bytes is None):
            makes_bytes = name
        unknown = name not in _KNOWN or (unknown and name not in _ARRAY_TO_ARRAY)
    if makes_bytes is None and not unknown:
        raise Unreadable("metadata-invalid", f"{place} has no codec that makes bytes of an array")


def named(value: Any, place: str) -> tuple[str, Mapping[str, Any]]:
    """Name and configuration of an extension, an object; no reader opens the bare name, or no object in its place."""
    if type(value) is str and is_pickle(value):
        raise Unreadable("pickle", f"{place}: {quote(value)}: only unpickling could read the values")
    if type(value) is not dict or type(value.get("name")) is not str:
        raise Unreadable("metadata-invalid", f"{place}: expected an object with a name, found {quote(value)}")
    unknown = value.keys() - _EXTENSION
    if unknown or type(value.get("must_understand", True)) is not bool:
        known = "expected name, configuration and must_understand (true or false)"
        raise Unreadable("metadata-invalid", f"{place}: {known}, found {quote(value)}")
    configuration = value.get("configuration", {})
    if type(configuration) is not dict:
        found = quote(configuration)
        raise Unreadable(
            "metadata-invalid", f"the configuration of {quote(value['name'])}: expected an object, found {found}"
        )
    return value["name"], configuration


def _named(name: str, configuration: Mapping[str, Any]) -> str:
    if is_pickle(name):
        raise Unreadable("pickle", f"the codec {quote(name)}: only unpickling could read the values")
    compressor = configuration.get("cname") if name == "blosc" else None
    if compressor is not None and compressor not in _BLOSC_COMPRESSORS:
        return f"blosc-{quote(compressor)}"
    return quote(name)


def order_of(order: Any, rank: int) -> list[int]:
    """The permutation that a transposition of so many axes applies; C and F are names that older writers gave two."""
    if order == "C":
        return list(range(rank))
    if order == "F":
        return list(range(rank))[::-1]
    if type(order) is not list or any(type(axis) is not int for axis in order) or sorted(order) != list(range(rank)):
        raise Unreadable(
            "metadata-invalid", f"the order {quote(order)} of transpose is not a permutation of {rank} axes"
        )
    return order


def _inner_chunk(inner: Any, shard: list[int]) -> list[int]:
    if type(inner) is not list or len(inner) != len(shard):
        raise Unreadable(
            "metadata-invalid", f"the inner chunk {quote(inner)} does not have the {len(shard)} axes of the shard"
        )
    for length, whole in zip(inner, shard, strict=True):
        if type(length) is not int or not 0 < length < MAXIMUM or whole % length:
            raise Unreadable("metadata-invalid", f"the inner chunk {inner} does not divide the shard {shard}")
    return inner
