"""Encodings as a Hypothesis strategy: a level for each factor of a container, none of which excludes another."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from vizschema.conformance.corpus.encodings.table import FACTORS, settled
from vizschema.errors import UsageError


def encodings(container: str) -> st.SearchStrategy[dict[str, str]]:
    """Draw an encoding of `container`: a level by factor; it shrinks towards the plain one.

    `vizschema.conformance.corpus.encodings.writing.WRITERS[container]` writes nodes in it. Levels that exclude each
    other are made plain, so that nothing drawn is rejected. Raises `UsageError` for a container without encodings.
    """
    if container not in FACTORS:
        raise UsageError(f"{container}: expected a container with encodings, one of {', '.join(FACTORS)}")
    levels: dict[str, Any] = {factor: st.sampled_from(every) for factor, every in FACTORS[container].items()}
    return st.fixed_dictionaries(levels).map(lambda drawn: settled(container, drawn))
