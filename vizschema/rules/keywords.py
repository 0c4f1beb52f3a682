"""Whether a schema uses allowed keywords alone. Beside `judge`, the only importer of a JSON Schema engine."""

from __future__ import annotations

import functools
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


@functools.cache
def _engine(allowed: Path) -> Any:
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(allowed.read_bytes()), pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
