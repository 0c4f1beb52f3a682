"""The process between us and an archive: confines itself, then carries out what it is asked, node by node.

Requests come in on stdin as `[function, arguments]`, the first of them being `confine`; messages go out on stdout, each
a list that begins with what it is:

    ready NOTES          confined; NOTES say in words what this system could not deny
    container BLOCK      the `container` block, as far as is known
    touching PATH        said before anything of the node is read
    node PATH NODE       the node, described
    progress BYTES       so many more bytes of values were read
    facts PATH FACTS     what the values of an array hold
    picture PATH PICTURE what an array looks like
    end BLOCK            carried out; what the function gives
    error CLASS TEXT {}  not carried out: an exception of ours, and its fields
    limit TEXT           not carried out: out of memory

The other end is `process.py`. Starts with nothing imported that an archive does not need.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from functools import partial
from typing import Any

from vizschema.containers.base import Limits
from vizschema.containers.opening import Recognised, borrow, recognise
from vizschema.description import Node, fault
from vizschema.errors import FIELDS, NotAnArchive, VizschemaError, reported_as_bug
from vizschema.text import escape_text
from vizschema.worker import messages
from vizschema.worker.sandbox import confine, limit_resources

_STACK = 1 << 20
"""Bytes of a thread's stack, all of which count as memory."""

_TOLD_EVERY = 0.1
"""Seconds."""


NODE_SECONDS = 5
"""CPU time that one node of an HDF5 file may take: libhdf5 walks some malformed structures without an end."""


class Channel:
    """Where messages go; what is posted leaves with the next message that is sent."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._posted = bytearray()

    def post(self, *message: Any) -> None:
        """Take a message along with the next one."""
        self._posted += messages.pack(message)

    def send(self, *message: Any) -> None:
        """Send what was posted, and this."""
        self.post(*message)
        rest = memoryview(self._posted)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._posted = bytearray()


def describe(arguments: Mapping[str, Any], channel: Channel) -> None:
    """Streams the nodes of the archive at `path` (hex of its bytes), within `limits`.

    `skipped` maps paths to (reason, detail): these nodes are not touched. Of a remote archive, `borrowed` is the
    descriptor of the socket at which somebody fetches for us, and whether what is there can be listed.
    """
    path = os.fsdecode(bytes.fromhex(arguments["path"]))
    skipped: Mapping[str, tuple[str, str]] = arguments["skipped"]

    def watch(place: str) -> Node | None:
        channel.send("touching", place)
        bound(NODE_SECONDS)
        return fault(*skipped[place]) if place in skipped else None

    recognised = _recognised(arguments, path)
    channel.send("container", recognised.container)
    bound = _cpu_bound(recognised.form)
    bound(NODE_SECONDS)
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
        bound(0)


def scan(arguments: Mapping[str, Any], channel: Channel) -> None:
    """Sends the facts that `entries` ask of the arrays at `paths`, by `jobs` threads in `memory`; ends with coverage.

    `path`, `limits` and `skipped` are as for `describe`. An interrupt ends it early, with what there is.
    """
    from vizschema.bounds import Bounds, Reading
    from vizschema.description import complete
    from vizschema.scan.threads import scan as scanned

    skipped: Mapping[str, tuple[str, str]] = arguments["skipped"]
    path = os.fsdecode(bytes.fromhex(arguments["path"]))
    container = _recognised(arguments, path).open(path, Limits(**arguments["limits"]))
    progress = _Progress(channel)
    try:
        nodes: dict[str, Node] = {}
        for place, node in container.nodes(lambda place: fault(*skipped[place]) if place in skipped else None):
            nodes.setdefault(place, node)
            progress(0)
        reading = Reading(arguments["jobs"], Bounds(arguments["memory"]), progress=lambda _: progress)
        description = complete(container.identity(), nodes)
        found = scanned(container, description, arguments["entries"], reading, arguments["paths"])
        for place, facts in found.facts.items():
            channel.post("facts", place, facts)
        channel.send("end", {"coverage": found.coverage, "complete": found.complete})
    finally:
        container.close()


def _recognised(arguments: Mapping[str, Any], path: str) -> Recognised:
    borrowed = arguments.get("borrowed")
    return recognise(path) if borrowed is None else borrow(path, *borrowed)


def _cpu_bound(form: str) -> Callable[[int], object]:
    """What ends this process after so many seconds of CPU, 0 for never: no call of libhdf5 can be interrupted."""
    if form != "hdf5":
        return lambda _: None
    from signal import ITIMER_PROF, setitimer  # no other container needs it

    return partial(setitimer, ITIMER_PROF)


class _Progress:
    """Tells the other end how many bytes were read, ten times a second at most; from many threads."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._done = 0
        self._told = time.monotonic()

    def __call__(self, done: int) -> None:
        with self._lock:
            self._done += done
            if time.monotonic() - self._told >= _TOLD_EVERY:
                self._channel.send("progress", self._done)
                self._done, self._told = 0, time.monotonic()


def draw(arguments: Mapping[str, Any], channel: Channel) -> None:
    """Streams pictures of the arrays `wanted`; `path`, `limits` and `skipped` are as for `describe`."""
    from vizschema.scan.pictures import pictures

    skipped: Mapping[str, tuple[str, str]] = arguments["skipped"]
    path = os.fsdecode(bytes.fromhex(arguments["path"]))
    with closing(_recognised(arguments, path).open(path, Limits(**arguments["limits"]))) as container:
        nodes = container.nodes(lambda place: fault(*skipped[place]) if place in skipped else None)
        for place, picture in pictures(container, dict(nodes), arguments["wanted"]):
            channel.send("picture", place, picture)
    channel.send("end", None)


FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any], Channel], None]] = {
    "describe": describe,
    "scan": scan,
    "draw": draw,
}


def main() -> int:
    """0 after the last request. Nothing that a library prints reaches the channel."""
    channel = Channel(os.dup(1))
    os.dup2(2, 1)
    gc.disable()  # nodes are let go of one by one; in cycles there is next to nothing
    threading.stack_size(_STACK)
    _, setup = messages.unpack(messages.read(sys.stdin.buffer))
    channel.send("ready", _confine(setup))
    while True:
        try:
            function, arguments = messages.unpack(messages.read(sys.stdin.buffer))
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
        fields = {name: vars(error)[name] for name in FIELDS}
        shown = {name: value if value is None else escape_text(value) for name, value in fields.items()}
        channel.send("error", type(error).__name__, escape_text(str(error)), shown)


if __name__ == "__main__":
    sys.exit(main())
