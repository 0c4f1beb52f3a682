"""What each command does, up to its exit code. Heavy modules are imported when a command needs them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vizschema.cli.hints import hinted, hints, part_of_archive
from vizschema.cli.progress import bar, bars
from vizschema.cli.validation import Order, run
from vizschema.errors import (
    NotAnArchive,
    SpecError,
    UsageError,
    VizschemaError,
    about,
    reads,
    reported_as_bug,
    writes,
)
from vizschema.findings import INTERRUPTED
from vizschema.report import FORMATS
from vizschema.report.options import Options, terminal_width
from vizschema.text import archive_name, count, escape_text, local_path

if TYPE_CHECKING:
    from subprocess import CalledProcessError

    from vizschema.bounds import Reading
    from vizschema.cli.details import Kept
    from vizschema.findings import Details, Report
    from vizschema.measure import Measured

_EXIT_CODES = (UsageError.exit_code, NotAnArchive.exit_code, SpecError.exit_code)
"""The exit codes of a process whose last line says what is wrong."""


def validate(order: Order, reading: Reading) -> int:
    """The exit code after every archive was judged and reported."""

    kept: Kept | None = None
    if "html" in (order.form, *(form for form, _ in order.files)) and reading.dask is None:
        from vizschema.cli.details import Kept

        kept = Kept()

    def details(report: Report) -> Details:
        from vizschema.cli.details import details as read

        return read(report, reading) if kept is None else kept.of(report, reading)

    with bars() as shown:
        return run(order, partial(_judge, beside=None if kept is None else kept.keep), details, reading, shown)


def describe(path: str, reading: Reading, *, values: bool) -> int:
    """0 after the description of the archive was printed as JSON."""
    from vizschema.validation import read

    path = local_path(path)
    with reads(archive_name(path)), hints(path), bar(path) as begin:
        description = read(path, replace(reading, progress=begin), values=values).description
    print(json.dumps(description, indent=2, sort_keys=True, allow_nan=False))
    return INTERRUPTED if description["values"] == "partial" else 0


def digest(paths: Sequence[str], reading: Reading, *, values_only: bool) -> int:
    """The exit code after the digest of every archive was printed beside its path, as `sha256sum` does."""
    from vizschema.digests import digest_by

    codes = [0]
    for path in map(local_path, paths):
        shown = archive_name(path)
        try:
            with reported_as_bug(), hints(path), bar(path) as begin:
                found = digest_by(path, replace(reading, progress=begin), values_only=values_only)
            print(f"{found}  {escape_text(shown)}", flush=True)
        except VizschemaError as error:
            print(f"vizschema: {escape_text(about(shown, error))}", file=sys.stderr)
            codes.append(error.exit_code)
    return max(codes)


def convert(source: str, target: str, container: str | None, chunks: str, *, overwrite: bool) -> int:
    """0 after the archive was written to `target` and shown to be the same; 1 where the target cannot hold it."""
    from vizschema.writer.convert import convert as converted

    lengths = _chunks(chunks)
    source = local_path(source)
    with _tidily(), writes(target), hints(source), bar(source) as begin:
        done = converted(source, target, container=container, chunks=lengths, overwrite=overwrite, progress=begin)
    for path in done.left:
        print(escape_text(f"vizschema: {path}: not copied: not part of the archive"), file=sys.stderr)
    digest = f"digest {done.digest}" if done.digest else f"digest not compared: {done.no_digest}"
    print(escape_text(f"{target}: {count(done.arrays, 'array')}, {count(done.bytes, 'byte')}, {digest}"))
    return 0


def demo(into: str | None) -> int:
    """0 when all went as the demonstration tells it, otherwise 1."""
    from vizschema.conformance.examples.demo import run

    code: int = run(into)
    return code


def example(profile: str, path: str, container: str | None, *, overwrite: bool) -> int:
    """0 after a small conforming archive of the profile was written and its verdict printed."""
    from vizschema.conformance.examples import write_example

    with writes(path):
        report: Report = write_example(profile, path, container=container, overwrite=overwrite)
    for line in FORMATS["text"]([report], Options(width=terminal_width())):
        print(line)
    return report.exit_code


def conformance(arguments: Sequence[str]) -> int:
    """The exit code of an action of the conformance suite."""
    from vizschema.conformance.harness.command import main

    code: int = main(arguments)
    return code


def benchmark(name: str, arguments: Sequence[str]) -> int:
    """The exit code of the benchmark of this name; of the engine's own, which a wheel does not have, too."""
    from importlib import import_module
    from subprocess import CalledProcessError

    folder = "vizschema.conformance.benchmarks" + ("" if name == "formats" else ".engine")
    try:
        module = import_module(f"{folder}.{name}")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith(folder):
            raise
        fix = "run it from a checkout of the repository, installed with pip install -e ."
        raise UsageError("not installed", path=f"benchmark {name}", fix=fix) from None
    try:
        code: int = module.main(list(arguments))
    except CalledProcessError as failed:
        raise _of_process(f"benchmark {name}", failed) from failed
    return code


def _of_process(what: str, failed: CalledProcessError) -> VizschemaError:
    """What a process that a command started wrote last, with its exit code if that is one of vizschema."""
    text = failed.stderr or b""
    lines = (text.decode(errors="replace") if isinstance(text, bytes) else text).split("\n")
    last = next((line for line in reversed(lines) if line.strip()), f"a process ended with code {failed.returncode}")
    error = VizschemaError(last.removeprefix("vizschema: "), path=what)
    error.exit_code = failed.returncode if failed.returncode in _EXIT_CODES else error.exit_code
    return error


def _judge(
    order: Order,
    spec: str | None,
    profile: str | None,
    path: str,
    reading: Reading,
    beside: Callable[[Report, Measured], object] | None = None,
) -> Report:
    """The report on one archive; whatever goes wrong is in it, so that the next archive has its turn."""
    from vizschema.findings import Report
    from vizschema.validation import judged

    try:
        with reported_as_bug():
            report = judged(
                path,
                spec,
                profile,
                reading,
                values=order.values,
                digest=order.digest,
                expect_digest=order.expect_digest,
                beside=beside,
            )
    except VizschemaError as error:
        return Report(archive_name(path), "", "", "", "", "", error=hinted(path, error))
    if report.error is not None:
        return replace(report, error=hinted(path, report.error))
    part = part_of_archive(path, report) if profile is None else None
    return report if part is None else Report(report.archive, "", "", "", "", "", error=part)


@contextmanager
def _tidily() -> Iterator[None]:
    """Within the block, what asks the process to end does so as Ctrl-C does: what was written so far is removed."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asking = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {each: signal.getsignal(each) for each in asking}
    # What is ignored (`nohup`) stays so.
    ours = [each for each in asking if before[each] == signal.SIG_DFL]
    for each in ours:
        signal.signal(each, signal.default_int_handler)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, before[each])


def _chunks(text: str) -> str | dict[str, int]:
    """`keep`, `default`, or lengths by the name of an axis; raises `UsageError` for lengths that are none."""
    if "=" not in text:
        return text
    lengths: dict[str, int] = {}
    for part in text.split(","):
        name, _, length = part.partition("=")
        if not name or not length.isascii() or not length.isdecimal() or not 0 < int(length[:12]) < 1 << 31:
            raise UsageError(path="--chunks", expected="lengths of axes like head=1,residue=128", found=repr(part))
        lengths[name] = int(length)
    return lengths
