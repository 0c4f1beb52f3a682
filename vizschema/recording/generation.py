"""Calls of `generate`: refused where their passes do not follow one another; the tokens of others. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vizschema.errors import UsageError

_DYNAMIC = (None, "dynamic", "offloaded")
"""Caches that keep the keys and values of every token, and nothing else."""


def require_plain(model: Any, given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for a generation whose passes do not follow one another, token by token.

    `given` are the arguments of `generate` by name; the others are those of the model's own `generation_config`.
    """
    settings = given.get("generation_config") or getattr(model, "generation_config", None)

    def value(name: str) -> Any:
        return given[name] if given.get(name) is not None else getattr(settings, name, None)

    refused = {
        "beam search, which reorders samples": (value("num_beams") or 1) > 1,
        "speculative decoding, which drops tokens": bool(value("assistant_model") or value("prompt_lookup_num_tokens")),
        "contrastive search, which drops tokens": bool(value("penalty_alpha")),
        "generation without a cache, where each pass repeats the others": value("use_cache") is False,
        f"a cache of the kind {value('cache_implementation')}": value("cache_implementation") not in _DYNAMIC,
        "a prompt that is read in chunks": bool(value("prefill_chunk_size")),
    }
    for found, is_so in refused.items():
        if is_so:
            raise UsageError(
                path="generate",
                expected="one pass for the prompt and one for each new token",
                found=found,
                fix="generate first, and record one call of the model over the whole text",
            )


def new_tokens(output: Any, passes: int) -> Any:
    """Return the tokens that `passes` passes chose, [sample, new_token], of what `generate` returned."""
    sequences = getattr(output, "sequences", output)
    return sequences[:, -passes:]
