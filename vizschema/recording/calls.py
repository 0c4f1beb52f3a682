"""Calls of the model: which one it is, what it continues, whether it brought what others did. No torch here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vizschema.errors import UsageError

SAMPLE, TOKEN = "sample", "token"

Append = str | None
"""What further calls add: "auto", "sample", "token", or None: they are refused."""


@dataclass(slots=True)
class Pass:
    """One call of the model: the sizes that its arrays have, and which nodes it brought.

    `grows` is the axis along which values follow those of the pass before; `begins` says that they will be followed.
    `held` puts, at its end, the values of which the last call counts, by node.
    """

    grows: str | None = None
    begins: str | None = None
    is_generated: bool = False
    sizes: dict[str, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    calls: dict[str, int] = field(default_factory=dict)
    held: dict[str, Callable[[], None]] = field(default_factory=dict)


class Calls:
    """The calls of one model, of which one thread at a time makes one.

    `count` is how many were begun, `current` the one in progress, `first` the nodes that the first one brought.
    """

    def __init__(self, append: Append, *, resumes: bool) -> None:
        self.count = 0
        self.current: Pass | None = None
        self.first: set[str] = set()
        self._append = append
        self._resumes = resumes
        self._depth = 0
        self._lock = threading.RLock()
        self._generated: int | None = None
        self._has_generated = False

    def begin(self, *, is_root: bool, continues: bool) -> None:
        """Begin a call of a module outside any other one; `continues` says that a cache has earlier tokens."""
        self._lock.acquire()
        self._depth += 1
        if self._depth > 1:
            return
        if is_root or self.current is None:
            self.current = self._next(is_root=is_root, continues=continues)

    def _next(self, *, is_root: bool, continues: bool) -> Pass:
        append = self._append
        generates = self._generated is not None
        grows = None
        if self.count > 0:
            grows = TOKEN if self._generated or (continues and not generates) or append == TOKEN else SAMPLE
            if append is None or (append == SAMPLE and grows == TOKEN) or (grows == SAMPLE and self._has_generated):
                what = "continues the tokens of the one before" if grows == TOKEN else "brings other samples"
                fix = "record each in an archive of its own"
                fix += "" if self._has_generated else f', or with append="{grows}"'
                raise UsageError(f"call {self.count + 1} of the model {what}", fix=fix)
        if is_root:
            self.count += 1
            self._generated = None if self._generated is None else self._generated + 1
        begins = TOKEN if append == TOKEN or generates else SAMPLE if append == SAMPLE else None
        return Pass(grows, begins, generates)

    def begin_generation(self) -> None:
        """Take the calls that follow as those of one call of `generate`."""
        if self.count > 0 or self._resumes:
            fix = "record each generation in an archive of its own"
            raise UsageError("the archive has values of other calls already", path="generate", fix=fix)
        self._generated, self._has_generated = 0, True

    def end_generation(self) -> int:
        """End what `begin_generation` began; return how many calls it made."""
        calls, self._generated = self._generated or 0, None
        return calls

    def end(self, sizes: Mapping[str, Mapping[str, Any]], *, is_root: bool, failed: bool) -> None:
        """End what `begin` began; of the whole model, check that it brought what the call before did.

        `sizes` are those of each array so far, by node and axis.
        """
        try:
            self._depth -= 1
            current = self.current
            if self._depth or not is_root or current is None:
                return
            for put in [] if failed else current.held.values():
                put()
            self.current = None
            if failed:
                return
            if current.grows is None:
                self.first = current.seen
                return
            lost = [
                node
                for node in sorted(self.first - current.seen)
                if current.grows == SAMPLE or any(axis.startswith(TOKEN) for axis in sizes[node])
            ]
            if lost:
                raise UsageError(
                    path=lost[0],
                    expected="values in every call of the model",
                    found=f"none in call {self.count}",
                    fix="pass the same arguments in each call (a mask, for example)",
                )
        finally:
            self._lock.release()
