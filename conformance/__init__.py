"""Conformance suites: cases, fixtures, benchmarks, and the runner that brings them to an implementation.

`archives`, `broken_archives` and `encodings` are Hypothesis strategies (the extra `conformance`), imported when they
are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.conformance.generator import archives as archives
    from vizschema.conformance.generator import broken_archives as broken_archives
    from vizschema.conformance.generator import encodings as encodings


def __getattr__(name: str) -> Any:
    if name not in ("archives", "broken_archives", "encodings"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vizschema.conformance import generator

    return getattr(generator, name)
