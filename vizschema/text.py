"""Texts that are shown: hostile ones escaped, long ones shortened, known ones suggested, URLs masked.

Whatever is shown of a URL, in a report, a message or a line of progress, has been through `masked`. Opens nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

# C0 and C1 controls, line and paragraph separators, bidirectional marks, embeddings, overrides and isolates, zero-width
# characters and the byte-order mark, lone surrogates, noncharacters, interlinear and tag characters.
# Source: Unicode 16, chapters 5.21 and 23; UTS 55 "Source Code Handling".
_HOSTILE = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e0fff"
)
EMPTY_NAME = r"\empty"
"""What stands for a name of no characters: engines lose empty steps of a path."""

_HOSTILE_TEXT = re.compile(f"[{_HOSTILE}]")
_HOSTILE_NAME = re.compile(rf"[{_HOSTILE}\\]")

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*(?:::[A-Za-z][A-Za-z0-9+.-]*)*)://", re.ASCII)
_PARTS = re.compile(r"(?s)([^/?#]+?)://([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?")
_HOST = re.compile(r"(?s)[^:@]*(:[0-9]*)?|\[[0-9A-Fa-f:.%]*\](:[0-9]*)?", re.ASCII)
_URL_WITHIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]*", re.ASCII)
_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
_MASK = "***"


def escape_text(text: str) -> str:
    r"""`text` with every hostile character as `\u001b`; the same object where there is none."""
    if text.isascii() and text.isprintable():
        return text
    return _HOSTILE_TEXT.sub(_escaped, text)


def escape_name(name: str) -> str:
    r"""`name` escaped, with backslashes doubled so that two different names never become one, and never empty."""
    if not name:
        return EMPTY_NAME
    if name.isascii() and name.isprintable() and "\\" not in name:
        return name
    return _HOSTILE_NAME.sub(_escaped, name)


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if character == "\\":
        return "\\\\"
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, limit: int = 120) -> str:
    """`text`, or its beginning and its length where it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def count(number: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size_words(number: int) -> str:
    """Return bytes in the largest unit of which there is one at least: `512 B`, `22.6 KiB`."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} B"


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean X?` where something known is close to `word`, else nothing."""
    close = close_to(word, known)
    return f"; did you mean {close[0]}?" if close else ""


def close_to(word: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return what is known and close to `word`, the closest first: `layer_00` has the number of `layer_0`."""
    from difflib import get_close_matches

    known, plain = list(known), _ZEROS.sub("", word)
    same = [each for each in known if _ZEROS.sub("", each) == plain]
    near = get_close_matches(word, known, n=most, cutoff=cutoff)
    return [*same, *(each for each in near if each not in same)][:most]


def scheme_of(path: str) -> str | None:
    """Return the scheme of a URL in lower case, None for a path: `s3`, `zip::https`."""
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


_JSON_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")


def json_size(raw: bytes) -> tuple[int, int]:
    """How many JSON values a text has, names of members not counted, and how deep it is nested; before it is parsed."""
    bare = _JSON_TEXT.sub(b"", raw)
    depth = most = 0
    for each in bare.translate(None, _NO_BRACKET):
        depth += 1 if each in b"[{" else -1
        most = max(most, depth)
    return bare.count(b",") + bare.count(b"[") + bare.count(b"{"), most
