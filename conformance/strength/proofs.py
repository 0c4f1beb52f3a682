"""Mutants of patterns that match the same texts as the original: proved by automata, so that no list names them."""

from __future__ import annotations

from collections.abc import Iterable

from vizschema.conformance.generator.languages import Language
from vizschema.conformance.strength.mutants import Mutant, Path, pattern_of
from vizschema.rules.versions import NAMED_MEMBERS, Spec, read_json

SAME = "The pattern matches the same texts: proved by automata (conformance/strength/proofs.py)."
PATHS = "^/(.*[^/])?$"
"""The names of nodes, as spec/description.schema.json has them."""
_INWARDS = frozenset({"additionalProperties", "items", "contains"})


def proved(spec: Spec, mutants: Iterable[Mutant]) -> dict[str, str]:
    """The reason, by name, for each of `mutants` whose pattern matches the same texts as the original."""
    return {mutant.name: SAME for mutant in mutants if _same(spec, mutant)}


def same(pattern: str, other: str, *within: str) -> bool:
    """Whether both patterns are found in the same texts, of those in which each of `within` is found."""
    only: tuple[bool, bool] = Language((pattern, *within), (other,)).empty, Language((other, *within), (pattern,)).empty
    return all(only)


def _same(spec: Spec, mutant: Mutant) -> bool:
    within = (PATHS,) if _named(mutant.place) == "nodes" else ()
    changed = pattern_of(read_json(spec.folder / mutant.document), mutant)
    return changed is not None and same(*changed, *within)


def _named(place: Path) -> str | int | None:
    """The field whose keys the pattern at `place` is asked of; None where it is asked of other texts, or unknown."""
    named, steps = None, iter(place[:-1])
    for keyword in steps:
        name = next(steps, None) if keyword in NAMED_MEMBERS else None
        if keyword == "properties":
            named = name
        elif name is not None or keyword in _INWARDS:
            named = None
    return named
