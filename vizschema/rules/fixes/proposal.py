"""What a fix is asked, and what it answers: a finding in a draft, and a change that would remove it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from vizschema.description import NUMBERED, Description
from vizschema.findings import Finding
from vizschema.rules.fixes.draft import Draft
from vizschema.rules.versions import Profile

_BETWEEN = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_APART = re.compile(r"[ .\-]+")
_SNAKE = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of a draft: where (a path of the draft), what in words, and how. Those with the same `key` are one."""

    key: str
    path: str
    words: str
    apply: Callable[[Draft], None]


@dataclass(frozen=True, slots=True)
class Context:
    """What a fix may look at: the draft, its description, what it is judged by, and the words of the table of fixes.

    `values` are those of small arrays, as JSON, by their paths in the archive; None where none were read. `closed` are
    the paths of the arrays in codecs that are not decoded.
    """

    draft: Draft
    description: Description
    profile: Profile
    words: Mapping[str, Any]
    values: Mapping[str, Any] | None = None
    closed: frozenset[str] = frozenset()
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)
    """What was looked up already, by what asked for it."""

    @property
    def nodes(self) -> Mapping[str, Any]:
        """The nodes of the description."""
        nodes: Mapping[str, Any] = self.description["nodes"]
        return nodes


def members_of(context: Context, group: str) -> dict[str, list[tuple[str, str]]]:
    """The numbered members of a group, by stem: the path of each, and its number as it is written."""
    if "members" not in context.memo:
        found: dict[str, dict[str, list[tuple[str, str]]]] = {}
        for path in context.nodes:
            parent, _, name = path.rpartition("/")
            match = NUMBERED.fullmatch(name)
            if match is not None:
                found.setdefault(parent or "/", {}).setdefault(match[1], []).append((path, match[2]))
        context.memo["members"] = found
    members: dict[str, list[tuple[str, str]]] = context.memo["members"].get(group, {})
    return members


Propose = Callable[[Context, Finding], Iterator[Proposal]]
"""At most one proposal for a finding."""


def tokens_of(finding: Finding) -> list[str]:
    """The steps of the JSON Pointer of a finding."""
    return [step.replace("~1", "/").replace("~0", "~") for step in finding.instance.split("/")[1:]]


def attribute_of(finding: Finding) -> tuple[str, str] | None:
    """The path of the node, and the attribute, that a finding is about; None for a finding about anything else."""
    match tokens_of(finding):
        case ["nodes", path, "attributes", name, *_]:
            return path, name
        case _:
            return None


def snake(name: str) -> str | None:
    """`name` in lower_snake_case, where it differs in case, spaces, dots and hyphens only; else None."""
    plain = _APART.sub("_", _BETWEEN.sub("_", name.strip())).lower()
    return plain if plain != name and _SNAKE.fullmatch(plain) else None
