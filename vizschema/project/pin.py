"""Pins: a version of the spec and its digest in a project's configuration. Writes only the two lines of the pin."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from vizschema.errors import SpecError, UsageError, writes
from vizschema.project.configuration import OWN_FILE, SHARED_FILE, Configuration, find
from vizschema.rules.versions import Spec, load

_HEADER = re.compile(r"^\s*\[\s*tool\s*\.\s*vizschema\s*\]\s*(#.*)?$")
_ANY_HEADER = re.compile(r"^\s*\[")
_PINNED = re.compile(r"^\s*(spec|sha256)\s*=")


def pinned(configuration: Configuration) -> Spec | None:
    """The version that a project pins, None where it pins none; raises `SpecError` where the digest is another."""
    if configuration.spec is None:
        return None
    spec = load(configuration.spec)
    if configuration.sha256 not in (None, spec.digest):
        state = "" if spec.released else ", which is a draft and may change"
        raise SpecError(
            path=configuration.source,
            expected=f"spec {spec.version} with sha256 {configuration.sha256}",
            found=f"{spec.digest} installed{state}",
            fix=(
                "install the vizschema that it was pinned with, or look at `vizschema spec diff` and "
                f"pin again: vizschema pin {spec.version}"
            ),
        )
    return spec


def place_for(folder: Path) -> Path:
    """Return the file for a pin of `folder`: its configuration, else `pyproject.toml`, else `vizschema.toml`."""
    found = find(folder)
    if found is not None:
        return found
    return folder / SHARED_FILE if (folder / SHARED_FILE).is_file() else folder / OWN_FILE


def write_pin(path: Path, spec: Spec) -> None:
    """Pin `spec` in `path` and change nothing else; raise `UsageError` if that is impossible."""
    with writes(path):
        before = _text(path) if path.exists() else ""
        after = _edited(before, spec, shared=path.name == SHARED_FILE)
        if not _only_pinned(before, after, spec, shared=path.name == SHARED_FILE):
            raise UsageError(
                "cannot be edited safely; add to [tool.vizschema]: "
                f'spec = "{spec.version}" and sha256 = "{spec.digest}"',
                path=path,
            )
        _replace(path, after)


def _text(path: Path) -> str:
    """The text of the file; raise `UsageError` where it is not UTF-8."""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot be written: {error}", path=path) from error


def _edited(text: str, spec: Spec, *, shared: bool) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    pin = [f'spec = "{spec.version}"', f'sha256 = "{spec.digest}"']
    start = 0
    if shared:
        headers = [number for number, line in enumerate(lines) if _HEADER.match(line)]
        if not headers:
            lines += [*([""] if lines and lines[-1].strip() else []), "[tool.vizschema]"]
            headers = [len(lines) - 1]
        start = headers[0] + 1
    end = next((number for number in range(start, len(lines)) if _ANY_HEADER.match(lines[number])), len(lines))
    own = [line for line in lines[start:end] if not _PINNED.match(line)]
    gap = [""] if not own and end < len(lines) else []
    return newline.join([*lines[:start], *pin, *own, *gap, *lines[end:]]) + newline


def _only_pinned(before: str, after: str, spec: Spec, *, shared: bool) -> bool:
    """Whether `after` says what `before` said, and the pin."""
    try:
        documents = tomllib.loads(before), tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        return False
    old, new = (_table(document, shared=shared) for document in documents)
    if (new.get("spec"), new.get("sha256")) != (spec.version, spec.digest):
        return False
    for table in (old, new):
        table.pop("spec", None)
        table.pop("sha256", None)
    return documents[0] == documents[1]


def _table(document: dict[str, Any], *, shared: bool) -> dict[str, Any]:
    """Our table in a document, made where there is none."""
    table: dict[str, Any] = document.setdefault("tool", {}).setdefault("vizschema", {}) if shared else document
    return table


def _replace(path: Path, text: str) -> None:
    """Write beside `path` and rename into place, so that there is always one of the two texts."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if path.exists():
            Path(name).chmod(path.stat().st_mode & 0o777)
        else:
            Path(name).chmod(0o644)
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
