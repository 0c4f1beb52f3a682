"""Whether a schema keeps to the dialect of our schemas. Beside `judge`, the only importer of a JSON Schema engine."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from vizschema.text import shorten


def breaches(document: Any, dialect: Path) -> list[str]:
    """What in `document` the dialect does not allow, each as `place: reason`; empty where it keeps to it."""
    return [
        f"{'/'.join(map(str, error.instance_path)) or 'the schema'}: {shorten(error.message, 200)}"
        for error in _engine(dialect).iter_errors(document)
    ]


@functools.cache
def _engine(dialect: Path) -> Any:
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(dialect.read_bytes()), pattern_options=jsonschema_rs.RegexOptions(), offline=True
    )
