"""`record`: what a PyTorch model computes, in an archive that conforms. Imports torch when it is called."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from vizschema.errors import UsageError, require
from vizschema.recording import tables, taps
from vizschema.recording.given import given_attributes
from vizschema.recording.recording import Recording
from vizschema.writer.create import create

MEMORY = 256 << 20
"""Default maximum bytes that wait to be written."""

_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.?")
_APPEND = ("auto", "sample", "token", None)


@contextmanager
def record(
    model: Any,
    path: str | os.PathLike[str],
    *,
    profile: str | None = None,
    table: str | os.PathLike[str] | Sequence[Mapping[str, Any]] | None = None,
    select: str | Sequence[str] | None = None,
    append: str | None = "auto",
    cast: str | Mapping[str, str] | None = None,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    container: str | None = None,
    spec: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    memory: int = MEMORY,
    digest: bool = False,
) -> Iterator[Recording]:
    """Record what a PyTorch model computes in the `with` block, as an archive that conforms.

    Parameters:
        model: The model, a `torch.nn.Module`.
        path: Where to write, as of `create`.
        profile: The profile (None: the one that the table has for the class of the model).
        table: Which module becomes which array: the name of an installed table, the path of a file, or a list of rows
            (None: the installed table for the class of the model).
        select: Regular expressions of paths of arrays: only these, and those that the profile requires.
        append: What further calls of the model add to: "sample", "token", None (they are refused), or "auto" (tokens
            where a cache has earlier ones, else samples).
        cast: The dtype in which floats are stored, for all arrays or by regular expressions of their paths.
        attributes: Attributes by the path of their group; they take precedence over those that are recorded.
        container: As of `create`.
        spec: As of `create`.
        overwrite: As of `create`.
        resume: Continue a recording that failed; arrays that are there already are kept.
        memory: Maximum bytes of values that wait to be written; beyond it, the model waits.
        digest: Whether to record the SHA-256 of the weights.

    Yields:
        The recording.

    Raises:
        UsageError: A module is not where the table says, a value is missing, an argument does not fit, or torch is not
            installed.
        NotConforming: The archive does not conform.

    Examples:
        >>> with vizschema.record(model, "new.zarr"):  # doctest: +SKIP
        ...     model(inputs)
    """
    require("record", "torch")
    from vizschema.recording.first import DRAFTED, at_first_call, drafted
    from vizschema.recording.hooks import Hooks
    from vizschema.recording.metadata import metadata, rank
    from vizschema.recording.run import Run, Settings

    if append not in _APPEND:
        raise UsageError(path="append", expected=f"one of {_APPEND}", found=repr(append))
    modules, library = named_modules(model)
    name = class_of(modules[""]).__name__
    kinds = {each: class_of(module).__name__ for each, module in modules.items()}
    patterns = [select] if isinstance(select, str) else select
    number = rank()
    target = Path(path) if number is None else _of_rank(Path(path), number)
    casts = {"": cast} if isinstance(cast, str) else dict(cast or {})
    known = metadata(modules[""], name, library, digest=digest, is_compiled=modules[""] is not model)
    with ExitStack() as archive, ExitStack() as hooks:
        run = Run(target, Settings(append, casts, memory, resume))

        def start(chosen: tables.Table, fit: tables.Fit) -> Hooks:
            plan = taps.plan(chosen, kinds, patterns)
            used = profile or fit.profile
            absent = [f"{place}: {why}" for place, why in fit.not_captured.items()]
            absent += [f"/{group}: not selected" for group in plan.not_selected]
            trace = archive.enter_context(
                create(
                    target,
                    profile=used,
                    container=container,
                    spec=spec or (fit.spec if profile is None else None),
                    overwrite=overwrite,
                    resume=resume,
                    attributes=given_attributes({**known, "recorder": chosen.label}, absent, attributes or {}),
                )
            )
            run.start(trace, plan, table=chosen.name, profile=used)
            return hooks.enter_context(Hooks(run, modules[""], plan.taps, modules))

        try:
            found = tables.chosen(table, name, library, set(kinds.values())) or drafted(modules, name)
            if found is None or (table is None and found[0].library is None and found[0].name != DRAFTED):
                hooks.enter_context(at_first_call(modules, name, found, start))
            else:
                start(*found)
            yield run
        except BaseException as error:
            hooks.close()
            run.stop(_failure(error, modules))
            raise
        hooks.close()
        run.finish()


def named_modules(model: Any) -> tuple[dict[str, Any], str]:
    """Return all modules by their names in the model, without wrappers, and the package of the model's class.

    Wrappers are those of `torch.compile`, of checkpoints, of FSDP and, in front of the whole model, of DDP.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise UsageError(path="model", expected="a torch.nn.Module", found=type(model).__name__)
    modules: dict[str, Any] = {}
    outer = model
    while (inner := _inside(outer)) is not None:
        outer = inner
    for name, module in outer.named_modules():
        modules[_WRAPPERS.sub("", name).strip(".")] = module  # what is wrapped comes after its wrapper
    return modules, class_of(modules[""]).__module__.partition(".")[0]


def class_of(module: Any) -> type:
    """Return the class of a module; of one that `fully_shard` has made another class of, the one before."""
    kind = type(module)
    return kind.__mro__[2] if kind.__mro__[1].__name__ == "FSDPModule" else kind


def _inside(model: Any) -> Any:
    """What a wrapper of a whole model has inside; None where a model is none."""
    import torch

    parallel = torch.nn.parallel
    if isinstance(model, parallel.DistributedDataParallel | parallel.DataParallel):
        return model.module
    return getattr(model, "_orig_mod", None)


def _of_rank(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.rank_{number:02}{path.suffix}")


def _failure(error: BaseException, modules: Mapping[str, Any]) -> str:
    """What happened and in which module, in words: the innermost one whose method was running."""
    names = {id(module): name for name, module in modules.items()}
    place, trace = None, error.__traceback__
    while trace is not None:
        name = names.get(id(trace.tb_frame.f_locals.get("self")))
        place = name if name is not None else place
        trace = trace.tb_next
    where = "the caller" if place is None else place or "the model"
    return f"{type(error).__name__} in {where}"
