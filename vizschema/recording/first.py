"""Tables that are made for a model: before its first call, or of the inputs of that call. Imports torch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from vizschema.errors import UsageError
from vizschema.recording import tables, taps
from vizschema.recording.drafted import draft, is_drafted
from vizschema.recording.dryrun import FAILURES, DryRun
from vizschema.recording.hooks import Hooks
from vizschema.recording.probed import probe

DRAFTED = "drafted"
"""The name of a table that was made for one model."""

Found = tuple[tables.Table, tables.Fit]


def drafted(modules: Mapping[str, Any], name: str) -> Found | None:
    """Return a table for a model of transformers that reads tokens; None where only its first call can tell."""
    if not is_drafted(modules):
        return None
    try:
        return _found(*draft(modules[""], modules, name))
    except UsageError:
        return None


def _found(rows: list[dict[str, Any]], profile: str, absent: Mapping[str, str]) -> Found:
    own = tables.own_table(rows, profile, DRAFTED, absent)
    return own, own.fits[0]


@contextmanager
def at_first_call(
    modules: Mapping[str, Any], name: str, general: Found | None, start: Callable[[tables.Table, tables.Fit], Hooks]
) -> Iterator[None]:
    """While it is entered, the first call of a model makes its table, calls `start`, and is recorded.

    `general` is a table for any model, which counts if the shapes of the first call are those of its rows.
    """
    model = modules[""]
    lock = threading.Lock()
    hooks: list[Hooks] = []

    def first(_module: Any, args: Any, kwargs: Any) -> None:
        with lock:
            if not hooks:
                found = general if general is not None and _fits(general[0], modules, args, kwargs) else None
                if found is None:
                    made = probe(modules, name, args, kwargs)
                    found = _found(made.rows, made.profile, made.absent)
                handle.remove()
                generation.close()
                hooks.append(start(*found))
        hooks[0].begin(args, kwargs)

    with ExitStack() as stack:
        handle = model.register_forward_pre_hook(first, with_kwargs=True)
        stack.callback(handle.remove)
        generation = stack.enter_context(ExitStack())
        if callable(getattr(model, "generate", None)):
            generation.enter_context(_without_generation(model))
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield


@contextmanager
def _without_generation(model: Any) -> Iterator[None]:
    """While it is entered, `generate` is refused."""
    kept = {key: value for key, value in vars(model).items() if key == "generate"}
    vars(model)["generate"] = _refuses_generation
    try:
        yield
    finally:
        del vars(model)["generate"]
        vars(model).update(kept)


def _refuses_generation(*_: Any, **__: Any) -> Any:
    raise UsageError(
        path="generate",
        expected="a table that is known before the first call",
        found="a model whose table is made of the inputs of its first call",
        fix="generate first, and record one call of the model over the whole text, or pass a list of rows (table=[…])",
    )


def _fits(table: tables.Table, modules: Mapping[str, Any], args: Any, kwargs: Any) -> bool:
    """Whether each tap of a table has as many axes as its module returns dimensions, in a call with these arguments."""
    try:
        seen = DryRun(modules, args, kwargs).run({})
    except FAILURES:
        return True  # the values themselves will tell
    plan = taps.plan(table, {name: type(module).__name__ for name, module in modules.items()}, None)
    for tap in plan.taps:
        shapes = [seen.taken[tap.module]] if tap.kind == "in" else list(seen.returned.get(tap.module, {}).values())
        rank = len(tap.axes) + (tap.kind == "argmax")
        if seen.called.get(tap.module, 0) != 1 or not shapes or len(shapes[0]) != rank:
            return False
    return True
