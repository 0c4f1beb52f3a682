"""Tables of breaks: what a rule is broken by, and what only looks like a breach. `freeze` makes cases of them."""

from __future__ import annotations

from vizschema.conformance.corpus.breaks.edits import Break

FIRST = "1.0.0"
"""The version that has the cases of all that it says; those after it have the cases of what they add."""


def all_breaks(spec: str = FIRST) -> list[Break]:
    """Every break of every table of a version; one that builds on another has those of what it adds."""
    from vizschema.conformance.corpus.breaks import (
        attributes,
        axes,
        careless,
        classifiers,
        conditions,
        coordinates,
        guards,
        identity,
        instead,
        lm,
        lookalikes,
        openfold,
        openfold_attention,
        openfold_values,
        readings,
        series,
        sides,
        storage,
        texts,
        tree,
        unmeasured,
        values,
    )

    tables = (
        identity,
        attributes,
        tree,
        axes,
        series,
        storage,
        values,
        classifiers,
        openfold,
        openfold_attention,
        openfold_values,
        guards,
        sides,
        unmeasured,
        instead,
        lookalikes,
        readings,
        conditions,
        texts,
        careless,
    )
    own = [each for table in (tables if spec == FIRST else (lm,)) for each in table.breaks()]
    return [*own, *coordinates.breaks(spec)]
