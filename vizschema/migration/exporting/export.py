"""`export`: an archive in another layout again, by the mapping that `migrate` goes by, read back and compared."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.errors import Refused, Unanswered, UsageError
from vizschema.migration.exporting.inverse import Inverse
from vizschema.migration.exporting.layouts import LAYOUTS, container_of
from vizschema.migration.exporting.past import past
from vizschema.migration.mapping import chosen, missing
from vizschema.migration.migrate import MEMORY
from vizschema.sources.item import Item, Tree, in_memory
from vizschema.sources.views import digest
from vizschema.worker.source import opened
from vizschema.writer.target import require_free


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
) -> Exported:
    """Write an archive of the specification at `target` in another layout.

    Parameters:
        archive: An archive of any container.
        target: Where to write; nothing may be there.
        mapping: The name of an installed mapping, or a file: the layout.
        answers: What the layout demands and the archive does not say, by key.
        container: zarr-v2, zarr-v2-zip, hdf5, npz, safetensors or folder (None: by the suffix of `target`).
        dry_run: Plan only, and write nothing.
        memory: Maximum size of all decoded arrays of the archive together, in bytes.
        isolated: Read the archive in a sandboxed process, for untrusted archives.

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
    if os.path.lexists(target):
        raise UsageError("exists already; choose another name, or remove it yourself", path=target)
    require_free(Path(target), overwrite=False)
    with opened(archive, isolated=isolated, memory=memory) as tree:
        size = sum(item.size for item in tree.values())
        if size > memory:
            raise Refused([f"its arrays have {size} bytes, more than the limit of {memory}; raise --memory"])
        dialect = chosen(mapping, tree)
        if "refuse" in dialect.document:
            raise Refused([f"{dialect.name}: {dialect.document['refuse']}"])
        before = past(tree, dialect.name)
        plan = Inverse(dialect, tree, before, answers or {})
        lost = [f"{loss['what']}: {loss['why']}" for loss in plan.losses]
        is_waiting = any(question.key in dialect.asks for question in plan.questions)
        if not is_waiting and not any(given.place in tree for given in plan.arrays.values()):
            raise Refused(lost, f"no array of it has a place in {dialect.name}; nothing was written")
        if plan.questions:
            raise Unanswered(plan.questions)
        lacking = missing(dialect.document["recognise"], _tree(plan))
        if lacking is not None:
            raise Refused(
                [lacking, *lost], f"the archive lacks what {dialect.name} is recognised by; nothing was written"
            )
        used = "" if dry_run else _written(Path(target), plan, container)
        same, changed = _compared(plan, before.sha256) if before else (None, [])
        losses, lines = tuple(plan.losses), tuple(plan.lines)
        return Exported(dialect.name, used, len(plan.arrays), same, tuple(changed), losses, lines)


def _tree(plan: Inverse) -> Tree:
    """What is to be written, as a source."""
    items = {path: in_memory(path, given.values) for path, given in plan.arrays.items()}
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
    changed = [given.place for given in known if digest(given.values) != sha256[given.place]]
    return len(known) - len(changed), changed


def _written(target: Path, plan: Inverse, container: str | None) -> str:
    """The container in which the layout was written, after it was read back; at `target` only then."""
    arrays = {path: given.values for path, given in plan.arrays.items()}
    used = container_of(target, container, arrays)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        made = folder / target.name
        try:
            LAYOUTS[used](made, arrays, plan.attributes)
        except UsageError as error:
            where = str(error.path).replace(str(made), str(target))
            raise UsageError(error.reason, path=where) from None
        _prove(made, plan)
        if os.path.lexists(target):
            raise UsageError("was made by someone else in the meantime", path=target)
        made.rename(target)
    finally:
        shutil.rmtree(folder)
    return used


def _prove(made: Path, plan: Inverse) -> None:
    """Raise `Refused` unless every array and attribute that was written is read back as it is."""
    with opened(str(made), isolated=False, memory=MEMORY) as tree:
        for path, given in plan.arrays.items():
            if path not in tree or tree[path].kind != "array" or digest(tree[path].values()) != digest(given.values):
                raise Refused([f"{path}: read back, it is not what {given.place} gives"])
        for path, members in plan.attributes.items():
            held = tree[path].attributes if path in tree else {}
            if any(held.get(name) != value for name, value in members.items()):
                raise Refused([f"{path}: its attributes are not read back as they are"])
