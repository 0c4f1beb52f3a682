"""Object stores through fsspec: S3 by requests of s3fs, whatever else is asynchronous by ranges of its files."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import fsspec
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper

from vizschema.containers.remote_store import Answer, Missing, Part, Patience, Refused, Transient, put_off

_CODE = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)
_RANGE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]{1,18})", re.ASCII)
_TRANSIENT = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504")
_STEP = 1 << 20


class S3Wire:
    """A bucket of S3, or what lies below a prefix of it, as a `Wire`.

    Settings are those of s3fs and botocore (AWS_PROFILE, AWS_ENDPOINT_URL, FSSPEC_S3_…); without credentials it is
    anonymous.
    """

    lists = True

    def __init__(self, url: str, patience: Patience) -> None:
        place = url.partition("://")[2].rpartition("@")[2]
        self._bucket, _, prefix = place.strip("/").partition("/")
        self._prefix = prefix
        self._patience = patience
        self._files = _s3(patience)

    async def fetch(self, key: str, start: int | None, most: int, clock: asyncio.Timeout) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        name = "/".join(part for part in (self._prefix, key) if part)
        if not name:
            return Missing.ABSENT
        span = {} if start is None else {"Range": f"bytes={start}-{start + most - 1}"}
        try:
            with _told():
                answer = await self._call("get_object", Bucket=self._bucket, Key=name, **span)
                return await self._read(answer, start, most, clock)
        except FileNotFoundError:
            return Missing.ABSENT
        except PermissionError:
            return Missing.DENIED
        except _PastTheEnd:
            return Part(start or 0, b"", start or 0)

    async def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Every key below the prefix and the size of its object, by one listing without a delimiter."""
        prefix = f"{self._prefix}/" if self._prefix else ""
        skipped = len(self._bucket) + 1 + len(prefix)
        try:
            with _told():
                async for entry in self._files._iterdir(self._bucket, delimiter="", prefix=prefix):
                    yield entry["name"][skipped:], entry["size"]
        except FileNotFoundError:
            return
        except PermissionError:
            raise Refused("its objects may not be listed (403): grant s3:ListBucket, or consolidate it") from None

    async def close(self) -> None:
        """Nothing: s3fs keeps its connections for the next archive."""

    async def _call(self, method: str, **arguments: Any) -> Any:
        from botocore.exceptions import NoCredentialsError

        try:
            return await self._files._call_s3(method, **arguments)
        except NoCredentialsError:
            self._files = _s3(self._patience, anon=True)
            return await self._files._call_s3(method, **arguments)

    async def _read(self, answer: Any, start: int | None, most: int, clock: asyncio.Timeout) -> Part:
        body, length = answer["Body"], answer["ContentLength"]
        try:
            if length > most:
                if start is not None:
                    raise Refused("the store answers with another range of bytes than it was asked for")
                return Part(0, b"", length)
            put_off(clock, self._patience, length)
            data = bytearray()
            while len(data) < length:
                part = await body.read(min(_STEP, length - len(data)))
                if not part:
                    raise Transient(f"the answer has {len(data)} bytes, not the {length} that were promised")
                data += part
        finally:
            body.close()
        span = _RANGE.fullmatch(answer.get("ContentRange") or "")
        return Part(start or 0, bytes(data), int(span.group(1)) if span else (start or 0) + length)


class FilesWire:
    """What lies below a URL of any file system of fsspec, as a `Wire`; a file's size is asked for before it is read."""

    lists = True

    def __init__(self, url: str, patience: Patience) -> None:
        scheme, _, place = url.partition("://")
        files = fsspec.filesystem(scheme, **_uncached())
        self._files = files if files.async_impl else AsyncFileSystemWrapper(files, asynchronous=False)
        self._root = files._strip_protocol(f"{scheme}://{place.rpartition('@')[2]}").rstrip("/")
        self._patience = patience
        self._size: int | None = None

    async def fetch(self, key: str, start: int | None, most: int, clock: asyncio.Timeout) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        path = f"{self._root}/{key}" if key else self._root
        try:
            with _told():
                size = self._size if not key and self._size is not None else await self._asked(path)
                if not key:
                    self._size = size
                first, last = (0, size) if start is None else (start, min(start + most, size))
                if last - first > most or last <= first:
                    return Part(first, b"", size)
                put_off(clock, self._patience, last - first)
                data = bytes(await self._files._cat_file(path, start=first, end=last))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return Missing.ABSENT
        except PermissionError:
            return Missing.DENIED
        if len(data) != last - first:
            raise Transient(f"the answer has {len(data)} bytes, not {last - first}")
        return Part(first, data, size)

    async def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Every key below the URL and the size of its object."""
        try:
            with _told():
                found = await self._files._find(self._root, detail=True)
        except FileNotFoundError:
            return
        except PermissionError:
            raise Refused("its objects may not be listed (403): grant the right, or consolidate it") from None
        for name, entry in found.items():
            if name != self._root:
                yield name[len(self._root) + 1 :], int(entry["size"])

    async def close(self) -> None:
        """Nothing: fsspec keeps its connections for the next archive."""

    async def _asked(self, path: str) -> int:
        entry = await self._files._info(path)
        if entry["type"] != "file":
            raise FileNotFoundError
        return int(entry["size"])


class _PastTheEnd(Exception):
    """A range that begins where the object has ended."""


def _uncached() -> dict[str, Any]:
    return {"use_listings_cache": False}


def _s3(patience: Patience, *, anon: bool | None = None) -> Any:
    chosen = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    config = {
        "connect_timeout": patience.connect,
        "read_timeout": patience.read,
        "retries": {"max_attempts": 1},
        **chosen,
    }
    more = {} if anon is None else {"anon": anon}
    return fsspec.filesystem("s3", config_kwargs=config, **_uncached(), **more)


@contextmanager
def _told() -> Iterator[None]:
    """A block in which a failure of a backend becomes ours, in our own words: theirs hold addresses and signatures."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, TimeoutError):
        raise
    except _failures() as error:
        code = _code(error)
        if code in ("InvalidRange", "416"):
            raise _PastTheEnd from None
        said = f"the store answers with {code}" if code else f"the connection fails ({type(error).__name__})"
        if code is not None and code not in _TRANSIENT:
            raise Refused(said) from None
        raise Transient(said) from None


def _failures() -> tuple[type[Exception], ...]:
    """What the backends that were imported raise."""
    found: list[type[Exception]] = [OSError]
    for module, name in (
        ("aiohttp", "ClientError"),
        ("botocore.exceptions", "BotoCoreError"),
        ("botocore.exceptions", "ClientError"),
        ("gcsfs.retry", "HttpError"),
        ("google.auth.exceptions", "GoogleAuthError"),
    ):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


def _code(error: BaseException) -> str | None:
    """The error code of a store, if it is one that may be shown."""
    for each in (error, error.__cause__):
        response = getattr(each, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        if type(each).__module__.startswith("gcsfs"):
            code = getattr(each, "code", None)
        if code is not None and _CODE.fullmatch(str(code)):
            return str(code)
    return None
