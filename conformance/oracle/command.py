"""`vizschema conformance oracle`: its arguments, and which archives they mean."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from vizschema.errors import UsageError

LIBRARIES = ("numpy", "zarr", "zarr2", "tensorstore", "h5py", "asdf", "xarray")
FIXED_SEED, FIXED_EACH = 0, 12
"""The mutants of the fixed part, which are the same in every run."""

EPILOG = """\
exit codes:
  0  every library reads what vizschema reads, but for what known.toml explains
  1  a difference, or a refusal, that no listed reason explains; with --fixed also a reason that explains nothing
  2  wrong usage

zarr-python 2.18 needs an environment of its own:
  python3 -m venv zarr2 && zarr2/bin/pip install 'zarr==2.18.*' 'numcodecs<0.16'
  vizschema conformance oracle --zarr2 zarr2/bin/python"""


def add_arguments(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the action `oracle`."""
    oracle = actions.add_parser(
        "oracle",
        help="compare what vizschema reads of archives with what public libraries read",
        description="Read archives with every public library that can, and fail on a difference that is not listed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    oracle.add_argument(
        "archives", nargs="*", metavar="ARCHIVE", help="archives to read (default: corpus, generator, mutants)"
    )
    oracle.add_argument("--fixed", action="store_true", help="the part that tests run: the corpus and fixed mutants")
    oracle.add_argument(
        "--mutants", type=int, default=1000, metavar="N", help="mutants in all, over all kinds (default: 1000)"
    )
    oracle.add_argument(
        "--generated", type=int, default=64, metavar="N", help="archives of the generator (default: 64)"
    )
    oracle.add_argument("--seed", type=int, default=1, help="another number draws other archives (default: 1)")
    oracle.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="LIBRARY",
        choices=LIBRARIES,
        help="read with this library alone (repeatable)",
    )
    oracle.add_argument(
        "--zarr2", metavar="PYTHON", help="an interpreter that has zarr-python 2.18 (default: recorded hashes)"
    )
    oracle.add_argument("--keep", type=Path, metavar="DIR", help="copy archives that are read otherwise to DIR")
    oracle.add_argument(
        "--known", type=Path, metavar="FILE", help="the reasons (default: those that the package lists)"
    )
    oracle.add_argument("--format", choices=("text", "json"), default="text")
    oracle.add_argument("--page", type=Path, metavar="FILE", help="write the result into the section of this page")
    oracle.add_argument(
        "--write-zarr2", action="store_true", help="record what --zarr2 reads of the fixed part, and stop"
    )


def oracle(parsed: argparse.Namespace) -> int:
    """The exit code of the action; raises `UsageError`."""
    from vizschema.conformance.oracle import known, recorded, report, run

    if parsed.write_zarr2:
        if parsed.zarr2 is None:
            raise UsageError("conformance oracle: --write-zarr2 needs --zarr2 PYTHON")
        count = recorded.record(fixed(), parsed.zarr2)
        print(f"{count} archives as zarr-python 2.18 reads them, written to {recorded.FILE}")
        return 0
    reasons = known.known(parsed.known or known.FILE)
    order = run.Order(
        reasons,
        tuple(parsed.only) or LIBRARIES,
        parsed.zarr2,
        parsed.keep,
        None if parsed.zarr2 else recorded.Recorded(),
        whole=parsed.fixed,
    )
    outcome = run.run(_archives(parsed), order, progress=parsed.format == "text" and not parsed.fixed)
    if parsed.page is not None:
        report.write_page(outcome, parsed.page, _typed(parsed))
    print(report.as_json(outcome) if parsed.format == "json" else report.text(outcome))
    return int(outcome.failed)


def fixed() -> Iterator[Any]:
    """The archives of the fixed part."""
    from vizschema.conformance.oracle import sources

    large = ("-100000", "-20000", "-wide", "100-mb", "-hundred", "bomb", "-vast", "-60000")
    for each in sources.corpus():
        if not any(mark in each.name for mark in large):
            yield each
    yield from sources.mutants(FIXED_EACH, FIXED_SEED)


def _archives(parsed: argparse.Namespace) -> Iterator[Any]:
    from vizschema.conformance.oracle import sources

    if parsed.archives:
        missing = next((each for each in map(Path, parsed.archives) if not each.exists()), None)
        if missing is not None:
            raise UsageError(f"{missing}: no such file or folder")
        named: Iterator[Any] = sources.given([Path(each) for each in parsed.archives])
        return named
    if parsed.fixed:
        given: Iterator[Any] = fixed()
        return given
    each = -(-parsed.mutants // len(sources.KINDS))
    return chain(sources.corpus(), sources.generated(parsed.generated, parsed.seed), sources.mutants(each, parsed.seed))


def _typed(parsed: argparse.Namespace) -> str:
    """The command, but for where things lie on this machine."""
    words: Sequence[str] = [
        "vizschema conformance oracle",
        f"--mutants {parsed.mutants}",
        f"--generated {parsed.generated}",
    ]
    zarr2 = ["--zarr2 zarr2/bin/python"] if parsed.zarr2 else []
    return " ".join([*words, f"--seed {parsed.seed}", *zarr2, "--page docs/conformance.md"])
