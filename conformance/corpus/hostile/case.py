"""What a case of the hostile corpus is, and the harmless archive that every one of them is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Build = Callable[[Path], Path]
"""Writes an archive into an empty folder and gives its path. It writes nothing anywhere else."""

MARKER = "executed"
"""What a payload writes into the folder when it is executed."""

ATTRIBUTES: Mapping[str, Mapping[str, Any]] = {
    "/": {
        "spec_version": "1.0.0",
        "profile": "trace",
        "created_at": "2026-11-21T09:00:00Z",
        "generator": "hostile 1",
        "complete": True,
    },
    "/metadata": {
        "model_name": "hostile",
        "model_version": "1",
        **dict.fromkeys(("framework", "task", "dataset", "license", "checkpoint_sha256", "git_commit"), "unknown"),
        "seed": 0,
        "dtype": "float32",
        "device": "unknown",
    },
    "/activations": {"num_layers": 1},
    "/extra": {},
}
"""Every group of the harmless archive, with its attributes. `/activations/layer_00` [token 2, hidden 3] is its only array."""


@dataclass(frozen=True, slots=True)
class Case:
    """An archive that `build` writes, and the must-rules that it breaks: those of `rules` without its values being read.

    Without `rules` it conforms, and is a control; `refused` says that it is not an archive at all (exit code 3).
    `values` are the must-rules that it breaks besides where its values are read. `why` says what it is good for.
    """

    name: str
    container: str
    build: Build
    rules: frozenset[str]
    why: str
    values: frozenset[str] = frozenset()
    refused: bool = False

    @property
    def exit_code(self) -> int:
        """That of `vizschema validate`."""
        return 3 if self.refused else int(bool(self.rules | self.values))


def broken(container: str, name: str, rule: str, why: str, build: Build, *, values: str = "") -> Case:
    """A case that breaks the rules in `rule`, which are separated by spaces, and those in `values` where they are read."""
    return Case(f"{container}-{name}", container, build, frozenset(rule.split()), why, frozenset(values.split()))


def damaged(container: str, name: str, why: str, build: Build, rule: str = "chunk-readable") -> Case:
    """A case whose structure conforms, and one of whose chunks is damaged."""
    return Case(f"{container}-{name}", container, build, frozenset(), why, frozenset({rule}))


def control(container: str, name: str, why: str, build: Build) -> Case:
    """A case that is legal but odd."""
    return Case(f"{container}-{name}", container, build, frozenset(), why)


def refused(container: str, name: str, why: str, build: Build) -> Case:
    """A case that is not an archive at all."""
    return Case(f"{container}-{name}", container, build, frozenset(), why, refused=True)


class Payload:
    """Unpickled, it writes the marker into the working directory."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (Path(MARKER), "x")
