"""Zarr in a directory: folders by handle, no link followed below the root, every file looked at before it is read."""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vizschema.containers.base import Limits, Unreadable, Watch, quote, unwatched
from vizschema.containers.others import FOLDERS, by_names
from vizschema.containers.zarr.folder import DOCUMENTS, ENTER, FILE, FOLDER, OURS, READ, Entry
from vizschema.containers.zarr.missing import no_zarr, survey
from vizschema.containers.zarr.walk import Walk
from vizschema.description import Node
from vizschema.errors import NotAnArchive, not_readable
from vizschema.text import escape_name

if TYPE_CHECKING:
    from vizschema.containers.bytes.sources import BufferPool, Source
    from vizschema.containers.values import Values
    from vizschema.containers.zarr.metadata import ZarrArray


_KEPT = 32
"""How many folders stay open, those entered last: chunks lie close together, and entering costs more than opening."""

Steps = tuple[str, ...]


class DirectoryFolder:
    """A folder of the file system, as a `Folder`."""

    __slots__ = ("_fd", "_limits", "_names", "_root")

    def __init__(self, fd: int, root: str, names: tuple[str, ...], limits: Limits) -> None:
        self._fd = fd
        self._root = root
        self._names = names
        self._limits = limits

    @property
    def handle(self) -> int:
        """The descriptor, as long as the folder is open."""
        return self._fd

    def read(self, name: str, limit: int) -> bytes | None:
        """The document of that name, None where there is none."""
        try:
            fd = os.open(name, READ, dir_fd=self._fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refused(name, error) from None
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise _not_a_file(name, status.st_mode)
            if status.st_size > limit:
                raise Unreadable("over-limit", f"{name} has {status.st_size} bytes, more than {limit}")
            return _read(fd, status.st_size)
        except OSError as error:
            raise self._refused(name, error) from None
        finally:
            os.close(fd)

    def has(self, name: str) -> bool:
        """Whether there is a member of that name."""
        return os.access(name, os.F_OK, dir_fd=self._fd, follow_symlinks=False)

    def entries(self) -> Sequence[Entry]:
        """Every member, sorted by name."""
        entries: list[Entry] = []
        try:
            with os.scandir(self._fd) as members:
                for member in members:
                    if member.is_dir(follow_symlinks=False):
                        entries.append(Entry(member.name, FOLDER))
                    elif member.is_file(follow_symlinks=False):
                        entries.append(Entry(member.name, FILE))
                    elif member.is_symlink():
                        entries.append(Entry(member.name, *self._link(member.name)))
                    else:
                        entries.append(Entry(member.name, "special-file", "a FIFO, socket or device"))
                    if len(entries) > self._limits.nodes:
                        raise Unreadable("over-limit", f"a folder of more than {self._limits.nodes} members")
        except OSError as error:
            raise self._refused("", error) from None
        return sorted(entries)

    def enter(self, name: str) -> DirectoryFolder:
        """The folder of that name within this one."""
        try:
            fd = os.open(name, ENTER, dir_fd=self._fd)
        except OSError as error:
            raise self._refused(name, error) from None
        return DirectoryFolder(fd, self._root, (*self._names, name), self._limits)

    def named(self, shown: str) -> str:
        """The name of the member that a description shows as `shown`."""
        if "\\" not in shown:
            return shown
        return next((entry.name for entry in self.entries() if escape_name(entry.name) == shown), shown)

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._fd)

    def _link(self, name: str) -> tuple[str, str]:
        """The reason and the words for a symbolic link, from its text alone: what it points at is never touched."""
        target = os.readlink(name, dir_fd=self._fd)
        roots = {self._root, os.path.realpath(self._root)}
        pointed = {
            os.path.normpath(target if target.startswith("/") else "/".join((root, *self._names, target)))
            for root in roots
        }
        inside = any(path == root or path.startswith(f"{root}/") for path in pointed for root in roots)
        if inside:
            return "internal-link", f"a symbolic link within the archive, to {quote(target)}"
        return "external-link", "a symbolic link that leaves the archive"

    def _refused(self, name: str, error: OSError) -> Exception:
        if error.errno in OURS:
            return error
        if error.errno == errno.ELOOP and name:
            reason, detail = self._link(name)
            return Unreadable(reason, f"{quote(name)} is {detail}")
        if error.errno == errno.ENXIO:
            return Unreadable("special-file", f"{quote(name)} is a FIFO, socket or device")
        what = f"{quote(name)}: " if name else ""
        return Unreadable("damaged", f"{what}{error.strerror}")


class ZarrDirectory:
    """An open Zarr archive in a directory, as a `Container`."""

    def __init__(self, root: DirectoryFolder, version: int, limits: Limits) -> None:
        self._root = root
        self._walk = Walk(root, version, limits)
        self._version = version
        self._limits = limits
        self._pool: BufferPool | None = None
        self._folders: FolderHandles | None = None

    def identity(self) -> dict[str, Any]:
        """The `container` block of the description."""
        consolidated = self._walk.consolidated()
        return {"format": "zarr", "version": self._version, "store": "directory", "consolidated": consolidated}

    def nodes(self, watch: Watch = unwatched) -> Iterator[tuple[str, Node]]:
        """Every node once, as (path, node), the root first; damage is a node, not an exception."""
        return self._walk.nodes(watch)

    def values(self, path: str) -> Values:
        """The values of the array under a path that `nodes` gave; raises `ChunkDamaged` where it cannot be opened."""
        # Describing needs no NumPy and no codec: they are imported where values are read.
        from vizschema.containers.bytes.sources import BufferPool
        from vizschema.containers.zarr.values import ZarrValues, located

        self._pool = self._pool or BufferPool()
        folders = self._entered()
        names, layout = located(self._walk, path, self._at)
        chunks = FileChunks(folders, names)
        return ZarrValues(layout, chunks, self._pool, lambda: chunks, chunks.size_of)

    def stored(self, path: str) -> tuple[list[str], ZarrArray | None, FolderHandles]:
        """Where an array lies, by the names of folders, what its documents say (None: nothing), and the folders.

        Raises `Unreadable`.
        """
        return (*self._walk.array(path, self._at), self._entered())

    def _entered(self) -> FolderHandles:
        self._folders = self._folders or FolderHandles(self._root.handle)
        return self._folders

    def _at(self, steps: Sequence[str]) -> DirectoryFolder | None:
        try:
            return DirectoryFolder(self._entered().entered(tuple(steps)), "", (), self._limits)
        except OSError:
            return None  # said where each folder is entered

    def close(self) -> None:
        """Let go of the root and of the folders of chunks; every other one was let go of on the way."""
        if self._folders is not None:
            self._folders.close()
        self._root.close()


def open_zarr_directory(path: str, limits: Limits = Limits()) -> ZarrDirectory:  # noqa: B008  (frozen)
    """The archive in the folder `path`, which may itself be a symbolic link; raises `NotAnArchive`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError as error:
        raise not_readable(quote(path), error) from None
    root = DirectoryFolder(fd, os.path.abspath(path), (), limits)  # noqa: PTH100  (of links, the words alone count)
    try:
        return ZarrDirectory(root, _version(root, path), limits)
    except BaseException:
        root.close()
        raise


def _version(root: DirectoryFolder, path: str) -> int:
    """The version of Zarr by what the root holds, and by what lies below where the root lost its metadata."""
    if root.has("zarr.json"):
        return 3
    if any(root.has(name) for name in DOCUMENTS):
        return 2
    try:
        names = [entry.name for entry in root.entries()]
    except Unreadable as unreadable:
        raise NotAnArchive(unreadable.detail, path=quote(path)) from None
    version, archives = survey(root)
    other = None if archives else by_names(names, FOLDERS)
    if other is not None:
        raise NotAnArchive(other, path=quote(path))
    if version is not None:
        return version
    raise no_zarr(path, quote(path), names, archives)


def _not_a_file(name: str, mode: int) -> Unreadable:
    if stat.S_ISDIR(mode):
        return Unreadable("metadata-invalid", f"{name} is a folder, not a document")
    return Unreadable("special-file", f"{name} is a FIFO, socket or device")


def _read(fd: int, size: int) -> bytes:
    raw = os.read(fd, size)
    while len(raw) < size:
        more = os.read(fd, size - len(raw))
        if not more:
            break
        raw += more
    return raw


class FolderHandles:
    """Handles of the folders below `root`, itself a handle, that were entered last; for many threads."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._held: OrderedDict[Steps, int] = OrderedDict()
        from threading import Lock  # describing opens no chunk

        self._lock = Lock()

    def entered(self, steps: Steps) -> int:
        """A handle of a folder, for the caller to close; raises `OSError` for what is none, links included."""
        with self._lock:
            held = self._held.get(steps) if steps else self._root
            if held is not None:
                if steps:
                    self._held.move_to_end(steps)
                return os.dup(held)
        above = self.entered(steps[:-1])
        try:
            folder = os.open(steps[-1], ENTER, dir_fd=above)
        finally:
            os.close(above)
        self._keep(steps, folder)
        return folder

    def _keep(self, steps: Steps, folder: int) -> None:
        with self._lock:
            if steps in self._held:
                return
            self._held[steps] = os.dup(folder)
            if len(self._held) > _KEPT:
                os.close(self._held.popitem(last=False)[1])

    def close(self) -> None:
        """Let go of all of them but the root."""
        with self._lock:
            while self._held:
                os.close(self._held.popitem()[1])


class FileChunks:
    """The chunks of the array in the folder `names` below the root of `folders`: opened by key, and listed."""

    def __init__(self, folders: FolderHandles, names: Sequence[str]) -> None:
        self._folders = folders
        self._names = tuple(names)

    def __call__(self, key: str) -> Source | None:
        """The file under a key, None where there is none; raises `ChunkDamaged` for a link and anything but a file."""
        from vizschema.containers.bytes.sources import OpenFile
        from vizschema.containers.values import ChunkDamaged

        *above, name = key.split("/")
        try:
            folder = self._folders.entered((*self._names, *above))
            try:
                fd = os.open(name, READ, dir_fd=folder)
            finally:
                os.close(folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in OURS:
                raise
            # A folder that is a link shows as none: the open neither follows it nor takes anything but a folder.
            linked = error.errno in (errno.ELOOP, errno.ENOTDIR)
            detail = "a symbolic link, which is never followed, or no folder" if linked else error.strerror
            raise ChunkDamaged("undecodable", f"it cannot be opened: {detail}") from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise ChunkDamaged("undecodable", "a folder, FIFO, socket or device, not a file")
        return OpenFile(fd, status.st_size)

    def size_of(self, key: str) -> int | None:
        """Return the bytes of the file under a key; None for what is not a file."""
        *above, name = key.split("/")
        try:
            folder = self._folders.entered((*self._names, *above))
            try:
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            finally:
                os.close(folder)
        except OSError as error:
            if error.errno in OURS:
                raise
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def members(self) -> Iterator[tuple[str, bool]]:
        """The name of every member, and whether it is a folder; in any order, and however many there are."""
        try:
            fd = self._folders.entered(self._names)
            try:
                with os.scandir(fd) as members:
                    for member in members:
                        yield member.name, member.is_dir(follow_symlinks=False)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno in OURS:
                raise
            raise Unreadable("damaged", f"it cannot be listed: {error.strerror}") from None

    def enter(self, name: str) -> FileChunks:
        """The folder of that name within this one."""
        return FileChunks(self._folders, (*self._names, name))

    def close(self) -> None:
        """Nothing: the handles let go of it."""
