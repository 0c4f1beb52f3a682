"""Values on both sides of a range: one fault is one finding; and what is said of the other side where one side is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vizschema.conformance.corpus.breaks.edits import Break, attribute, broken, fact, measured, valid
from vizschema.conformance.corpus.breaks.values import BOUNDS

# A table reads better with a case a line.
# fmt: off

SELF = "/attention/self/layer_00"
TOPK = "/attention_topk/ipa/layer_00"
RANGES: Mapping[str, tuple[str, float, float, float]] = {
    "/inputs/sequence": ("sequence-letters", 65, 90, 1),
    "/outputs/confidence": ("confidence-range", 0, 100, 0.5),
    "/outputs/ptm": ("ptm-range", 0, 1, 0.5),
    "/outputs/atom_mask": ("mask-binary", 0, 1, 1),
    f"{TOPK}/weights": ("top-k-range", 0, 1.01, 0.005),
    SELF: ("attention-range", 0, 1.01, 0.005),
}
"""Arrays with a range: rule, lowest, highest, and how little is too much."""


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for each in (*_ranges(), *_sums()):
        yield Break(each.rule, each.profile, each.slug, each.why, each.edits, each.kind, True, each.also, each.base)


def _ranges() -> Iterator[Break]:
    for path, (rule, low, high, step) in RANGES.items():
        profile = "trace" if path == SELF else "openfold"
        name = f"{path.rpartition('/')[2].replace('_', '-')}-sides"
        yield broken(rule, profile, f"{name}-both", f"{path} is a little out of range on both sides.", fact(path, minimum=low - step, maximum=high + step))
        yield broken(rule, profile, f"{name}-highest", f"{path} begins at {low}, and ends too high.", fact(path, minimum=low, maximum=high + step))
        yield valid(rule, profile, f"{name}-unknown", f"Where {path} begins is unknown; then nothing is asked of where it ends.", fact(path, minimum=None, maximum=high + step))


def _sums() -> Iterator[Break]:
    for dtype, (low, high) in BOUNDS.items():
        at = measured(SELF, "dtype", value=dtype)
        step = 0.005 if dtype == "bfloat16" else 0.0005
        yield broken("attention-row-sum", "trace", f"{dtype}-sides-both", f"Rows of {dtype} a little off on both sides.", at, fact(SELF, row_sum_minimum=low - step, row_sum_maximum=high + step))
        yield broken("attention-row-sum", "trace", f"{dtype}-sides-lowest", f"Rows of {dtype} that begin just in range, and end too high.", at, fact(SELF, row_sum_minimum=low + step / 10, row_sum_maximum=high + step))
        if dtype != "bfloat16":
            yield broken("attention-row-sum", "trace", f"{dtype}-sides-apart", f"Rows of {dtype} that begin where those of bfloat16 may, and end too high: one fault.", at, fact(SELF, row_sum_minimum=0.995, row_sum_maximum=1.05))
        yield valid("attention-row-sum", "trace", f"{dtype}-sides-unknown", "Where the sums end is unknown; then nothing is asked of where they begin.", at, fact(SELF, row_sum_minimum=low - step, row_sum_maximum=None))
    row = {"row_sum_minimum": 0.3, "row_sum_maximum": 1.4}
    yield broken("attention-range", "trace", "little-above-and-sums", "A weight a little above the bound, and sums too: one fault.", fact(SELF, maximum=1.015, **row))
    for dtype in ("uint8", "int32", "complex64"):
        yield broken("float-dtype", "trace", f"{dtype}-with-values", f"Weights of {dtype}: what they sum to is not asked.", measured(SELF, "dtype", value=dtype), fact(SELF, minimum=-3, maximum=66, **row))
    yield broken("attention-normalization", "trace", "other-values", "Without a normalization nothing is asked of the values.", attribute(SELF, "normalization", "gradient"), fact(SELF, minimum=-3, maximum=66, **row))
