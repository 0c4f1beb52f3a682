"""Breaks of the rules of the profile openfold on values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vizschema.conformance.corpus.breaks.edits import Break, broken, fact, filled, put, unmeasured, valid
from vizschema.conformance.corpus.breaks.openfold import KINDS, TOPK, moved_topk, slug_of

# A table reads better with a case a line.
# fmt: off


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for each in _values():
        yield replace(each, values=True)


def _values() -> Iterator[Break]:
    letters = "MQIFVKTLTGKT"
    for slug, text in (("gap", "MQI-VKTLTGKT"), ("lower-case", "MQIfVKTLTGKT"), ("stop", "MQIFVKTLTGK*"), ("before-a", "MQIFVKTLTGK@"), ("after-z", "MQIFVKTLTGK[")):
        yield broken(
            "sequence-letters",
            "openfold",
            slug,
            f"The sequence {text!r}.",
            filled("/inputs/sequence", pattern="text", text=text),
            filled("/inputs/aatype", pattern="listed", values=["ARNDCQEGHILKMFPSTWYVX".find(c) if c in "ARNDCQEGHILKMFPSTWYVX" else 20 for c in text]),
        )
    yield broken("sequence-letters", "openfold", "both-sides", "Codes on both sides of the letters: one fault.", fact("/inputs/sequence", minimum=45, maximum=122))
    yield valid(
        "sequence-letters",
        "openfold",
        "first-and-last",
        "A and Z are letters.",
        filled("/inputs/sequence", pattern="text", text="AZIFVKTLTGKT"),
        filled("/inputs/aatype", pattern="listed", values=["ARNDCQEGHILKMFPSTWYVX".find(c) if c in "ARNDCQEGHILKMFPSTWYVX" else 20 for c in "AZIFVKTLTGKT"]),
    )
    yield broken("residue-types-follow-sequence", "openfold", "one-differs", "One residue type is another.", filled("/inputs/sequence", pattern="text", text=letters), filled("/inputs/aatype", pattern="ramp"))
    yield broken("residue-types-follow-sequence", "openfold", "described", "One residue type differs.", fact("/inputs/aatype", decode_differs=1))
    yield valid("residue-types-follow-sequence", "openfold", "unknown", "There is nothing to compare with.", fact("/inputs/aatype", decode_differs=None))
    yield broken("masked-coordinates-zero", "openfold", "left-over", "Coordinates of atoms that are not there.", filled("/outputs/coordinates", pattern="smooth", seed=3, scale=20.0))
    yield broken("masked-coordinates-zero", "openfold", "described", "One left-over value.", fact("/outputs/coordinates", masked_nonzero=1))
    yield valid("masked-coordinates-zero", "openfold", "unknown", "There is nothing to compare with.", fact("/outputs/coordinates", masked_nonzero=None))
    ranges: dict[str, tuple[str, float | None, float | None, float]] = {
        "/outputs/confidence": ("confidence-range", 0, 100, 0.5),
        "/outputs/predicted_aligned_error": ("error-range", 0, None, 0.5),
        "/outputs/ptm": ("ptm-range", 0, 1, 0.5),
        "/outputs/atom_mask": ("mask-binary", 0, 1, 1),
        f"{TOPK}/weights": ("top-k-range", 0, 1.01, 0.005),
        f"{TOPK}/indices": ("top-k-range", 0, None, 1),
    }
    for path, (rule, low, high, step) in ranges.items():
        name = slug_of(path)
        if low is not None:
            yield broken(rule, "openfold", f"{name}-below", f"A value of {path} just below {low}.", fact(path, minimum=low - step))
            yield valid(rule, "openfold", f"{name}-lowest", f"{path} begins at {low}.", fact(path, minimum=low))
        if high is not None:
            yield broken(rule, "openfold", f"{name}-above", f"A value of {path} just above {high}.", fact(path, maximum=high + step))
            yield broken(rule, "openfold", f"{name}-both", f"Values of {path} on both sides: one fault.", fact(path, minimum=-3, maximum=high + 3))
            yield valid(rule, "openfold", f"{name}-highest", f"{path} ends at {high}.", fact(path, maximum=high))
    yield from _contents()
    yield valid("confidence-range", "openfold", "nothing-finite", "There is no finite value.", fact("/outputs/confidence", minimum=None, maximum=None), fact("/outputs/ptm", minimum=None, maximum=None))
    yield broken("confidence-scale", "openfold", "exactly-one", "No confidence above 1.", fact("/outputs/confidence", maximum=1))
    yield valid("confidence-scale", "openfold", "little-more", "A confidence of 1.5.", fact("/outputs/confidence", maximum=1.5))
    for kind in KINDS:
        path = f"/attention_topk/{kind}/layer_00"
        yield broken("top-k-range", "openfold", f"{slug_of(kind)}-past", f"An index of {kind} past the last.", *moved_topk(kind), fact(f"{path}/indices", beyond_axis=1))
        yield broken("top-k-range", "openfold", f"{slug_of(kind)}-weight", f"A weight of {kind} above 1.", *moved_topk(kind), fact(f"{path}/weights", maximum=1.9))
        yield broken("openfold-facts-measured", "openfold", f"{slug_of(kind)}-indices", "beyond_axis was not measured.", *moved_topk(kind), unmeasured(f"{path}/indices", "facts", "beyond_axis"))
    yield valid("top-k-range", "openfold", "unknown", "There is nothing to compare with.", fact(f"{TOPK}/indices", beyond_axis=None))
    yield broken("openfold-facts-measured", "openfold", "aatype", "decode_differs was not measured.", unmeasured("/inputs/aatype", "facts", "decode_differs"))
    for dtype in ("int8", "int16", "int64", "uint8", "uint16", "uint32", "uint64"):
        yield broken("openfold-facts-measured", "openfold", f"aatype-{dtype}", f"decode_differs of {dtype} was not measured.", put("/inputs/aatype", "dtype", dtype), unmeasured("/inputs/aatype", "facts", "decode_differs"))
    for dtype in ("float32", "float64"):
        yield broken("openfold-pairs-measured", "openfold", f"coordinates-{dtype}", "masked_nonzero was not measured.", put("/outputs/coordinates", "dtype", dtype), unmeasured("/outputs/coordinates", "facts", "masked_nonzero"))


def _contents() -> Iterator[Break]:
    yield broken("confidence-scale", "openfold", "zero-to-one", "Confidence from 0 to 1.", filled("/outputs/confidence", pattern="uniform", seed=3, low=0.2, high=0.9))
    yield broken("confidence-range", "openfold", "negative", "Confidence below 0.", filled("/outputs/confidence", pattern="uniform", seed=3, low=-50.0, high=50.0))
    yield broken("confidence-range", "openfold", "more-than-hundred", "Confidence above 100.", filled("/outputs/confidence", pattern="uniform", seed=3, low=50.0, high=300.0))
    yield broken("error-range", "openfold", "logits", "Logits of an error.", filled("/outputs/predicted_aligned_error", pattern="normal", seed=3))
    yield broken("ptm-range", "openfold", "percent", "A TM score in percent.", filled("/outputs/ptm", pattern="constant", value=87.0))
    yield broken("mask-binary", "openfold", "counts", "A mask of 0, 1 and 2.", filled("/outputs/atom_mask", pattern="classes", count=3, seed=4))
    yield broken("top-k-range", "openfold", "past-last-residue", "An index past the last residue.", filled(f"{TOPK}/indices", pattern="listed", values=[0, 12, 3]))
    yield broken("top-k-range", "openfold", "negative-index", "An index below 0.", filled(f"{TOPK}/indices", pattern="listed", values=[0, -1, 3]))
    yield broken("top-k-range", "openfold", "scores", "Weights above 1.", filled(f"{TOPK}/weights", pattern="uniform", seed=4, low=0.5, high=3.0))
    yield valid("top-k-range", "openfold", "last-residue", "The last residue.", filled(f"{TOPK}/indices", pattern="listed", values=[0, 11, 3]))
