"""A language model of the form of GPT-2 with random weights, as the arrays and attributes of an `lm` archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vizschema import Array

TEXT = "In 1977 a probe left for the outer planets , and it still calls home across twenty billion kilometres of dark ."
TOKEN, HIDDEN = ("sample", "token"), ("sample", "token", "hidden")
ATTENTION = ("sample", "head", "token:query", "token:key")

Values = Any


def gpt2(
    words: Sequence[str] = tuple(TEXT.split()), *, layers: int = 4, heads: int = 8, hidden: int = 64, seed: int = 0
) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
    """The arrays by path and the attributes of groups of a forward pass; each word, after a space, is a token."""
    generator = np.random.default_rng(seed)
    vocabulary = [f" {word}" for word in dict.fromkeys(words)]
    ids = np.array([[vocabulary.index(f" {word}") for word in words]], np.int32)
    state = generator.normal(size=(len(vocabulary), hidden))[ids] + _positions(len(words), hidden)
    arrays = {"/inputs/token": Array(ids, TOKEN), **_vocabulary(vocabulary)}
    arrays["/activations/embedding"] = Array(state.astype(np.float32), HIDDEN)
    for layer in range(layers):
        state, weights = _block(state, heads, generator)
        arrays[f"/activations/layer_{layer:02}"] = Array(state.astype(np.float32), HIDDEN)
        more = {"normalization": "softmax", "source": "captured"}
        arrays[f"/attention/self/layer_{layer:02}"] = Array(weights.astype(np.float32), ATTENTION, more)
    logits = _normal(state) @ generator.normal(size=(hidden, len(vocabulary)))
    arrays["/outputs/logits"] = Array(logits.astype(np.float32), ("sample", "token", "vocabulary"))
    named = {
        "model_name": "form of GPT-2, random weights",
        "model_version": "1.0.0",
        "framework": "numpy",
        "seed": seed,
    }
    stated = {"task": "language modelling", "dataset": "none", "license": "Apache-2.0", "dtype": "float32"}
    sizes = {"sample": 1, "token": len(words), "vocabulary": len(vocabulary), "hidden": hidden, "head": heads}
    told = {"checkpoint_sha256": "none", "git_commit": "none", "device": "cpu"}
    metadata = {**named, **stated, **told, **{f"size_{axis}": size for axis, size in sizes.items()}}
    counted = {"num_layers": layers}
    return arrays, {"/metadata": metadata, "/activations": counted, "/attention/self": counted}


def _vocabulary(tokens: list[str]) -> dict[str, Array]:
    packed = [token.encode() for token in tokens]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in packed])]).astype(np.int32)
    data = np.frombuffer(b"".join(packed), np.uint8)
    return {
        "/inputs/vocabulary/id": Array(np.arange(len(tokens), dtype=np.int32), ("entry",)),
        "/inputs/vocabulary/start": Array(starts, ("entry_edge",)),
        "/inputs/vocabulary/bytes": Array(data, ("byte",), {"starts": "/inputs/vocabulary/start"}),
    }


def _positions(count: int, hidden: int) -> Values:
    at = np.arange(count)[:, None] / 10_000 ** (np.arange(hidden // 2) / (hidden // 2))
    return 2 * np.concatenate([np.sin(at), np.cos(at)], axis=1)


def _normal(state: Values) -> Values:
    return (state - state.mean(axis=-1, keepdims=True)) / state.std(axis=-1, keepdims=True)


def _block(state: Values, heads: int, generator: np.random.Generator) -> tuple[Values, Values]:
    """What a block returns, and its attention [sample, head, token:query, token:key]."""
    hidden = state.shape[-1]
    query, value = (generator.normal(size=(hidden, hidden)) / np.sqrt(hidden) for _ in range(2))
    key = query + 0.6 * generator.normal(size=(hidden, hidden)) / np.sqrt(hidden)
    split = [
        (_normal(state) @ each).reshape(*state.shape[:2], heads, -1).swapaxes(1, 2) for each in (query, key, value)
    ]
    scores = split[0] @ split[1].swapaxes(-1, -2) / np.sqrt(hidden // heads)
    scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    state = state + (weights @ split[2]).swapaxes(1, 2).reshape(state.shape)
    wide = generator.normal(size=(hidden, 4 * hidden)) / np.sqrt(hidden)
    return state + np.maximum(_normal(state) @ wide, 0) @ wide.T / 4, weights
