"""URLs of archives: which texts are one, and how one is shown. Opens nothing.

Whatever is shown of a URL, in a report, a message or a line of progress, has been through `masked`.
"""

from __future__ import annotations

import os
import re

SCHEMES = ("s3", "s3a", "gs", "gcs", "https", "http", "memory")

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z][A-Za-z0-9+.-]*)*)://", re.ASCII)
_PARTS = re.compile(r"(?s)([^/?#]+?)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?")
_HOST = re.compile(r"(?s)[^:@]*(:[0-9]*)?|\[[0-9A-Fa-f:.%]*\](:[0-9]*)?", re.ASCII)
_URL_WITHIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]*", re.ASCII)
_MASK = "***"


def scheme_of(path: str) -> str | None:
    """The scheme of a URL in lower case, null for a path: `s3`, `zip::https`."""
    match = _URL.match(path)
    return None if match is None else match.group(1).lower()


def local_path(path: str) -> str:
    """Return the path that a `file://` URL of this machine stands for, and any other text as it is."""
    if scheme_of(path) != "file":
        return path
    from urllib.parse import unquote_to_bytes  # a worker that describes needs none of it

    host, slash, rest = path[len("file://") :].partition("/")
    return os.fsdecode(unquote_to_bytes(slash + rest)) if slash and host in ("", "localhost") else path


def masked(path: str) -> str:
    """`path` as it may be shown: of a URL, the user, the password, the query and the fragment are `***`."""
    match = _PARTS.fullmatch(path) if scheme_of(path) is not None else None
    if match is None:
        return path
    scheme, host, rest, query, fragment = match.groups()
    _, at, host = host.rpartition("@")
    # A name with a colon and no port is a user whose password holds a slash or a question mark.
    if not _HOST.fullmatch(host):
        host, rest = _MASK, rest.rpartition("@")[2] if "@" in rest else rest
    shown = f"{_MASK}@{host}" if at else host
    return f"{scheme}://{shown}{rest}{f'?{_MASK}' if query else ''}{f'#{_MASK}' if fragment else ''}"


def scrubbed(text: str) -> str:
    """`text` of any kind, with every URL in it as `masked` shows it."""
    return _URL_WITHIN.sub(lambda match: masked(match.group()), text)


def archive_name(path: str | os.PathLike[str]) -> str:
    """What a report calls the archive at a path or URL."""
    return masked(os.fspath(path))
