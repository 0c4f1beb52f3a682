"""What the rows of an array obey: the one thing that is measured on values to answer a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vizschema.sources.item import Values
from vizschema.sources.views import View, parts

_TOLERANCE = {"float16": 0.005, "bfloat16": 0.01}
_HIGHEST = 1.01

_AT_ONCE = 16 << 20
"""Most bytes that are summed at a time, unless a row is larger."""


def measured_rows(values: View | Values, axes: Sequence[str]) -> tuple[str, str]:
    """What the sums along the axis with the role key are, in a word, and the figures in words.

    one: every row sums to 1; one_or_zero: or to 0; at_most_one: no sum is above 1; within: some sums are above 1;
    outside: some values are below 0, above 1, or not finite. Tolerances are those of the specification.
    """
    keys = [number for number, name in enumerate(axes) if name.endswith(":key")]
    if len(keys) != 1 or 0 in values.shape or values.dtype.kind not in "fV":
        return "", ""
    tolerance = _TOLERANCE.get(values.dtype.name, 0.001)
    lowest, highest, least, most = np.inf, -np.inf, np.inf, -np.inf
    ones = ones_or_zeros = True
    for part in parts(values, keys[0], _AT_ONCE):
        plain = part.astype(np.float64)
        sums = plain.sum(axis=keys[0])
        # NumPy's minimum is not a number where one of both is none.
        lowest, highest = np.minimum(lowest, plain.min()), np.maximum(highest, plain.max())
        least, most = np.minimum(least, sums.min()), np.maximum(most, sums.max())
        near = np.abs(sums - 1) <= tolerance
        ones, ones_or_zeros = ones and bool(near.all()), ones_or_zeros and bool((near | (sums == 0)).all())
    if not (lowest >= 0 and highest <= _HIGHEST):
        return "outside", f"values from {lowest:.3g} to {highest:.3g}"
    found = f"row sums from {least:.4g} to {most:.4g}"
    if ones or ones_or_zeros:
        return "one" if ones else "one_or_zero", found
    return ("at_most_one" if most <= 1 + tolerance else "within"), found
