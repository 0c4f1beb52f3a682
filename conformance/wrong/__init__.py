"""Wrong implementations: this package with one fault each. A suite that one of them passes lacks a case.

Each runs as any implementation does: `vizschema conformance run --python vizschema.conformance.wrong:roles_kept`, with
`--role reader` or `--role writer` where it is one.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from vizschema.conformance.wrong.implementation import EVERY, Implementation

    if name not in EVERY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return Implementation(EVERY[name])
