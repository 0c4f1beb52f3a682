"""Attention of many kinds, as its models make it: written, it conforms with its values; changed, it breaks its rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vizschema
from vizschema import Array

CONTAINERS = ["zarr-v3", "zarr-v2", "hdf5", "npz"]
AXES = ["sample", "head", "token:query", "token:key"]
CROSS = ["sample", "head", "token:query", "source_token:key"]
OWN = "/attention/self/layer_00"
METADATA = {
    **{"model_name": "m", "model_version": "1", "framework": "none", "task": "none", "dataset": "none", "seed": 0},
    **{"license": "none", "checkpoint_sha256": "none", "git_commit": "none", "dtype": "float32", "device": "cpu"},
}
Arrays = dict[str, Array]


def scores(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


def softmax(values: Any, axis: int = -1) -> Any:
    with np.errstate(invalid="ignore"):
        weights = np.exp(values - values.max(axis, keepdims=True))
        return weights / weights.sum(axis, keepdims=True)


def causal(size: int) -> Any:
    return np.tril(np.ones((size, size), bool))


def weights(values: Any, normalization: str, axes: list[str] = AXES, **attributes: Any) -> Array:
    marks = {"normalization": normalization, "source": "captured", **attributes}
    chunks = [1 if name in ("sample", "head") else size for name, size in zip(axes, values.shape, strict=True)]
    return Array(values, axes, marks, chunks)


def gpt2() -> Arrays:
    """Causal weights in float16, the scores that they are made of, and what queries and keys are."""
    masked = np.where(causal(6), scores(2, 2, 6, 6), -np.inf).astype(np.float32)
    return {
        OWN: weights(softmax(masked).astype(np.float16), "softmax"),
        "/attention_scores/layer_00": Array(masked, AXES, {"masked_value": "-inf"}),
        "/heads/query/layer_00": Array(scores(2, 6, 2, 4), ["sample", "token", "head", "head_channel"]),
    }


def t5() -> Arrays:
    """Cross attention to a padded source, whose rows for padded tokens are 0."""
    values = softmax(scores(2, 2, 5, 7).astype(np.float32))
    values[1, :, 3:] = 0
    return {"/attention/cross/layer_00": weights(values, "softmax_masked", CROSS)}


def padded() -> Arrays:
    """Rows of padded tokens are NaN, and hidden states there too; a mask says so."""
    there = np.arange(6) < np.array([[6], [4]])
    both = there[:, None, :, None] & there[:, None, None, :]
    values = softmax(np.where(both, scores(2, 2, 6, 6), -np.inf)).astype(np.float32)
    hidden = np.where(there[..., None], scores(2, 6, 3), np.nan)
    return {
        "/inputs/mask": Array(there, ["sample", "token"]),
        OWN: weights(values, "softmax", mask="/inputs/mask"),
        "/activations/embedding": Array(hidden, ["sample", "token", "hidden"], {"mask": "/inputs/mask"}),
    }


def sinks() -> Arrays:
    """A learned logit takes part in the softmax, and is dropped."""
    logits = np.concatenate([scores(2, 2, 6, 6), np.full((2, 2, 6, 1), 0.5)], -1)
    shares = softmax(logits).astype(ml_dtypes.bfloat16)
    return {
        "/sinks/layer_00": Array(shares[..., -1], ["sample", "head", "token:query"]),
        OWN: weights(shares[..., :-1].copy(), "softmax_sink", sink="/sinks/layer_00"),
    }


def truncated() -> Arrays:
    """The three largest weights of each row, the others left out."""
    values = softmax(scores(2, 2, 6, 6)).astype(np.float32)
    kept = values >= np.sort(values, -1)[..., -3:-2]
    return {
        OWN: replace(
            item := weights(values * kept, "softmax_truncated"), attributes={**item.attributes, "source": "top_k"}
        )
    }


def sigmoid() -> Arrays:
    """Gates, each for itself."""
    return {OWN: weights(1 / (1 + np.exp(-scores(2, 2, 6, 6))), "sigmoid")}


def keys_first() -> Arrays:
    """Keys before queries, cut into chunks along both, as some kernels keep them."""
    axes = ["sample", "head", "token:key", "token:query"]
    item = weights(softmax(scores(2, 2, 6, 6), axis=2).astype(np.float32), "softmax", axes)
    return {OWN: replace(item, chunks=[1, 1, 4, 4])}


KINDS: dict[str, Callable[[], Arrays]] = {
    made.__name__: made for made in (gpt2, t5, padded, sinks, truncated, sigmoid, keys_first)
}


def marked(path: str, **attributes: Any) -> Callable[[Arrays], Arrays]:
    def change(arrays: Arrays) -> Arrays:
        kept = {**arrays[path].attributes, **attributes}
        return {**arrays, path: replace(arrays[path], attributes={k: v for k, v in kept.items() if v is not None})}

    return change


def over(path: str, *axes: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, path: replace(arrays[path], axes=list(axes))}


def valued(path: str, change: Callable[[Any], Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, path: replace(arrays[path], data=change(arrays[path].data.copy()))}


def first(values: Any, value: float) -> Any:
    values[0, 0, 0, 0] = value
    return values


def with_queries(arrays: Arrays) -> Arrays:
    """Queries themselves, where only weights belong."""
    return {**arrays, "/attention/query": weights(scores(2, 2, 6, 4), "none", [*AXES[:3], "channel"])}


BROKEN: list[tuple[str, Callable[[Arrays], Arrays], str]] = [
    ("gpt2", over(OWN, "sample", "head", "token:key", "token:query"), "attention-row-sum"),
    ("gpt2", over(OWN, "sample", "head", "row", "column"), "attention-roles"),
    ("gpt2", marked(OWN, normalization=None), "attention-normalization"),
    ("gpt2", marked(OWN, source="softmax"), "attention-source"),
    ("gpt2", marked("/attention_scores/layer_00", masked_value=None), "finite"),
    ("gpt2", marked("/attention_scores/layer_00", masked_value="-Infinity"), "masked-value"),
    ("gpt2", valued("/attention_scores/layer_00", lambda values: first(values, np.nan)), "finite"),
    ("gpt2", with_queries, "attention-roles"),
    ("t5", marked("/attention/cross/layer_00", normalization="softmax"), "attention-row-sum"),
    ("t5", valued("/attention/cross/layer_00", lambda values: values * 0.9), "attention-row-sum"),
    ("padded", marked("/activations/embedding", mask=None), "finite"),
    ("padded", marked(OWN, mask="/inputs/masks"), "reference-fits"),
    ("padded", marked(OWN, mask="inputs/mask"), "reference-path"),
    ("padded", valued("/inputs/mask", lambda values: ~values), "finite"),
    ("sinks", marked(OWN, normalization="softmax", sink=None), "attention-row-sum"),
    ("sinks", valued(OWN, lambda values: values / 2), "attention-row-sum"),
    ("sinks", over("/sinks/layer_00", "sample", "head", "position"), "reference-fits"),
    ("truncated", marked(OWN, normalization="softmax"), "attention-row-sum"),
    ("sigmoid", marked(OWN, normalization="softmax_truncated"), "attention-row-sum"),
    ("sigmoid", valued(OWN, lambda values: first(values, -0.5)), "attention-range"),
    ("keys_first", over(OWN, *AXES), "attention-row-sum"),
]  # fmt: skip


def judged(folder: Path, arrays: Mapping[str, Array], container: str) -> vizschema.Report:
    path = folder / "trace"
    if path.exists():
        raise FileExistsError(path)
    vizschema.write(path, arrays, {"/metadata": METADATA}, profile="trace", container=container)
    return vizschema.validate(path)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("kind", KINDS)
def test_attention_as_models_make_it_conforms_with_its_values(kind: str, container: str, tmp_path: Path) -> None:
    report = judged(tmp_path, KINDS[kind](), container)
    assert report.verdict == "conforms"
    assert {finding.rule for finding in report.findings} <= {"series-declared"}


@pytest.mark.parametrize(("kind", "change", "rule"), BROKEN, ids=[f"{kind}-{rule}" for kind, _, rule in BROKEN])
def test_attention_that_is_not_what_it_says_breaks_the_rule_about_it(
    kind: str, change: Callable[[Arrays], Arrays], rule: str, tmp_path: Path
) -> None:
    arrays = change(KINDS[kind]())
    try:
        findings = judged(tmp_path, arrays, "zarr-v3").findings
    except vizschema.NotConforming as refused:
        findings = refused.report.findings
    assert rule in {finding.rule for finding in findings if finding.severity == "error"}


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ("/inputs/masks", "expected an array at /inputs/masks, which `mask` names, found no array"),
        ("/other", 'expected /other, which `mask` names, to have axes of ["sample", "token", "hidden"], found ["row"]'),
        ("/weight", "found mask /weight, a float32 array of shape [2, 6]"),
    ],
)
def test_an_array_that_an_attribute_names_is_named_with_what_is_wrong(mask: str, message: str, tmp_path: Path) -> None:
    others = {
        "/other": Array(np.ones(3, bool), ["row"]),
        "/weight": Array(np.eye(2, 6, dtype="float32"), ["sample", "token"]),
    }
    arrays = marked("/activations/embedding", mask=mask)({**padded(), **others})
    with pytest.raises(vizschema.NotConforming) as refused:
        judged(tmp_path, arrays, "zarr-v3")
    (found,) = [finding for finding in refused.value.report.errors if finding.rule == "reference-fits"]
    assert message in found.message or message in f"found {found.found}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    axes=st.permutations(["head", "token:query", "source_token:key", "layer"]),
    cut=st.tuples(*(st.integers(1, 3) for _ in range(4))),
    container=st.sampled_from(["zarr-v3", "hdf5", "npz"]),
    dtype=st.sampled_from([np.float16, np.float32, np.float64, ml_dtypes.bfloat16]),
    seed=st.integers(0, 99),
)
def test_rows_sum_to_1_along_the_keys_wherever_they_stand(
    axes: list[str],
    cut: tuple[int, ...],
    container: str,
    dtype: Any,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    sizes = {"head": 2, "token:query": 4, "source_token:key": 5, "layer": 3}
    values = scores(*(sizes[name] for name in axes), seed=seed)
    item = weights(softmax(values, axis=axes.index("source_token:key")).astype(dtype), "softmax", axes)
    item = replace(item, chunks=[1 if name == "head" else length for name, length in zip(axes, cut, strict=True)])
    report = judged(tmp_path_factory.mktemp("rows"), {OWN: item}, container)
    assert report.verdict == "conforms"
    turned = [
        "token:query" if name == "source_token:key" else "source_token:key" if name == "token:query" else name
        for name in axes
    ]
    with pytest.raises(vizschema.NotConforming) as refused:
        judged(tmp_path_factory.mktemp("turned"), {OWN: replace(item, axes=turned)}, container)
    assert "attention-row-sum" in {finding.rule for finding in refused.value.report.findings}
