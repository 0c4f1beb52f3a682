"""What a user may have meant by a path that is not an archive: the archive around it, those in it, a name close to it.

Looks at the names of files near the path, and opens nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from vizschema.containers.formats import SUFFIXES
from vizschema.errors import NotAnArchive, UsageError, VizschemaError, not_readable
from vizschema.findings import Report
from vizschema.fleet.places import DOCUMENTS, holder
from vizschema.text import archive_name, scheme_of, suggestion

_MAXIMUM_NAMES = 10_000

_MISSING = {
    "abfs": "abfs:// is not supported; write az://CONTAINER/PATH",
    "hf": "Hugging Face (hf://) is not supported; download the archive with `hf download`, or pass its https:// URL",
    "ftp": "FTP is not supported; download the archive",
    "file": "expected file:///PATH, since a file URL names no other host",
}


def hinted(path: str, error: VizschemaError) -> VizschemaError:
    """Return `error`, with what the user may have meant by `path`."""
    if type(error) not in (NotAnArchive, UsageError):
        return error
    archives = _archives_in(path)
    if archives:
        return NotAnArchive(archives, path=path)
    hint = _hint(path)
    return type(error)(f"{error.reason}{hint}", path=error.path) if hint else error


@contextmanager
def hints(path: str) -> Iterator[None]:
    """Add hints to the exceptions of a block that reads the archive at `path`, if they are about it."""
    try:
        yield
    except (NotAnArchive, UsageError) as error:
        raise (hinted(path, error) if _is_about(path, error.path) else error) from error
    except OSError as error:
        if error.filename is None or not _is_about(path, os.fsdecode(error.filename)):
            raise
        raise not_readable(archive_name(os.fsdecode(error.filename)), error) from error


def _is_about(path: str, place: str | None) -> bool:
    """Whether `place`, of an exception, is the path that was typed, or below it; an exception without one is."""
    return place is None or archive_name(place).startswith(archive_name(path).rstrip("/"))


def part_of_archive(path: str, report: Report) -> VizschemaError | None:
    """Return the error that names the archive around `path`, if this is only a part that declares nothing itself."""
    if report.conforms or report.error is not None:
        return None
    if report.profile_chosen != "default" or report.spec_chosen == "declared":
        return None
    around = holder(path)
    return None if around is None else NotAnArchive(f"a part of the archive {around}; {_instead(around)}", path=path)


def _hint(path: str) -> str:
    scheme = scheme_of(path)
    if scheme is not None:
        return f"; {_MISSING[scheme]}" if scheme in _MISSING else ""
    around = holder(path)
    if around is not None:
        return f"; it is within the archive {around}: {_instead(around)}"
    file = next((place for place in Path(path).parents if place.is_file()), None)
    if file is not None:
        return f"; {file} is a file, and an archive is read as a whole: pass {_quoted(str(file))} instead"
    return "" if os.path.lexists(path) else _close(Path(path))


def _instead(around: str) -> str:
    return f"pass {_quoted(around)} instead (`validate --enclosing` does so)"


def _archives_in(folder: str) -> str:
    """Return how to pass the archives that are directly in `folder`, by their names; nothing if there are none."""
    if scheme_of(folder) is not None or holder(folder) is not None or not Path(folder).is_dir():
        return ""
    names = _names(Path(folder))
    found = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    if not found or not DOCUMENTS.isdisjoint(names):
        return ""
    start = _quoted(folder.rstrip("/"))
    if len(found) == 1:
        return f"a folder with one archive, and not one itself; pass {start}/{_quoted(found[0])} instead"
    patterns = " ".join(f"{start}/*{suffix}" for suffix in sorted({Path(name).suffix for name in found}))
    return f"a folder with {len(found)} archives, and not one itself; pass these: {patterns}"


def _quoted(name: str) -> str:
    from shlex import quote  # for messages only

    return quote(name)


def _close(path: Path) -> str:
    hint = suggestion(path.name, _names(path.parent))
    return hint.replace("did you mean ", f"did you mean {path.parent}{os.sep}") if str(path.parent) != "." else hint


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in islice(entries, _MAXIMUM_NAMES))
    except (OSError, ValueError):  # there is no such folder, or it may not be read
        return []
