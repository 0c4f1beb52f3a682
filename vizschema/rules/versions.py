"""Versions of the specification: their profiles, digests and copies, and what other rooms take from schemas."""

from __future__ import annotations

import functools
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from vizschema.errors import SpecError, UsageError, writes
from vizschema.rules.documents import HOME, LEVELS, NAMED_MEMBERS, Schema, read_json, resolve, root, subschemas
from vizschema.rules.profiles import (
    Built,
    Profile,
    axes_at,
    built_at,
    clear,
    draft,
    is_profile,
    load_profile,
    precedence,
    profile_at,
    profiles_in,
    stated,
    view_of,
)
from vizschema.text import suggestion

__all__ = [
    "LEVELS",
    "NAMED_MEMBERS",
    "Built",
    "Profile",
    "Schema",
    "Spec",
    "axes_at",
    "built_at",
    "clear",
    "default",
    "draft",
    "is_profile",
    "layout_of",
    "load",
    "load_profile",
    "profiles_in",
    "read_json",
    "resolve",
    "root",
    "stated",
    "subschemas",
    "version_for",
    "versions",
    "view_of",
]


Files = Mapping[str, str]
"""The path of each file below the folder of its version, and the SHA-256 of its bytes."""


@dataclass(frozen=True, eq=False)
class Spec:
    """One version: `digest` is the SHA-256 of its files, `profiles` the names of its profiles.

    Of a `released` one no file ever changes; any other is a draft.
    """

    version: str
    digest: str
    folder: Path
    profiles: tuple[str, ...]
    files: Mapping[str, str] = field(repr=False)
    released: bool = False

    def profile(self, name_or_path: str) -> Profile:
        """Return the profile of this name, or the user's own at this path: a table, or a folder with one or schemas.

        Raise `SpecError` where there is none, or where its table or schemas are malformed.
        """
        if name_or_path in self.profiles:
            return load_profile(self.folder / name_or_path, self.version)
        found = profile_at(Path(name_or_path), self.version)
        if found is None:
            raise SpecError(
                f"expected one of {', '.join(self.profiles)}, a table (NAME.toml), or a folder with a table.toml or a "
                f"must.schema.json; found none of these in version {self.version}"
                f"{suggestion(name_or_path, self.profiles)}",
                path=f"profile {name_or_path!r}",
            )
        return found


@functools.cache
def versions() -> tuple[str, ...]:
    """The installed versions, oldest first."""
    folders = (folder.name for folder in root().iterdir() if (folder / "trace").is_dir())
    return tuple(sorted(folders, key=precedence))


@functools.cache
def load(version: str) -> Spec:
    """The version; raises `SpecError` where it is not installed, or was released and changed since."""
    if version not in versions():
        meant = next((each for each in versions() if each.startswith(version.removeprefix("v"))), None)
        hint = f"; did you mean {meant}?" if version and meant else ""
        raise SpecError(f"spec version {version!r} is not installed; found {', '.join(versions())}{hint}")
    folder = root() / version
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    listing = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    profiles = tuple(sorted(path.parent.name for path in folder.glob("*/must.schema.json")))
    is_released = require_unchanged(version, digests, root())
    return Spec(version, hashlib.sha256(listing.encode()).hexdigest(), folder, profiles, digests, is_released)


def default() -> Spec:
    """The first version: what is written by it conforms to every later minor version, and every validator has it."""
    return load(versions()[0])


def version_for(spec: str | None, profile: object = None) -> Spec:
    """The version that is requested; else the default, or the first that has the profile of this name.

    Raises `SpecError` where the requested one is not installed.
    """
    if spec is not None:
        return load(spec)
    having = [version for version in versions() if isinstance(profile, str) and profile in load(version).profiles]
    return load(having[0]) if having else default()


def layout_of(spec: Spec) -> Schema:
    """The default chunks of a writer, by a version or the one that it builds on."""
    return read_json(stated(root(), spec.version, "layout.json"))


SHARED = ("description.schema.json", "keywords.schema.json")
"""Documents that all versions share and the lock keeps: the form of descriptions, and the keywords of schemas."""


@functools.cache
def released(folder: Path) -> Mapping[str, Files]:
    """The files of every released version by `lock.json` in `folder`; raises `SpecError` where it says nothing."""
    return _locked(folder, "released")


def _locked(folder: Path, part: str) -> Mapping[str, Files]:
    path = folder / "lock.json"
    try:
        locked = orjson.loads(path.read_bytes())[part]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise SpecError(
            path=path, expected="the lock of released versions", found=error, fix="install again"
        ) from error
    return {version: dict(files) for version, files in locked.items()}


def shared(folder: Path) -> Files:
    """The sha256 of each of the documents that all versions share, in `folder`."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SHARED}


def _shared_changes(folder: Path) -> list[str]:
    """How the shared documents differ from those of the newest released version: a later release may add to them."""
    locked = _locked(folder, "shared")
    return changes(locked[max(locked, key=precedence)], shared(folder)) if locked else []


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


def require_unchanged(version: str, found: Files, folder: Path) -> bool:
    """Whether `version` is released (else it is a draft); raises `SpecError` where a released one was changed."""
    locked = released(folder).get(version)
    if locked is None:
        return False
    differing = [*changes(locked, found), *_shared_changes(folder)]
    if differing:
        raise SpecError(
            path=f"spec {version}",
            expected="the files that were released",
            found=f"that {', '.join(differing)}",
            fix="a released version never changes: install vizschema again",
        )
    return True


def export(target: Path, spec: Spec | None = None) -> int:
    """How many files were written to `target`: those of every version, or of one, and the schemas they share.

    Raises `UsageError` where `target` holds anything, or cannot be written.
    """
    if target.is_dir() and any(target.iterdir()):
        raise UsageError("expected a folder that does not exist, or is empty; found one with files in it", path=target)
    written = 0
    with writes(target):
        for path in _exported(spec):
            place = target / path.relative_to(root())
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            written += 1
    return written


def _referred(spec: Spec) -> list[str]:
    """The version, and those that its schemas refer to: without these it judges nothing."""
    documents = {url for name in spec.profiles for url in spec.profile(name).documents if url.startswith(HOME)}
    named = {url.removeprefix(HOME).partition("/")[0] for url in documents}
    return [version for version in versions() if version in {spec.version, *named}]


def _exported(spec: Spec | None) -> Iterator[Path]:
    yield from sorted(path for path in root().iterdir() if path.suffix in (".json", ".md"))
    for version in versions() if spec is None else _referred(spec):
        yield from sorted(path for path in (root() / version).rglob("*") if path.is_file())


@functools.cache
def released_rules() -> frozenset[str]:
    """Return the ids of the rules of the default version, each of which has a page in the documentation."""
    spec = default()
    return frozenset(rule for name in spec.profiles for rule in spec.profile(name).rules)
