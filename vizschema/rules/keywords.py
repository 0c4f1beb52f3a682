"""Whether a schema keeps to the dialect of our schemas. Beside `judge`, the only importer of a JSON Schema engine."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from vizschema.text import shorten, suggestion


def breaches(document: Any, dialect: Path) -> list[str]:
    """What in `document` the dialect does not allow, each as `place: reason`; empty where it keeps to it."""
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'the schema'}: {_words(error, dialect)}"
        for error in _engine(dialect).iter_errors(document)
    ]


_EXPECTED = {
    "title": "a sentence that ends with a full stop",
    "description": "the reason for the rule, then how to fix a breach: “Reason. Mend: what to do.”",
}
"""Texts of a rule that have a form."""


def _words(error: Any, dialect: Path) -> str:
    """What is wrong; of a keyword that is none, the one that may be meant."""
    if error.kind.name == "pattern" and error.instance_path[-1] in _EXPECTED:
        return f"expected {_EXPECTED[error.instance_path[-1]]}, found {shorten(repr(error.instance), 120)}"
    if error.kind.name != "propertyNames" or error.kind.error.kind.name != "enum":
        return shorten(str(error.message), 200)
    found = str(error.kind.error.instance)
    keywords = orjson.loads(dialect.read_bytes())["$defs"]["schema"]["propertyNames"]["enum"]
    hint = suggestion(found, keywords) or f": expected one of {', '.join(keywords)}"
    return f"{shorten(repr(found), 60)} is no keyword of the dialect{hint}"


@functools.cache
def _engine(dialect: Path) -> Any:
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(dialect.read_bytes()), pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
