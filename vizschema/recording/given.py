"""The attributes of an archive that are known before its first array. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Attributes = Mapping[str, Mapping[str, Any]]
"""Attributes by the path of their group."""


def given_attributes(
    known: Mapping[str, Any], absent: Sequence[str], attributes: Attributes, groups: Attributes | None = None
) -> dict[str, Mapping[str, Any]]:
    """Return the attributes of the groups: what is known of the model and of `groups`, and what the caller says.

    Parameters:
        known: Attributes of `/metadata`.
        absent: The texts of `not_captured`.
        attributes: What the caller says; it takes precedence.
        groups: What is known of further groups.
    """
    root = {"not_captured": list(absent)} if absent else {}
    given = {path: dict(values) for path, values in attributes.items()}
    own = {**given.pop("/", {}), **given.pop("", {})}
    described = {**known, **given.pop("/metadata", {})}
    counted = {path: {**values, **given.pop(path, {})} for path, values in (groups or {}).items()}
    return {"/": {**root, **own}, "/metadata": described, **counted, **given}
