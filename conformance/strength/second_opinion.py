"""The findings that the `jsonschema` library comes to: a second engine, so that no verdict hangs on the first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema
from referencing import Registry, Resource

from vizschema.conformance.corpus.locator import Locator
from vizschema.description import Description
from vizschema.rules.judge import Fault, entry_of, settle
from vizschema.rules.versions import Profile


def second_opinion(description: Description, profile: Profile) -> list[Fault]:
    """The faults in `description`, as `vizschema.rules.judge` settles them, found by `jsonschema`."""
    engine, locator = _engine(profile)
    return settle(
        locator.fault(error.absolute_schema_path, error.absolute_path, name)
        for error in engine.iter_errors(description)
        for name in _names(error)
    )


@lru_cache(maxsize=16)
def _engine(profile: Profile) -> tuple[Any, Locator]:
    documents = [(url, Resource.from_contents(schema)) for url, schema in profile.documents.items()]
    registry: Registry[Any] = Registry().with_resources(documents)
    return jsonschema.Draft202012Validator(entry_of(profile), registry=registry), Locator(profile)


def _names(error: jsonschema.ValidationError) -> Iterator[str | None]:
    """The property names that an error is about: those missing, or the one misnamed; None for any other error."""
    if error.validator == "required":
        yield from (name for name in error.validator_value if name not in error.instance)
    elif "propertyNames" in _keywords(error):
        yield str(error.instance)
    else:
        yield None


def _keywords(error: jsonschema.ValidationError) -> set[str | int]:
    """The last keywords of the schema path that lie below the instance path's own steps."""
    path = list(error.absolute_schema_path)
    return set(path[len(path) - path[::-1].index("propertyNames") - 1 :]) if _below_names(error) else set()


def _below_names(error: jsonschema.ValidationError) -> bool:
    """Whether the instance of `error` is a property name, not a value of the description."""
    path = list(error.absolute_schema_path)
    steps = [
        token
        for token in ("propertyNames", "properties", "additionalProperties", "patternProperties", "items")
        if token in path
    ]
    if "propertyNames" not in steps:
        return False
    last = len(path) - 1 - path[::-1].index("propertyNames")
    return not any(token in path[last + 1 :] for token in steps if token != "propertyNames")
