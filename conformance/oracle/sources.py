"""The archives that are read: cases of the corpus, archives of the generator, mutants, and files that are named."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vizschema.conformance.corpus.hostile import CASES
from vizschema.conformance.corpus.hostile.case import Build
from vizschema.conformance.oracle.mutants import KINDS

CONTAINERS = ("zarr-v3", "zarr-v2", "hdf5", "npz", "asdf", "zarr-v3-zip", "zarr-v2-zip", "zarr-v3-sharded")


@dataclass(frozen=True, slots=True)
class Named:
    """An archive that `build` writes into an empty folder, and its name, by which it can be had again."""

    name: str
    build: Build


AT_LIMITS = frozenset({"zarr-v3-at-limit-rank", "zarr-v3-at-limit-chunks"})
"""Archives as large as the specification guarantees: tensorstore has 32 dimensions, and 10^7 chunks take long."""


def given(paths: Sequence[Path]) -> Iterator[Named]:
    """Archives that are there, read where they are."""
    for path in paths:
        yield Named(str(path), lambda _, path=path: path)


def corpus() -> Iterator[Named]:
    """Every hostile, damaged or odd archive, every legal one, and the bases in every container."""
    from vizschema.conformance.corpus import cases

    for case in CASES:
        if case.name not in AT_LIMITS:
            yield Named(f"hostile/{case.name}", case.build)
    for case in cases.corpus():
        if case.rule == "legal" and case.made is None and case.level == "archive":
            for container in case.containers:
                yield Named(
                    f"{case.name}/{container}",
                    lambda folder, case=case, to=container: case.write_in(folder, "archive", to),
                )
    for name in sorted(path.stem for path in (cases.FOLDER / "1.0.0" / "bases").iterdir()):
        for container in CONTAINERS:
            yield Named(f"bases/{name}/{container}", _document(cases.base("1.0.0", name), container))


def generated(count: int, seed: int) -> Iterator[Named]:
    """Archives that the generator draws: of every profile, in every container in turn."""
    from vizschema.conformance.generator.listing import listed
    from vizschema.rules import versions

    profiles = versions.load("1.0.0").profiles
    drawn = {name: listed(name, -(-count // len(profiles)), seed) for name in profiles}
    for number in range(count):
        name = profiles[number % len(profiles)]
        container = CONTAINERS[number % len(CONTAINERS)]
        document = drawn[name][number // len(profiles)].document
        yield Named(f"generated/{name}-{seed}-{number}/{container}", _document(document, container))


def mutants(each: int, seed: int, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Named]:
    """Mutants of every kind in turn, `each` of a kind; of bytes, few of which conform, a fifth of that."""
    for number in range(each):
        for kind in (each for each in kinds if number % 5 == 0 or not each.startswith("bytes")):
            yield mutant(kind, seed, number)


def mutant(kind: str, seed: int, number: int) -> Named:
    """The mutant of this kind and these numbers."""
    name = f"mutant/{kind}-{seed}-{number}"
    return Named(name, lambda folder: KINDS[kind](random.Random(name), folder))  # noqa: S311  (seeded, to be had again)


def keep(archive: Path, name: str, folder: Path) -> Path:
    """Copy an archive to `folder` under its name, and return where it is."""
    target = folder / (name.replace("/", "_") + archive.suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    if archive.is_dir():
        shutil.copytree(archive, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(archive, target)
    return target


def _document(document: object, container: str) -> Build:
    from vizschema.conformance.corpus.documents import write_document
    from vizschema.conformance.corpus.raw import SUFFIXES

    def build(folder: Path) -> Path:
        path = folder / f"archive{SUFFIXES[container]}"
        write_document(document, container, path)
        return path

    return build
