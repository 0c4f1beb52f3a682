"""The hostile, damaged and odd archives of `conformance/hostile` as cases: by the name of their generator.

A generator says which must-rules its archive breaks; what is found has to be just that. Where a rule is found once, the
case is certified by ablation as the others are. An archive that is none at all is a case of the topic `no-archive`,
one that is legal but odd of the topic `legal`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vizschema.bounds import Reading
from vizschema.conformance.corpus.ablation import ablated, found, rules_found
from vizschema.conformance.corpus.cases import Case
from vizschema.conformance.corpus.freeze import Refused
from vizschema.conformance.corpus.hostile import CASES
from vizschema.conformance.corpus.hostile.case import Case as Hostile
from vizschema.conformance.corpus.raw import scratch
from vizschema.description import REASONS, Description
from vizschema.errors import NotAnArchive
from vizschema.measure import measured
from vizschema.rules import versions
from vizschema.rules.versions import Profile

NO_ARCHIVE, LEGAL = "no-archive", "legal"
"""Topics of cases that are about no rule."""

LEFT_OUT: Mapping[str, str] = {
    "hdf5-attribute-1-gib": "Whether it is damaged or over a limit depends on the memory that the process may have.",
}
"""Generators whose archive is no case, with the reason."""


def freeze_hostile(spec: str = "1.0.0") -> Iterator[Case | Refused]:
    """The cases of every generator: controls once with their values and once without, the others once."""
    profile = versions.load(spec).profile("trace")
    for made in (made for made in CASES if made.name not in LEFT_OUT):
        for values in (bool(made.values),) if made.exit_code else (False, True):
            yield case_of(made, profile, values=values)


def case_of(made: Hostile, profile: Profile, *, values: bool) -> Case | Refused:
    """The case of one generator, or why it is none."""
    with tempfile.TemporaryDirectory(prefix="vizschema-freeze-", dir=scratch()) as folder:
        archive = made.build(Path(folder))
        try:
            with measured(archive, Reading(jobs=1)) as read:
                description: Description = read.with_values(profile.facts) if values else read.description
        except NotAnArchive as error:
            if not made.refused:
                return Refused(made.name, {made.container: str(error)})
            return _case(made, profile, _container(made, None), NO_ARCHIVE, "refused", {})
    problem = _problem(made, profile, description, values=values)
    if problem is not None:
        return Refused(made.name, {made.container: problem})
    container = _container(made, description)
    rules = rules_found(description, profile)
    if not rules:
        return _case(made, profile, container, LEGAL, "valid", {}, values=values)
    expected: dict[str, str] = {}
    for rule, place in sorted(found(description, profile)):
        expected.setdefault(rule, place)
    many = len(rules) > len(expected)
    verdict = "invalid" if made.exit_code else "valid"  # a warning alone leaves it valid
    return _case(made, profile, container, _first(rules), verdict, expected, values=values, many=many)


def _problem(made: Hostile, profile: Profile, description: Description, *, values: bool) -> str | None:
    findings = found(description, profile)
    rules = rules_found(description, profile)
    errors = {rule for rule in rules if profile.rules[rule].severity == "error"}
    wanted = made.rules | (made.values if values else frozenset())
    if made.refused or errors != wanted:
        return f"expected {'no archive' if made.refused else sorted(wanted)}, found {sorted(findings)[:5]}"
    if rules and len(rules) == len(set(rules)):
        first = _first(rules)
        left = found(description, ablated(profile, first))
        if left != {each for each in findings if each[0] != first}:
            return f"with {first} emptied, expected the others alone, found {sorted(left)}"
    return None


def _first(rules: tuple[str, ...]) -> str:
    """The rule that the case is about: on what a node is, rather than on what follows from it."""
    about_nodes = [rule for rule in rules if REASONS.get(rule, "stray") != "stray"]
    return (about_nodes or rules)[0]


def _container(made: Hostile, description: Description | None) -> str:
    name: str = made.container
    if name != "zarr-zip":
        return name
    version = 3 if description is None else description["container"]["version"]
    return f"zarr-v{version}-zip"


def _case(
    made: Hostile,
    profile: Profile,
    container: str,
    topic: str,
    verdict: str,
    expected: dict[str, str],
    **more: Any,
) -> Case:
    kind = "broken" if expected or verdict == "refused" else "neighbour"
    suffix = "-read" if kind == "neighbour" and more["values"] else ""
    return Case(
        f"{topic}/hostile-{made.name}{suffix}",
        topic,
        kind,
        made.why,
        profile.version,
        profile.name,
        "archive",
        more.get("values", False),
        (container,),
        verdict,
        expected,
        "",
        (),
        (),
        (),
        made.name,
        more.get("many", False),
    )
