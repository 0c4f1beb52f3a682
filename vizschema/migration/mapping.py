"""Mappings: from a file to a checked document, and which one a source is recognised by. No code of a mapping is run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.errors import Refused, SpecError, UsageError
from vizschema.rules.bounded import read_file
from vizschema.rules.documents import root
from vizschema.rules.keywords import misfits
from vizschema.rules.tables.read import parsed
from vizschema.sources.item import Item, Tree
from vizschema.text import suggestion

MAX_BYTES = 1 << 20
"""Most bytes of a mapping."""

_SHOWN = 8
"""Most nodes that are named because they cannot be read."""

_TEMPLATE = re.compile(r"\{(\w+)([+-]\d+)?(:n)?\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Dialect:
    """A mapping as it was read: its document, and the SHA-256 of its file."""

    document: Mapping[str, Any]
    sha256: str

    @property
    def name(self) -> str:
        """The name of the mapping."""
        return str(self.document["name"])

    @property
    def asks(self) -> Mapping[str, Mapping[str, Any]]:
        """The questions, and one for each count of members, which is asked where a series has gaps."""
        why = "the series in the source has gaps: how many members has the whole one?"
        counts = {
            name: {"why": why, "type": "integer"}
            for rule in self.rules("nodes")
            for name, value in rule.get("group", {}).items()
            if isinstance(value, dict) and "members" in value
        }
        return {**counts, **self.document.get("ask", {})}

    def rules(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """The rules for `nodes` or `attributes`, in order."""
        return list(self.document.get(kind, ()))


def read(path: Path) -> Dialect:
    """The mapping in a file; raises `SpecError` where it is none, by the schema of mappings and what it refers to."""
    data = read_file(path, MAX_BYTES, "a mapping")
    document = parsed(data, path)
    faults = misfits(document, root() / "dialects" / "mapping.schema.json") or list(_dangling(document))
    if faults:
        raise SpecError(faults[0], path=path)
    return Dialect(document, hashlib.sha256(data).hexdigest())


def installed() -> Mapping[str, Dialect]:
    """The mappings that are installed, by name."""
    found = (read(path) for path in sorted((root() / "dialects").glob("*.toml")))
    return {dialect.name: dialect for dialect in found}


def chosen(asked: str | None, tree: Tree) -> Dialect:
    """The mapping that was asked for, by name or file, else the one that recognises the source.

    Raises `Refused` where none does, `UsageError` where several do or there is no such mapping.
    """
    if asked is not None and (asked.endswith(".toml") or "/" in asked):
        return read(Path(asked))
    known = installed()
    if asked is not None:
        if asked not in known:
            found = f"none of this name{suggestion(asked, known)}"
            raise UsageError(path=f"mapping {asked!r}", expected=f"one of {', '.join(known)}, or a file", found=found)
        return known[asked]
    why = {name: missing(dialect.document["recognise"], tree) for name, dialect in known.items()}
    fitting = [name for name, missing in why.items() if missing is None]
    if len(fitting) > 1:
        raise UsageError(expected="one mapping", found=", ".join(fitting), fix="choose one with --mapping NAME")
    if not fitting:
        faults = [f"{item.path}: {item.kind}: {item.reason}" for item in tree.values() if item.reason][:_SHOWN]
        fix = "draft one with --suggest --out FILE, and pass it as --mapping FILE"
        missed = [f"{name}: {missing}" for name, missing in why.items()]
        raise Refused([*faults, *missed], f"no mapping recognises it; {fix}")
    return known[fitting[0]]


def filled(template: str, groups: Mapping[str, str], digits: Mapping[str, int]) -> str:
    """`template` with the groups of a pattern; `digits` gives the width of numbers of a series."""

    def one(match: re.Match[str]) -> str:
        name, plus, series = match.groups()
        if not plus and not series:
            return groups[name]
        return f"{int(groups[name]) + int(plus or 0):0{digits.get(name, 2) if series else 1}}"

    return _TEMPLATE.sub(one, template)


def numbered(template: str) -> Iterator[tuple[str, int]]:
    """The groups of `template` that are numbers of a series, each with what is added to it."""
    return ((name, int(plus or 0)) for name, plus, series in _TEMPLATE.findall(template) if series)


def missing(recognise: Mapping[str, Any], tree: Tree) -> str | None:
    """Why a source is not recognised, in words; None where it is."""
    for test in recognise["all"]:
        if not any(_passes(item, test) for item in tree.values()):
            return f"no node is like {_words(test)}"
    for test in recognise.get("none", ()):
        for item in tree.values():
            if _passes(item, test):
                return f"{item.path} is like {_words(test)}"
    return None


def _words(test: Mapping[str, Any]) -> str:
    return " with ".join([str(test["node"]), *(f"{key} {test[key]}" for key in test if key != "node")])


def _passes(item: Item, test: Mapping[str, Any]) -> bool:
    if re.fullmatch(test["node"], item.path) is None or not item.attributes.keys() >= set(test.get("attributes", ())):
        return False
    wanted = test.get("shape", ("*",) * test.get("ndim", len(item.shape)))
    if (item.kind != "array" and test.keys() & {"ndim", "shape"}) or len(wanted) != len(item.shape):
        return False
    sizes: dict[str, int] = {}
    return all(
        want == "*" or (sizes.setdefault(want, size) if isinstance(want, str) else want) == size
        for want, size in zip(wanted, item.shape, strict=True)
    )


def _dangling(document: Mapping[str, Any]) -> Iterator[str]:
    """What a mapping refers to and does not have: questions, numbers, groups; and patterns that are none."""
    names = {"ask": document.get("ask", {}).keys(), "let": document.get("let", {}).keys()}
    for kind in ("nodes", "attributes"):
        for rule in document.get(kind, ()):
            groups: set[str] = set()
            for pattern in (rule["from"], rule.get("name", "")):
                try:
                    groups |= re.compile(pattern).groupindex.keys()
                except re.error as error:
                    yield f"{kind} {pattern}: not a regular expression: {error}"
            texts = [*(rule[key] for key in ("to", "as", "text") if key in rule), *rule.get("axes", ())]
            used = {name for text in texts for name, *_ in _TEMPLATE.findall(text)}
            known = groups | {"value", "name"} | (names["ask"] if "text" in rule else set())
            yield from (f"{kind} {rule['from']}: its pattern has no group {name}" for name in sorted(used - known))
            when = {key: {"ask": key} for key in rule.get("when", {})}
            for values in (rule.get("attributes", {}), rule.get("group", {}), when):
                yield from _unknown(values, {**names, "group": groups}, rule["from"])
    for place, values in document.get("set", {}).items():
        yield from _unknown(values, {**names, "group": set()}, place)
    for test in document.get("require", ()):
        yield from (f"require: let has no {name}" for name in test["equal"] if name not in names["let"])


def _unknown(values: Mapping[str, Any], names: Mapping[str, AbstractSet[str]], place: str) -> Iterator[str]:
    for key, value in values.items():
        for source in value.keys() & names if isinstance(value, dict) else ():
            if value[source] not in names[source]:
                yield f"{place}: {key}: there is no {source} {value[source]}"
