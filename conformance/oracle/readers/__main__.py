"""`… LIBRARY`: one request a line on standard input, the nodes that the library reads on standard output."""

from __future__ import annotations

import importlib
import json
import mmap
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any, TextIO

from .common import refusal

MEMORY = 12 << 30
"""Bytes of address space; threads reserve much that they never use."""


def main(library: str) -> None:
    """Answer until standard input ends. Whatever the library prints goes nowhere."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    bound()
    warnings.simplefilter("ignore")
    reader: Any = importlib.import_module(f".of_{library}", __package__)
    print(json.dumps({"version": reader.version()}), file=replies, flush=True)
    busy = mmap.mmap(-1, 1)
    if getattr(reader, "DIES", False):
        survive(lambda: serve(reader, replies, busy), replies, busy)
    else:
        serve(reader, replies, busy)


def survive(work: Callable[[], None], replies: TextIO, busy: mmap.mmap) -> None:
    """Let a copy of this process work, and another one after each that dies: to import again takes seconds."""
    while True:
        child = os.fork()
        if not child:
            work()
            os._exit(0)
        if not os.waitpid(child, 0)[1]:
            return
        if busy[0]:
            print(json.dumps({"refused": "the child died", "broken": ["crashed"]}), file=replies, flush=True)
            busy[0] = 0


def serve(reader: Any, replies: TextIO, busy: mmap.mmap) -> None:
    """Answer until standard input ends; `busy` is 1 while a request has no reply."""
    for line in sys.stdin:
        busy[0] = 1
        request = json.loads(line)
        try:
            reply = {"nodes": reader.read(request["path"], request["container"])}
        except Exception as error:  # noqa: BLE001  (whatever a library raises is its refusal)
            reply = {"refused": refusal(error)}
        # The temporary path of the archive does not belong in the message.
        print(json.dumps(reply).replace(json.dumps(request["path"])[1:-1], "ARCHIVE"), file=replies, flush=True)
        busy[0] = 0


def bound() -> None:
    """Bound this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main(sys.argv[1])
