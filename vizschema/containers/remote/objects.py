"""S3, Google Cloud Storage, Azure and memory by obstore: the size of an answer is judged before its body is read.

Failures of obstore are translated: its messages contain addresses, keys and responses of the store.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import obstore
from obstore.exceptions import BaseError, InvalidPathError, PermissionDeniedError, UnauthenticatedError

from vizschema.containers.remote.settings import NO_NAME, S3_ENDPOINTS, first_set, make_store
from vizschema.containers.remote.store import Answer, Missing, Part, Refused, Timeouts, Transient, extend_deadline

_STEP = 1 << 20
_PAGE = 1000

_FAILURES = (BaseError, FileNotFoundError)
_NAMELESS = "an object has an invalid name (an empty step, `.`, `..` or a control character); rename it"
_STATUS = re.compile(r"non-2xx status code: ([0-9]{3})", re.ASCII)
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,40})</Code>", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_TRANSIENT = {"408", "425", "429", "RequestTimeout"}
_OTHER_REGION = re.compile("redirect without LOCATION|<Code>AuthorizationHeaderMalformed</Code>")
_REFUSED = {
    r"redirect without LOCATION": "the bucket is in another region: set AWS_REGION to it",
    r"error: (Received non-partial|Requested [0-9])": "the store responds with another byte range than requested",
    r"Got invalid list response": "the store responds with a malformed listing",
}
_TRIED_AGAIN = {"dns error": "no such host", "kind: Connect": "no connection", "kind: Interrupted": "connection closed"}


class ObjectsTransport:
    """A bucket of an object store, or what lies below a prefix of it, as a `Transport`."""

    lists = True

    def __init__(self, url: str, timeouts: Timeouts) -> None:
        self._scheme, _, place = url.partition("://")
        self._bucket, _, prefix = place.strip("/").partition("/")
        self._prefix = place.strip("/") if self._scheme == "memory" else prefix
        self._timeouts = timeouts
        self._region: dict[str, str] = {}
        self._store = self._made(tries=1)

    async def fetch(self, key: str, start: int | None, most: int, clock: asyncio.Timeout) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        path = "/".join(part for part in (self._prefix, key) if part)
        if not path:
            return Missing.ABSENT
        if NO_NAME.search(path):
            raise Refused(_NAMELESS)
        store = self._store
        options: Any = {} if start is None else {"range": (start, start + most)}
        try:
            return await self._read(await obstore.get_async(store, path, options=options), most, clock)
        except _FAILURES as error:
            failure = _failure(error)
            elsewhere = _OTHER_REGION.search(str(error))
        if elsewhere and await self._moved(store):
            return await self.fetch(key, start, most, clock)
        if isinstance(failure, Exception):
            raise failure
        return Part(start or 0, b"", start or 0) if failure is None else failure

    async def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Every key below the prefix and the size of its object, by one listing without a delimiter."""
        skipped = len(self._prefix) + 1 if self._prefix else 0
        try:
            listing = obstore.list(self._made(self._timeouts.tries), self._prefix or None, chunk_size=_PAGE)
            async for page in listing:
                for entry in page:
                    if entry["path"][skipped:]:
                        yield entry["path"][skipped:], entry["size"]
            return
        except _FAILURES as error:
            failure = _failure(error)
        if failure is Missing.DENIED:
            raise Refused("its objects may not be listed (403): grant the right to list them, or consolidate it")
        if isinstance(failure, Exception):
            raise failure

    async def close(self) -> None:
        """Do nothing: obstore closes its connections with the store."""

    def _made(self, tries: int) -> Any:
        return make_store(self._scheme, self._bucket, self._timeouts, tries, self._region)

    async def _read(self, found: Any, most: int, clock: asyncio.Timeout) -> Part:
        size, (first, last) = found.meta["size"], found.range
        length = last - first
        if length > most:
            return Part(first, b"", size)
        extend_deadline(clock, self._timeouts, length)
        parts: list[bytes] = []
        there = 0
        async for part in found.stream(min_chunk_size=_STEP):
            there += len(part)
            if there > length:
                break
            parts.append(bytes(part))
        if there != length:
            raise Transient(f"expected a response of {length} bytes, found {there}")
        return Part(first, b"".join(parts), size)

    async def _moved(self, store: Any) -> bool:
        """Whether the bucket is in another region than `store` asks; the transport asks there from then on."""
        if self._scheme not in ("s3", "s3a") or (self._region and self._store is store):
            return False
        address = first_set(S3_ENDPOINTS) or "https://s3.amazonaws.com"
        try:
            async with (
                aiohttp.ClientSession(trust_env=True) as session,
                session.head(f"{address.rstrip('/')}/{self._bucket}", allow_redirects=False) as response,
            ):
                region = response.headers.get("x-amz-bucket-region", "")
        except aiohttp.ClientError:
            return False
        if self._store is store and _REGION.fullmatch(region):
            self._region = {"region": region}
            self._store = self._made(tries=1)
        return self._store is not store


def _failure(error: Exception) -> Missing | Exception | None:
    """Translate a failure of obstore; None if a range begins past the end of an object."""
    if isinstance(error, FileNotFoundError):
        return Missing.ABSENT
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return Missing.DENIED
    if isinstance(error, InvalidPathError):
        return Refused(_NAMELESS)
    said = str(error)
    status, code = (match[1] if match else "" for match in (_STATUS.search(said), _CODE.search(said)))
    if status in ("401", "403", "404"):
        return Missing.ABSENT if status == "404" else Missing.DENIED
    if status == "416" or "source: StartTooLarge" in said:
        return None
    if status:
        words = f"the store responds with {code or f'status {status}'}"
        return Transient(words) if status >= "500" or {status, code} & _TRANSIENT else Refused(words)
    if "kind: Timeout" in said:
        return TimeoutError()
    for pattern, words in _REFUSED.items():
        if re.search(pattern, said):
            return Refused(words)
    reason = next((words for sign, words in _TRIED_AGAIN.items() if sign in said), "malformed HTTP")
    return Transient(f"the connection fails: {reason}")
