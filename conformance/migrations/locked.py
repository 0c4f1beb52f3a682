"""The lock of the installed mappings: one that changes has a new version, since archives name their mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from vizschema.migration.mapping import Dialect

ABOUT = "The sha256 of each version of each mapping, which never change. Written by a command, and only ever added to."

Lock = dict[str, dict[str, str]]
"""By the name of a mapping and its version: the SHA-256 of its file."""


def read(path: Path) -> Lock:
    """The lock in a file; empty where there is no file."""
    if not path.exists():
        return {}
    mappings: Lock = json.loads(path.read_bytes())["mappings"]
    return mappings


def faults(lock: Lock, known: Mapping[str, Dialect]) -> Iterator[str]:
    """How the mappings differ from the lock, in words: changed ones, missing ones, and those that it lacks."""
    for name, dialect in known.items():
        version = str(dialect.document["version"])
        sha256 = lock.get(name, {}).get(version)
        if sha256 is None:
            yield f"{name} {version}: it is not in the lock; add it"
        elif sha256 != dialect.sha256:
            yield f"{name} {version}: expected sha256 {sha256}, found {dialect.sha256}; give it a new version"
    yield from (f"{name}: it is in the lock, and there is no such mapping" for name in lock.keys() - known.keys())


def added(lock: Lock, known: Mapping[str, Dialect]) -> Lock:
    """The lock with the versions that it lacks; what it has stays."""
    return {
        name: {**{str(known[name].document["version"]): known[name].sha256}, **lock.get(name, {})}
        if name in known
        else lock[name]
        for name in sorted(known.keys() | lock.keys())
    }


def write(path: Path, lock: Lock) -> None:
    """Write the lock."""
    path.write_text(json.dumps({"description": ABOUT, "mappings": lock}, indent=2) + "\n", encoding="utf-8")
