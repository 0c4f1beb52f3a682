"""The command line: arguments and exit codes. What the commands do is in `commands.py`.

Exit codes: 0 conforms, 1 does not, 2 wrong usage, 3 cannot be read as an archive, 4 spec problem, 70 a bug of ours,
130 interrupted, 141 nobody reads the output any more. Of several archives the largest counts.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

import vizschema
from vizschema import commands, convert_command, spec_commands
from vizschema.bugs import reported_as_bug
from vizschema.completion import SHELLS, script
from vizschema.errors import VizschemaError
from vizschema.ground import Choice
from vizschema.reading import MEMORY, TIMEOUT, Reading, duration, reading, size, threads
from vizschema.report import FORMATS
from vizschema.report.options import Options
from vizschema.run import Order
from vizschema.text import escape_text
from vizschema.urls import scrubbed

INTERRUPTED = 130
PIPE_CLOSED = 141
DEFAULT_BENCHMARK = "formats"

EXIT_CODES = """\
exit codes:
  0  conforms; with --strict: and without warnings
  1  does not conform
  2  wrong usage
  3  cannot be read as an archive
  4  a problem with the spec, the pin or the configuration
  70 a bug of vizschema: please report it
Of several archives the largest code counts."""


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command line `argv` (without the program's name; that of the process where it is None)."""
    # A file name, or a terminal that is not UTF-8, must not decide whether there is a verdict.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _exit_code(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("vizschema: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whatever is still buffered goes nowhere, or the interpreter complains about the pipe when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def _exit_code(argv: Sequence[str] | None) -> int:
    try:
        with reported_as_bug():
            return _run(_parser().parse_args(_with_benchmark(sys.argv[1:] if argv is None else argv)))
    except VizschemaError as error:
        print(f"vizschema: {escape_text(scrubbed(str(error)))}", file=sys.stderr)
        return error.exit_code
    except SystemExit as stop:  # argparse: help, version, wrong usage
        return stop.code if isinstance(stop.code, int) else 0


def _with_benchmark(argv: Sequence[str]) -> list[str]:
    """The same, and where a benchmark has options but no name, the one of formats is meant."""
    options = list(argv[1:2]) if list(argv[:1]) == ["benchmark"] else []
    unnamed = bool(options) and options[0].startswith("-") and options[0] not in ("-h", "--help")
    return ["benchmark", DEFAULT_BENCHMARK, *argv[1:]] if unnamed else list(argv)


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "validate":
            return commands.validate(_order(arguments), _reading(arguments))
        case "describe":
            return commands.describe(arguments.path, _reading(arguments))
        case "explain":
            return spec_commands.explain(arguments.rule, _choice(arguments))
        case "completion":
            print(script(arguments.shell, _parser()))
            return 0
        case "pin":
            return spec_commands.pin(arguments.version, arguments.file)
        case "spec" if arguments.action == "list":
            return spec_commands.list_versions()
        case "spec" if arguments.action == "diff":
            return spec_commands.diff(arguments.old, arguments.new)
        case "spec" if arguments.action == "export":
            return spec_commands.export(arguments.path, arguments.version)
        case "spec":
            return spec_commands.show(arguments.version, arguments.profile)
        case "digest":
            return commands.digest(arguments.paths, _reading(arguments))
        case "demo":
            return commands.demo(arguments.into)
        case "example":
            return commands.example(
                arguments.profile, arguments.path, arguments.container, overwrite=arguments.overwrite
            )
        case "convert":
            return convert_command.convert(
                arguments.source,
                arguments.target,
                arguments.container,
                arguments.chunks,
                overwrite=arguments.overwrite,
            )
        case "conformance":
            return commands.conformance(arguments.arguments)
        case _:
            return commands.benchmark(arguments.name, arguments.arguments)


def _choice(arguments: argparse.Namespace) -> Choice:
    return Choice(arguments.spec, arguments.profile, arguments.config, configured=not arguments.no_config)


def _reading(arguments: argparse.Namespace) -> Reading:
    return reading(
        trust=arguments.trust,
        memory=arguments.memory,
        seconds=arguments.timeout,
        values=getattr(arguments, "values", True),
        jobs=arguments.jobs,
        digest=getattr(arguments, "digest", False),
        expect_digest=getattr(arguments, "expect_digest", None),
        dask=arguments.dask,
    )


def _order(arguments: argparse.Namespace) -> Order:
    options = Options(
        every_place=arguments.all,
        strict=arguments.strict,
        quiet=arguments.quiet,
        colour=arguments.format == "text" and _coloured(),
        timestamp=None if arguments.no_timestamp else _now(),
    )
    return Order(
        arguments.paths,
        _choice(arguments),
        arguments.format,
        options,
        arguments.baseline,
        arguments.write_baseline,
        arguments.report,
        arguments.enclosing,
    )


def _now() -> str:
    """The time in UTC, or that of `SOURCE_DATE_EPOCH` (https://reproducible-builds.org/specs/source-date-epoch/)."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch) if epoch.isdecimal() else None))


def _coloured() -> bool:
    """Whether standard output shows colours: a terminal, unless `NO_COLOR` (https://no-color.org) says otherwise."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()


def _report_file(text: str) -> tuple[str, str]:
    """A format and a file, typed as `sarif:report.sarif`; raises `argparse.ArgumentTypeError`."""
    form, separator, file = text.partition(":")
    if form not in FORMATS or not separator or not file:
        raise argparse.ArgumentTypeError(f"expected FORMAT:FILE with one of {', '.join(FORMATS)}, found {text!r}")
    return form, file


class _Parser(argparse.ArgumentParser):
    """A parser whose messages escape what was typed, and mask what is secret in URLs."""

    def error(self, message: str) -> NoReturn:
        super().error(escape_text(scrubbed(message)))


class _Version(argparse.Action):
    """Prints our version and those of the spec."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from vizschema import specs

        print(f"vizschema {vizschema.__version__} (spec {', '.join(specs.versions())})")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="vizschema",
        description="Validate archives of traced neural networks (Zarr, HDF5, NPZ, ASDF) against a specification.",
        epilog=f"example:\n  vizschema validate run.zarr\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print this version and those of the spec, and exit"
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_validate(subparsers)
    _add_describe(subparsers)
    _add_explain(subparsers)
    _add_pin(subparsers)
    _add_completion(subparsers)
    _add_spec(subparsers)
    _add_digest(subparsers)
    _add_demo(subparsers)
    _add_example(subparsers)
    _add_convert(subparsers)
    _add_conformance(subparsers)
    _add_benchmark(subparsers)
    return parser


def _command(subparsers: Any, name: str, summary: str, example: str, more: str = "") -> argparse.ArgumentParser:
    """The parser of one command, whose help ends with an example."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}" + (f"\n\n{more}" if more else ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _add_validate(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "validate",
        "judge archives and say what is wrong with them",
        "vizschema validate run.zarr other.h5 --profile openfold",
        EXIT_CODES,
    )
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a file, folder or URL of an archive; - reads paths from stdin",
    )
    _add_choice_options(parser)
    parser.add_argument("--no-values", action="store_false", dest="values", help="structure only: read no chunk")
    parser.add_argument("--digest", action="store_true", help="report the digest too, which the same reading gives")
    parser.add_argument("--expect-digest", metavar="D", help="an error unless every archive has this digest")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors for the exit code")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="how to report (default: text)")
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        type=_report_file,
        metavar="FORMAT:FILE",
        help="write a report to a file besides; may be repeated",
    )
    parser.add_argument("--no-timestamp", action="store_true", help="the same bytes in every run, in any format")
    parser.add_argument("--quiet", "-q", action="store_true", help="as text: only the first line of what does not pass")
    parser.add_argument(
        "--enclosing", action="store_true", help="a path within a Zarr folder stands for that archive, named once"
    )
    parser.add_argument("--baseline", metavar="FILE", help="findings that are known and do not count")
    parser.add_argument("--write-baseline", metavar="FILE", help="write the findings of today, so that none counts")
    parser.add_argument("--all", action="store_true", help="list every place, not the first three of each rule")
    _add_reading_options(parser)


def _add_describe(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "describe",
        "print what is in an archive, as the JSON that the rules are applied to",
        "vizschema describe run.zarr > description.json",
    )
    parser.add_argument("--values", action="store_true", help="read the values too, and print what they hold")
    parser.add_argument("path", metavar="PATH", help="an archive")
    _add_reading_options(parser)


def _add_explain(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "explain",
        "print a rule: the clause, why it is there, how to mend a breach",
        "vizschema explain axis-one-size",
    )
    parser.add_argument("rule", metavar="RULE", help="the id of a rule, as findings name it")
    _add_choice_options(parser)


def _add_spec(subparsers: Any) -> None:
    parser = _command(
        subparsers, "spec", "show the installed versions of the spec", "vizschema spec show 1.0.0 openfold"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    _command(actions, "list", "list the versions, with digest and profiles", "vizschema spec list")
    show = _command(
        actions,
        "show",
        "show the profiles of a version, or the rules of a profile",
        "vizschema spec show 1.0.0 openfold",
    )
    show.add_argument("version", nargs="?", metavar="VERSION", help="a version (default: the newest)")
    show.add_argument("profile", nargs="?", metavar="PROFILE", help="a profile, or a folder with one")
    diff = _command(
        actions,
        "diff",
        "compare two versions rule by rule, and the step that they make with the one that their numbers claim",
        "vizschema spec diff 1.0.0 work/1.1.0",
        "exit codes: 0, or 1 where the numbers claim a smaller step",
    )
    diff.add_argument(
        "old", nargs="?", metavar="A", help="a version, or a folder with one (default: the last released)"
    )
    diff.add_argument("new", nargs="?", metavar="B", help="a version, or its folder (default: the newest)")
    export = _command(
        actions,
        "export",
        "copy the schemas into a folder, each at the path of its $id",
        "vizschema spec export schemas/",
    )
    export.add_argument("path", metavar="DIR", help="a folder that is not there yet, or is empty")
    export.add_argument("version", nargs="?", metavar="VERSION", help="one version (default: all)")


def _add_digest(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "digest",
        "print what an archive holds as one line, the same in every container and chunking",
        "vizschema digest run.zarr run.h5",
        "An archive with damaged or not portable nodes has none: exit code 1.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an archive")
    _add_reading_options(parser)


def _add_demo(subparsers: Any) -> None:
    parser = _command(
        subparsers, "demo", "write a conforming archive, break it, and show the finding", "vizschema demo --into tryout"
    )
    parser.add_argument("--into", metavar="DIR", help="keep the archives in this folder (default: a temporary one)")


def _add_example(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "example",
        "write a small conforming archive to start from",
        "vizschema example openfold example.zarr",
    )
    parser.add_argument("profile", metavar="PROFILE", help="openfold, vit, mnist or trace")
    parser.add_argument("path", metavar="PATH", help="where to write it")
    parser.add_argument("--container", metavar="C", help="the container, as for convert (default: by the suffix)")
    parser.add_argument("--overwrite", action="store_true", help="replace what is at PATH")


def _add_convert(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "convert",
        "write the same archive in another container or chunking, and compare the digests",
        "vizschema convert run.zarr run.h5",
        "Containers: zarr-v3, zarr-v2 (folders), zarr-v3-zip, zarr-v2-zip, zarr-v3-sharded, hdf5, npz, asdf.\n"
        "What the target cannot hold is listed, with exit code 1, before anything is written.",
    )
    parser.add_argument("source", metavar="SRC", help="an archive")
    parser.add_argument("target", metavar="DST", help="where to write it")
    parser.add_argument("--container", metavar="C", help="the container of DST (default: by its suffix)")
    parser.add_argument(
        "--chunks",
        metavar="HOW",
        default="keep",
        help="keep those of SRC, default (as for a new archive), or lengths by axis: head=1,token=64 (default: keep)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is at DST")


def _add_conformance(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "conformance",
        "run the conformance suite against an implementation, in any language",
        "vizschema conformance run -- COMMAND …",
        "`vizschema conformance run --help` says more; other actions: serve, export, score, freeze",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help="the action and its arguments")


def _add_benchmark(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "benchmark",
        "measure, and print the figures",
        "vizschema benchmark metadata\n  vizschema benchmark --n-res 64,128,256 --out results",
    )
    parser.add_argument(
        "name",
        choices=("formats", "metadata", "scan", "isolation", "remote", "hashes"),
        help="formats (the default before options): one trace in nine formats, written and read in eight workloads; "
        "metadata: describing and judging an archive of many arrays; scan: validating values; "
        "isolation: what the worker costs; remote: requests and seconds on S3; hashes: what the digest adds to reading",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help="arguments of the benchmark")


def _add_pin(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "pin",
        "write a version of the spec and its digest into [tool.vizschema] of pyproject.toml, or into vizschema.toml",
        "vizschema pin 1.0.0",
    )
    parser.add_argument("version", nargs="?", metavar="VERSION", help="a version (default: the newest)")
    parser.add_argument("--file", metavar="FILE", help="the file to write into (default: the configuration there is)")


def _add_reading_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs", type=threads, metavar="N", help="threads that read values (default: the CPUs that it may use)"
    )
    parser.add_argument(
        "--trust",
        action="store_true",
        help="read in this process, without the worker that confines what strangers wrote",
    )
    parser.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="read values on the Dask cluster at this address, or `local` for one of this machine; needs --trust",
    )
    parser.add_argument(
        "--memory", type=size, default=MEMORY, metavar="SIZE", help=f"memory for decoded values (default: {MEMORY})"
    )
    parser.add_argument(
        "--timeout", type=duration, default=TIMEOUT, metavar="S", help=f"seconds for an archive (default: {TIMEOUT})"
    )


def _add_completion(subparsers: Any) -> None:
    parser = _command(
        subparsers,
        "completion",
        "print a script by which a shell completes our commands and options",
        "vizschema completion bash > ~/.local/share/bash-completion/completions/vizschema",
        "zsh: write it as _vizschema into a folder of $fpath; fish: into ~/.config/fish/completions/vizschema.fish.",
    )
    parser.add_argument("shell", choices=tuple(SHELLS), help="the shell")


def _add_choice_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spec", metavar="V", help="the version of the spec (default: pinned, declared by the archive, or the newest)"
    )
    parser.add_argument(
        "--profile",
        metavar="P",
        help="a profile, or a folder with one (default: configured, declared by the archive, or trace)",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest here or above)")
    parser.add_argument("--no-config", action="store_true", help="use no configuration")
