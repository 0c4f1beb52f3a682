"""Exceptions: each means that an archive could not be judged, knows the exit code that says so, and has its parts."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.findings import Question, Report

FIELDS = ("path", "reason", "expected", "found", "fix")
"""The attributes of every exception of this package that are text or None."""

_SHOWN = 3
_PROBLEMS = 20

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([a-z]+)['"]""")
_OF_DEVELOPERS = ("test", "dev", "docs", "mutation")
"""Extras for the development of vizschema alone."""

_FIXES: Mapping[int, str] = {
    errno.ENOENT: "make its folder first",
    errno.ENOTDIR: "a part of the path is a file: choose another path",
    errno.EISDIR: "it is a folder: name a file in it",
    errno.EEXIST: "choose another name, or remove it yourself",
    errno.ENAMETOOLONG: "choose a shorter name",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "choose another place, or change its permissions"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make space, or choose another place"),
}
"""What to do where the system does not let a file be written."""


class VizschemaError(Exception):
    """Base class of every exception of this package.

    The message is `PATH: expected EXPECTED, found FOUND; FIX`, as far as there are parts.

    Attributes:
        exit_code: The exit code of the command line.
        path: The archive, node, file or option that the error is about, or None.
        reason: The message without the path.
        expected: What was expected, or None.
        found: What was found instead, or None.
        fix: How to fix it, or None.

    Examples:
        >>> try:
        ...     vizschema.describe("nothing.zarr")
        ... except vizschema.VizschemaError as error:
        ...     print(error.exit_code, error)
        3 nothing.zarr: no such file or folder
    """

    exit_code = 70

    def __init__(
        self,
        reason: object = "",
        *,
        path: object = None,
        expected: object = None,
        found: object = None,
        fix: str | None = None,
    ) -> None:
        from vizschema.text import escape_text

        parts = [] if expected is None else [f"expected {expected}, found {found}"]
        text = ": ".join([*filter(None, [str(reason)]), *parts])
        self.path = None if path is None else str(path)
        self.reason = text if fix is None else f"{text}; {fix}"
        self.expected = None if expected is None else str(expected)
        self.found = None if expected is None else str(found)
        self.fix = fix
        super().__init__(self.reason if path is None else f"{escape_text(str(path))}: {self.reason}")

    @property
    def lines(self) -> list[str]:
        """The message by lines: those after the first one are indented."""
        first, *more = str(self).split("\n  ")
        return [first, *(f"  {line}" for line in more)]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, vars(self))


def _restored(kind: type[VizschemaError], arguments: tuple[Any, ...], fields: Mapping[str, Any]) -> VizschemaError:
    """An exception of this kind as it was pickled."""
    error = kind.__new__(kind, *arguments)
    vars(error).update(fields)
    return error


class UsageError(VizschemaError):
    """A wrong call: the target exists, the container is unknown, an argument does not fit.

    Examples:
        >>> try:
        ...     vizschema.convert("run.zarr", "run.zarr")
        ... except vizschema.UsageError as error:
        ...     print(error.path)
        run.zarr
    """

    exit_code = 2


class NotAnArchive(VizschemaError):
    """A path that cannot be read as an archive.

    Examples:
        >>> try:
        ...     vizschema.open("nothing.zarr")
        ... except vizschema.NotAnArchive as error:
        ...     print(error.reason)
        no such file or folder
    """

    exit_code = 3


class Damaged(NotAnArchive):
    """Values that cannot be read.

    Attributes:
        path: The array.
        key: The chunk, as the container names it.
        reason: What is wrong, a word of a closed list.
        detail: The same in a sentence.

    Examples:
        >>> with vizschema.open("damaged.zarr") as archive:
        ...     try:
        ...         archive["/outputs/logits"][...]
        ...     except vizschema.Damaged as error:
        ...         print(error.path, error.key, error.reason)
        /outputs/logits c/0/0/0 truncated
    """

    def __init__(self, path: str, key: str, reason: str, detail: str) -> None:
        super().__init__(f"cannot be read: chunk {key}: {reason}: {detail}", path=path)
        self.key = key
        self.reason = reason
        self.detail = detail


class Interrupted(VizschemaError):
    """The user interrupted a job before an archive was judged.

    Examples:
        >>> vizschema.Interrupted("interrupted").exit_code
        130
    """

    exit_code = 130


class NoDigest(VizschemaError):
    """An archive has no digest, because not every container could store it in the same way.

    Attributes:
        faults: Pairs of the path of a node and what is wrong with it.

    Examples:
        >>> try:
        ...     vizschema.digest("malformed.zarr")
        ... except vizschema.NoDigest as error:
        ...     print(error.faults[0][0])
        /metadata
    """

    exit_code = 1

    def __init__(self, faults: Sequence[tuple[str, str]], fix: str | None = None) -> None:
        shown = "; ".join(f"{path}: {why}" for path, why in faults[:_SHOWN])
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        super().__init__(f"it has no digest: {shown}{more}" + (f". {fix}" if fix else ""))
        self.faults = tuple(faults)
        self.fix = fix


class SpecError(VizschemaError):
    """A version, profile or schema does not exist or is not valid.

    Examples:
        >>> try:
        ...     vizschema.validate("run.zarr", spec="9.9.9")
        ... except vizschema.SpecError as error:
        ...     print(error.exit_code)
        4
    """

    exit_code = 4


class NotConforming(VizschemaError):
    """A write was refused, or a capture could not be marked complete, because it does not conform.

    Attributes:
        report: The report with the findings.

    Examples:
        >>> try:
        ...     vizschema.write("empty.zarr", {}, profile="trace")
        ... except vizschema.NotConforming as error:
        ...     print([finding.rule for finding in error.report.errors])
        ['data-present', 'metadata-group']
    """

    exit_code = 1

    def __init__(self, reason: str, report: Report, *, path: object = None) -> None:
        super().__init__(reason, path=path)
        self.report = report


class NotSupported(VizschemaError):
    """The container that an archive is converted to does not support what the archive contains.

    Attributes:
        path: The archive.
        container: The container that it was to be converted to.
        problems: What is not supported, by the path of the node.

    Examples:
        >>> try:
        ...     vizschema.convert("malformed.zarr", "malformed.h5")
        ... except vizschema.NotSupported as error:
        ...     print(list(error.problems))
        ['/metadata']
    """

    exit_code = 1

    def __init__(self, path: str, container: str, problems: Mapping[str, str]) -> None:
        from vizschema.text import shorten

        lines = [f"nothing was written: {container} does not support {len(problems)} of its nodes"]
        lines += [f"  {node}: {shorten(why, 300)}" for node, why in list(problems.items())[:_PROBLEMS]]
        lines += [f"  and {len(problems) - _PROBLEMS} more"] if len(problems) > _PROBLEMS else []
        super().__init__("\n".join(lines), path=path)
        self.container = container
        self.problems = dict(problems)


class Refused(VizschemaError):
    """A source was not migrated, and nothing was written.

    Attributes:
        problems: What is in the way, each with its place.

    Examples:
        >>> np.savez("old.npz", act_0_single=np.ones((4, 8)), notes=np.ones(3))
        >>> try:
        ...     vizschema.migrate("old.npz", "new.zarr", mapping="benchmark-candidates-flat")
        ... except vizschema.Refused as error:
        ...     print(error.problems[0])
        /notes: no rule of the mapping is about it; drop it with --set 'lose:/notes=REASON', or extend the mapping
    """

    exit_code = 1

    def __init__(self, problems: Sequence[str], reason: str = "nothing was written") -> None:
        super().__init__("\n  ".join([reason, *problems]))
        self.problems = tuple(problems)


class Unanswered(VizschemaError):
    """Questions are open, and nothing was written.

    Attributes:
        questions: The questions.

    Examples:
        >>> np.savez("old.npz", act_0_single=np.ones((4, 8)))
        >>> try:
        ...     vizschema.migrate("old.npz", "new.zarr", mapping="benchmark-candidates-flat")
        ... except vizschema.Unanswered as error:
        ...     print([question.key for question in error.questions])
        ['model_name', 'model_version']
    """

    exit_code = 2

    def __init__(self, questions: Sequence[Question]) -> None:
        count = "one answer is" if len(questions) == 1 else f"{len(questions)} answers are"
        super().__init__("\n  ".join([f"{count} missing; add to the command:", *map(str, questions)]))
        self.questions = tuple(questions)


def about(archive: str, error: VizschemaError) -> str:
    """The message of `error`, which begins with the archive, shown under this name, or a place in it."""
    return str(error) if (error.path or "").startswith(archive) else f"{archive}: {error}"


@contextmanager
def reads(path: object) -> Iterator[None]:
    """Turn what the system says of a block that reads the archive at `path` into `NotAnArchive`."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise not_readable(path, error) from error


@contextmanager
def writes(path: object) -> Iterator[None]:
    """Turn what the system says of a block that writes `path` into `UsageError`, with what to do about it.

    A closed pipe is another matter: it is standard output.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise not_writable(path, error) from error


def not_readable(path: object, error: OSError) -> NotAnArchive:
    """Return the refusal of an archive that the system did not let be read."""
    fix = "give this user the right to read it" if error.errno in (errno.EACCES, errno.EPERM) else None
    return NotAnArchive(error.strerror or error, path=path, fix=fix)


def not_writable(path: object, error: OSError) -> UsageError:
    """Return the refusal of what the system did not let be written."""
    return UsageError(f"cannot be written: {error.strerror or error}", path=path, fix=_FIXES.get(error.errno or 0))


@contextmanager
def reported_as_bug() -> Iterator[None]:
    """Turn unexpected exceptions in a block into a `VizschemaError` (exit code 70) that asks for a report.

    What the system says of a file is not one of them, and becomes `UsageError`. The traceback is written to stderr only
    where the environment says `VIZSCHEMA_DEBUG=1`.
    """
    try:
        yield
    except (VizschemaError, BrokenPipeError):
        raise
    except OSError as error:
        if error.filename is None:
            raise _bug(error) from error
        raise UsageError(error.strerror or error, path=error.filename, fix=_FIXES.get(error.errno or 0)) from error
    except Exception as error:  # whatever an archive sets off, the user gets one line and a code
        raise _bug(error) from error


def _bug(error: Exception) -> VizschemaError:
    """Return the request for a report."""
    import traceback

    from vizschema.text import escape_text, scrubbed, shorten

    if os.environ.get("VIZSCHEMA_DEBUG") == "1":
        sys.stderr.write(scrubbed(traceback.format_exc()))
    said = shorten(escape_text(scrubbed(f"{type(error).__name__}: {error}")), 300)
    return VizschemaError(
        f"internal error: {said}. It says nothing about the archive; "
        "please report it, with what VIZSCHEMA_DEBUG=1 adds to this line"
    )


def require(what: object, *packages: str) -> None:
    """Raise `UsageError`, which names `what` needs them, if one of `packages` is not installed."""
    lacking = [package for package in packages if not _is_installed(package)]
    if lacking:
        raise missing(what, lacking)


def missing(what: object, packages: Sequence[str]) -> UsageError:
    """Return the refusal of `what` (None: unknown), which needs packages that are not installed."""
    extra = _extra_with(packages)
    fix = f"pip install {' '.join(packages)}"
    if extra is not None:
        fix = f"install the extra `{extra}` (in a copy of the repository: pip install '.[{extra}]')"
    count = "package" if len(packages) == 1 else "packages"
    return UsageError(path=what, expected=f"the {count} {', '.join(packages)}", found="none", fix=fix)


@contextmanager
def missing_reported() -> Iterator[None]:
    """Turn the import of a package that is not installed, in a block, into the refusal that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "vizschema") or _is_installed(package):
            raise
        raise missing(None, [package]) from error


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _extra_with(packages: Sequence[str]) -> str | None:
    """The smallest extra of this distribution that has all of the packages; None where there is none."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        lines = metadata("vizschema").get_all("Requires-Dist") or []
    except PackageNotFoundError:
        return None
    extras: dict[str, set[str]] = {}
    for line in lines:
        name, extra = _NAME.match(line), _EXTRA.search(line)
        if name is not None and extra is not None and extra[1] not in _OF_DEVELOPERS:
            extras.setdefault(extra[1], set()).add(name[0].lower())
    fitting = [extra for extra, names in extras.items() if names >= {package.lower() for package in packages}]
    return min(fitting, key=lambda extra: len(extras[extra]), default=None)
