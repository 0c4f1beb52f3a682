"""What each role is asked, and what it has to answer: a validator, a reader, a writer."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vizschema
from vizschema.conformance.corpus.cases import Case
from vizschema.conformance.corpus.encodings.contents import WRITTEN
from vizschema.conformance.corpus.raw import SUFFIXES
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.subjects import Subject
from vizschema.description import ITEM_BYTES

BY_WRITER = frozenset(
    {
        *("spec-version", "profile-declared", "profile-known", "creation-time", "generator", "capture-complete"),
        *("chunk-maximum", "chunk-minimum", "chunk-one-head", "chunk-one-sample", "shard-maximum", "portable-codec"),
    }
)
"""Rules on what a writer sets or chooses itself."""


@dataclass(frozen=True, slots=True)
class Item:
    """One case in one container."""

    case: Case
    container: str

    @property
    def name(self) -> str:
        """The case and the container."""
        return f"{self.case.name} [{self.container}]"


def items_of(role: str, cases: Sequence[Case], hello: Mapping[str, Any]) -> Iterator[Item]:
    """What an implementation is asked in `role`, with the containers and abilities that it says it has."""
    for case in cases:
        for container in case.containers:
            if _CONCERNS[role](case, hello) and (container in hello["containers"] or case.level == "description"):
                yield Item(case, container)


def _validates(case: Case, hello: Mapping[str, Any]) -> bool:
    if case.level == "description":
        return bool(hello["judge"])
    if case.encoding is not None and case.base == "hashes":
        return False  # what it holds is for readers and writers
    if "over-limit" in case.expected and hello.get("limits") != "minimum":
        return False  # beyond the sizes that every validator accepts, it may accept more
    return bool(hello["values"]) or not case.values


def _reads(case: Case, _: Mapping[str, Any]) -> bool:
    if case.encoding is not None:
        return bool(case.base == "hashes")
    return case.kind == "neighbour" and case.level == "archive" and _has_document(case) and _portable(case)


def _writes(case: Case, _: Mapping[str, Any]) -> bool:
    if case.encoding is not None:
        return bool(case.base == "hashes") and case.row < WRITTEN
    if case.level != "archive" or not _has_document(case) or case.rule in BY_WRITER:
        return False
    if _is_cut(case) or not _portable(case):
        return False
    return (case.verdict == "valid" and _named(case)) or (case.verdict == "invalid" and not case.values)


def _has_document(case: Case) -> bool:
    """Whether a document says all of the archive: nothing is done to it after it was written."""
    return bool(case.has_document)


def _is_cut(case: Case) -> bool:
    """Whether the case is about chunks, shards or codecs, which a writer chooses."""
    return any(word in json.dumps(case.patch) for word in ('"chunks"', '"shards"', '"codecs"', "/chunks", "/codecs"))


def _portable(case: Case) -> bool:
    return all(node.get("dtype", "bool") in ITEM_BYTES for node in case.document()["nodes"].values())


def _named(case: Case) -> bool:
    """Whether every dimension has a name: a writer may insist on that, also where a validator does not."""
    nodes = case.document()["nodes"].values()
    return all(node.get("axes", []) is not None and None not in node.get("axes", []) for node in nodes)


_CONCERNS: Mapping[str, Callable[[Case, Mapping[str, Any]], bool]] = {
    "validator": _validates,
    "reader": _reads,
    "writer": _writes,
}
ROLES = tuple(_CONCERNS)


def roles_asked(case: Case) -> list[str]:
    """The roles that are asked a case, of an implementation that does everything."""
    hello = {"values": True, "judge": True, "limits": "minimum"}
    return [role for role, concerns in _CONCERNS.items() if concerns(case, hello)]


def contents_with_values(case: Case) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The nodes of a case as a reader has to find them, and the bytes of the values of each hash."""
    nodes = case.nodes()
    found = {path: contents_of(node) for path, node in nodes.items()}
    values = {found[path]["sha256"]: node.stored.tobytes() for path, node in nodes.items() if node.values is not None}
    return found, values


def prepare(role: str, item: Item, folder: Path) -> Path:
    """A path below `folder` without a hint of the verdict, with the archive that is to be validated or read."""
    name = uuid.uuid4().hex
    if role == "writer" or item.case.level != "archive":
        return folder / f"{name}{SUFFIXES[item.container]}"
    if item.case.made is not None:
        folder = folder / name
        folder.mkdir()
    path: Path = item.case.write_in(folder, name, item.container)
    return path


def check(role: str, subject: Subject, item: Item, path: Path) -> str | None:
    """What is wrong with the answer; None where nothing is. Raises `Trouble` where there is none."""
    return _CHECKS[role](subject, item, path)


def _check_validator(subject: Subject, item: Item, path: Path) -> str | None:
    case = item.case
    if case.level == "description":
        document = case.description(item.container)
        reply = subject.ask("judge", "verdict", description=document, profile=case.profile)
    else:
        reply = subject.ask("validate", "verdict", path=str(path), profile=case.profile, values=case.values)
    return verdict_problem(case, reply, exit_codes_only=subject.exit_codes_only)


def verdict_problem(case: Case, reply: Mapping[str, Any], *, exit_codes_only: bool = False) -> str | None:
    """What is wrong with a verdict and its findings; None where nothing is."""
    if reply["verdict"] != case.verdict:
        return f"expected {case.verdict}, found {reply['verdict']}"
    if exit_codes_only:
        return None
    rules = {finding["rule"] for finding in reply["findings"]}
    if rules != set(case.expected):
        return f"expected {_listed(case.expected)}, found {_listed(rules)}"
    if case.many:
        return _check_first(case, reply["findings"])
    if len(reply["findings"]) != len(case.places):
        each = "once each" if not case.further else f"at {len(case.places)} places"
        return f"expected {_listed(case.expected)} {each}, found {len(reply['findings'])} findings"
    left = list(case.places)
    for finding in reply["findings"]:
        place = next((path for rule, path in left if rule == finding["rule"]), "nothing more")
        place = finding.get("path", place)
        if (finding["rule"], place) not in left:
            wanted = _listed(path for rule, path in left if rule == finding["rule"])
            return f"expected {finding['rule']} at {wanted}, found it at {place}"
        left.remove((finding["rule"], place))
    return None


def _check_first(case: Case, findings: Sequence[Mapping[str, Any]]) -> str | None:
    """Each rule at the place that the case names, among others."""
    for rule, place in case.expected.items():
        if not any(finding["rule"] == rule and finding.get("path", place) == place for finding in findings):
            return f"expected {rule} at {place}, too"
    return None


def _listed(rules: Any) -> str:
    return ", ".join(sorted(rules)) or "nothing"


def _check_reader(subject: Subject, item: Item, path: Path) -> str | None:
    reply = subject.ask("read", "contents", path=str(path))
    return difference(item.case.nodes(), reply["nodes"], added=False)


def _check_writer(subject: Subject, item: Item, path: Path) -> str | None:
    case = item.case
    raw = case.nodes()
    nodes = {place: _logical(node, path.with_name(uuid.uuid4().hex)) for place, node in raw.items()}
    reply = subject.ask("write", "written", path=str(path), container=item.container, profile=case.profile, nodes=nodes)
    if not reply["written"]:
        if path.exists():
            return "refused, and left something at the path"
        return None if case.verdict == "invalid" else "refused an archive that conforms"
    if case.verdict == "invalid":
        return f"wrote an archive that breaks {_listed(case.expected)}"
    report = vizschema.validate(path, spec=case.spec, profile=case.profile, jobs=1)
    if not report.conforms:
        return f"what was written breaks {_listed({finding.rule for finding in report.errors})}"
    return difference(raw, Own().read({"path": str(path)})["nodes"], added=True)


def _logical(node: RawNode, file: Path) -> dict[str, Any]:
    if node.values is None:
        return {"kind": "group", "attributes": dict(node.attributes)}
    file.write_bytes(node.stored.tobytes())
    axes = None if node.axes is None else list(node.axes)
    return {
        "kind": "array",
        "attributes": dict(node.attributes),
        "dtype": node.dtype,
        "shape": list(node.values.shape),
        "axes": axes,
        "values": str(file),
    }


def difference(raw: Mapping[str, RawNode], nodes: Mapping[str, Any], *, added: bool) -> str | None:
    """The first difference between what a case holds and what was read; a writer may add attributes to the root."""
    if set(raw) != set(nodes):
        return f"expected the nodes {_listed(set(raw) - set(nodes))}, found {_listed(set(nodes) - set(raw))}"
    for path, node in raw.items():
        found = nodes[path]
        expected = contents_of(node)
        if added and path == "/":
            found = {**found, "attributes": {key: found["attributes"].get(key) for key in expected["attributes"]}}
        for key, value in expected.items():
            if json.dumps(found.get(key), sort_keys=True) != json.dumps(value, sort_keys=True) and not _equal(
                key, found.get(key), value
            ):
                return f"{path}: expected {key} {_short(value)}, found {_short(found.get(key))}"
    return None


def _equal(key: str, one: Any, other: Any) -> bool:
    """Attributes count by value: 1 and 1.0 are the same, true and 1 are not."""
    if key != "attributes" or not isinstance(one, dict) or one.keys() != other.keys():
        return False
    return all(one[name] == other[name] and _booleans(one[name]) == _booleans(other[name]) for name in one)


def _booleans(value: Any) -> Any:
    """Which of the values within a JSON value are booleans."""
    if isinstance(value, dict):
        return {name: _booleans(item) for name, item in value.items()}
    return list(map(_booleans, value)) if isinstance(value, list) else isinstance(value, bool)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 90 else f"{text[:87]}…"


def contents_of(node: RawNode) -> dict[str, Any]:
    """What a reader says of a node."""
    if node.values is None:
        return {"kind": "group", "attributes": dict(node.attributes)}
    return {
        "kind": "array",
        "dtype": node.dtype,
        "shape": list(node.values.shape),
        "axes": None if node.axes is None or (node.axes and not any(node.axes)) else list(node.axes),
        "attributes": dict(node.attributes),
        "sha256": hashlib.sha256(node.stored.tobytes()).hexdigest(),
    }


_CHECKS: Mapping[str, Callable[[Subject, Item, Path], str | None]] = {
    "validator": _check_validator,
    "reader": _check_reader,
    "writer": _check_writer,
}
