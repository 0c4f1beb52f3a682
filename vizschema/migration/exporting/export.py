"""`export`: an archive in another layout again, by the mapping that `migrate` goes by, read back and compared."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.errors import Refused, Unanswered, UsageError
from vizschema.migration.exporting.inverse import Given, Inverse
from vizschema.migration.exporting.layouts import LAYOUTS, WIDER, container_of, is_lacking
from vizschema.migration.exporting.past import past
from vizschema.migration.mapping import chosen, missing
from vizschema.migration.migrate import MEMORY
from vizschema.sources.item import Item, Tree
from vizschema.sources.views import Kept, cast, digest, require_within
from vizschema.text import shorten
from vizschema.worker.source import opened
from vizschema.writer.target import require_absent


@dataclass(frozen=True, slots=True)
class Exported:
    """What `export` did.

    Attributes:
        mapping: The name of the mapping.
        container: The container that was written; empty after a dry run.
        arrays: How many arrays were written, read back, and found equal.
        same: How many of them are by the record what the archive was made of; None without a record.
        changed: The arrays in the archive that are not what its record says, by path.
        losses: What the layout does not have, and what a migration had lost before: `what` and `why`.
        lines: What happens to each node and attribute, in words.
        widened: The arrays that were written in a wider dtype, by path, with both dtypes.

    Examples:
        >>> pair = {"act_0_single": np.ones((4, 8)), "act_0_pair": np.ones((4, 4, 8))}
        >>> np.savez("held.npz", **pair, coords=np.ones((4, 3)))
        >>> who = {"model_name": "net", "model_version": "1", "atom": "CA"}
        >>> done = vizschema.migrate("held.npz", "held.zarr", answers=who)
        >>> vizschema.export("held.zarr", "again.npz", done.mapping).same
        3
    """

    mapping: str
    container: str
    arrays: int
    same: int | None
    changed: tuple[str, ...]
    losses: tuple[Mapping[str, str], ...]
    lines: tuple[str, ...]
    widened: Mapping[str, str] = field(default_factory=dict)


def export(
    archive: str | os.PathLike[str],
    target: str | os.PathLike[str],
    mapping: str,
    *,
    answers: Mapping[str, Any] | None = None,
    container: str | None = None,
    dry_run: bool = False,
    memory: int = MEMORY,
    isolated: bool = False,
    widen: bool = False,
) -> Exported:
    """Write an archive of the specification at `target` in another layout.

    Parameters:
        archive: An archive of any container.
        target: Where to write; nothing may be there.
        mapping: The name of an installed mapping, or a file: the layout.
        answers: What the layout demands and the archive does not say, by key.
        container: zarr-v2, zarr-v2-zip, hdf5, npz, safetensors or folder (None: by the suffix of `target`).
        dry_run: Plan only, and write nothing.
        memory: Most bytes of an array of the archive that can only be read as a whole; others are read by regions.
        isolated: Read the archive in a sandboxed process, for untrusted archives.
        widen: Write bfloat16 and float8 as float32, and int4 as int8, where the container lacks them; every value
            stays the same.

    Raises:
        Refused: The archive lacks what the layout is recognised by, or what was written is not equal.
        Unanswered: Questions are open.
        NotAnArchive: The archive cannot be read.
        UsageError: The target exists, an answer is none, or the container cannot hold it.
        SpecError: The mapping is malformed.

    Examples:
        >>> pair = {"act_0_single": np.ones((4, 8)), "act_0_pair": np.ones((4, 4, 8))}
        >>> np.savez("net.npz", **pair, coords=np.ones((4, 3)))
        >>> who = {"model_name": "net", "model_version": "1", "atom": "CA"}
        >>> done = vizschema.migrate("net.npz", "net.zarr", answers=who)
        >>> given_back = vizschema.export("net.zarr", "exported.npz", done.mapping)
        >>> given_back.container, given_back.arrays, given_back.losses
        ('npz', 3, ())
    """
    archive = os.fspath(archive)
    require_absent(Path(target))
    with opened(archive, isolated=isolated, memory=memory) as tree:
        require_within(tree, memory)
        dialect = chosen(mapping, tree)
        if "refuse" in dialect.document:
            raise Refused([f"{dialect.name}: {dialect.document['refuse']}"])
        before = past(tree, dialect.name)
        plan = Inverse(dialect, tree, before, answers or {})
        lost = [f"{loss['what']}: {loss['why']}" for loss in plan.losses]
        placed = {place for place, item in tree.items() if item.kind == "array"} - {
            loss["what"] for loss in plan.losses
        }
        is_waiting = any(question.key in dialect.asks for question in plan.questions)
        if not is_waiting and not placed:
            raise Refused(lost, f"no array of it has a place in {dialect.name}; nothing was written")
        if plan.questions:
            raise Unanswered(plan.questions)
        lacking = missing(dialect.document["recognise"], _tree(plan))
        if lacking is not None:
            raise Refused(
                [lacking, *lost], f"the archive lacks what {dialect.name} is recognised by; nothing was written"
            )
        used = "" if dry_run else container_of(Path(target), container, plan.arrays)
        same, changed = _compared(plan, before.sha256) if before else (None, [])
        widened = _widened(plan, used) if widen and used else {}
        if same is not None:
            same -= sum(plan.arrays[path].place in before.sha256 for path in widened)
        if used:
            _written(Path(target), plan, used)
        losses, lines = tuple(plan.losses), tuple(plan.lines)
        return Exported(dialect.name, used, len(plan.arrays), same, tuple(changed), losses, lines, widened)


def _tree(plan: Inverse) -> Tree:
    """What is to be written, as a source."""
    arrays = ((path, given.values) for path, given in plan.arrays.items())
    items = {path: Item(path, "array", dtype=each.dtype.name, shape=each.shape) for path, each in arrays}
    groups = {path.rpartition("/")[0] or "/" for path in items} | plan.attributes.keys() | {"/"}
    for path in list(groups):
        while path != "/":
            path = path.rpartition("/")[0] or "/"
            groups.add(path)
    found = {path: Item(path, "group", plan.attributes.get(path, {})) for path in groups - items.keys()}
    return {**found, **items}


def _compared(plan: Inverse, sha256: Mapping[str, str]) -> tuple[int, list[str]]:
    """How many arrays are what the archive was made of, and the paths of those in the archive that are not."""
    known = [given for given in plan.arrays.values() if given.place in sha256]
    changed = [given.place for given in known if given.sha256 != sha256[given.place]]
    return len(known) - len(changed), changed


def _widened(plan: Inverse, container: str) -> Mapping[str, str]:
    """Give a wider dtype to the arrays of a dtype that the container lacks; what became of each, in words."""
    found = {}
    for path, given in plan.arrays.items():
        name = given.values.dtype.name
        if is_lacking(container, path, given.values.dtype):
            wider = np.dtype(WIDER[name])
            plan.arrays[path] = Given(cast(given.values, wider), given.place)
            found[path] = f"{name} as {wider.name}"
    return found


def _written(target: Path, plan: Inverse, container: str) -> None:
    """Write the layout, and read it back; it is at `target` only then."""
    arrays = {path: given.values for path, given in plan.arrays.items()}
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        made = folder / target.name
        try:
            LAYOUTS[container](made, arrays, plan.attributes)
        except UsageError as error:
            where = str(error.path).replace(str(made), str(target))
            raise UsageError(error.reason, path=where) from None
        _prove(made, plan)
        if os.path.lexists(target):
            raise UsageError("was made by someone else in the meantime", path=target)
        made.rename(target)
    finally:
        shutil.rmtree(folder)


def _prove(made: Path, plan: Inverse) -> None:
    """Raise `Refused` unless every array and attribute that was written is read back as it is."""
    with opened(str(made), isolated=False, memory=MEMORY) as tree:
        kept = Kept()
        for path, given in plan.arrays.items():
            found = tree.get(path)
            if found is None or found.kind != "array" or digest(kept.view(found)) != given.sha256:
                raise Refused([f"{path}: read back, it is not what {given.place} gives"])
        for path, members in plan.attributes.items():
            held = tree[path].attributes if path in tree else {}
            others = [name for name, value in members.items() if held.get(name) != value]
            if others:
                one, fix = others[0], "try another container, such as --container zarr-v2"
                was, is_now = (shorten(repr(each.get(one)), 80) for each in (members, held))
                raise Refused([f"{path}@{one}: read back, {was} is {is_now}; {fix}"])
