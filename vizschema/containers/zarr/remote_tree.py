"""The folders of a remote Zarr archive: made of its consolidated copy, or of one listing. Documents only, no chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from vizschema.containers.base import Limits, Unreadable, quote
from vizschema.containers.remote.store import Missing, Remote, gathered, place_of
from vizschema.containers.zarr.documents import Accounts
from vizschema.containers.zarr.folder import DOCUMENTS, FILE, FOLDER, Entry
from vizschema.containers.zarr.missing import is_chunk
from vizschema.errors import NotAnArchive
from vizschema.text import escape_name

LISTED = 10_000_000
"""The most objects that are listed."""

_PLAIN = 17
"""What is kept of the files, and of the folders without documents, in one folder: one more than a description names."""


class RemoteFolder:
    """A folder, as a `Folder`: documents (bytes, or the size of what is too large to fetch), folders, other files."""

    __slots__ = ("documents", "files", "folders", "plain")

    def __init__(self) -> None:
        self.documents: dict[str, bytes | int] = {}
        self.folders: dict[str, RemoteFolder] = {}
        self.files: list[str] = []
        self.plain = 0

    def read(self, name: str, limit: int) -> bytes | None:
        """The document of that name, None if there is none."""
        found = self.documents.get(name)
        size = found if isinstance(found, int) else len(found or b"")
        if size > limit:
            raise Unreadable("over-limit", f"{name} has {size} bytes, more than {limit}")
        return None if isinstance(found, int) else found

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""
        return name in self.documents or name in self.folders or name in self.files

    def entries(self) -> Sequence[Entry]:
        """Every member, sorted by name; of many files that are not documents, the first ones."""
        found = [Entry(name, FILE) for name in self.documents]
        found += [_folder(name) for name in self.folders]
        found += [Entry(name, FILE) for name in self.files if name not in self.folders]
        return sorted(found)

    def enter(self, name: str) -> RemoteFolder:
        """The folder of that name within this one."""
        if name not in self.folders:
            raise Unreadable("damaged", f"{quote(name)} is not a folder")
        return self.folders[name]

    def named(self, shown: str) -> str:
        """The name of the folder that a description shows as `shown`."""
        if shown in self.folders:
            return shown
        return next((name for name in self.folders if escape_name(name) == shown), shown)

    def close(self) -> None:
        """Do nothing: no file is open."""


def copied_tree(documents: Mapping[str, bytes], accounts: Mapping[str, Accounts], limits: Limits) -> RemoteFolder:
    """The folders that a consolidated copy describes; `documents` are those that were fetched from the root."""
    root = RemoteFolder()
    for path, account in accounts.items():
        folder = _descend(root, path.strip("/").split("/") if path != "/" else [], limits)
        if folder is not None:
            folder.documents.update({name: orjson.dumps(document) for name, document in account.items()})
    root.documents.update(documents)
    return root


def listed_tree(remote: Remote, documents: Mapping[str, bytes], limits: Limits) -> RemoteFolder:
    """The folders that one listing shows, with every document of them, fetched concurrently; raises `NotAnArchive`.

    `documents` are those of the root that are here already.
    """
    root = _listed(remote, limits)
    root.documents.update(documents)
    wanted = [
        (folder, name, key, size)
        for folder, key, name, size in _wanted(root, "")
        if size <= (limits.document_bytes if folder is not root else limits.consolidated_bytes)
    ]
    total = sum(size for *_, size in wanted)
    if total > limits.consolidated_bytes:
        raise NotAnArchive(
            f"its metadata has {total} bytes, more than {limits.consolidated_bytes}: consolidate it", path=remote.shown
        )
    answers = gathered(remote, [(key, size) for _, _, key, size in wanted])
    for (folder, name, key, _), answer in zip(wanted, answers, strict=True):
        if answer is Missing.DENIED:
            raise NotAnArchive(f"{answer.value}: a document that is listed", path=place_of(remote.shown, key))
        if isinstance(answer, Missing):
            del folder.documents[name]
        else:
            folder.documents[name] = answer.data if len(answer.data) == answer.size else answer.size
    return root


def _folder(name: str) -> Entry:
    if name in ("", ".", ".."):
        return Entry(name, "damaged", f"a folder named {quote(name)}, which stands for another place")
    return Entry(name, FOLDER)


def _listed(remote: Remote, limits: Limits) -> RemoteFolder:
    root = RemoteFolder()
    for count, (key, size) in enumerate(remote.keys()):
        if count >= LISTED:
            raise NotAnArchive(f"more than {LISTED} objects: consolidate it, so that none is listed", path=remote.shown)
        *above, name = key.split("/")
        if not name:
            continue  # an object that stands for a folder
        if name in DOCUMENTS:
            folder = _descend(root, above, limits)
            if folder is not None:
                folder.documents[name] = size
        else:
            _sight(root, above, name)
    return root


def _descend(root: RemoteFolder, names: Sequence[str], limits: Limits) -> RemoteFolder | None:
    """The folder at these names, made on the way; None below the depth that is looked at."""
    folder = root
    for depth, name in enumerate(names):
        if depth > limits.path_depth:
            return None
        inner = folder.folders.get(name)
        if inner is None:
            inner = folder.folders[name] = RemoteFolder()
        folder = inner
    return folder


def _sight(root: RemoteFolder, above: Iterable[str], name: str) -> None:
    """Keeps a file that is not a document, as long as there are few of them: there may be millions of chunks."""
    folder, most = root, _PLAIN
    for step in above:
        inner = folder.folders.get(step)
        if inner is None:
            if folder.plain >= most:
                return
            folder.plain += 1
            inner = folder.folders[step] = RemoteFolder()
        folder = inner
        most = 1 if is_chunk(Entry(step, FOLDER)) else _PLAIN
    if len(folder.files) < most:
        folder.files.append(name)


def _wanted(root: RemoteFolder, key: str) -> Iterator[tuple[RemoteFolder, str, str, int]]:
    """Every document that is not here yet: its folder, key, name and size."""
    stack = [(root, key)]
    while stack:
        folder, key = stack.pop()
        for name, found in folder.documents.items():
            if isinstance(found, int):
                yield folder, f"{key}{name}", name, found
        stack += [(inner, f"{key}{name}/") for name, inner in folder.folders.items()]
