"""The process between us and an archive: confines itself, then carries out what it is asked, node by node.

Requests come in on stdin as `[function, arguments]`, the first of them being `confine`; messages go out on stdout, each
a list that begins with what it is:

    ready NOTES          confined; NOTES say in words what this system could not deny
    container BLOCK      the `container` block, as far as is known
    touching PATH        said before anything of the node is read
    node PATH NODE       the node, described
    end BLOCK            carried out; what the function gives
    error CLASS TEXT     not carried out: an exception of ours
    limit TEXT           not carried out: out of memory

The other end is `isolation.py`. Starts with nothing imported that an archive does not need.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from vizschema import frames
from vizschema.bugs import reported_as_bug
from vizschema.containers import recognise
from vizschema.containers.base import Limits
from vizschema.description import Node, fault
from vizschema.errors import NotAnArchive, VizschemaError
from vizschema.sandbox import confine, limit_resources
from vizschema.text import escape_text

_STACK = 1 << 20
"""Bytes of a thread's stack, all of which count as memory."""


class Channel:
    """Where messages go; what is posted leaves with the next message that is sent."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._posted = bytearray()

    def post(self, *message: Any) -> None:
        """Take a message along with the next one."""
        self._posted += frames.pack(message)

    def send(self, *message: Any) -> None:
        """Send what was posted, and this."""
        self.post(*message)
        rest = memoryview(self._posted)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._posted = bytearray()


def describe(arguments: Mapping[str, Any], channel: Channel) -> None:
    """Streams the nodes of the archive at `path` (hex of its bytes), within `limits`.

    `skipped` maps paths to (reason, detail): these nodes are not touched.
    """
    path = os.fsdecode(bytes.fromhex(arguments["path"]))
    skipped: Mapping[str, tuple[str, str]] = arguments["skipped"]

    def watch(place: str) -> Node | None:
        channel.send("touching", place)
        return fault(*skipped[place]) if place in skipped else None

    recognised = recognise(path)
    channel.send("container", recognised.container)
    container = recognised.open(path, Limits(**arguments["limits"]))
    try:
        for place, node in container.nodes(watch):
            channel.post("node", place, node)
            if place == "/":
                channel.post("container", container.identity())
        # Said before it is closed: what a library breaks while it tidies up was described all the same.
        channel.send("end", container.identity())
    finally:
        container.close()


FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any], Channel], None]] = {"describe": describe}


def main() -> int:
    """0 after the last request. Nothing that a library prints reaches the channel."""
    channel = Channel(os.dup(1))
    os.dup2(2, 1)
    gc.disable()  # nodes are let go of one by one; in cycles there is next to nothing
    threading.stack_size(_STACK)
    _, setup = frames.unpack(frames.read(sys.stdin.buffer))
    channel.send("ready", _confine(setup))
    while True:
        try:
            function, arguments = frames.unpack(frames.read(sys.stdin.buffer))
        except EOFError:
            return 0
        _carry_out(FUNCTIONS[function], arguments, channel)


def _confine(setup: Mapping[str, Any]) -> list[str]:
    """What could not be denied, in words, once everything else is."""
    notes = limit_resources(setup["memory"], setup["seconds"])
    readable = [os.fsdecode(bytes.fromhex(path)) for path in setup["readable"]]
    for path in readable:
        with suppress(NotAnArchive):
            recognise(path)  # imports what opens it
    return [*notes, *confine(readable, network=setup["network"])]


def _carry_out(function: Callable[[Mapping[str, Any], Channel], None], arguments: Any, channel: Channel) -> None:
    try:
        with reported_as_bug():
            try:
                function(arguments, channel)
            except MemoryError:
                channel.send("limit", "reading it takes more memory than the worker may have")
    except VizschemaError as error:
        channel.send("error", type(error).__name__, escape_text(str(error)))


if __name__ == "__main__":
    sys.exit(main())
