"""What a profile finds in a description, as a set; profiles with one rule emptied, or with other documents."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema_rs

from vizschema.conformance.corpus.locator import Locator
from vizschema.description import Description
from vizschema.errors import SpecError
from vizschema.rules.judge import Fault, entry_of, settle
from vizschema.rules.versions import Profile, Schema
from vizschema.rules.wording import place_of

Found = frozenset[tuple[str, str]]


def found(description: Description, profile: Profile) -> Found:
    """(rule, path in the archive) of every finding."""
    return frozenset(
        (fault.rule.id, place_of(description, fault.instance, fault.name)) for fault in faults(description, profile)
    )


def rules_found(description: Description, profile: Profile) -> tuple[str, ...]:
    """The rule of every finding, sorted; a rule that is found at two places is there twice."""
    return tuple(sorted(fault.rule.id for fault in faults(description, profile)))


def faults(description: Description, profile: Profile) -> list[Fault]:
    """Every fault, settled as `vizschema.rules.judge` does."""
    engine, locator = _engine(profile)
    return settle(
        locator.fault(error.evaluation_path, error.instance_path, named(error))
        for error in engine.iter_errors(description)
    )


def ablated(profile: Profile, rule: str) -> Profile:
    """`profile` with the assertions of one rule gone and its anchor kept."""
    return replace(profile, documents={url: emptied(schema, rule) for url, schema in profile.documents.items()})


def emptied(schema: Any, rule: str) -> Any:
    """`schema` with nothing but anchor, title and description in the subschema of `rule`."""
    if isinstance(schema, dict):
        if schema.get("$anchor") == rule:
            return {key: schema[key] for key in ("$anchor", "title", "description") if key in schema}
        return {key: emptied(value, rule) for key, value in schema.items()}
    return [emptied(item, rule) for item in schema] if isinstance(schema, list) else schema


@functools.lru_cache(maxsize=8)
def _engine(profile: Profile) -> tuple[Any, Locator]:
    return engine_of(profile.documents, entry_of(profile)), Locator(profile)


def engine_of(documents: Mapping[str, Schema], entry: Schema) -> Any:
    """A compiled validator, which can fetch nothing."""
    registry = jsonschema_rs.Registry(list(documents.items()), retriever=_refuse)
    return jsonschema_rs.Draft202012Validator(entry, registry=registry, pattern_options=jsonschema_rs.RegexOptions())


def _refuse(uri: str) -> Any:
    raise SpecError(f"{uri}: schemas are never fetched")


def named(error: Any) -> str | None:
    """The property that an error is about: missing, or misnamed."""
    kind = error.kind
    if kind.name == "required":
        return str(kind.property)
    return str(kind.error.instance) if kind.name == "propertyNames" else None
