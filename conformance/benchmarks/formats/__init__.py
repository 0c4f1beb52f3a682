"""The same trace in nine formats, written and read as each one's own community would; a module a format.

`trace` makes the trace, `contenders` says who takes part, `archives`, `access`, `parallel` and `remote` measure,
`tables` and `figures` tell. `main` is here; what is heavy is imported when it runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from vizschema.cli.parser import Parser

WORKLOADS = ("size", "write", "full", "files", "layer", "random", "parallel", "remote")


def main(argv: Sequence[str]) -> int:
    """0 when everything was measured, and every value read was the right one; 1 where one was not."""
    arguments = _parsed(argv)
    from vizschema.conformance.benchmarks.formats import run

    arguments.out.mkdir(parents=True, exist_ok=True)
    results = arguments.out / run.RESULTS
    known = run.load(results) if arguments.resume and results.exists() else []
    if not arguments.redraw:
        with tempfile.TemporaryDirectory(prefix="vizschema-benchmark-", dir=arguments.scratch) as folder:
            for rows in run.measure(_plan(arguments), Path(folder), known):
                run.record(arguments.out, rows, argv)  # after each size: who interrupts keeps what there is
    rows = run.load(results)
    run.draw(arguments.out, rows)
    for page in arguments.pages:
        run.fill(page, rows)
    print(f"{arguments.out}: {len(rows)} measurements")
    wrong = [row for row in rows if row.checked is False]
    for row in wrong:
        print(f"values differ: {row}", file=sys.stderr)
    return 1 if wrong else 0


def _plan(arguments: argparse.Namespace) -> object:
    from vizschema.conformance.benchmarks.formats.run import Plan

    return Plan(
        tuple(arguments.n_res),
        tuple(arguments.workloads),
        arguments.repeats,
        arguments.rounds,
        arguments.layers,
        None if arguments.max_mb is None else arguments.max_mb * 1_000_000,
        arguments.memory * 1_000_000,
    )


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="vizschema benchmark formats",
        description="Write and read the same trace in nine formats; a CSV, figures and tables in DIR.",
    )
    parser.add_argument("--n-res", type=_numbers, default=[64, 128, 256], metavar="N,…", help="default: 64,128,256")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the results go")
    parser.add_argument(
        "--workloads",
        type=_workloads,
        default=WORKLOADS,
        metavar="W,…",
        help=f"of {', '.join(WORKLOADS)} (default: all)",
    )
    parser.add_argument("--repeats", type=_positive, default=5, help="of reads of parts (default: 5)")
    parser.add_argument("--rounds", type=_positive, default=3, help="of writing and reading whole traces (default: 3)")
    parser.add_argument("--layers", type=_positive, default=12, help="of the trace (default: 12)")
    parser.add_argument(
        "--max-mb", type=_positive, metavar="MB", help="cut layers, then channels, until a trace has at most this size"
    )
    parser.add_argument(
        "--memory", type=_positive, default=4000, metavar="MB", help="formats that would need more are left out (4000)"
    )
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where the archives go for the time being")
    parser.add_argument("--pages", type=Path, nargs="+", default=(), metavar="PAGE", help="fill the figures of these")
    parser.add_argument("--resume", action="store_true", help="keep the sizes that the CSV in DIR has already")
    parser.add_argument("--redraw", action="store_true", help="only figures and tables, from the CSV in DIR")
    return parser.parse_args(argv)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {text}")
    return number


def _numbers(text: str) -> list[int]:
    numbers = [_positive(part) for part in text.split(",")]
    if min(numbers) < 32:
        raise argparse.ArgumentTypeError(f"expected 32 residues or more, found {min(numbers)}")
    return numbers


def _workloads(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in WORKLOADS]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(WORKLOADS)}; found {unknown[0]}")
    return names
