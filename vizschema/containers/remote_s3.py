"""S3 by requests of s3fs: the headers of an answer are judged before its body is read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import fsspec

from vizschema.containers.remote_failures import PastTheEnd, told
from vizschema.containers.remote_store import (
    AT_ONCE,
    Answer,
    Missing,
    Part,
    Patience,
    Refused,
    Transient,
    put_off,
)

_RANGE = re.compile(r"bytes [0-9]+-[0-9]+/([0-9]{1,18})", re.ASCII)
_STEP = 1 << 20


class S3Wire:
    """A bucket of S3, or what lies below a prefix of it, as a `Wire`.

    Settings are those of s3fs and botocore (AWS_PROFILE, AWS_ENDPOINT_URL, FSSPEC_S3_…); without credentials it is
    anonymous.
    """

    lists = True
    insists = False

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
            with told():
                answer = await self._call("get_object", Bucket=self._bucket, Key=name, **span)
                return await self._read(answer, start, most, clock)
        except FileNotFoundError:
            return Missing.ABSENT
        except PermissionError:
            return Missing.DENIED
        except PastTheEnd:
            return Part(start or 0, b"", start or 0)

    async def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Every key below the prefix and the size of its object, by one listing without a delimiter."""
        prefix = f"{self._prefix}/" if self._prefix else ""
        skipped = len(self._bucket) + 1 + len(prefix)
        try:
            with told():
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


def _s3(patience: Patience, *, anon: bool | None = None) -> Any:
    chosen = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
    config = {
        "connect_timeout": patience.connect,
        "read_timeout": patience.read,
        "retries": {"max_attempts": 1},
        "max_pool_connections": AT_ONCE,
        **chosen,
    }
    more = {} if anon is None else {"anon": anon}
    return fsspec.filesystem("s3", config_kwargs=config, use_listings_cache=False, **more)
