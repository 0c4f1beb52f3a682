"""What the configurations of Zarr's codecs may hold, so that no reader stumbles over one. Decodes nothing.

Codecs that a plain installation lacks are not looked at: those are findings of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from vizschema.containers.document import Unreadable, quote

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


def check(name: str, configuration: Mapping[str, Any], fields: Mapping[str, Fields]) -> None:
    """Nothing; raises `Unreadable` for a configuration that the codec `name`, if `fields` knows it, does not have."""
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
