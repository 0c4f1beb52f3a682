"""Whether a schema uses allowed keywords alone, and a table allowed columns. Beside `faults`, the only importer of an
engine."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from vizschema.text import shorten, suggestion


def breaches(document: Any, allowed: Path) -> list[str]:
    """What `document` has that the schema `allowed` refuses, each as `place: reason`; empty where it keeps to it."""
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'the schema'}: {_words(error, allowed)}"
        for error in _engine(allowed).iter_errors(document)
    ]


_EXPECTED = {
    "title": "a sentence that ends with a full stop",
    "description": "the reason for the rule, then how to fix a breach: “Reason. Fix: what to do.”",
}
"""Texts of a rule that have a form."""


def _words(error: Any, allowed: Path) -> str:
    """What is wrong; of a keyword that is none, the one that may be meant."""
    if error.kind.name == "pattern" and error.instance_path[-1] in _EXPECTED:
        return f"expected {_EXPECTED[error.instance_path[-1]]}, found {shorten(repr(error.instance), 120)}"
    if error.kind.name != "propertyNames" or error.kind.error.kind.name != "enum":
        return shorten(str(error.message), 200)
    found = str(error.kind.error.instance)
    keywords = orjson.loads(allowed.read_bytes())["$defs"]["schema"]["propertyNames"]["enum"]
    hint = suggestion(found, keywords) or f": expected one of {', '.join(keywords)}"
    return f"{shorten(repr(found), 60)} is not one of the keywords that schemas may use{hint}"


def matches(pattern: str, text: str) -> bool | None:
    """Whether a pattern matches a text, in time linear in the text; None if it is not a pattern, or too large."""
    try:
        return bool(_pattern(pattern).is_valid(text))
    except (ValueError, jsonschema_rs.ValidationError):
        return None


@functools.lru_cache(maxsize=256)
def _pattern(pattern: str) -> Any:
    return jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


def misfits(document: Any, schema: Path) -> list[str]:
    """What `document` has that a schema refuses, each as `place: expected …, found …`, by the schema's descriptions."""
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError):
        return ["expected texts, finite numbers, lists and tables, found a value of another kind (a date, or nan)"]
    errors = list(_engine(schema).iter_errors(json.loads(text)))
    errors.sort(key=lambda error: error.kind.name == "required")  # a name that is misspelt says what is missing
    return [f"{' '.join(map(str, error.instance_path)) or 'the table'}: {_misfit(error, schema)}" for error in errors]


def _misfit(error: Any, schema: Path) -> str:
    if error.kind.name == "required":
        return f"{error.kind.property} is missing"
    is_name = error.kind.name == "propertyNames"
    inner = error.kind.error if is_name else error
    found, wanted = shorten(repr(inner.instance), 120), _described(error.schema_path, orjson.loads(schema.read_bytes()))
    options = [str(option) for option in inner.kind.as_dict().get("options", ())]
    hint = (suggestion(str(inner.instance), options) or f": {', '.join(options)}") if options else ""
    return f"{found} is not one of {wanted}{hint}" if is_name and options else f"expected {wanted}, found {found}{hint}"


def _described(place: Sequence[str | int], schema: Any) -> str:
    """The innermost description on the way to a place of a schema."""
    text = ""
    for token in place:
        schema = schema[token]
        text = schema.get("description", text) if isinstance(schema, dict) else text
    return text if isinstance(text, str) else ""


@functools.cache
def _engine(allowed: Path) -> Any:
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(allowed.read_bytes()), pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
