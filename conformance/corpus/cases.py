"""Cases: one small JSON file each, language-neutral; read, checked against `spec/case.schema.json`, and materialised.

A case is a base (a conforming archive document in `bases/`), a JSON Patch on it, and where no archive of ours has the
fault, a JSON Patch on the primary parts of its description. `docs/conformance.md` explains each field.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema_rs

from vizschema import description
from vizschema.conformance.corpus.damage import inflict
from vizschema.conformance.corpus.documents import describe_document, raw_nodes, write_document
from vizschema.conformance.corpus.encodings import contents
from vizschema.conformance.corpus.encodings.spoiling import spoiled
from vizschema.conformance.corpus.encodings.table import FACTORS, Encoding
from vizschema.conformance.corpus.encodings.writing import WRITERS
from vizschema.conformance.corpus.materialise import Document
from vizschema.conformance.corpus.patch import Operation
from vizschema.conformance.corpus.patch import apply as apply_patch
from vizschema.conformance.corpus.raw import SUFFIXES
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.description import Description
from vizschema.errors import UsageError
from vizschema.rules import versions
from vizschema.rules.versions import Profile
from vizschema.text import suggestion

FOLDER = Path(__file__).resolve().parents[1] / "cases"
OTHERS = ("bases", "encodings")
"""Folders of a version that hold no cases."""


@dataclass(frozen=True, slots=True)
class Case:
    """One archive with its verdict; `expected` maps each rule to the path where it is found, with `many` to the first.

    `further` has the other paths of a rule that has to be found at each of several.
    `kind` is `broken` or `neighbour`; `level` is `archive`, where it can be written as one, or `description`.
    `containers` are those that it is certified in. With `values`, the verdict holds only where values were read.
    A case that is `made` by a generator of `conformance/hostile` has no base and no patch. The base of one with an
    `encoding` is the name of a content of `encodings.contents`, which also depends on the number of its row.
    """

    name: str
    rule: str
    kind: str
    why: str
    spec: str
    profile: str
    level: str
    values: bool
    containers: tuple[str, ...]
    verdict: str
    expected: Mapping[str, str]
    base: str
    patch: tuple[Operation, ...]
    described: tuple[Operation, ...]
    damage: tuple[Mapping[str, Any], ...]
    made: str | None = None
    many: bool = False
    encoding: Encoding | None = None
    row: int = 0
    further: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def has_document(self) -> bool:
        """Whether a document, and a change of its description, say all of it; else only the archive does."""
        return self.made is None and not self.damage and self.encoding is None

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Every (rule, path) that has to be found, sorted; with `many`, the first of each rule."""
        others = ((rule, path) for rule, paths in self.further.items() for path in paths)
        return tuple(sorted([*self.expected.items(), *others]))

    @property
    def loaded_profile(self) -> Profile:
        """The profile that it is judged by."""
        return versions.load(self.spec).profile(self.profile)

    def document(self) -> Document:
        """The archive document; raises `UsageError` where a generator makes the archive."""
        if self.made is not None:
            raise UsageError(f"{self.name}: is made by a generator, and has no document")
        if self.encoding is not None:
            raise UsageError(f"{self.name}: is about an encoding, and has no document")
        changed: Document = apply_patch(base(self.spec, self.base), self.patch)
        return changed

    def nodes(self) -> dict[str, RawNode]:
        """Every node with its values, parents first; raises `UsageError` where a generator makes the archive."""
        if self.encoding is not None:
            held: dict[str, RawNode] = contents.nodes(self.base, self.containers[0], self.encoding, self.row)
            return held
        made: dict[str, RawNode] = raw_nodes(self.document())
        return made

    def description(self, container: str) -> Description:
        """The description of the case as an archive in `container`; facts are in it where the case is about values.

        Damage is not part of it: where there is some, only the archive shows it.
        """
        return described(self.document(), container, self.described, self.loaded_profile if self.values else None)

    def write_in(self, folder: Path, name: str, container: str) -> Path:
        """The path of the archive, written into `folder`: `name` with the suffix, or what its generator calls it.

        Such an archive may have other files beside it, so that `folder` has to be empty.
        """
        if self.made is not None:
            from vizschema.conformance.corpus.hostile import BY_NAME

            made: Path = BY_NAME[self.made].build(folder)
            return made
        path = folder / f"{name}{SUFFIXES[container]}"
        self.write(path, container)
        return path

    def write(self, path: Path, container: str) -> None:
        """Write the archive to `path`, which must not exist; raises `UsageError` where it has no document."""
        if self.level != "archive":
            raise UsageError(f"{self.name}: is a description, which no archive of ours has")
        if self.encoding is not None:
            WRITERS[container](path, self.nodes(), self.encoding)
            if self.base == "spoiled" and not spoiled(path, container, self.encoding):
                raise UsageError(f"{self.name}: expected an encoding with a checksum, found {dict(self.encoding)}")
            return
        write_document(self.document(), container, path)
        for damage in self.damage:
            inflict(path, container, damage)


def described(
    document: Document, container: str, operations: tuple[Operation, ...], profile: Profile | None
) -> Description:
    """The complete description of `document` after `operations` on its primary parts."""
    parts = apply_patch(describe_document(document, container, profile), operations)
    return description.complete(parts["container"], parts["nodes"], parts["values"])


@functools.cache
def base(spec: str, name: str) -> Document:
    """A base of the corpus: a conforming archive document."""
    return versions.read_json(FOLDER / spec / "bases" / f"{name}.json")


def unbreakable(spec: str = "1.0.0") -> dict[tuple[str, str], str]:
    """Why an archive of a container cannot break a rule, by (rule, container)."""
    listed = versions.read_json(FOLDER / spec / "unbreakable.json")["unbreakable"]
    return {
        (rule, container): entry["reason"]
        for entry in listed
        for rule in entry["rules"]
        for container in entry["containers"]
    }


def corpus(spec: str = "1.0.0", folder: Path = FOLDER) -> list[Case]:
    """Every case of a version, by rule and name; raises `UsageError` where a file is not a case."""
    return list(_installed(spec) if folder == FOLDER else _cases(spec, folder))


@functools.cache
def _installed(spec: str) -> tuple[Case, ...]:
    """The cases of the package, read once in a process."""
    return tuple(_cases(spec, FOLDER))


def _cases(spec: str, folder: Path) -> Iterator[Case]:
    check = _validator()
    yield from (read(path, check) for path in _paths(folder / spec))
    yield from _encoded(folder / spec, spec)


def read(path: Path, check: Any = None) -> Case:
    """The case in one file; raises `UsageError` where it is not a case."""
    content = versions.read_json(path)
    error = next((check or _validator()).iter_errors(content), None)
    if error is not None:
        raise UsageError(f"{path}: expected a case as in spec/case.schema.json: {error.message}")
    return Case(
        f"{path.parent.name}/{path.stem}",
        **{
            **content,
            "containers": tuple(content["containers"]),
            "base": content.get("base", ""),
            "patch": tuple(content.get("patch", ())),
            "described": tuple(content.get("described", ())),
            "damage": tuple(content.get("damage", ())),
        },
    )


TOPIC = "encodings"
"""The topic of the cases about encodings: values are the same however they are stored."""


def _encoded(folder: Path, spec: str) -> Iterator[Case]:
    """The cases of every row of `encodings/`; raises `UsageError` where a file is not a table of rows."""
    for path in sorted(folder.glob("encodings/*.json")):
        table = versions.read_json(path)
        error = next(_rows_validator().iter_errors(table), None)
        if error is not None:
            raise UsageError(f"{path}: expected rows as in spec/encodings.schema.json: {error.message}")
        for number, row in enumerate(table["rows"]):
            for content, found in row["cases"].items():
                yield encoded_case(spec, table["container"], row["encoding"], number, content, found)


def encoded_case(
    spec: str, container: str, encoding: Encoding, number: int, content: str, found: Mapping[str, Any]
) -> Case:
    """The case of a row and a content, with the verdict and the findings that were frozen for it."""
    levels = {factor: level for factor, level in encoding.items() if level != FACTORS[container][factor][0]}
    words = ", ".join(f"{factor} {level}" for factor, level in levels.items()) or "all plain"
    return Case(
        f"{TOPIC}/{container}-{number:03}-{content}",
        TOPIC,
        "broken" if found["verdict"] == "invalid" else "neighbour",
        f"{contents.WHY[content]}: {words}",
        spec,
        "trace",
        "archive",
        True,
        (container,),
        found["verdict"],
        found["expected"],
        content,
        (),
        (),
        (),
        many=found.get("many", False),
        encoding=encoding,
        row=number,
    )


def content_of(case: Case) -> dict[str, Any]:
    """The JSON of a case, without what is empty."""
    content: dict[str, Any] = {
        name: getattr(case, name) for name in ("rule", "kind", "why", "spec", "profile", "level", "values")
    }
    content["containers"] = list(case.containers)
    content["verdict"] = case.verdict
    content["expected"] = dict(case.expected)
    if case.made is not None:
        content["made"] = case.made
        return {**content, "many": True} if case.many else content
    if case.encoding is not None:
        content |= {"base": case.base, "encoding": dict(case.encoding), "row": case.row}
        return {**content, "many": True} if case.many else content
    content["base"] = case.base
    content["patch"] = list(case.patch)
    for name in ("described", "damage"):
        if getattr(case, name):
            content[name] = list(getattr(case, name))
    if case.further:
        content["further"] = {rule: list(paths) for rule, paths in case.further.items()}
    return content


def write_case(case: Case, folder: Path) -> None:
    """Write the file of a case below `folder` (that of its version)."""
    path = folder / f"{case.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content_of(case), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _paths(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.glob("*/*.json")) if path.parent.name not in OTHERS)


@functools.cache
def _rows_validator() -> Any:
    return jsonschema_rs.Draft202012Validator(versions.read_json(versions.root() / "encodings.schema.json"))


@functools.cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(versions.read_json(versions.root() / "case.schema.json"))


def named(cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """All cases, or those of which `only` has the name or the rule; raise `UsageError` for a word that is neither."""
    known = {word for case in cases for word in (case.name, case.rule)}
    for word in only:
        if word not in known:
            raise UsageError(path=f"--only {word}", expected="a case or a rule", found=f"none{suggestion(word, known)}")
    return [case for case in cases if not only or {case.name, case.rule} & set(only)]
