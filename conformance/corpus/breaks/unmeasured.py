"""Facts that were not measured, or need not be: by dtype, in arrays of the wrong dtype, and after an interrupt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    broken,
    fact,
    measured,
    no_attribute,
    on_description,
    unmeasured,
    valid,
)
from vizschema.conformance.corpus.breaks.openfold import KINDS, moved_topk
from vizschema.conformance.corpus.breaks.storage import V2
from vizschema.conformance.corpus.breaks.tree import DTYPES
from vizschema.conformance.corpus.breaks.values import INTEGERS, RAMP

# A table reads better with a case a line.
# fmt: off

SELF = "/attention/self/layer_00"
LAYER = "/activations/layer_00"
X = "/outputs/x"
ENCODED: Mapping[str, tuple[tuple[str, int | None], list[str], list[str]]] = {
    "v-three": (("zarr", 3), ["transpose", "sharding_indexed", "bytes", "crc32c", "blosc", "zstd", "gzip"], ["bytes", "zlib"]),
    "v-two": (("zarr", 2), list(V2), ["shuffle", "bitround"]),
    "v-five": (("hdf5", None), ["shuffle", "deflate", "fletcher32", "nbit", "scaleoffset"], ["hdf5-32004"]),
}
"""Containers of chunks, by format and version, with all of their portable codecs, and with one that is not."""
OWN: Mapping[str, list[str]] = {"v-three": ["bytes"], "v-two": ["zlib"], "v-five": ["deflate"]}
"""A codec that is portable in one of these containers alone."""
WHOLE = tuple(dtype for dtype in INTEGERS if dtype != "bool")
PARTNERS: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("mnist", "/inputs/labels"): ("classifier-facts-measured", "beyond_axis", "integer-dtype"),
    ("mnist", "/outputs/predictions"): ("classifier-facts-measured", "argmax_differs", "integer-dtype"),
    ("openfold", "/inputs/aatype"): ("openfold-facts-measured", "decode_differs", "integer-dtype"),
    ("openfold", "/attention_topk/ipa/layer_00/indices"): ("openfold-facts-measured", "beyond_axis", "top-k-index-dtype"),
    ("openfold", "/outputs/coordinates"): ("openfold-pairs-measured", "masked_nonzero", "coordinate-dtype"),
}
"""Arrays that are measured against another one: the rule that asks for it, the fact, and the rule on their dtype."""


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for each in (*_any(), *_below_metadata(), *_attention(), *_partners(), *_codecs(), *_interrupted()):
        yield Break(each.rule, each.profile, each.slug, each.why, each.edits, each.kind, True, each.also, each.base)


def _any() -> Iterator[Break]:
    for dtype in ("complex64", "complex128"):
        yield broken("facts-measured", "trace", f"{dtype}-non-finite", f"non_finite of {dtype} was not measured.", add("/outputs/x", array("token", dtype)), unmeasured("/outputs/x", "facts", "non_finite"))
    yield valid("values-vary", "trace", "integers-described", "Integers may all be the same, also where that is known.", add("/outputs/x", array("token", "int32", RAMP)), fact("/outputs/x", constant=True))


def _below_metadata() -> Iterator[Break]:
    at = "/metadata/config/x"
    for name in ("absent_chunks", "constant"):
        yield broken("metadata-attributes-only", "trace", f"{name.replace('_', '-')}-unmeasured", f"{name} below /metadata is not asked for.", add(at, array("token")), unmeasured(at, "facts", name))


def _attention() -> Iterator[Break]:
    rows = tuple(unmeasured(SELF, "facts", name) for name in ("row_sum_minimum", "row_sum_maximum"))
    yield broken("float-dtype", "trace", "sums-of-integers", "Sums of integers are not asked for.", measured(SELF, "dtype", value="int32"), *rows)
    yield broken("attention-normalization", "trace", "absent-with-sums-unmeasured", "Without a normalization no sums are asked for.", no_attribute(SELF, "normalization"), *rows)
    yield broken("attention-normalization", "trace", "absent-with-wrong-sums", "Without a normalization sums may be anything.", no_attribute(SELF, "normalization"), fact(SELF, row_sum_maximum=1.4))
    yield broken("attention-normalization", "trace", "absent-with-scores", "Without a normalization weights may be anything.", no_attribute(SELF, "normalization"), fact(SELF, maximum=9))
    yield broken("attention-normalization", "trace", "absent-integers", "Without a normalization the dtype is free.", no_attribute(SELF, "normalization"), measured(SELF, "dtype", value="int32"))
    yield valid("attention-normalization", "trace", "proxy-integers", "Only weights are floats.", attribute(SELF, "normalization", "none"), measured(SELF, "dtype", value="int32"))


def _partners() -> Iterator[Break]:
    for (profile, path), (rule, name, dtype_rule) in PARTNERS.items():
        slug = path.strip("/").replace("/", "-").replace("_", "-")
        wanted = ("float32", "float64") if rule == "openfold-pairs-measured" else WHOLE
        others = ("int32", "uint8") if rule == "openfold-pairs-measured" else ("float32", "bool")
        for dtype in others:
            known = (fact(path, non_finite=0, constant=False),) if dtype == "float32" else ()
            yield broken(dtype_rule, profile, f"{slug}-of-{dtype}-unmeasured", f"{name} of {dtype} is not asked for.", measured(path, "dtype", value=dtype), unmeasured(path, "facts", name), *known)
        for dtype in wanted:
            also = (dtype_rule,) if (dtype_rule == "top-k-index-dtype" and dtype != "int32") else ()
            yield broken(rule, profile, f"{slug}-of-{dtype}-unmeasured", f"{name} of {dtype} was not measured.", measured(path, "dtype", value=dtype), unmeasured(path, "facts", name), also=also)
    for dtype in ("float16", "bfloat16"):
        at = measured("/outputs/coordinates", "dtype", value=dtype)
        yield broken("openfold-pairs-measured", "openfold", f"{dtype}-unmeasured", f"masked_nonzero of {dtype} was not measured.", at, unmeasured("/outputs/coordinates", "facts", "masked_nonzero"), also=("coordinate-dtype",))
    for kind in KINDS:
        path = f"/attention_topk/{kind}/layer_00/indices"
        yield broken("top-k-index-dtype", "openfold", f"{kind.replace('_', '-')}-floats-unmeasured", "beyond_axis of floats is not asked for.", *moved_topk(kind), measured(path, "dtype", value="float32"), unmeasured(path, "facts", "beyond_axis"), fact(path, non_finite=0, constant=False))


def _codecs() -> Iterator[Break]:
    """What is in codecs that no reader has is not measured; what a plain reader decodes is."""
    for slug, (container, _, unsupported) in ENCODED.items():
        edits = (_in(*container), unmeasured(LAYER, "facts"))
        others = {f"of-{other}": codecs for other, codecs in OWN.items() if other != slug}
        for name, codecs in {"unmeasured": unsupported, **others}.items():
            yield broken("portable-codec", "trace", f"{slug}-{name}", "No value in a codec that is not portable is measured.", *edits, measured(LAYER, "storage", "codecs", value=codecs))
        for dtype in DTYPES:
            yield broken("facts-measured", "trace", f"{slug}-{dtype}", f"{dtype} in codecs of every reader, and nothing was measured.", *_bare(slug, dtype))
        yield broken("portable-dtype", "trace", f"{slug}-text-without-facts", "Text has no facts, and none is asked for.", *_bare(slug, "int8"), measured(X, "dtype", value="string"))
    yield broken("facts-measured", "trace", "without-chunks", "An array without chunks, and nothing was measured.", unmeasured(LAYER, "facts"), measured(LAYER, "storage", value=None))


def _bare(slug: str, dtype: str) -> tuple[Edit, ...]:
    """An array in every portable codec of a container, of which nothing was measured."""
    container, plain, _ = ENCODED[slug]
    node = {**array("token", dtype, RAMP if dtype in INTEGERS else None), "chunks": [5]}
    return (add(X, node), _in(*container), unmeasured(X, "facts"), measured(X, "storage", "codecs", value=plain))


def _in(format: str, version: int | None) -> Edit:
    """Changes nothing, and refuses every other container: of a case it leaves what can be told there."""

    def apply(parts: dict[str, Any]) -> None:
        found = parts["container"]["format"], parts["container"]["version"]
        if found != (format, version):
            raise ValueError(f"expected {format} {version}, found {found}")

    return on_description(apply)


def _partial() -> Edit:
    """What an interrupted scan says: of arrays that it has not read, only that no chunk is damaged."""

    def apply(parts: dict[str, Any]) -> None:
        parts["values"] = "partial"
        for node in parts["nodes"].values():
            if "facts" in node:
                node["facts"] = {"damaged_chunks": []}

    return on_description(apply)


def _interrupted() -> Iterator[Break]:
    for profile, rule in (
        ("trace", "facts-measured"),
        ("trace", "recommended-facts-measured"),
        ("mnist", "classifier-facts-measured"),
        ("vit", "classifier-facts-measured"),
        ("openfold", "openfold-facts-measured"),
        ("openfold", "openfold-pairs-measured"),
    ):
        yield valid(rule, profile, "interrupted", "The scan was interrupted: what it did not reach is not measured.", _partial())
