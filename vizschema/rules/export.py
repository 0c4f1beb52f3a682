"""Copies of the specification: every schema at the path of its `$id` below https://vizschema.org/spec/."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from vizschema.errors import UsageError
from vizschema.rules.versions import Spec, root, versions


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
        for path in _files(spec):
            place = target / path.relative_to(root())
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            written += 1
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror or error}", path=target) from error
    return written


def _files(spec: Spec | None) -> Iterator[Path]:
    yield from sorted(path for path in root().iterdir() if path.suffix in (".json", ".md"))
    for version in versions() if spec is None else (spec.version,):
        yield from sorted(path for path in (root() / version).rglob("*") if path.is_file())
