"""`from_outputs`: an archive of what somebody has computed already. No torch here; tensors are taken as they are."""

from __future__ import annotations

import functools
import operator
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vizschema.errors import UsageError, require
from vizschema.recording import places, tables
from vizschema.recording.given import given_attributes
from vizschema.recording.shapes import shaped
from vizschema.recording.tables import Fit, Row, Table
from vizschema.recording.taps import Tap, filled, groups_of
from vizschema.writer.plan import Array
from vizschema.writer.write import write

if TYPE_CHECKING:
    from vizschema.findings import Report

_SHIFT = re.compile(r"\{0\}\+([0-9]+)")
_MODULE = re.compile(r"(.*?)(?:[.](output|input))?((?:\[-?[0-9]+\])*)")
_SHOWN = 6
_LAYERS = 100_000

Values = Mapping[str, Any]
"""Values by name."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a row has among the outputs: the array that it becomes, and the value; None for one that another row has.

    `names` are those of the outputs that it is made of, `module` the name of the module, where the outputs say it.
    """

    row: Row
    words: Mapping[str, str]
    value: Any
    names: tuple[str, ...] = ()
    module: str = ""


def from_outputs(
    outputs: Any,
    path: str | os.PathLike[str],
    *,
    table: str | os.PathLike[str] | Sequence[Mapping[str, Any]] | None = None,
    model: Any = None,
    inputs: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
    profile: str | None = None,
    container: str | None = None,
    spec: str | None = None,
    overwrite: bool = False,
) -> Report:
    """Write what a model has computed already as an archive that conforms, and return its report.

    Parameters:
        outputs: The output of a model of transformers (called with `output_hidden_states=True`, for example), a cache
            of activations of TransformerLens (`run_with_cache`), or saved values by the names of their modules
            (`{"transformer.h.0.output": …}`), as of nnsight.
        path: Where to write.
        table: As of `record`: which value becomes which array (None: the installed table for the class of `model`).
        model: The model; its configuration, dtype and kind of device are recorded.
        inputs: What the model was given, by name, such as what a tokenizer returns: outputs do not contain it. Beside
            a cache or saved values also what the model returned: `{"input_ids": tokens, "logits": logits}`.
        attributes: Attributes by the path of their group, as of `write`; they take precedence.
        profile: The profile (None: the one that the table has for the class of the model).
        container: As of `write`.
        spec: As of `write`.
        overwrite: As of `write`.

    Returns:
        The report on the archive. The root's attribute `not_captured` lists what the table has and the outputs lack,
        `left_out` of `/metadata` the names of the outputs that the table does not have (`blocks.{0}.ln1.hook_scale`).

    Raises:
        UsageError: No table fits, the outputs have none of it, the model's kernel hides what was asked for, or a value
            does not have the dimensions that its axes name.
        NotConforming: The archive would not conform; nothing is written.

    Examples:
        >>> found = model(**inputs, output_hidden_states=True)  # doctest: +SKIP
        >>> vizschema.from_outputs(found, "run.zarr", model=model, inputs=inputs).verdict  # doctest: +SKIP
        'conforms'
    """
    chosen, fit, known = _table(table, model)
    computed = _outputs(chosen, outputs)
    if not any(each.value is not None for each in computed):
        raise _nothing(chosen, outputs)
    found = [*_inputs(chosen, inputs or {}), *computed]
    every = _taps(found)
    taken = [(tap, each.value) for tap, each in zip(every, found, strict=True) if each.value is not None]
    taps = [tap for tap, _ in taken]
    lacking = _lacking(chosen, fit, taps)
    described = {**known, "recorder": chosen.label}
    if left := _left(outputs, computed):
        described["left_out"] = left
    given = given_attributes(described, lacking, attributes or {}, groups_of(every, taps))
    return write(
        path,
        _arrays(taken),
        given,
        profile=profile or fit.profile,
        spec=spec or (fit.spec if profile is None else None),
        container=container,
        overwrite=overwrite,
    )


def _table(asked: Any, model: Any) -> tuple[Table, Fit, Values]:
    """The table, its entry for the model, and what is known of the model."""
    if model is None:
        if asked is None:
            raise UsageError(path="table", expected="a table, or a model whose class has one", found="neither")
        table, fit = tables.chosen(asked, "", "") or (None, None)
        return table, fit, {}  # type: ignore[return-value]
    require("model", "torch")
    from vizschema.recording.metadata import metadata

    name, library = type(model).__name__, type(model).__module__.partition(".")[0]
    found = tables.chosen(asked, name, library)
    if found is None:
        fix = "pass table=NAME, or a list of rows"
        raise UsageError(path=name, expected="a table for this class", found="none", fix=fix)
    return *found, metadata(model, name, library, digest=False)


def _inputs(table: Table, inputs: Values) -> Iterator[Found]:
    """What the rows find among the inputs, by the name of the model's argument, or of what it returns."""
    for row in table.rows:
        argument = row.value.removeprefix("in.") if row.module == "" and row.value.startswith("in.") else None
        for name in dict.fromkeys((argument, row.output)):
            if name is not None and inputs.get(name) is not None:
                yield Found(row, {}, inputs[name])
                break


def _outputs(table: Table, outputs: Any) -> list[Found]:
    """What the rows find by the names that fit most: of outputs, of a cache, or of modules."""
    values = outputs if isinstance(outputs, Mapping) else getattr(outputs, "cache_dict", None)
    kinds = [list(_by_output(table, outputs))]
    if isinstance(values, Mapping):
        plain = {str(key): _saved(value) for key, value in values.items()}
        kinds += [list(_by_cache(table, plain)), list(_by_module(table, plain))]
    return max(kinds, key=len)


def _by_output(table: Table, outputs: Any) -> Iterator[Found]:
    """By the column `output`; a value that a row without a number names is not that of a numbered one too."""
    taken: set[int] = set()
    for row in sorted((row for row in table.rows if row.output), key=lambda row: "{0}" in str(row.output)):
        for number in range(_LAYERS) if "{0}" in str(row.output) else [0]:
            shifted = _SHIFT.sub(lambda match: str(number + int(match[1])), str(row.output))  # noqa: B023
            value = places.at(outputs, f".{filled(shifted, {'0': str(number)})}")
            if value is places.ABSENT or value is None:
                _require_some(row, outputs)
                break
            yield Found(row, {"0": str(number)}, None if id(value) in taken else value, (_field(row),))
            if "{0}" not in str(row.output):
                taken.add(id(value))
                break


def _require_some(row: Row, outputs: Any) -> None:
    """Raise `UsageError` where values were asked for, and the model gave an empty list of them."""
    name = _field(row)
    given = places.at(outputs, f".{name}")
    if row.optional is None and isinstance(given, list | tuple) and all(each is None for each in given):
        raise UsageError(
            path=_group(row),
            expected=f"values in `{name}` of the outputs",
            found="none: the kernel of the model hides them",
            fix='load the model with attn_implementation="eager", or use vizschema.record, which computes them again',
        )


def _field(row: Row) -> str:
    """The field of the outputs that a row reads."""
    return re.split(r"[.\[]", str(row.output))[0]


def _by_cache(table: Table, values: Values) -> Iterator[Found]:
    """By the column `cache`: a name with a number, or a sum of several."""
    for row in table.rows:
        names = (row.cache or "").split(" + ")
        pattern = re.escape(names[0]).replace(re.escape("{0}"), "([0-9]+)")
        matches = [re.fullmatch(pattern, name) for name in values] if "{0}" in names[0] else []
        numbers = sorted(int(match[1]) for match in matches if match is not None)
        if numbers and numbers[-1] >= _LAYERS:
            raise UsageError(path=names[0], expected=f"numbers below {_LAYERS}", found=numbers[-1])
        for number in range(numbers[-1] + 1) if numbers else [0]:
            words = {"0": str(number)}
            parts: list[Any] = [values.get(filled(name, words)) for name in names]
            if all(part is not None for part in parts):
                used = tuple(filled(name, words) for name in names)
                yield Found(row, words, functools.reduce(operator.add, parts), used)
            elif numbers:
                yield Found(row, words, None)  # a layer that was not cached: the series is partial


def _by_module(table: Table, values: Values) -> Iterator[Found]:
    """By the names of modules, optionally with `.output` or `.input` and a place: `transformer.h.0.output[0]`."""
    for name, value in values.items():
        match = _MODULE.fullmatch(name)
        if match is None:
            continue
        module, side, place = match[1], {"input": "in"}.get(match[2], "out"), match[3]
        for row in table.rows:
            found = re.fullmatch(row.module, module)
            if found is None or row.each is not None or row.type is not None or not module:
                continue
            part = _part(row, side, place, value)
            if part is not None:
                words = {str(number): group or "" for number, group in enumerate(found.groups())}
                yield Found(row, words, part, (name,), module)


def _part(row: Row, side: str, place: str, value: Any) -> Any:
    """What of a saved value a row asks for; None where it is of something else."""
    size = len(row.target.axes)
    if row.value == "weights":
        parts = [value] if place else list(value[1:]) if isinstance(value, list | tuple) else []
        fitting = [part for part in parts if getattr(part, "ndim", None) == size and side == "out" and place != "[0]"]
        return fitting[-1] if fitting else None
    if row.value.partition(".")[0].partition("[")[0] != side:
        return None
    wanted = row.value[len(side) :]
    if isinstance(value, list | tuple):
        value = places.at(value, wanted or "[0]")
        return None if place or value is places.ABSENT else value
    return value if place in ("", wanted or "[0]") and wanted in ("", "[0]") else None


def _taps(found: Sequence[Found]) -> list[Tap]:
    """What was found as `record` has it: numbers of a series are written with as many digits as its largest."""
    widths: dict[int, int] = {}
    for each in found:
        digits = [len(word) for word in each.words.values() if word.isdigit()]
        widths[id(each.row)] = max(2, *digits, widths.get(id(each.row), 2))
    taps = []
    for each in found:
        row, width = each.row, widths[id(each.row)]
        padded = {key: word.zfill(width) if word.isdigit() else word for key, word in each.words.items()}
        axes = tuple(filled(axis, padded) for axis in row.target.axes)
        series = row.module.partition("([0-9]+)")[0]
        taps.append(Tap(each.module, row, filled(row.target.node, padded), axes, "out", "", list=series))
    return taps


def _arrays(taken: Sequence[tuple[Tap, Any]]) -> dict[str, Array]:
    """The arrays, by path."""
    sizes: dict[str, int] = {}
    nodes = {tap.node for tap, _ in taken}
    arrays: dict[str, Array] = {}
    for tap, given in taken:
        if tap.node in arrays:
            raise UsageError(path=tap.node, expected="one value", found="several among the outputs")
        value = _batched(tap, given)
        value, names = shaped(tap.node, value != 0 if tap.row.cast == "bool" else value, tap.axes, sizes)
        for axis, size in zip(names, value.shape, strict=True):
            sizes.setdefault(axis.partition(":")[0], size)
        own = {key: word for key, word in tap.attributes.items() if not str(word).startswith("/") or word in nodes}
        captured = {"source": "captured"} if tap.row.value == "weights" else {}
        arrays[tap.node] = Array(value, names, own | captured)
    return arrays


def _batched(tap: Tap, value: Any) -> Any:
    """A tensor or an array; one without the axis of the samples gets it, with size 1."""
    if not hasattr(value, "ndim"):
        raise UsageError(
            path=tap.node,
            expected="a tensor or an array",
            found=type(value).__name__,
            fix="record the model instead (vizschema.record), if these are outputs of `generate`",
        )
    return value[None] if tap.axes[:1] == ("sample",) and value.ndim == len(tap.axes) - 1 else value


def _lacking(table: Table, fit: Fit, taps: Sequence[Tap]) -> list[str]:
    """What the table has for every model and the archive lacks, each with the reason."""
    there = {_group(tap.row) for tap in taps}
    rows = [row for row in table.rows if row.default and not row.optional]
    groups = dict.fromkeys(_group(row) for row in rows if _group(row) not in there)
    lacking = [f"{path}: {why}" for path, why in fit.not_captured.items()]
    return lacking + [f"{path}: not among the outputs" for path in groups]


def _left(outputs: Any, computed: Sequence[Found]) -> list[str]:
    """The names of the outputs that no row has, with `{0}` for numbers between dots."""
    used = {name for found in computed for name in found.names}
    values = outputs if isinstance(outputs, Mapping) else getattr(outputs, "cache_dict", {})
    given = [
        str(name) for name, value in values.items() if not (value is None or (isinstance(value, tuple) and not value))
    ]
    left = (re.sub(r"(?<=[.])[0-9]+(?=[.]|$)", "{0}", name) for name in given if name not in used)
    return list(dict.fromkeys(left))


def _group(row: Row) -> str:
    """The node of a row, or the group of its series."""
    return row.target.node.partition("{")[0].rpartition("/")[0] if "{" in row.target.node else row.target.node


def _nothing(table: Table, outputs: Any) -> UsageError:
    """The refusal of outputs of which no row has anything."""
    names = [str(row.output) for row in table.rows if row.output]
    cached = [str(row.cache) for row in table.rows if row.cache]
    modules = [row.module for row in table.rows if row.module]
    given = list(outputs) if isinstance(outputs, Mapping) else [type(outputs).__name__]
    return UsageError(
        path="outputs",
        expected=f"names of table {table.name}: of outputs ({_some(names)}), of a cache ({_some(cached)}), "
        f"or of modules ({_some(modules)})",
        found=_some(given),
        fix="call the model with output_hidden_states=True, or pass table=[…], rows with these names",
    )


def _some(names: Sequence[Any]) -> str:
    shown = ", ".join(map(str, names[:_SHOWN])) or "none"
    return f"{shown}, …" if len(names) > _SHOWN else shown


def _saved(value: Any) -> Any:
    """A value that was saved by a proxy, which older versions of nnsight have in `value`."""
    return value if hasattr(value, "ndim") or not hasattr(value, "value") else value.value


def to_cache(archive: Mapping[str, Any], table: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Return the arrays of an open archive by their names in a cache of activations, the way back of `from_outputs`.

    Parameters:
        archive: What `open` returned.
        table: The table with these names (None: the one that the archive was recorded by).

    Returns:
        NumPy arrays by name, each with the bits that are stored; one that is the sum of several names is left out.

    Raises:
        UsageError: The archive does not say its table, or the table has no names of a cache.

    Examples:
        >>> with vizschema.open("run.zarr") as archive:  # doctest: +SKIP
        ...     sorted(vizschema.to_cache(archive))[:1]
        ['blocks.0.attn.hook_pattern']
    """
    chosen = _table_of(archive) if table is None else tables.chosen(table, "", "")
    rows = [row for row in chosen[0].rows if row.cache and " + " not in row.cache] if chosen else []
    if not rows:
        raise UsageError(path="table", expected="a table with names of a cache (the column cache)", found="none")
    named: dict[str, Any] = {}
    for path in archive:
        for row in rows:
            match = re.fullmatch(re.escape(row.target.node).replace(re.escape("{0}"), "([0-9]+)"), path)
            if match is not None:
                words = {str(number): str(int(group)) for number, group in enumerate(match.groups())}
                named[filled(str(row.cache), words)] = archive[path][...]
    return named


def _table_of(archive: Mapping[str, Any]) -> tuple[Table, Fit] | None:
    """The installed table that an archive says it was recorded by: a name alone, since an archive may say anything."""
    label = archive["/metadata"].attributes.get("recorder") if "/metadata" in archive else None
    name = str(label).partition(" ")[0]
    if name not in tables.installed():
        raise UsageError(
            path="table",
            expected="an archive that was recorded by an installed table",
            found="none" if label is None else repr(label),
            fix="pass table=NAME",
        )
    return tables.chosen(name, "", "")
