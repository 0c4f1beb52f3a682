"""The canonical JSON text: RFC 8785, and whole numbers of 64 bits with all their digits."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import rfc8785
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


def plain(value: float) -> bool:
    return not value.is_integer() or abs(value) <= 1 << 53 or int(value) not in WHOLE


NUMBERS = st.floats(allow_nan=False, allow_infinity=False).filter(plain) | st.integers(-(1 << 53) + 1, (1 << 53) - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_everything_else_is_as_another_implementation_of_the_rfc_has_it(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)
