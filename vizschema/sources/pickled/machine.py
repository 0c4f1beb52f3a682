"""The machine that a pickle is a program for, with a stack and a memo, and without any way to execute something.

A name is a `Global`, which is never imported; a call is made of it only by the functions of `rebuilt`, all others
become a `Record`. Source: PEP 3154, PEP 574, and the opcodes of the module `pickletools`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import IO, Any

from vizschema.sources.pickled.rebuilt import FUNCTIONS, set_state
from vizschema.sources.pickled.values import Global, Malformed, Pairs, Part, Record

MAX_STEPS = 2_000_000
"""Most opcodes of a pickle, and items that the functions of `rebuilt` look at."""

MAX_READ = 256 << 20
"""Most bytes of a pickle that are read as it is taken apart: all but the raw bytes of arrays."""

MAX_INTEGER = 1024
"""Most bytes of one integer."""

_CODES = {code.code: code for code in pickletools.opcodes}
_LENGTHS = {-2: 1, -3: 4, -4: 4, -5: 8}
"""How many bytes of length stand before an argument, as `pickletools` counts."""

_RAW = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_REFUSED = ("EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER")
_LINES = {"GLOBAL": 2, "INST": 2}
_MARK = object()

Found = Callable[[Any], Any]


class Machine:
    """A pickle in `file` from `start` up to `end` at most.

    `persistent` gives the object of a persistent id, `nested` that of a file of PyTorch within the pickle.
    """

    def __init__(
        self, file: IO[bytes], start: int, end: int, persistent: Found | None = None, nested: Found | None = None
    ) -> None:
        self.place = start
        self.file = file
        self._end = end
        self._persistent = persistent
        self._nested = nested
        self._steps = MAX_STEPS
        self._unread = MAX_READ
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        """The object of the pickle; `place` is behind it then. Raises `Malformed`."""
        self.file.seek(self.place)
        while True:
            self.charge(1)
            code = _CODES.get(self._read(1).decode("latin-1"))
            if code is None or code.name in _REFUSED:
                what = "a byte that is not an opcode" if code is None else f"the opcode {code.name}"
                raise Malformed(f"{what} at {self.place - 1}: not a pickle that is read here")
            try:
                argument = self._argument(code)
                if code.name == "STOP":
                    return self._stack.pop()
                _OPCODES[code.name](self, argument)
            except (IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
                raise Malformed(f"{code.name} before {self.place} does not fit what is on the stack: {error}") from None

    def charge(self, steps: int) -> None:
        """Count steps; raises `Malformed` above the limit."""
        self._steps -= steps
        if self._steps < 0:
            raise Malformed(f"exceeds the limit of {MAX_STEPS} steps")

    def content(self, raw: Any) -> bytes:
        """The bytes that a part of the file has; raises `Malformed`."""
        if not isinstance(raw, Part):
            self.charge(len(raw) >> 6)
            return raw.encode("latin-1") if isinstance(raw, str) else bytes(raw)
        if raw.size > self._unread:
            raise Malformed(f"exceeds the limit of {MAX_READ} bytes beside arrays")
        self._unread -= raw.size
        self.file.seek(raw.start)
        found = self.file.read(raw.size)
        self.file.seek(self.place)
        return found

    def _read(self, length: int) -> bytes:
        """The next bytes; a length is compared with what is there before it is read."""
        if length > min(self._end - self.place, self._unread):
            raise Malformed(f"expected {length} bytes at {self.place}, found the end of the pickle or of the limit")
        self._unread -= length
        self.place += length
        return self.file.read(length)

    def _line(self) -> bytes:
        line = self.file.readline(max(0, min(self._end - self.place, self._unread)))
        if not line.endswith(b"\n"):
            raise Malformed(f"expected a line at {self.place}, found the end of the pickle or of the limit")
        self._unread -= len(line)
        self.place += len(line)
        return line

    def _argument(self, code: pickletools.OpcodeInfo) -> Any:
        """The argument of an opcode; of raw bytes, where they lie."""
        if code.arg is None or code.name == "FRAME":
            return self._read(8) if code.arg else None
        size = code.arg.n
        if size == -1:
            raw = b"".join(self._line() for _ in range(_LINES.get(code.name, 1)))
        elif size >= 0:
            raw = self._read(size)
        else:
            raw = self._read(_LENGTHS[size])
            length = int.from_bytes(raw, "little")
            if code.name in _RAW:
                if length > self._end - self.place:
                    raise Malformed(f"expected {length} bytes at {self.place}, found the end of the pickle")
                part = Part(self.place, length)
                self.place += length
                self.file.seek(self.place)
                return part
            if code.name.startswith("LONG") and length > MAX_INTEGER:
                raise Malformed(f"an integer of {length} bytes at {self.place}")
            raw += self._read(length)
        return code.arg.reader(BytesIO(raw))

    def since_mark(self) -> list[Any]:
        """Take what lies on the stack above the last mark, and the mark."""
        found: list[Any] = []
        while (item := self._stack.pop()) is not _MARK:
            found.append(item)
        return found[::-1]

    def pop(self) -> Any:
        """Take what is on top of the stack."""
        item = self._stack.pop()
        if item is _MARK:
            raise ValueError("a mark")
        return item

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        self._stack.append(value)

    def peek(self) -> Any:
        """What is on top of the stack, which stays there."""
        return self._stack[-1]

    def remember(self, key: int | None) -> None:
        """Remember what is on top of the stack, by default under the next number."""
        self._memo[len(self._memo) if key is None else key] = self._stack[-1]

    def recall(self, key: int) -> None:
        """Put a remembered value on the stack."""
        self._stack.append(self._memo[key])

    def called(self, function: Any, arguments: Any) -> Any:
        """The result of a function of `rebuilt`; for any other, a record of what should be called."""
        if isinstance(function, Record):
            return Record(function.kind, (function, arguments), called=True)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise TypeError("expected a name and its arguments")
        known = FUNCTIONS.get(function)
        return Record(function, arguments, called=True) if known is None else known(self, *arguments)

    def made(self, kind: Any, arguments: Any) -> Any:
        """An object of a class: of one that is known, what it is made of; else a record."""
        if not isinstance(kind, Global):
            raise TypeError("expected the name of a class")
        known = FUNCTIONS.get(kind)
        return Record(kind, arguments) if known is None else known(self, *arguments)

    def persistent(self, key: Any) -> Any:
        """The object with a persistent id."""
        if self._persistent is None:
            raise Malformed("it refers to objects outside itself")
        return self._persistent(key)

    def nested(self, raw: Any) -> Any:
        """The object of a file of PyTorch that lies in these bytes."""
        if self._nested is None or not isinstance(raw, Part | bytes):
            raise Malformed("a file of PyTorch within another one")
        self.charge(100)
        found = self._nested(raw)
        self.file.seek(self.place)
        return found


def _append(machine: Machine, items: list[Any]) -> None:
    target = machine.peek()
    if not isinstance(target, list | Record):
        raise TypeError("items for what is not a list")
    (target if isinstance(target, list) else target.items).extend(items)


def _set_items(machine: Machine, flat: list[Any]) -> None:
    target = machine.peek()
    if not isinstance(target, Pairs | Record) or len(flat) % 2:
        raise TypeError("items for what is not a dictionary")
    (target.items if isinstance(target, Pairs) else target.pairs).extend(zip(flat[::2], flat[1::2], strict=True))


def _dictionary(flat: list[Any]) -> Pairs:
    return Pairs(list(zip(flat[::2], flat[1::2], strict=True)))


def _pushed(value: Callable[[Machine, Any], Any]) -> Callable[[Machine, Any], None]:
    def run(machine: Machine, argument: Any) -> None:
        machine.push(value(machine, argument))

    return run


def _last(count: int) -> Callable[[Machine, Any], tuple[Any, ...]]:
    return lambda machine, _: tuple([machine.pop() for _ in range(count)][::-1])


def _pop(machine: Machine, _: Any) -> None:
    machine._stack.pop()


def _instance(machine: Machine, argument: Any) -> Any:
    """INST: the name is the argument; the arguments lie above the mark."""
    module, _, name = argument.partition(" ")
    return machine.made(Global(module, name), tuple(machine.since_mark()))


def _object(machine: Machine, _: Any) -> Any:
    kind, *arguments = machine.since_mark()
    return machine.made(kind, tuple(arguments))


def _new(machine: Machine, _: Any) -> Any:
    arguments, kind = machine.pop(), machine.pop()
    return machine.made(kind, arguments)


def _new_with_keywords(machine: Machine, _: Any) -> Any:
    keywords, arguments, kind = machine.pop(), machine.pop(), machine.pop()
    return Record(kind, (*arguments, keywords)) if keywords.items else machine.made(kind, arguments)


def _reduce(machine: Machine, _: Any) -> Any:
    arguments, function = machine.pop(), machine.pop()
    return machine.called(function, arguments)


def _build(machine: Machine, _: Any) -> None:
    state = machine.pop()
    set_state(machine, machine.peek(), state)


def _global_of(_: Machine, argument: Any) -> Global:
    module, _, name = argument.partition(" ")
    return Global(module, name)


def _stack_global(machine: Machine, _: Any) -> Global:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise TypeError("expected texts")
    return Global(module, name)


_plain = _pushed(lambda _, argument: argument)

_OPCODES: Mapping[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME"), lambda *_: None),
    **dict.fromkeys(("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _plain),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE"), _plain),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", *_RAW), _plain),
    "NONE": _pushed(lambda *_: None),
    "NEWTRUE": _pushed(lambda *_: True),
    "NEWFALSE": _pushed(lambda *_: False),
    "EMPTY_LIST": _pushed(lambda *_: []),
    "EMPTY_TUPLE": _pushed(lambda *_: ()),
    "EMPTY_DICT": _pushed(lambda *_: Pairs()),
    "EMPTY_SET": _pushed(lambda *_: []),
    "DICT": _pushed(lambda machine, _: _dictionary(machine.since_mark())),
    "LIST": _pushed(lambda machine, _: machine.since_mark()),
    "TUPLE": _pushed(lambda machine, _: tuple(machine.since_mark())),
    "FROZENSET": _pushed(lambda machine, _: machine.since_mark()),
    "TUPLE1": _pushed(_last(1)),
    "TUPLE2": _pushed(_last(2)),
    "TUPLE3": _pushed(_last(3)),
    "MARK": _pushed(lambda *_: _MARK),
    "DUP": _pushed(lambda machine, _: machine.peek()),
    "POP": _pop,
    "POP_MARK": lambda machine, _: (machine.since_mark(), None)[1],
    "APPEND": lambda machine, _: _append(machine, [machine.pop()]),
    "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "ADDITEMS": lambda machine, _: _append(machine, machine.since_mark()),
    "SETITEM": lambda machine, _: _set_items(machine, list(_last(2)(machine, None))),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "MEMOIZE": lambda machine, _: machine.remember(None),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), lambda machine, key: machine.remember(key)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda machine, key: machine.recall(key)),
    "GLOBAL": _pushed(_global_of),
    "STACK_GLOBAL": _pushed(_stack_global),
    "INST": _pushed(_instance),
    "OBJ": _pushed(_object),
    "NEWOBJ": _pushed(_new),
    "NEWOBJ_EX": _pushed(_new_with_keywords),
    "REDUCE": _pushed(_reduce),
    "BUILD": _build,
    "PERSID": _pushed(lambda machine, key: machine.persistent(key)),
    "BINPERSID": _pushed(lambda machine, _: machine.persistent(machine.pop())),
}
