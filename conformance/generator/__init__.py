"""Hypothesis strategies of archives that conform, and of archives that break one rule, built from the schemas alone.

The public names are those of `drawing.py`, `breaking.py` and `encoding.py`; Hypothesis is needed to use
them (the extra `conformance`), and imported when one of them is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.conformance.generator.breaking import Broken as Broken
    from vizschema.conformance.generator.breaking import broken_archives as broken_archives
    from vizschema.conformance.generator.drawing import Archive as Archive
    from vizschema.conformance.generator.drawing import archives as archives
    from vizschema.conformance.generator.encoding import encodings as encodings

_HOMES = {
    "Archive": "drawing",
    "archives": "drawing",
    "Broken": "breaking",
    "broken_archives": "breaking",
    "encodings": "encoding",
}

__all__ = ["Archive", "Broken", "archives", "broken_archives", "encodings"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
