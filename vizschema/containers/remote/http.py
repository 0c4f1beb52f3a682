"""HTTP and HTTPS: requests on fsspec's session, redirects one by one, no byte of a body before its headers are judged.

Redirects: five at most, from https to https only, to another host only at a public address, and there without the
credentials, headers and cookies of the host that was named.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import fsspec
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

import vizschema
from vizschema.containers.remote.store import Answer, Missing, Part, Refused, Timeouts, Transient, extend_deadline

REDIRECTS = 5
_STEP = 1 << 16
_MOVED = (301, 302, 303, 307, 308)
_MISSING = {404: Missing.ABSENT, 410: Missing.ABSENT, 401: Missing.DENIED, 403: Missing.DENIED}
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.ASCII)
_NO_RANGE = re.compile(r"bytes \*/([0-9]{1,18})", re.ASCII)
_TAG = 1 << 10
"""Characters of an entity tag; a longer one is not used."""

_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"vizschema/{vizschema.__version__}"}


class HttpTransport:
    """What lies below a URL of a static server, which lists nothing, as a `Transport`."""

    lists = False

    def __init__(self, url: str, timeouts: Timeouts) -> None:
        self._url = url.partition("#")[0]
        self._timeouts = timeouts
        self._files = fsspec.filesystem("http", skip_instance_cache=True)
        self._elsewhere: aiohttp.ClientSession | None = None
        self._tags: dict[str, str] = {}
        self._origin = _parsed(self._url).origin()

    async def fetch(self, key: str, start: int | None, most: int, clock: asyncio.Timeout) -> Answer:
        """`most` bytes from `start`, or the whole object."""
        if any(step in (".", "..") for step in key.split("/")):
            return Missing.ABSENT  # servers take it for another place
        headers = dict(_HEADERS)
        if start is not None:
            headers["Range"] = f"bytes={start}-{start + most - 1}"
            headers.update({"If-Match": self._tags[key]} if key in self._tags else {})
        at = _parsed(self._address(key))
        for _ in range(REDIRECTS + 1):
            try:
                async with await self._get(at, headers) as response:
                    if response.status not in _MOVED:
                        self._require_unchanged(key, response, start)
                        return await self._answer(response, start, most, clock)
                    at = self._next(at, response.headers.get("Location"))
            except _Private:
                raise Refused(
                    f"redirects to {at.host}, which is not a public address; pass that URL directly"
                ) from None
            except aiohttp.ServerTimeoutError:
                raise Transient("timeout") from None
            except aiohttp.ClientPayloadError:
                raise Transient("truncated response: shorter than its Content-Length") from None
            except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError):
                raise Refused(f"{at.host} has no trusted certificate") from None
            except aiohttp.ClientConnectorError as error:
                raise Transient(f"{at.host} cannot be reached: {_reason(error)}") from None
            except (aiohttp.ClientError, ConnectionError, ValueError) as error:
                raise Transient(f"malformed HTTP response ({type(error).__name__})") from None
        raise Refused(f"more than {REDIRECTS} redirects")

    def _require_unchanged(self, key: str, response: aiohttp.ClientResponse, start: int | None) -> None:
        """Raise `Refused` where an object of which ranges are read is another one than before (RFC 9110, 13.1.1)."""
        tag = response.headers.get("ETag", "")
        if start is None or not (response.status in (206, 412) and len(tag) < _TAG and not tag.startswith("W/")):
            return
        if response.status == 412 or (tag and self._tags.setdefault(key, tag) != tag):
            raise Refused("it changed while it was read; read it again")

    async def keys(self) -> AsyncGenerator[tuple[str, int], None]:
        """Never anything: raises `Refused`."""
        if not self.lists:
            raise Refused("a plain web server cannot list")
        yield "", 0

    async def close(self) -> None:
        """Let go of every connection."""
        session = await self._files.set_session()
        await session.close()
        if self._elsewhere is not None:
            await self._elsewhere.close()

    def _address(self, key: str) -> str:
        if not key:
            return self._url
        before, mark, query = self._url.partition("?")
        return f"{before.rstrip('/')}/{quote(key)}{mark}{query}"

    async def _get(self, at: yarl.URL, headers: Mapping[str, str]) -> Any:
        """A request under way to an address; away from the host that was named, with nothing that is meant for it."""
        timeout = aiohttp.ClientTimeout(None, None, self._timeouts.read, self._timeouts.connect)
        kept: dict[str, Any] = dict(self._files.kwargs)
        if at.origin() == self._origin:
            session = await self._files.set_session()
            kept["headers"] = {**kept.get("headers", {}), **headers}
        else:
            session = self._elsewhere = self._elsewhere or aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_PublicResolver()), cookie_jar=aiohttp.DummyCookieJar()
            )
            kept = {"headers": headers, **{key: kept[key] for key in ("proxy", "ssl") if key in kept}}
        return session.get(at, allow_redirects=False, timeout=timeout, **kept)

    def _next(self, at: yarl.URL, location: str | None) -> yarl.URL:
        """The address that a redirect leads to; raises `Refused` for one that is not followed."""
        try:
            target = at.join(_parsed(location or ""))
            scheme, host = target.scheme, target.host or ""
        except ValueError:
            raise Refused("redirects to an invalid URL") from None
        if not location or scheme not in ("http", "https") or not host:
            raise Refused(f"redirects to {_scheme(location)}, which is never followed from {at.scheme}")
        if at.scheme == "https" and scheme != "https":
            raise Refused("redirects from https to http, which is not followed")
        if target.origin() != self._origin and _is_address(host) and not _is_public(host):
            raise Refused(f"redirects to {host}, which is not a public address; pass that URL directly")
        return target

    async def _answer(
        self, response: aiohttp.ClientResponse, start: int | None, most: int, clock: asyncio.Timeout
    ) -> Answer:
        status = response.status
        if status in _MISSING:
            return _MISSING[status]
        if status == 416 and start is not None:
            match = _NO_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            return Part(start, b"", int(match.group(1)) if match else start)
        if status in _TRANSIENT:
            raise Transient(f"the server responds with status {status}")
        if status not in (200, 206):
            raise Refused(f"the server responds with status {status}")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused("the server sends it compressed (Content-Encoding) although asked not to")
        if status == 206:
            return await self._range(response, start, most, clock)
        length = response.content_length
        if length is not None and length > most:
            return Part(0, b"", length)
        extend_deadline(clock, self._timeouts, most if length is None else length)
        data = await _body(response, most + 1)
        if length is not None and len(data) != length:
            raise Transient(f"expected a response of {length} bytes, found {len(data)}")
        return Part(0, data if len(data) <= most else b"", len(data))

    async def _range(
        self, response: aiohttp.ClientResponse, start: int | None, most: int, clock: asyncio.Timeout
    ) -> Part:
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        first, last, size = (int(number) for number in match.groups()) if match else (-1, -1, -1)
        if start is None or first != start or last != min(start + most, size) - 1 or last < first:
            raise Refused("the server responds with another byte range than requested")
        extend_deadline(clock, self._timeouts, last - first + 1)
        data = await _body(response, last - first + 2)
        if len(data) != last - first + 1:
            raise Transient(f"expected a response of {last - first + 1} bytes, found {len(data)}")
        return Part(start, data, size)


_LAST_FOUR_BYTES = [ipaddress.IPv6Network(each) for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48")]
"""Networks of IPv6 whose addresses end with one of IPv4: compatible, and NAT64."""


class _Private(Exception):
    """A redirect leads to a name without a public address."""


class _PublicResolver(AbstractResolver):
    """Addresses of names, as long as every one of them is public."""

    def __init__(self) -> None:
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`; raises `_Private`."""
        found = await self._resolver.resolve(host, port, family)
        if not all(_is_public(each["host"]) for each in found):
            raise _Private
        return found

    async def close(self) -> None:
        """Nothing to let go of."""


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """At most `most` bytes of a body."""
    body = bytearray()
    while len(body) < most:
        part = await response.content.read(min(_STEP, most - len(body)))
        if not part:
            break
        body += part
    return bytes(body)


def _parsed(url: str) -> yarl.URL:
    """A URL as it stands, so that signatures hold; one with spaces or other letters than ASCII is encoded first."""
    as_it_stands = url.isascii() and url.isprintable() and " " not in url
    return yarl.URL(url, encoded=as_it_stands)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_public(host: str) -> bool:
    """Whether an address is one that the whole internet shares: not private, local, reserved or multicast."""
    address = ipaddress.ip_address(host.partition("%")[0])
    within: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = []
    if isinstance(address, ipaddress.IPv6Address):
        within.extend(_embedded(address))
    return all(each.is_global and not each.is_multicast for each in within or [address])


def _embedded(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that one of IPv6 leads to: mapped, compatible, by NAT64 (RFC 6052, 8215), 6to4 or Teredo."""
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in network for network in _LAST_FOUR_BYTES):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)


def _scheme(location: str | None) -> str:
    scheme = urlsplit(location or "").scheme
    return f"{scheme}://" if scheme.isascii() and scheme.isalnum() else "an invalid URL"


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or "no such host"
