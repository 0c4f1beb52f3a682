"""Versions of the specification: their profiles, schemas, rules, digests and copies. The only reader of `spec/`.

A profile is a folder with `must.schema.json`, `should.schema.json` and `facts.json`: a version's own, or a user's.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urljoin

import orjson

from vizschema.errors import SpecError, UsageError
from vizschema.findings import Rule, Severity
from vizschema.text import suggestion

Schema = dict[str, Any]

_HOME = "https://vizschema.org/spec/"
"""Where the `$id` of every schema of ours begins."""

LEVELS: Mapping[str, Severity] = {"must": "error", "should": "warning"}
"""The schemas of a profile, and how severe a breach of their rules is."""

NAMED_MEMBERS = frozenset({"properties", "patternProperties", "$defs"})
"""Keywords whose value maps names to subschemas."""


Files = Mapping[str, str]
"""The path of each file below the folder of its version, and the SHA-256 of its bytes."""


@dataclass(frozen=True, eq=False)
class Profile:
    """A profile, ready to judge by: the documents its schemas need, keyed by `$id`, and the rules they state."""

    name: str
    version: str
    must: str
    should: str
    documents: Mapping[str, Schema] = field(repr=False)
    rules: Mapping[str, Rule] = field(repr=False)
    facts: tuple[Mapping[str, Any], ...] = field(repr=False)
    recognized_by: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Spec:
    """One version: `digest` is the SHA-256 of its files, `profiles` the names of its profiles.

    Of a `released` one no file ever changes; any other is a draft.
    """

    version: str
    digest: str
    folder: Path
    profiles: tuple[str, ...]
    files: Mapping[str, str] = field(repr=False)
    released: bool = False

    def profile(self, name_or_folder: str) -> Profile:
        """The profile of this name, or the user's own profile in this folder.

        Raises `SpecError` where there is none, or where its schemas are no schemas of ours.
        """
        if name_or_folder in self.profiles:
            return _load_profile(self.folder / name_or_folder, self.version)
        folder = Path(name_or_folder)
        if not (folder / "must.schema.json").is_file():
            raise SpecError(
                f"expected one of {', '.join(self.profiles)}, or a folder with a must.schema.json; found neither in "
                f"version {self.version}{suggestion(name_or_folder, self.profiles)}",
                path=f"profile {name_or_folder!r}",
            )
        return _load_profile(folder, self.version)


def root() -> Path:
    """The folder of the specification inside the installed package."""
    return Path(str(import_module("vizschema.spec").__file__)).parent


@functools.cache
def versions() -> tuple[str, ...]:
    """The installed versions, oldest first."""
    folders = (folder.name for folder in root().iterdir() if (folder / "trace").is_dir())
    return tuple(sorted(folders, key=_precedence))


@functools.cache
def load(version: str) -> Spec:
    """The version; raises `SpecError` where it is not installed, or was released and changed since."""
    if version not in versions():
        raise SpecError(f"spec version {version!r} is not installed; found {', '.join(versions())}")
    folder = root() / version
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    listing = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    profiles = tuple(sorted(path.parent.name for path in folder.glob("*/must.schema.json")))
    is_released = require_unchanged(version, digests, root())
    return Spec(version, hashlib.sha256(listing.encode()).hexdigest(), folder, profiles, digests, is_released)


def newest() -> Spec:
    """The newest installed version."""
    return load(versions()[-1])


@functools.cache
def released(folder: Path) -> Mapping[str, Files]:
    """The files of every released version by `lock.json` in `folder`; raises `SpecError` where it says nothing."""
    path = folder / "lock.json"
    try:
        locked = orjson.loads(path.read_bytes())["released"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SpecError(
            path=path, expected="the lock of released versions", found=error, fix="install again"
        ) from error
    return {version: dict(files) for version, files in locked.items()}


def changes(locked: Files, found: Files) -> list[str]:
    """How `found` differs from what was locked, one phrase a file, sorted; empty where nothing does."""
    both = locked.keys() & found.keys()
    return sorted(
        [
            *(f"{name} is missing" for name in locked.keys() - found.keys()),
            *(f"{name} was added" for name in found.keys() - locked.keys()),
            *(f"{name} changed" for name in both if locked[name] != found[name]),
        ]
    )


def require_unchanged(version: str, found: Files, folder: Path) -> bool:
    """Whether `version` is released (else it is a draft); raises `SpecError` where a released one was changed."""
    locked = released(folder).get(version)
    if locked is None:
        return False
    differing = changes(locked, found)
    if differing:
        raise SpecError(
            path=f"spec {version}",
            expected="the files that were released",
            found=f"that {', '.join(differing)}",
            fix="a released version never changes: install vizschema again",
        )
    return True


def export(target: Path, spec: Spec | None = None) -> int:
    """How many files were written to `target`: those of every version, or of one, and the schemas they share.

    Raises `UsageError` where `target` holds anything, or cannot be written.
    """
    if target.is_dir() and any(target.iterdir()):
        raise UsageError(
            "expected a folder that is not there yet, or is empty; found one with files in it", path=target
        )
    written = 0
    try:
        for path in _exported(spec):
            place = target / path.relative_to(root())
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            written += 1
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror or error}", path=target) from error
    return written


def _exported(spec: Spec | None) -> Iterator[Path]:
    yield from sorted(path for path in root().iterdir() if path.suffix in (".json", ".md"))
    for version in versions() if spec is None else (spec.version,):
        yield from sorted(path for path in (root() / version).rglob("*") if path.is_file())


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
            f"$ref {reference!r} leads to {url}, which is no schema of this version or beside it", path=base
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


@functools.lru_cache(maxsize=32)
def _load_profile(folder: Path, version: str) -> Profile:
    must = read_json(folder / "must.schema.json")
    should_path = folder / "should.schema.json"
    documents: dict[str, Schema] = {}
    _gather(must, folder / "must.schema.json", documents)
    should = read_json(should_path) if should_path.exists() else _empty(must)
    _gather(should, should_path, documents)
    facts_path = folder / "facts.json"
    own = read_json(facts_path) if facts_path.exists() else {}
    # Rules that are built upon bring the facts that they are about, unless `extends` says otherwise.
    names = own.get("extends", _built_upon(documents, folder))
    facts = [fact for name in names for fact in _inherited(folder, name, version)]
    return Profile(
        folder.name,
        version,
        must["$id"],
        should["$id"],
        documents,
        _unique(_rules(must["$id"], should["$id"], documents)),
        (*facts, *own.get("facts", ())),
        tuple(own.get("recognized_by", ())),
    )


def _built_upon(documents: Mapping[str, Schema], folder: Path) -> list[str]:
    """The profiles of the specification whose schemas are among `documents`, but for the one in `folder`."""
    names = {url.split("/")[-2] for url in documents if url.startswith(_HOME)}
    return sorted(names - {folder.name} if folder.is_relative_to(root()) else names)


def _inherited(folder: Path, name: str, version: str) -> tuple[Mapping[str, Any], ...]:
    beside = folder / name
    return _load_profile(beside if beside.is_dir() else root() / version / name, version).facts


def _empty(must: Schema) -> Schema:
    return {
        "$schema": must["$schema"],
        "$id": urljoin(must["$id"], "should.schema.json"),
        "title": "none",
        "description": "No rule.",
        "allOf": [],
    }


def _gather(document: Schema, path: Path, documents: dict[str, Schema]) -> None:
    """Put `document`, and all that it refers to, into `documents`; relative references are read beside `path`."""
    if not path.is_relative_to(root()):
        from vizschema.rules.keywords import breaches  # an engine is needed for schemas of users only

        for breach in breaches(document, root() / "keywords.schema.json"):
            raise SpecError(breach, path=path)
    base = document["$id"]
    if base in documents:
        return
    documents[base] = document
    pending = [document, *document.get("$defs", {}).values()]
    while pending:
        schema = pending.pop()
        pending.extend(subschemas(schema))
        reference = schema.get("$ref", "").partition("#")[0]
        url = urljoin(base, reference) if reference else base
        if url not in documents:
            target = _locate(reference, url, path)
            loaded = read_json(target)
            if loaded.get("$id") != url:
                raise SpecError(path=target, expected=f"the $id {url}", found=loaded.get("$id"))
            _gather(loaded, target, documents)


def _locate(reference: str, url: str, path: Path) -> Path:
    """The file of a referenced schema: one of ours by its `$id`, otherwise a file beside `path`. Nothing is fetched."""
    target = root() / url.removeprefix(_HOME) if url.startswith(_HOME) else path.parent / reference
    if not target.is_file():
        raise SpecError(
            f"$ref {reference!r} leads to {url}, which is no schema of an installed version or beside it", path=path
        )
    return target


def read_json(path: Path) -> Schema:
    """The JSON object in a file; raises `SpecError` where there is none."""
    try:
        document = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise SpecError(path=path, expected="a JSON document", found=error) from error
    if not isinstance(document, dict):
        raise SpecError(path=path, expected="a JSON object", found=type(document).__name__)
    return document


def _rules(must: str, should: str, documents: Mapping[str, Schema]) -> Iterator[Rule]:
    """The rules that are reachable from the two schemas, each once."""
    pending = [(should, documents[should], "warning"), (must, documents[must], "error")]
    visited: set[int] = set()
    while pending:
        base, schema, severity = pending.pop()
        if id(schema) in visited:
            continue
        visited.add(id(schema))
        if "$anchor" in schema and "title" in schema:
            yield _rule(base, schema, "error" if severity == "error" else "warning")
        if "$ref" in schema:
            url, place = resolve(schema["$ref"], base, documents)
            target = documents[url]
            for token in place:
                target = target[token]
            pending.append((url, target, severity))
        pending.extend((base, child, severity) for child in reversed(list(subschemas(schema))))


def _unique(rules: Iterable[Rule]) -> dict[str, Rule]:
    named: dict[str, Rule] = {}
    for rule in rules:
        if rule.id in named:
            raise SpecError(
                f"rule {rule.id!r} is stated twice, in {named[rule.id].profile} and in {rule.profile}: "
                "give one of them another $anchor"
            )
        named[rule.id] = rule
    return named


def _rule(base: str, schema: Schema, severity: Severity) -> Rule:
    reason, _, fix = schema.get("description", "").partition(" Fix: ")
    return Rule(schema["$anchor"], severity, schema["title"], reason, fix, base.rpartition("/")[0].rpartition("/")[2])


def _precedence(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
