"""Tables of breaks: what a rule is broken by, and what looks like a breach and is none. `freeze` makes cases of them."""

from __future__ import annotations

from vizschema.conformance.corpus.breaks.edits import Break


def all_breaks() -> list[Break]:
    """Every break of every table."""
    from vizschema.conformance.corpus.breaks import (
        attributes,
        axes,
        classifiers,
        conditions,
        guards,
        identity,
        instead,
        lookalikes,
        openfold,
        openfold_attention,
        openfold_values,
        readings,
        series,
        sides,
        storage,
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
    )
    return [each for table in tables for each in table.breaks()]
