"""The lock of released versions: which files they have, with the SHA-256 of each. Compares; reads no schema."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import orjson

from vizschema.errors import SpecError

Files = Mapping[str, str]
"""The path of each file below the folder of its version, and the SHA-256 of its bytes."""


@functools.cache
def released(root: Path) -> Mapping[str, Files]:
    """The files of every released version by `lock.json` in `root`; raises `SpecError` where it says nothing."""
    path = root / "lock.json"
    try:
        versions = orjson.loads(path.read_bytes())["released"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SpecError(
            path=path, expected="the lock of released versions", found=error, fix="install again"
        ) from error
    return {version: dict(files) for version, files in versions.items()}


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


def require_unchanged(version: str, found: Files, root: Path) -> bool:
    """Whether `version` is released (else it is a draft); raises `SpecError` where a released one was changed."""
    locked = released(root).get(version)
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
