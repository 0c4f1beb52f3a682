"""Makes `spec/1.0.0/row_sum_vectors.json`: `python tests/support/row_sum_vectors.py > spec/1.0.0/row_sum_vectors.json`.

The definition written down once more, as plainly as can be: fractions, value by value, nothing of `vizschema`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np


def sums_of(rows: Sequence[Sequence[float]]) -> list[float]:
    """The sums of the rows that have one, to six decimals."""
    sums = []
    for row in rows:
        if not all(abs(value) <= 2 for value in row):
            continue
        step = Fraction(2) ** (len(row).bit_length() - 51)
        total = sum((round(Fraction(value) / step) * step for value in row), Fraction())
        sums.append(float(round(total, 6)) + 0.0)
    return sums


def values_of(vector: Mapping[str, Any]) -> Any:
    """The array of a vector."""
    dtype = (
        np.dtype(ml_dtypes.bfloat16) if vector["dtype"] == "bfloat16" else np.dtype(vector["dtype"]).newbyteorder("<")
    )
    data = base64.b64decode(vector["base64"]) * vector.get("times", 1)
    return np.frombuffer(data, dtype).reshape(vector["shape"]).astype(dtype.newbyteorder("="))


def arrays() -> Iterator[tuple[str, Any, int]]:
    """What a vector is about, its values, and how often they are repeated."""
    rng = np.random.default_rng(1)
    weights = np.exp(rng.normal(size=(3, 197)) * 4)
    weights /= weights.sum(axis=-1, keepdims=True)
    for dtype in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16):
        yield f"softmax in {np.dtype(dtype).name}", weights.astype(dtype), 1
    yield "values halfway between steps", np.array([[2.0**-50, 3 * 2.0**-51, 5 * 2.0**-51, 1.0]]), 1
    yield "a sum halfway between decimals", np.array([[2.0**-7, 0.0], [3 * 2.0**-7, 0.0]]), 1
    yield "many values below a step", np.full(1, 0.4 * 2.0**-29, np.float64), 1 << 22
    yield "many values above half a step", np.full(1, 0.6 * 2.0**-29, np.float64), 1 << 22
    yield "the largest values that count", np.array([[2.0, 2.0], [-2.0, -2.0]]), 1
    yield "beyond them", np.array([[2.0000000000000004, 0.0], [0.5, 0.25]]), 1
    yield "not a number in every row", np.array([[np.nan, 0.0], [np.inf, 0.0]]), 1
    yield "zeros of either sign", np.array([[-0.0, -0.0]]), 1
    yield "rows that are 0, or nearly", np.array([[0.0, 0.0], [5e-7, 0.0], [6e-7, 0.0], [1.0, 0.0]]), 1
    yield "no dimensions", np.array(0.1, np.float32), 1
    yield "no values", np.zeros((3, 0)), 1
    yield "a value below the smallest double that is normal", np.array([[5e-324, 1.0]]), 1


def vectors() -> Iterator[dict[str, Any]]:
    for why, values, times in arrays():
        shape = [values.size * times] if times > 1 else list(values.shape)
        columns = shape[-1] if shape else 1
        vector = {"why": why, "dtype": values.dtype.name, "shape": shape}
        if times > 1:
            vector["times"] = times
        vector["base64"] = base64.b64encode(values.tobytes()).decode()
        if times > 1:
            step = Fraction(2) ** (columns.bit_length() - 51)
            sums = [float(round(round(Fraction(float(values[0])) / step) * step * times, 6))]
        else:
            rows = values.astype(np.float64).reshape(-1, columns) if columns else np.zeros((0, 1))
            sums = sums_of(rows.tolist())
        yield {
            **vector,
            "row_sum_minimum": min(sums, default=None),
            "row_sum_maximum": max(sums, default=None),
            "nonzero_row_sum_minimum": min((each for each in sums if each), default=None),
        }


if __name__ == "__main__":
    print(json.dumps({"row_sums": list(vectors())}, indent=1))
