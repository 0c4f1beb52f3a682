"""The canonical JSON text: RFC 8785, and whole numbers of 64 bits with all their digits."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vizschema.canonical import canonical, number

WHOLE = range(-(1 << 63), 1 << 64)


# RFC 8785, appendix B, but for its whole numbers past 2**53, which we write with all digits.
@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_a_double_is_written_as_ecmascript_does(bits: str, text: str) -> None:
    assert number(struct.unpack(">d", bytes.fromhex(bits))[0]) == text


@pytest.mark.parametrize("value", [(1 << 53) + 1, 1 << 63, (1 << 64) - 1, -(1 << 63), 10**19, 1e19, float(1 << 60)])
def test_a_whole_number_of_64_bits_has_all_its_digits(value: float) -> None:
    assert int(number(value)) == int(value)


@given(
    st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1),
    st.integers(min_value=-(1 << 63), max_value=(1 << 64) - 1),
)
def test_different_whole_numbers_have_different_texts(one: int, other: int) -> None:
    assert (number(one) == number(other)) == (one == other)
    assert (number(float(one)) == number(other)) == (float(one) == other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="no JSON number"):
        number(value)


def test_one_number_has_one_text() -> None:
    assert canonical([1, 1.0, True, 0, -0.0]) == b"[1,1,true,0,0]"


DOUBLES = 20_000
IN_JAVASCRIPT = "c380140b5c8f2640ce604cec165b1af4bd2c8919357a614a856308a9a311d0fb"
"""SHA-256 of the texts of `doubles()` as V8 writes them, one per line: what this prints under Node.js.

    const {createHash} = require("crypto"), hash = createHash("sha256"), view = new DataView(new ArrayBuffer(8))
    for (let i = 0; i < 20000; i++) {
      const key = createHash("sha256").update(String(i)).digest()
      view.setBigUint64(0, key.readBigUint64BE(0)); let value = view.getFloat64(0)
      if (i % 2) value = Number(`${key.readUint32BE(0)}e-${key[8] % 24}`)
      if (Number.isFinite(value) && !(Number.isInteger(value) && Math.abs(value) > 2 ** 53)) hash.update(value + "\\n")
    }
    console.log(hash.digest("hex"))
"""


def doubles() -> Iterator[float]:
    """Doubles of any bits, and short decimal fractions; no integers above 2**53, whose text is not that of the RFC."""
    for index in range(DOUBLES):
        key = hashlib.sha256(str(index).encode()).digest()
        (value,) = struct.unpack(">d", key[:8])
        if index % 2:
            value = float(f"{int.from_bytes(key[:4], 'big')}e-{key[8] % 24}")
        if math.isfinite(value) and not (value.is_integer() and abs(value) > 1 << 53):
            yield value


def test_doubles_are_written_as_v8_writes_them() -> None:
    written = "".join(f"{number(value)}\n" for value in doubles())
    assert hashlib.sha256(written.encode()).hexdigest() == IN_JAVASCRIPT


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
def test_texts_are_written_as_another_library_writes_them(text: str) -> None:
    assert canonical(text) == orjson.dumps(text)


@given(st.dictionaries(TEXTS, st.none() | st.lists(st.booleans()) | TEXTS))
def test_keys_are_in_the_order_of_their_utf_16_code_units(value: dict[str, Any]) -> None:
    def units(key: str) -> tuple[int, ...]:
        data = key.encode("utf-16-le")
        return struct.unpack(f"<{len(data) // 2}H", data)

    members = (orjson.dumps(key) + b":" + orjson.dumps(value[key]) for key in sorted(value, key=units))
    assert canonical(value) == b"{" + b",".join(members) + b"}"
