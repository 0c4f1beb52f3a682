"""The canonical JSON text of a value, after RFC 8785. What the digest is made of; `spec/1.0.0/digest.md` defines it.

One rule goes beyond the RFC, whose numbers are doubles: a whole number of 64 bits is written with all its digits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_WHOLE = range(-(1 << 63), 1 << 64)
_DIGITS = 21
"""ECMAScript writes a number without an exponent up to this many digits before the point (ECMA-262, 6.1.6.1.20)."""


def canonical(value: Any) -> bytes:
    """The canonical text of a JSON value, in UTF-8; raises `ValueError` for numbers that are not finite."""
    return _text(value).encode()


def number(value: float) -> str:
    """A number as the canonical text has it: by its value, whether it is an integer or a float; −0.0 is 0."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        raise ValueError(f"no JSON number: {value}")
    if int(value) == value and int(value) in _WHOLE:
        return str(int(value))
    return _ecmascript(float(value))


def _ecmascript(value: float) -> str:
    """A double that is not zero, as ECMA-262 has `Number::toString`."""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    before, _, after = mantissa.partition(".")
    digits = (before + after).lstrip("0")
    # The value is 0.digits times ten to the power of `point`.
    point = len(before) + int(exponent or 0) - (len(before + after) - len(digits))
    digits = digits.rstrip("0")
    sign = "-" if value < 0 else ""
    if len(digits) <= point <= _DIGITS:
        return sign + digits.ljust(point, "0")
    if 0 < point <= _DIGITS:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, Mapping):
        # By UTF-16 code units, which is not the order of code points.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(key)}:{_text(value[key])}" for key in keys) + "}"
    return "[" + ",".join(map(_text, value)) + "]"
