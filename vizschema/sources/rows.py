"""What the rows of an array obey: the one thing that is measured on values to answer a question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vizschema.sources.item import Values

_TOLERANCE = {"float16": 0.005, "bfloat16": 0.01}
_HIGHEST = 1.01


def measured_rows(values: Values, axes: Sequence[str]) -> tuple[str, str]:
    """What the sums along the axis with the role key are, in a word, and the figures in words.

    one: every row sums to 1; one_or_zero: or to 0; at_most_one: no sum is above 1; within: some sums are above 1;
    outside: some values are below 0, above 1, or not finite. Tolerances are those of the specification.
    """
    keys = [number for number, name in enumerate(axes) if name.endswith(":key")]
    if len(keys) != 1 or not values.size or values.dtype.kind not in "fV":
        return "", ""
    plain = values.astype(np.float64)
    lowest, highest = float(plain.min()), float(plain.max())
    if not (lowest >= 0 and highest <= _HIGHEST):
        return "outside", f"values from {lowest:.3g} to {highest:.3g}"
    sums = plain.sum(axis=keys[0])
    found = f"row sums from {sums.min():.4g} to {sums.max():.4g}"
    tolerance = _TOLERANCE.get(values.dtype.name, 0.001)
    ones = np.abs(sums - 1) <= tolerance
    if ones.all():
        return "one", found
    if (ones | (sums == 0)).all():
        return "one_or_zero", found
    return ("at_most_one" if sums.max() <= 1 + tolerance else "within"), found
