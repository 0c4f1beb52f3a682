"""Description × profile → findings, by stock JSON Schema 2020-12.

Sees no array, no file and no container. The schemas state the rules; the rule of a fault is the nearest enclosing
`$anchor` of the absolute keyword location, with one fault a name for `required` and `propertyNames`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from vizschema.description import Description
from vizschema.findings import Finding
from vizschema.rules.faults import Fault, Faults
from vizschema.rules.versions import Profile, Schema
from vizschema.rules.wording import place_of, words_of


def judge(description: Description, profile: Profile) -> tuple[Finding, ...]:
    """The findings about `description`: errors first, then by rule and place; a set, whatever the engine's order."""
    return tuple(_finding(description, fault) for fault in faults_of(description, profile))


def faults_of(description: Description, profile: Profile) -> list[Fault]:
    """The faults of `description` by `profile`, as `settle` leaves them: what findings are made of."""
    engine, faults = _engine(profile)
    if engine.is_valid(description):  # half the cost of collecting errors, and what most archives are
        return []
    return settle(faults.of(description))


def entry_of(profile: Profile) -> Schema:
    """The schema that an engine starts from: both schemas of the profile, in one pass."""
    return {"allOf": [{"$ref": profile.must}, {"$ref": profile.should}]}


@functools.lru_cache(maxsize=16)
def _engine(profile: Profile) -> tuple[Any, Faults]:
    """A compiled validator for a profile, and what finds the faults where it says that there are any."""
    faults = Faults(profile)
    return faults.engine(entry_of(profile)), faults


def settle(faults: Iterable[Fault]) -> list[Fault]:
    """Each fault once by (place, rule), errors first, sorted.

    A misnamed node is one fault: its members, misnamed because of it, are left out.
    """
    unique = {(fault.rule.severity, fault.rule.id, fault.pointer): fault for fault in faults}
    misnamed = {(fault.rule.id, fault.name) for fault in unique.values() if fault.keyword in _NAMING and fault.name}
    kept = (
        key for key, fault in unique.items() if not any((fault.rule.id, above) in misnamed for above in _above(fault))
    )
    return [unique[key] for key in sorted(kept)]


_NAMING = frozenset({"pattern", "not", "enum", "const"})


def _above(fault: Fault) -> Iterator[str]:
    if fault.name is None or fault.keyword not in _NAMING or not fault.name.startswith("/"):
        return
    parent = fault.name.rpartition("/")[0]
    while parent:
        yield parent
        parent = parent.rpartition("/")[0]


def _finding(description: Description, fault: Fault) -> Finding:
    expected, found = words_of(description, fault.rule, fault.instance, fault.name, fault.keyword, fault.value)
    return Finding(
        rule=fault.rule.id,
        severity=fault.rule.severity,
        path=place_of(description, fault.instance, fault.name),
        instance=fault.pointer,
        expected=expected,
        found=found,
        title=fault.rule.title,
        fix=fault.rule.fix,
    )
