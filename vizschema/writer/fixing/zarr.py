"""A draft written as a Zarr folder: files are kept, but for documents that change and arrays that are stored again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vizschema.containers.base import Document
from vizschema.description import Description, Node
from vizschema.errors import UsageError
from vizschema.rules.fixes.draft import Draft
from vizschema.writer.fixing.documents import ROOT_V3, without_copies
from vizschema.writer.fixing.files import Files, document, documents, dumped, files_of, folder_of, path_of, store
from vizschema.writer.forms import FORMS
from vizschema.writer.forms.base import PlannedArray
from vizschema.writer.forms.zarr_documents import consolidate

AXES_V2 = "_ARRAY_DIMENSIONS"

Plan = Callable[[str], PlannedArray]
"""An array of a draft, by its path there, ready to be written."""


@dataclass(frozen=True, slots=True)
class Writing:
    """An archive of `files`, which `description` describes, that is written as the draft has it.

    The folders in `copies` had consolidated copies, which are made again, as those that are there. Files are linked
    with `link`, and where they are in the folder `own`. Arrays are written below `scratch` first.
    """

    files: Files
    description: Description
    draft: Draft
    copies: Sequence[str]
    link: bool
    own: Path
    scratch: Path

    def to(self, target: Path, planned: Plan) -> None:
        """Write it to `target`, which must not exist; `planned` gives the arrays that are stored again."""
        version, draft = self.description["container"]["version"], self.draft
        files, there = without_copies(self.files, version)
        here = {path_of(folder_of(name)): folder_of(name) for name in documents(files)}
        new_paths = draft.new_paths
        gone = {here[path] for path in self.description["nodes"].keys() - new_paths.keys() if path in here}
        files = _moved(files, gone, new_paths)
        folders = {path_of(folder): folder for folder in (_moved_folder(each, new_paths) for each in here.values())}
        for path, node in draft.nodes.items():
            if node["kind"] in ("group", "array"):
                before = self.description["nodes"].get(draft.origin.get(path, ""))
                files.update(_edited(files, folders.get(path, path[1:]), before, node, version))
        for number, path in enumerate(sorted(draft.recut)):
            scratch = self.scratch / f"array_{number}.zarr"
            scratch.parent.mkdir(exist_ok=True)
            files = _cut_anew(files, folders[path], planned(path), version, scratch)
        store(files, target, link=self.link, own=self.own)
        for folder in {*self.copies, *there}:
            place = target / _moved_folder(folder, new_paths)
            if place.is_dir():
                consolidate(place, version)


def _moved_folder(folder: str, new_paths: Mapping[str, str]) -> str:
    """Where a folder of the archive is in the draft; the names of folders that stay are never changed."""
    steps = folder.split("/") if folder else []
    found: list[str] = []
    for count, step in enumerate(steps, 1):
        path = path_of("/".join(steps[:count]))
        new = new_paths.get(path, path).rpartition("/")[2]
        found.append(step if new == path.rpartition("/")[2] else new)
    return "/".join(found)


def _moved(files: Files, gone: set[str], new_paths: Mapping[str, str]) -> Files:
    """The files under the names that they have in the draft, without those in folders that are gone."""
    known: dict[str, str | None] = {}

    def place(folder: str) -> str | None:
        if folder not in known:
            above = folder
            while above and above not in gone:
                above = folder_of(above)
            known[folder] = None if above in gone else _moved_folder(folder, new_paths)
        return known[folder]

    moved: Files = {}
    for name, content in files.items():
        folder = place(folder_of(name))
        if folder is None:
            continue
        last = name.rpartition("/")[2]
        new = f"{folder}/{last}" if folder else last
        if new in moved:
            raise UsageError(f"two files would be at {new}", path=name)
        moved[new] = content
    return moved


def _edited(files: Files, folder: str, before: Node | None, node: Node, version: int) -> dict[str, bytes]:
    """The documents of a node that differ from those that are there."""
    prefix = f"{folder}/" if folder else ""
    old = {} if before is None else before["attributes"]
    new = node["attributes"]
    gone = old.keys() - new.keys()
    changes = {
        key: value
        for key, value in new.items()
        if key not in old or old[key] != value or type(old[key]) is not type(value)
    }
    axes = node.get("axes") if before is not None and before.get("axes") != node.get("axes") else None
    if before is not None and not gone and not changes and axes is None:
        return {}
    if version == 2:
        attributes = {**(document(files, f"{prefix}.zattrs") or {}), **changes}
        if axes is not None:
            attributes[AXES_V2] = axes
        kept = {key: value for key, value in attributes.items() if key not in gone or (key == AXES_V2 and axes)}
        added = {f"{prefix}.zgroup": dumped({"zarr_format": 2})} if before is None else {}
        return {f"{prefix}.zattrs": dumped(kept), **added}
    content = document(files, f"{prefix}{ROOT_V3}") or {"zarr_format": 3, "node_type": "group", "attributes": {}}
    kept = {key: value for key, value in {**content.get("attributes", {}), **changes}.items() if key not in gone}
    named = {} if axes is None else {"dimension_names": axes}
    return {f"{prefix}{ROOT_V3}": dumped({**content, "attributes": kept, **named})}


def _cut_anew(files: Files, folder: str, planned: PlannedArray, version: int, scratch: Path) -> Files:
    """The files with those of one array written again; its attributes stay as they are stored."""
    form = FORMS["zarr-v2" if version == 2 else "zarr-v3"]
    with closing(form.begin(scratch)) as writer:
        writer.group("/", {})
        writer.array("/array", planned)
    prefix = f"{folder}/" if folder else ""
    written = {f"{prefix}{name}": content for name, content in files_of(scratch / "array").items()}
    if version == 2:
        written.pop(f"{prefix}.zattrs", None)
        stays = f"{prefix}.zattrs"
        kept = {name: content for name, content in files.items() if not name.startswith(prefix) or name == stays}
        return dict(sorted({**kept, **written}.items()))
    old: Document = document(files, f"{prefix}{ROOT_V3}") or {}
    new: Any = document(written, f"{prefix}{ROOT_V3}") or {}
    both = {**new, "attributes": old.get("attributes", {})}
    kept = {name: content for name, content in files.items() if not name.startswith(prefix)}
    return dict(sorted({**kept, **written, f"{prefix}{ROOT_V3}": dumped(both)}.items()))
