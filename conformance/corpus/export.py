"""The corpus written out, for use without the runner and without Python: archives, descriptions, values, and an index.

Two exports of one corpus are the same, bytes, times and modes; nothing in one depends on where it lies.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.cases import Case, content_of, corpus, named
from vizschema.conformance.corpus.identity import identity
from vizschema.conformance.corpus.recipes import recipe_of

TIME = 946684800
"""The time of every file, in seconds: 2000-01-01."""

Roles = Callable[[Case], Sequence[str]]
Contents = Callable[[Case], tuple[Mapping[str, Any], Mapping[str, bytes]]]


def export(
    target: Path, spec: str, only: Sequence[str], roles: Roles, contents: Contents, *, giants: bool = False
) -> str:
    """How much was written, in words: `index.json`, and what it names, under names that say nothing.

    `roles` are those that are asked a case; `contents` its nodes as a reader has to find them, with the values of each
    hash. Of pipes, devices and files above 16 MiB the recipe is in the index, unless `giants` are wanted.
    """
    chosen = named(corpus(spec), only)
    target.mkdir(parents=True)
    index: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for case in chosen:
        for container in case.containers:
            entry = _entry(case, container, target, roles(case), contents, giants=giants)
            (left_out if "recipe" in entry else index).append(entry)
    document = {"spec": spec, "corpus": identity(spec), "cases": index, "left_out": left_out}
    (target / "index.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _settle(target)
    return f"{len(index)} cases, {len(left_out)} left out,"


def export_tar(file: Path, folder: Path) -> None:
    """Write `folder` into the new `.tar.xz` file: sorted, without owners, with fixed times."""
    with (
        lzma.open(file, "xb", preset=6) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as tar,
    ):
        for path in (folder, *sorted(folder.rglob("*"), key=lambda each: os.fsencode(each))):
            name = "corpus" if path == folder else f"corpus/{path.relative_to(folder).as_posix()}"
            info = tar.gettarinfo(path, arcname=name)
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mtime = TIME
            if info.isreg():
                with path.open("rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)


def name_of(case: str, container: str, digest: str) -> str:
    """The name of what is written of a case in a container: 32 hexadecimal digits, which say nothing of its verdict."""
    return hashlib.sha256(f"{case}\n{container}\n{digest}".encode()).hexdigest()[:32]


def _entry(
    case: Case, container: str, target: Path, roles: Sequence[str], contents: Contents, *, giants: bool
) -> dict[str, Any]:
    name = name_of(case.name, container, identity(case.spec)["digest"])
    content = content_of(case)
    entry: dict[str, Any] = {"case": case.name, "container": container}
    if case.level == "archive":
        folder = target / "archives" / name
        folder.mkdir(parents=True)
        place = case.write_in(folder, "archive", container).relative_to(target).as_posix()
        recipe = [] if giants else list(_taken_out(folder, target))
        if recipe:
            entry["recipe"] = recipe
    else:
        place = f"descriptions/{name}.json"
        _put(target / place, json.dumps(case.description(container), ensure_ascii=False).encode())
    entry |= {"path": place, "roles": list(roles)}
    entry |= {key: content[key] for key in ("rule", "kind", "why", "profile", "level", "values", "verdict", "expected")}
    entry["many"] = case.many
    if case.further:
        entry["further"] = content["further"]
    if "reader" in roles or "writer" in roles:
        nodes, values = contents(case)
        entry["nodes"] = f"nodes/{name}.json"
        _put(target / entry["nodes"], json.dumps(nodes, ensure_ascii=False).encode())
        for digest, data in values.items() if "writer" in roles else ():
            if not (target / "values" / digest).exists():
                _put(target / "values" / digest, data)
    return entry


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _taken_out(folder: Path, target: Path) -> Iterator[dict[str, Any]]:
    """The recipe of each file of a folder that has one, with its path in the export; the file is removed."""
    for path in sorted(_walk(folder)):
        recipe = recipe_of(path)
        if recipe is not None:
            path.unlink()
            yield {"path": path.relative_to(target).as_posix(), **recipe}


def _walk(folder: Path) -> Iterator[Path]:
    """Everything below a folder, through no link."""
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            yield Path(parent) / name


def _settle(target: Path) -> None:
    """Give everything the same time, and the mode that it has whatever the mask of the process."""
    for path in [*_walk(target), target]:
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
            kept = found.st_mode & 0o700
            if kept in (0o600, 0o700):  # else the mode is what the case is about
                path.chmod(0o755 if stat.S_ISDIR(found.st_mode) else 0o644)
    for path in [*sorted(_walk(target), reverse=True), target]:
        os.utime(path, (TIME, TIME), follow_symlinks=False)
