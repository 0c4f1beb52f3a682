"""The files of `spec/`, and JSON Schemas as documents: subschemas, references. The only reader of `spec/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import orjson

from vizschema.errors import SpecError
from vizschema.findings import Severity

Schema = dict[str, Any]

HOME = "https://vizschema.org/spec/"
"""Where the `$id` of every installed schema begins."""

LEVELS: Mapping[str, Severity] = {"must": "error", "should": "warning"}
"""The schemas of a profile, and how severe a breach of their rules is."""

NAMED_MEMBERS = frozenset({"properties", "patternProperties", "$defs"})
"""Keywords whose value maps names to subschemas."""


def root() -> Path:
    """The folder of the specification inside the installed package."""
    return Path(str(import_module("vizschema.spec").__file__)).parent


def read_json(path: Path) -> Schema:
    """The JSON object in a file; raises `SpecError` where there is none."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SpecError(path=path, expected="a JSON document", found=error) from error
    if not isinstance(document, dict):
        raise SpecError(path=path, expected="a JSON object", found=type(document).__name__)
    return document


def subschemas(schema: Schema) -> Iterator[Schema]:
    """Every subschema that stands directly in `schema`, but for its definitions and what it refers to."""
    for keyword, value in schema.items():
        if keyword in ("const", "enum", "$defs"):
            continue
        if keyword in NAMED_MEMBERS:
            yield from (member for member in value.values() if isinstance(member, dict))
        elif isinstance(value, dict):
            yield value
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, dict))


def resolve(reference: str, base: str, documents: Mapping[str, Schema]) -> tuple[str, list[str]]:
    """The `$id` of the document that `reference` leads to from `base`, and the place in it, as unescaped tokens."""
    url, fragment = urldefrag(urljoin(base, reference))
    if url not in documents:
        raise SpecError(
            f"$ref {reference!r} leads to {url}, which is not a schema of this version or beside it", path=base
        )
    if not fragment.startswith("/"):
        place = [] if not fragment else _anchors(documents[url]).get(fragment)
    else:
        place = [token.replace("~1", "/").replace("~0", "~") for token in fragment[1:].split("/")]
    target: Any = documents[url]
    for token in place or ():
        target = target.get(token) if isinstance(target, dict) else None
    if place is None or not isinstance(target, dict):
        raise SpecError(f"$ref {reference!r} leads to nothing in {url}", path=base)
    return url, place


def _anchors(document: Schema) -> dict[str, list[str]]:
    """Anchors directly below `$defs`: the only ones that another schema may refer to."""
    return {
        value["$anchor"]: ["$defs", name] for name, value in document.get("$defs", {}).items() if "$anchor" in value
    }
