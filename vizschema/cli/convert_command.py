"""What the command `convert` does, up to its exit code."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from vizschema.cli.hints import hints
from vizschema.cli.progress import bar
from vizschema.errors import NotSupported, UsageError
from vizschema.report.text import count
from vizschema.text import escape_text, local_path


def convert(source: str, target: str, container: str | None, chunks: str, *, overwrite: bool) -> int:
    """0 after the archive was written to `target` and shown to be the same; 1 where the target cannot hold it."""
    from vizschema.writer.convert import convert as converted

    lengths = _chunks(chunks)
    source = local_path(source)
    try:
        with _tidily(), hints(source), bar(source) as begin:
            done = converted(source, target, container=container, chunks=lengths, overwrite=overwrite, progress=begin)
    except NotSupported as refused:
        for line in str(refused).splitlines():
            print(f"vizschema: {escape_text(line)}", file=sys.stderr)
        return refused.exit_code
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror or error}", path=target) from error
    for path in done.left:
        print(escape_text(f"vizschema: {path}: left behind, since it is part of no archive"), file=sys.stderr)
    digest = f"digest {done.digest}" if done.digest else f"digest not compared: {done.no_digest}"
    print(escape_text(f"{target}: {count(done.arrays, 'array')}, {count(done.bytes, 'byte')}, {digest}"))
    return 0


@contextmanager
def _tidily() -> Iterator[None]:
    """Within the block, what asks the process to end does so as Ctrl-C does: what was written so far is removed."""
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
