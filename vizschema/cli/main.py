"""The command line, from what was typed to an exit code. Arguments are in `parser.py`, commands in `commands.py`.

What a command needs is imported when it runs.

Exit codes: 0 conforms, 1 does not, 2 wrong usage, 3 cannot be read as an archive, 4 spec problem, 70 internal error,
130 interrupted, 141 output pipe closed. With several archives, the largest counts.
"""

from __future__ import annotations

import _thread
import io
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from vizschema.bounds import Reading
    from vizschema.cli.validation import Order
    from vizschema.project.choice import Choice

_READING = ("describe", "diff", "digest", "fix", "migrate", "show", "validate")
"""The commands by which a worker reads archives."""

INTERRUPTED = 130
PIPE_CLOSED = 141


_PAUSE = 0.02  # seconds


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of the command line `argv` (without the program's name; that of the process where it is None)."""
    try:
        with _interruptible():
            _open_streams()
            return _exit_code(argv)
    except KeyboardInterrupt:
        print("vizschema: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _discard_output()
        return PIPE_CLOSED


def _open_streams() -> None:
    """Let neither a closed stream, nor a name that a terminal cannot show, decide whether there is a verdict."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 (for the process)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter complains about it when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the block, though not within an import: half a module fails in other words, or crashes."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler and _handled_by(_interrupt)
    try:
        yield
    finally:
        if ours:
            _handled_by(signal.default_int_handler)


def _handled_by(handler: Callable[[int, FrameType | None], object]) -> bool:
    """Whether `handler` hears of Ctrl-C from now on: the main thread alone may say so."""
    try:
        signal.signal(signal.SIGINT, handler)
    except ValueError:
        return False
    return True


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt`; within an import, once it is done."""
    while frame is not None and frame.f_code is not main.__code__:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            _thread.start_new_thread(_again, ())
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _again() -> None:
    time.sleep(_PAUSE)
    _thread.interrupt_main()


def _exit_code(argv: Sequence[str] | None) -> int:
    from vizschema.cli.parser import parsed
    from vizschema.errors import VizschemaError, missing_reported, reported_as_bug

    try:
        with reported_as_bug(), missing_reported(), _printing():
            try:
                code = _run(parsed(sys.argv[1:] if argv is None else argv))
            except SystemExit as stop:  # argparse: help, version, wrong usage
                code = stop.code if isinstance(stop.code, int) else 0
            sys.stdout.flush()
            return code
    except VizschemaError as error:
        from vizschema.text import escape_text, scrubbed

        for line in error.lines:
            print(f"vizschema: {escape_text(scrubbed(line))}", file=sys.stderr)
        return error.exit_code


@contextmanager
def _printing() -> Iterator[None]:
    """Turn a failure of standard output, such as a full disk, into `UsageError`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or error.filename is not None:
            raise
        try:
            print(flush=True)
        except OSError as failure:  # a line more fails again
            from vizschema.errors import not_writable

            _discard_output()
            raise not_writable("standard output", failure) from error
        raise


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "explain" | "pin" | "spec":
            return _spec_command(arguments)
        case "profile":
            from vizschema.cli import profile_commands

            if arguments.action == "infer":
                return profile_commands.infer(arguments.paths, arguments.name, arguments.out, _reading(arguments))
            return profile_commands.build(arguments.path, arguments.spec, check=arguments.check)
        case "join" | "recover":
            return _write_command(arguments)
        case "completion":
            from vizschema.cli.completion import script
            from vizschema.cli.parser import whole_parser

            print(script(arguments.shell, whole_parser()))
            return 0
        case _:
            return _archive_command(arguments)


def _write_command(arguments: argparse.Namespace) -> int:
    from vizschema.cli import write_commands

    if arguments.command == "recover":
        return write_commands.recover(arguments.path, restore=arguments.restore, remove=arguments.remove)
    container = arguments.container
    return write_commands.join(arguments.parts, arguments.out, arguments.axis, container, overwrite=arguments.overwrite)


def _spec_command(arguments: argparse.Namespace) -> int:
    from vizschema.cli import spec_commands

    match (arguments.command, getattr(arguments, "action", None)):
        case "explain", _:
            return spec_commands.explain(arguments.rule, _choice(arguments))
        case "pin", _:
            return spec_commands.pin(arguments.version, arguments.file)
        case _, "list":
            return spec_commands.list_versions()
        case _, "diff":
            return spec_commands.diff(arguments.old, arguments.new)
        case _, "export":
            return spec_commands.export(arguments.path, arguments.version)
        case _:
            return spec_commands.show(arguments.version, arguments.profile)


def _archive_command(arguments: argparse.Namespace) -> int:
    if arguments.command in _READING and not arguments.trust:
        from vizschema.worker.warm import VALUES, warmed

        warmed(VALUES if getattr(arguments, "values", True) else ())  # it starts while this process imports the rest
    from vizschema.cli import commands

    match arguments.command:
        case "validate":
            return commands.validate(_order(arguments), _reading(arguments))
        case "describe":
            return commands.describe(arguments.path, _reading(arguments), values=arguments.values)
        case "diff":
            from vizschema.cli.diff import diff
            from vizschema.difference.values import Tolerance

            tolerance = Tolerance(arguments.absolute, arguments.relative, arguments.ulp)
            paths, ignored = (arguments.first, arguments.second), arguments.ignore
            return diff(*paths, _reading(arguments), tolerance, ignored, as_json=arguments.json)
        case "show":
            from vizschema.cli.show import show

            asked = {"values": arguments.values, "sizes": arguments.sizes, "as_json": arguments.json}
            return show(arguments.path, arguments.place, _reading(arguments), **asked)
        case "view":
            from vizschema.cli.view import view

            return view(arguments.path, browser=arguments.browser)
        case "digest":
            return commands.digest(arguments.paths, _reading(arguments), values_only=arguments.values_only)
        case "demo":
            return commands.demo(arguments.into)
        case "example":
            container = arguments.container
            return commands.example(arguments.profile, arguments.path, container, overwrite=arguments.overwrite)
        case "convert":
            return commands.convert(
                arguments.source,
                arguments.target,
                arguments.container,
                arguments.chunks,
                overwrite=arguments.overwrite,
            )
        case "migrate":
            return _migrate(arguments)
        case "export":
            return _export(arguments)
        case "fix":
            return _fix(arguments)
        case "conformance":
            return commands.conformance(arguments.arguments)
        case _:
            return commands.benchmark(arguments.name, arguments.arguments)


def _migrate(arguments: argparse.Namespace) -> int:
    from vizschema.cli.drafting import require_target, suggest
    from vizschema.cli.migration import migrate

    source, target, out = arguments.source, arguments.target, arguments.out
    require_target(source, target, suggests=arguments.suggest, out=out)
    if arguments.suggest:
        return suggest(source, out, arguments.memory, isolated=not arguments.trust)
    if arguments.verify:
        from vizschema.cli.migration import verify

        return verify(source, target, arguments.mapping, arguments.memory, isolated=not arguments.trust)
    return migrate(
        arguments.source,
        arguments.target,
        arguments.mapping,
        arguments.given,
        arguments.beside,
        arguments.answers,
        arguments.container,
        arguments.memory,
        dry_run=arguments.dry_run,
        isolated=not arguments.trust,
        link=arguments.link,
    )


def _export(arguments: argparse.Namespace) -> int:
    from vizschema.cli.exporting import export

    given, file, container, memory = arguments.given, arguments.answers, arguments.container, arguments.memory
    paths = arguments.archive, arguments.target, arguments.layout
    options = {"dry_run": arguments.dry_run, "isolated": not arguments.trust, "widen": arguments.widen}
    return export(*paths, given, file, container, memory, **options)


def _fix(arguments: argparse.Namespace) -> int:
    from vizschema.cli.fixing import fix

    spec, profile, in_place, every_place = arguments.spec, arguments.profile, arguments.in_place, arguments.all
    return fix(
        arguments.path,
        arguments.target,
        _reading(arguments),
        spec,
        profile,
        in_place=in_place,
        every_place=every_place,
    )


def _choice(arguments: argparse.Namespace) -> Choice:
    from vizschema.project.choice import Choice

    return Choice(arguments.spec, arguments.profile, arguments.config, configured=not arguments.no_config)


def _reading(arguments: argparse.Namespace) -> Reading:
    from vizschema.bounds import Bounds, Reading

    bounds = Bounds(memory=arguments.memory, seconds=arguments.timeout)
    return Reading(arguments.jobs, bounds, isolated=not arguments.trust, dask=arguments.dask)


def _order(arguments: argparse.Namespace) -> Order:
    from vizschema.cli.validation import Order
    from vizschema.report.options import Options, rule_page, terminal_width
    from vizschema.rules.versions import released_rules

    def page(rule: str) -> str | None:
        return rule_page(rule) if rule in released_rules() else None

    options = Options(
        every_place=arguments.all,
        strict=arguments.strict,
        quiet=arguments.quiet,
        colour=arguments.format == "text" and _coloured(),
        width=terminal_width(),
        timestamp=None if arguments.no_timestamp else _now(),
        page=page,
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
        arguments.values,
        arguments.digest,
        arguments.expect_digest,
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
