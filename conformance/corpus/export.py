"""The corpus written out for whoever cannot, or will not, materialise it: archives, descriptions, values, and an index.

Two exports of one corpus are the same, bytes, times and modes; nothing in one depends on where it lies.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.cases import Case, content_of, corpus
from vizschema.conformance.corpus.identity import identity

GIANT = 16 << 20
"""The largest file that is written without being asked for, in bytes."""

TIME = 946684800
"""The time of every file, in seconds: 2000-01-01."""

Roles = Callable[[Case], Sequence[str]]
Contents = Callable[[Case], tuple[Mapping[str, Any], Mapping[str, bytes]]]


def export(
    target: Path, spec: str, only: Sequence[str], roles: Roles, contents: Contents, *, giants: bool = False
) -> str:
    """How much was written, in words: `index.json`, and what it names, under names that say nothing.

    `roles` are those that are asked a case; `contents` its nodes as a reader has to find them, with the values of each
    hash. Files above 16 MiB and special ones are left out, unless `giants` are wanted.
    """
    target.mkdir(parents=True)
    index: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for case in corpus(spec):
        if only and not {case.name, case.rule} & set(only):
            continue
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
            info = tar.gettarinfo(path, arcname=os.path.join("corpus", os.path.relpath(path, folder)).rstrip("/."))  # noqa: PTH118
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
    entry = {"case": case.name, "container": container}
    if case.level == "archive":
        why = None
        with tempfile.TemporaryDirectory(prefix="vizschema-export-", dir=target) as made:
            path = case.write_in(Path(made), "archive", container).relative_to(made)
            why = None if giants else _unusual(Path(made))
            if why is None:
                (target / "archives").mkdir(exist_ok=True)
                Path(made).rename(target / "archives" / name)
                Path(made).mkdir()  # for the context manager to remove
        if why is not None:
            recipe = {
                "generator": case.made,
                "command": f"vizschema conformance export DIR --giants --only {case.name}",
            }
            return {**entry, "why": why, "recipe": recipe}
        place = f"archives/{name}/{path.as_posix()}"
    else:
        place = f"descriptions/{name}.json"
        _put(target / place, json.dumps(case.description(container), ensure_ascii=False).encode())
    entry |= {"path": place, "roles": list(roles)}
    entry |= {key: content[key] for key in ("rule", "kind", "why", "profile", "level", "values", "verdict", "expected")}
    entry["many"] = case.many
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


def _unusual(folder: Path) -> str | None:
    """Why what lies in a folder is left out: a file is large, or is none; None where nothing is unusual."""
    for path in _walk(folder):
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size > GIANT:
            return f"a file of {found.st_size} bytes"
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) or stat.S_ISLNK(found.st_mode)):
            return "a pipe, socket or device"
    return None


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
