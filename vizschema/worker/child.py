"""The process between us and an archive: confines itself, then carries out what it is asked, node by node.

Requests come in on stdin as `[function, arguments]`, the first of them being `confine`; messages go out on stdout, each
a list that begins with what it is:

    ready NOTES          confined; NOTES say in words what this system could not deny
    container BLOCK      the `container` block, as far as is known
    touching PATH        said before anything of the node is read
    node PATH NODE       the node, described
    progress BYTES       so many more bytes of values were read
    reading PATH         said before anything of the values of an array is read
    facts PATH FACTS COVERAGE   what the values of an array hold, and how many chunks and bytes of it were read
    picture PATH PICTURE what an array looks like
    size PATH BYTES      how many bytes are stored of an array, null if that is unknown
    end RESULT           carried out; what the function gives
    (bytes)              after the end of `values`: what it gives, in pieces that are not JSON
    error CLASS TEXT {}  not carried out: an exception of vizschema, and its fields
    limit TEXT           not carried out: out of memory

The other end is `process.py`. Starts with nothing imported that an archive does not need.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from vizschema.containers.base import Container, Limits
from vizschema.containers.opening import borrow, recognise
from vizschema.description import Description, Node, complete, fault
from vizschema.errors import FIELDS, NotAnArchive, VizschemaError, reported_as_bug
from vizschema.text import escape_text
from vizschema.worker import messages
from vizschema.worker.sandbox import confine, limit_resources

_STACK = 1 << 20
"""Bytes of a thread's stack, all of which count as memory."""

_PIECE = 8 << 20
"""Bytes of values in one message."""

_TOLD_EVERY = 0.1
"""Seconds."""


NODE_SECONDS = 5
"""CPU time that one node of an HDF5 file may take: libhdf5 walks some malformed structures without an end."""


TEXTS = 8 << 20
"""Characters of text that are sent at a time."""


class Channel:
    """Where messages go, from any thread; what is posted leaves with the next message that is sent."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._posted = bytearray()
        self._lock = threading.RLock()

    def post(self, *message: Any) -> None:
        """Take a message along with the next one."""
        with self._lock:
            self._posted += messages.pack(message)

    def send(self, *message: Any) -> None:
        """Send what was posted, and this."""
        with self._lock:
            self.post(*message)
            rest = memoryview(self._posted)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            self._posted = bytearray()

    def stream(self, raw: memoryview) -> None:
        """Send bytes as they are, in messages that are not JSON: the other end knows how many come."""
        for start in range(0, len(raw), _PIECE):
            piece = raw[start : start + _PIECE]
            with self._lock:
                self._posted += len(piece).to_bytes(messages.HEADER, "big")
                rest = memoryview(bytes(self._posted) + piece)
                while rest:
                    rest = rest[os.write(self._fd, rest) :]
                self._posted = bytearray()


@dataclass(slots=True)
class Session:
    """The other end, and the archive that is open for it: once, for everything that is asked of it."""

    channel: Channel
    container: Container | None = None
    description: Description = field(default_factory=dict)
    arrays: dict[str, Any] = field(default_factory=dict)
    items: Mapping[str, Any] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)


def describe(arguments: Mapping[str, Any], session: Session) -> None:
    """Opens the archive at `path` (hex of its bytes) within `limits`, and streams its nodes unless it is `silent`.

    `skipped` maps paths to (reason, detail): these nodes are not touched. Of a remote archive, `borrowed` is the
    descriptor of the socket at which somebody fetches for us, and whether what is there can be listed. The archive
    stays open; with `keep`, so does its description, which `scan` and `draw` need.
    """
    channel = session.channel
    path = os.fsdecode(bytes.fromhex(arguments["path"]))
    skipped: Mapping[str, tuple[str, str]] = arguments["skipped"]

    def watch(place: str) -> Node | None:
        channel.send("touching", place)
        bound(NODE_SECONDS)
        return fault(*skipped[place]) if place in skipped else None

    borrowed = arguments.get("borrowed")
    recognised = recognise(path) if borrowed is None else borrow(path, *borrowed)
    channel.send("container", recognised.container)
    bound = _cpu_bound(recognised.form)
    bound(NODE_SECONDS)
    nodes: dict[str, Node] = {}
    try:
        container = session.container = recognised.open(path, Limits(**arguments["limits"]))
        for place, node in container.nodes(watch):
            if arguments["keep"]:
                nodes.setdefault(place, node)
            if not arguments["silent"]:
                channel.post("node", place, node)
                if place == "/":
                    channel.post("container", container.identity())
        if arguments["keep"]:
            session.description = complete(container.identity(), nodes)
        channel.send("end", container.identity())
    finally:
        bound(0)


def scan(arguments: Mapping[str, Any], session: Session) -> None:
    """Sends the facts that `entries` ask of the arrays at `paths`, of each as soon as it is known, and what was read.

    By `jobs` threads in `memory`. An interrupt ends it early, with what there is.
    """
    from vizschema.bounds import Bounds, Reading
    from vizschema.scan.threads import Watch
    from vizschema.scan.threads import scan as scanned

    assert session.container is not None  # it was described  # noqa: S101
    channel = session.channel
    progress = _Progress(channel)
    watch = Watch(partial(channel.send, "reading"), partial(channel.post, "facts"))
    reading = Reading(arguments["jobs"], Bounds(arguments["memory"]), progress=lambda _: progress)
    paths = None if arguments["paths"] is None else frozenset(arguments["paths"])
    found = scanned(session.container, session.description, arguments["entries"], reading, paths, watch)
    channel.send("end", found.complete)


def draw(arguments: Mapping[str, Any], session: Session) -> None:
    """Streams pictures of the arrays `wanted`; of `every` one that has two axes, a map."""
    from vizschema.scan.pictures import pictures

    assert session.container is not None  # it was described  # noqa: S101
    nodes, wanted, every = session.description["nodes"], arguments["wanted"], arguments["every"]
    for place, picture in pictures(session.container, nodes, wanted, every=every):
        session.channel.send("picture", place, picture)
    session.channel.send("end", None)


def weigh(arguments: Mapping[str, Any], session: Session) -> None:
    """Streams the stored bytes of the arrays at `paths`."""
    from vizschema.scan.sizes import stored_bytes

    assert session.container is not None  # it was described  # noqa: S101
    for place, size in stored_bytes(session.container, session.description["nodes"], arguments["paths"]):
        session.channel.post("size", place, size)
    session.channel.send("end", None)


def take(arguments: Mapping[str, Any], session: Session) -> None:
    """Sends the values of a `box` of the array at `path`: numbers as base64 of their bytes, text as a list."""
    from base64 import b64encode

    from vizschema.reader.selection import Kept, Selectable

    assert session.container is not None  # it was described  # noqa: S101
    path = arguments["path"]
    if path not in session.arrays:
        session.arrays.clear()  # one is read after the other
        session.arrays[path] = Selectable(path, session.container.values, Kept())
    try:
        values = session.arrays[path][tuple(slice(*side) for side in arguments["box"])]
    except OSError as error:  # a temporary file, which this process may not have
        fix = "where the archive can be trusted, read it without the sandbox (--trust)"
        raise NotAnArchive(
            "it is too large to be read in part, since it is compressed as a whole", path=path, fix=fix
        ) from error
    if values.dtype.kind != "T":
        session.channel.send("end", b64encode(values.tobytes()).decode())
        return
    texts = [text.encode("utf-8", "backslashreplace").decode() for text in values.ravel().tolist()]
    if sum(map(len, texts)) > TEXTS:
        raise NotAnArchive("more text than is compared at a time", path=path)
    session.channel.send("end", texts)


def source(arguments: Mapping[str, Any], session: Session) -> None:
    """Streams the items of the source of a migration at `path` (hex of its bytes), which stays open."""
    from dataclasses import fields

    from vizschema.sources.folder import opened
    from vizschema.sources.item import Item

    names = [field.name for field in fields(Item) if field.name != "read"]
    session.items = session.stack.enter_context(opened(os.fsdecode(bytes.fromhex(arguments["path"]))))
    for item in session.items.values():
        session.channel.send("item", {name: getattr(item, name) for name in names})
    session.channel.send("end", None)


def values(arguments: Mapping[str, Any], session: Session) -> None:
    """Sends the dtype and the size of the values of the item at `path`, then their bytes; of texts, a list of them.

    Of a `region`, which has two ends for each axis, only those in it.
    """
    import numpy as np

    from vizschema.description import ITEM_BYTES

    region = arguments["region"]
    box = None if region is None else tuple(slice(*side) for side in region)
    found = np.ascontiguousarray(session.items[arguments["path"]].values(box))
    if found.dtype.kind in "UTO":
        texts = found.astype(object).ravel().tolist()
        if not all(isinstance(text, str) for text in texts):
            raise NotAnArchive("cannot be read: its values are objects", path=arguments["path"])
        session.channel.send("end", texts)
        return
    plain = found.dtype.name in ITEM_BYTES
    told = found.dtype.kind in "SVmM" and not found.dtype.fields
    code = found.dtype.name if plain else found.dtype.str if told else f"V{found.dtype.itemsize}"
    session.channel.send("end", {"code": code, "size": found.nbytes})
    if found.nbytes:
        session.channel.stream(found.reshape(-1).view(np.uint8).data)


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


FUNCTIONS: Mapping[str, Callable[[Mapping[str, Any], Session], None]] = {
    "describe": describe,
    "scan": scan,
    "draw": draw,
    "take": take,
    "source": source,
    "values": values,
    "weigh": weigh,
}


def run() -> int:
    """0 after the last request on stdin. Nothing that a library prints reaches the channel."""
    session = Session(Channel(os.dup(1)))
    os.dup2(2, 1)
    gc.disable()  # nodes are let go of one by one; in cycles there is next to nothing
    threading.stack_size(_STACK)
    with open(0, "rb", closefd=False) as requests:
        _, setup = messages.unpack(messages.read(requests))
        session.channel.send("ready", _confine(setup))
        while True:
            try:
                function, arguments = messages.unpack(messages.read(requests))
            except EOFError:
                return 0
            _carry_out(FUNCTIONS[function], arguments, session)


def _confine(setup: Mapping[str, Any]) -> list[str]:
    """What could not be denied, in words, once everything else is."""
    with suppress(OSError):
        os.chdir(os.fsdecode(bytes.fromhex(setup["folder"])))  # to which paths are relative
    notes = limit_resources(setup["memory"], setup["seconds"])
    readable = [os.fsdecode(bytes.fromhex(path)) for path in setup["readable"]]
    for path in readable:
        with suppress(NotAnArchive):
            recognise(path)  # imports what opens it
    return [*notes, *confine(readable, relay=setup["relay"])]


def _carry_out(function: Callable[[Mapping[str, Any], Session], None], arguments: Any, session: Session) -> None:
    channel = session.channel
    try:
        with reported_as_bug():
            try:
                function(arguments, session)
            except MemoryError:
                channel.send("limit", "reading it takes more memory than the worker may have")
    except VizschemaError as error:
        fields = {name: vars(error)[name] for name in FIELDS}
        shown = {name: value if value is None else escape_text(value) for name, value in fields.items()}
        channel.send("error", type(error).__name__, escape_text(str(error)), shown)
