"""Small archives of every container with their bytes mutated: whatever they became, there is a report and an exit code.

`python -m vizschema.conformance.corpus.hostile.fuzz --mutants 100000` runs for long; a mutant that shows a bug is kept.
Confined workers read the mutants, as for `vizschema validate`; one may die, which then is a finding.
"""

from __future__ import annotations

import random
import shutil
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema_rs

from vizschema.bounds import Bounds
from vizschema.cli.parser import Parser
from vizschema.conformance.corpus.hostile import CASES, safetensors
from vizschema.conformance.corpus.hostile.case import Build
from vizschema.conformance.corpus.hostile.confined import measured
from vizschema.conformance.corpus.hostile.mutate import mutated
from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped
from vizschema.containers.base import Limits
from vizschema.errors import NotAnArchive
from vizschema.rules import versions
from vizschema.rules.verdict import choose, report_of
from vizschema.worker.client import Session

CODES = frozenset({0, 1, 3})
"""The exit codes that an archive may have, whatever is in it."""

BOUNDS = Bounds(seconds=5, silence=5)
"""For one mutant; libhdf5 loops without end on some."""

_BUILDS: Mapping[str, Build] = {case.name: case.build for case in CASES}
_NAMES = (
    *("zarr-v2-plain", "zarr-v2-copy", "zarr-v3-copy", "zarr-v3-zstd", "zarr-v3-blosc", "zarr-v3-sharded"),
    *("zarr-zip-plain", "zarr-zip-deflated"),
    *("hdf5-plain", "hdf5-plain-latest", "hdf5-filters", "hdf5-attributes-odd", "hdf5-virtual"),
    *("npz-plain", "npz-deflated", "asdf-plain", "asdf-zlib"),
)
ORIGINALS: Mapping[str, Build] = {**{name: _BUILDS[name] for name in _NAMES}, "safetensors-plain": safetensors.plain}
"""What is mutated: cases of the corpus that together use every part of every container."""


@dataclass(slots=True)
class Outcome:
    """How many mutants had each exit code, what the worker died of, and the mutants that show a bug, each with why."""

    codes: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    deaths: int = 0
    bugs: list[str] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        """How many mutants were judged."""
        return sum(self.codes.values())


def fuzz(name: str, mutants: int, seed: int, folder: Path, keep: Path | None = None) -> Outcome:
    """What became of so many mutants of an original, made in the empty `folder`; those with a bug are copied to `keep`."""
    outcome = Outcome()
    original = ORIGINALS[name](folder)
    for number, label in enumerate(mutants_of(original, random.Random(f"{name} {seed}"), mutants)):  # noqa: S311
        bug = _judge(original, outcome)
        if bug is None:
            continue
        outcome.bugs.append(f"{name} {seed} {number} ({label}): {bug}")
        if keep is not None:
            _copy(original, keep / f"{name}-{seed}-{number}{original.suffix}")
    return outcome


def mutants_of(original: Path, chance: random.Random, count: int) -> Iterator[str]:
    """The original, mutated in place anew for each item, which says what was mutated; restored afterwards."""
    files = [original] if original.is_file() else sorted(path for path in original.rglob("*") if path.is_file())
    contents = {path: path.read_bytes() for path in files}
    for _ in range(count):
        path = chance.choice(files)
        inside = zipfile.is_zipfile(path) and chance.random() < 0.6
        path.write_bytes(_inside(chance, path) if inside else mutated(chance, contents[path]))
        yield f"{path.relative_to(original.parent)}{' inside' if inside else ''}"
        path.write_bytes(contents[path])


def _inside(chance: random.Random, path: Path) -> bytes:
    """A zip file one of whose members was mutated before it was packed: checksums agree, as somebody's would."""
    with zipfile.ZipFile(path) as file:
        members = [(member.filename, file.read(member), member.compress_type) for member in file.infolist()]
    chosen = chance.randrange(len(members))
    packed: bytes = zipped(
        Entry(name, mutated(chance, data) if number == chosen else data, method)
        for number, (name, data, method) in enumerate(members)
    )
    return packed


def _judge(archive: Path, outcome: Outcome) -> str | None:
    """Why this mutant shows a bug, null where it does not."""
    session = Session(str(archive), Limits(), BOUNDS)
    try:
        description = measured(session, BOUNDS)
    except NotAnArchive as error:
        outcome.codes[error.exit_code] += 1
        return None if str(error).isprintable() else f"a message that is not printable: {error!r}"
    except Exception as error:  # noqa: BLE001  (which is what is looked for)
        outcome.codes[70] += 1
        return repr(error)
    finally:
        session.close()
        outcome.deaths += max(len(session.workers) - 1, 0)
    report = report_of(description, archive.name, choose(description))
    outcome.codes[report.exit_code] += 1
    outcome.reasons.update({finding.rule for finding in report.errors})
    if report.exit_code not in CODES:
        return f"exit code {report.exit_code}: {report.error}"
    wrong = next(_schema().iter_errors(description), None)
    return None if wrong is None else f"a description that is none: {wrong.message} at {list(wrong.instance_path)}"


@cache
def _schema() -> Any:
    return jsonschema_rs.Draft202012Validator(versions.read_json(versions.root() / "description.schema.json"))


def _copy(archive: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if archive.is_dir():
        shutil.copytree(archive, target, symlinks=True)
    else:
        shutil.copy2(archive, target)


def main(argv: Sequence[str]) -> int:
    """0 where no mutant showed a bug, otherwise 1."""
    parser = Parser(
        prog="python -m vizschema.conformance.corpus.hostile.fuzz", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--mutants", type=int, default=10_000, help="how many in all (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other mutants (default: 0)")
    parser.add_argument("--only", choices=tuple(ORIGINALS), help="mutants of one original")
    parser.add_argument("--keep", type=Path, default=Path("fuzz"), help="where mutants with a bug go (default: fuzz)")
    arguments = parser.parse_args(argv)
    names = [arguments.only] if arguments.only else list(ORIGINALS)
    bugs = 0
    for name in names:
        with TemporaryDirectory(prefix="vizschema-fuzz-") as folder:
            found = fuzz(name, -(-arguments.mutants // len(names)), arguments.seed, Path(folder), arguments.keep)
        codes = ", ".join(f"{number} × {code}" for code, number in sorted(found.codes.items()))
        print(f"{name}: {found.mutants} mutants, exit codes {codes}; workers died {found.deaths} times", flush=True)
        for bug in found.bugs:
            print(f"  {bug}")
        bugs += len(found.bugs)
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
