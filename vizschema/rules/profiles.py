"""Profiles, ready to judge by: from the folder of a profile to its documents, its rules and the facts that it asks for.

A profile is a folder with `must.schema.json`, `should.schema.json` and `facts.json`: a version's own, or a user's. They
are built from a table where there is one.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from vizschema.errors import SpecError
from vizschema.findings import Rule, Severity
from vizschema.rules.documents import HOME, LEVELS, Schema, read_json, resolve, root, subschemas
from vizschema.text import shorten

if TYPE_CHECKING:
    from vizschema.rules.tables.table import Node, Table
    from vizschema.rules.tables.vocabulary import Vocabulary

Built = Mapping[str, Schema]
"""The documents that are built from a table, by their names below its folder."""

TABLE = "table.toml"
"""The file of a table, in the folder of its profile or part."""

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){2}")
FACTS = "facts.json"
PARTS = "parts"


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
    views: tuple[Mapping[str, str], ...] = field(default=(), repr=False)
    """How arrays are drawn, the first that matches: a pattern of paths, and image, square, curve or points."""
    table: Path | None = None
    """The table that it is built from; None for one by hand."""
    own: Mapping[str, Schema] = field(default_factory=dict, repr=False)
    """Its own documents: `must`, `should` and `facts`, those that there are."""

    @functools.cached_property
    def digest(self) -> str:
        """`sha256:` and the SHA-256 of the canonical JSON text of its own documents."""
        from vizschema.canonical import canonical  # judging needs none

        return f"sha256:{hashlib.sha256(canonical(self.own)).hexdigest()}"


def profile_at(path: Path, version: str) -> Profile | None:
    """The user's profile at `path`: a table, or a folder with a table or schemas; None where there is neither.

    Raises `SpecError` for a slip in a table, for files that are not what their table builds, and for malformed schemas.
    """
    if not is_profile(path):
        return None
    return _of_table(path, version) if _is_table(path) else load_profile(path, version)


def is_profile(path: Path) -> bool:
    """Whether a path is that of a user's profile: a table, or a folder with one or with schemas."""
    try:
        return _is_table(path) or (path / "must.schema.json").is_file()
    except OSError:  # a name that no file can have
        return False


def _is_table(path: Path) -> bool:
    return path.suffix == ".toml" if path.is_file() else (path / TABLE).is_file()


@functools.lru_cache(maxsize=32)
def load_profile(folder: Path, version: str) -> Profile:
    """The profile of which the schemas and facts are in `folder`."""
    return _load(_Files({}, _home(folder)), folder, version, folder.name)


@functools.lru_cache(maxsize=32)
def _of_table(path: Path, version: str) -> Profile:
    """The profile that a table is, built in memory; raises `SpecError` where files beside it say something else."""
    table = table_at(path, version)
    if table.is_part:
        raise SpecError(path=table.path, expected="the table of a profile", found="a part")
    folder, documents = table.path.parent, built(table)
    if path.is_dir() and any((folder / name).exists() for name in documents):
        _require_fresh(folder, documents)
    files = _Files({folder / name: each for name, each in documents.items()}, _home(folder))
    return _load(files, folder, table.version, table.name, table.path)


def axes_at(profile: Profile, path: str) -> tuple[tuple[str, ...], ...]:
    """The alternatives of the axes that the table of `profile` has for the array at `path`; none where it has none."""
    if profile.table is None:
        return ()
    nodes = _nodes_of(profile.table, profile.version)
    return tuple(axes for node in nodes if node.stands_for(path) for axes in node.full_axes)


def paths_of(profile: Profile) -> list[str]:
    """A path for each node that the table of `profile` lists; none where it has none."""
    if profile.table is None:
        return []
    from vizschema.rules.tables.paths import example

    return [example(node.steps) for node in _nodes_of(profile.table, profile.version)]


def view_of(profile: Profile, path: str) -> str | None:
    """How the array at `path` is drawn by `profile`: image, square, curve or points; None where it does not say."""
    return next((each["view"] for each in profile.views if re.search(each["at"], path, re.ASCII)), None)


@functools.lru_cache(maxsize=8)
def _nodes_of(table: Path, version: str) -> list[Node]:
    return table_at(table, version).all_nodes()


def _require_fresh(folder: Path, documents: Mapping[str, Schema]) -> None:
    from vizschema.rules.tables.build import stale

    differing = stale(folder, documents)
    if differing:
        raise SpecError(
            path=folder,
            expected=f"what its {TABLE} builds",
            found=f"other documents: {', '.join(differing)}",
            fix=f"run `vizschema profile build {folder}`",
        )


def clear() -> None:
    """Forget every profile that was read, so that files which changed are read again."""
    load_profile.cache_clear()
    _of_table.cache_clear()
    _nodes_of.cache_clear()


@dataclass(frozen=True, eq=False)
class _Files:
    """Documents by their paths: those that were built, else the files."""

    built: Mapping[Path, Schema]
    folder: Path
    """The folder of the profile, which files that are not installed are in."""

    def read(self, path: Path) -> Schema:
        """The document at `path`; raises `SpecError` where there is none."""
        found = self.built.get(path)
        if found is not None:
            return found
        if path.is_relative_to(root()):
            return read_json(path)
        from vizschema.rules.bounded import json_at, within

        if not within(path, self.folder):
            raise SpecError(
                path=path, expected=f"a file in the folder of the profile, {self.folder}", found="a link out of it"
            )
        document = json_at(path)
        if not isinstance(document, dict):
            raise SpecError(path=path, expected="a JSON object", found=type(document).__name__)
        return document

    def has(self, path: Path) -> bool:
        """Whether there is a document at `path`."""
        return path in self.built or path.is_file()


def _load(files: _Files, folder: Path, version: str, name: str, table: Path | None = None) -> Profile:
    places = {level: folder / f"{level}.schema.json" for level in LEVELS}
    must = files.read(places["must"])
    has_should, has_facts = files.has(places["should"]), files.has(folder / FACTS)
    should = files.read(places["should"]) if has_should else _empty(must)
    documents: dict[str, Schema] = {}
    _gather(must, places["must"], documents, files)
    _gather(should, places["should"], documents, files)
    own = files.read(folder / FACTS) if has_facts else {}
    by_hand = not folder.is_relative_to(root()) and not files.built
    if by_hand:
        from vizschema.rules import own_facts

        own_facts.require_form(folder / FACTS, own, root() / "facts.schema.json")
    # Rules that are built upon bring the facts that they are about, unless `extends` says otherwise.
    if not folder.is_relative_to(root()):
        from vizschema.rules.bounded import require_cheap

        require_cheap((must["$id"], should["$id"]), documents, folder)
    names = own.get("extends", _built_upon(documents, folder))
    bases = [_beside(files, folder, base, version) for base in names]
    facts = (*(fact for base in bases for fact in base.facts), *own.get("facts", ()))
    if by_hand and folder.parent.name != PARTS:  # a part is judged with the profile that it is a part of
        schemas = [document for url, document in documents.items() if not url.startswith(HOME)]
        own_facts.require_judged(folder / FACTS, own.get("facts", ()), schemas, facts)
    return Profile(
        name,
        version,
        must["$id"],
        should["$id"],
        documents,
        _unique(_rules(must["$id"], should["$id"], documents)),
        facts,
        tuple(own.get("recognized_by", bases[0].recognized_by if bases else ())),
        (*own.get("views", ()), *(view for base in bases for view in base.views)),
        table or next((place for place in (folder / TABLE,) if place.is_file()), None),
        {"must": must, **({"should": should} if has_should else {}), **({"facts": own} if has_facts else {})},
    )


def profiles_in(folder: Path) -> dict[str, Profile]:
    """The profiles of the version in a folder, by the schemas and facts that are in it and nothing else.

    Raises `SpecError` where it has none.
    """
    documents = {str(each.get("$id")): each for each in map(read_json, sorted(folder.rglob("*.schema.json")))}
    _add_referred(documents, folder.parent)
    entries = {path.parent.name: path for path in sorted(folder.glob("*/must.schema.json"))}
    if not entries:
        raise SpecError(path=folder, expected="the folder of a version", found="no profile in it")
    return {name: _profile_in(folder, name, documents) for name in entries}


def _add_referred(documents: dict[str, Schema], top: Path) -> None:
    """Add what `documents` refer to in other versions: in `top`, else the installed ones."""
    pending: list[Any] = list(documents.values())
    while pending:
        schema = pending.pop()
        pending.extend([*subschemas(schema), *schema.get("$defs", {}).values()])
        url = schema.get("$ref", "").partition("#")[0]
        if url.startswith(HOME) and url not in documents:
            place = url.removeprefix(HOME)
            documents[url] = read_json(top / place if (top / place).is_file() else root() / place)
            pending.append(documents[url])


def _profile_in(folder: Path, name: str, documents: Mapping[str, Schema]) -> Profile:
    must, should = (read_json(folder / name / f"{level}.schema.json")["$id"] for level in LEVELS)
    rules = _unique(_rules(must, should, documents))
    facts, views = (tuple(_listed_in(folder, name, key)) for key in ("facts", "views"))
    return Profile(name, folder.name, must, should, documents, rules, facts, views=views)


def _listed_in(folder: Path, name: str, key: str) -> Iterator[Mapping[str, Any]]:
    """What `facts.json` of a profile, and those that it extends, list under a key."""
    place = folder / name if (folder / name).is_dir() else stated(root(), folder.name, name)
    own = read_json(place / FACTS) if (place / FACTS).is_file() else {}
    for base in own.get("extends", ()):
        yield from _listed_in(folder, base, key)
    yield from own.get(key, ())


def _built_upon(documents: Mapping[str, Schema], folder: Path) -> list[str]:
    """The profiles and parts of the specification whose schemas are among `documents`, but for the one in `folder`."""
    places = {root() / url.removeprefix(HOME) for url in documents if url.startswith(HOME)}
    folders = {place.parent.relative_to(root()) for place in places if place.parent != folder}
    return sorted("/".join(each.parts[1:]) for each in folders)


def _home(folder: Path) -> Path:
    """The folder that references of the profile in `folder` may not leave: its own, or that of which it is a part."""
    return folder.parent.parent if folder.parent.name == PARTS else folder


def _beside(files: _Files, folder: Path, name: str, version: str) -> Profile:
    """What `facts.json` in a folder names in `extends`: what is beside it, or of the specification."""
    installed = folder.is_relative_to(root())
    if not (installed or files.built) and not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", name):
        raise SpecError(
            path=folder / FACTS, expected="in extends: names of profiles and parts", found=shorten(repr(name), 120)
        )
    beside = Path(os.path.normpath(folder / name))
    if beside / FACTS in files.built:
        return _load(files, beside, version, name)
    return load_profile(beside if beside.is_dir() else stated(root(), version, name), version)


def stated(top: Path, version: str, name: str) -> Path:
    """Where `name` is below a version in `top`, or below the latest before it, with the same first number, that has it.

    A minor version has what it does not state itself from the one that it builds on.
    """
    known = [folder.name for folder in top.iterdir() if _VERSION.fullmatch(folder.name)]
    before = [version]
    if _VERSION.fullmatch(version):
        asked = precedence(version)
        before = [each for each in known if precedence(each) <= asked and precedence(each)[0] == asked[0]]
        before.sort(key=precedence, reverse=True)
    places = [Path(os.path.normpath(top / each / name)) for each in before]
    return next((place for place in places if place.exists()), Path(os.path.normpath(top / version / name)))


def precedence(version: str) -> tuple[int, ...]:
    """What versions are ordered by."""
    return tuple(int(part) for part in version.split("."))


def _empty(must: Schema) -> Schema:
    return {
        "$schema": must["$schema"],
        "$id": urljoin(must["$id"], "should.schema.json"),
        "title": "none",
        "description": "No rule.",
        "allOf": [],
    }


def _gather(document: Schema, path: Path, documents: dict[str, Schema], files: _Files) -> None:
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
            target = _locate(reference, url, path, files)
            loaded = files.read(target)
            if loaded.get("$id") != url:
                raise SpecError(path=target, expected=f"the $id {url}", found=loaded.get("$id"))
            _gather(loaded, target, documents, files)


def _locate(reference: str, url: str, path: Path, files: _Files) -> Path:
    """The file of a referenced schema: an installed one, or a file beside `path`. Nothing is fetched."""
    beside = Path(os.path.normpath(path.parent / reference))
    target = Path(os.path.normpath(root() / url.removeprefix(HOME))) if url.startswith(HOME) else beside
    if not any(target.is_relative_to(place) for place in (root(), files.folder)):
        raise SpecError(
            f"$ref {shorten(repr(reference), 120)} leads out of the folder of the profile",
            path=path,
            fix="copy that schema into the folder",
        )
    if not files.has(target):
        raise SpecError(
            f"$ref {reference!r} leads to {url}, which is not a schema of an installed version or beside it", path=path
        )
    return target


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


def built_at(path: Path, version: str, top: Path | None = None) -> Built:
    """The documents that are built from a table (a file, or the one in a folder), by their names below its folder.

    `top` is the folder of the specification, with its parts. Raises `SpecError` for every slip in the table.
    """
    return built(table_at(path, version, top))


def table_at(path: Path, version: str, top: Path | None = None, text: bytes | None = None) -> Table:
    """The table in a file, or in a folder; it builds on `version` unless it says otherwise, or is one of another.

    `text` is what the file says, where it is not read.
    """
    from vizschema.rules.tables.read import Specification, read

    spec = root() if top is None else top.resolve()

    def part(version: str, name: str) -> tuple[Path, str] | None:
        found = stated(spec, version, f"{PARTS}/{name}") / TABLE
        return (found, f"{HOME}{found.parent.relative_to(spec).as_posix()}/") if found.is_file() else None

    def profile(version: str, name: str) -> Path | None:
        found = stated(spec, version, f"{name}/{TABLE}")
        return found if found.is_file() else None

    path = path / TABLE if path.is_dir() else path
    folder = path.resolve().parent
    base = None
    if folder.is_relative_to(spec):
        base = f"{HOME}{folder.relative_to(spec).as_posix()}/"
        version = folder.relative_to(spec).parts[0]
    return read(path, version, base, Specification(HOME, root() / "profile-table.schema.json", part, profile), text)


def draft(descriptions: Mapping[str, Mapping[str, Any]], name: str, version: str) -> str:
    """The draft of a table, as TOML, from descriptions by the names of their archives; it builds."""
    from vizschema.rules.tables.infer import drafted

    place = Path(f"{name}.toml")
    return drafted(
        descriptions, name, words_of(version), lambda text: built(table_at(place, version, text=text.encode()))
    )


def built(table: Table) -> Built:
    """The documents that are built from `table`; raises `SpecError` for every slip in it."""
    from vizschema.rules.tables.build import built

    return built(table, words_of(table.version))


@functools.lru_cache(maxsize=8)
def words_of(version: str) -> Vocabulary:
    """What tables take from `trace` of a version."""
    return vocabulary_of(load_profile(root() / version / "trace", version))


def vocabulary_of(trace: Profile) -> Vocabulary:
    """What tables take from a profile `trace`."""
    from vizschema.rules.tables.vocabulary import vocabulary

    must, should = _with(trace, trace.must, "array_node"), _with(trace, trace.should, "common")
    return vocabulary(trace.version, must, should, trace.facts)


def _with(profile: Profile, url: str, name: str) -> Schema:
    """The schema of a profile that states a definition: the one at `url`, or one that it refers to."""
    document = profile.documents[url]
    found = document.get("$defs", {}).get(name)
    if found is not None and found.keys() != {"$ref"}:
        return document
    return _with(profile, (found or document["allOf"][0])["$ref"].partition("#")[0], name)
