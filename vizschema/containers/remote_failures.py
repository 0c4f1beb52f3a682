"""Failures of the backends of fsspec, told in our own words: theirs hold addresses, keys and signatures."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vizschema.containers.remote_store import Refused, Transient

_LOGGERS = ("aiobotocore", "aiohttp", "botocore", "fsspec", "gcsfs", "s3fs")
_CODE = re.compile(r"[A-Za-z0-9]{1,40}", re.ASCII)
_TRANSIENT = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "500", "502", "503", "504")


class PastTheEnd(Exception):
    """A range that begins where the object has ended."""


@contextmanager
def told() -> Iterator[None]:
    """A block in which a failure of a backend becomes ours, in our own words: theirs hold addresses and signatures."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, TimeoutError):
        raise
    except _failures() as error:
        code = _code(error)
        if code == "401" or str(error).startswith("Forbidden: "):  # as gcsfs says it
            raise PermissionError from None
        if code in ("InvalidRange", "416"):
            raise PastTheEnd from None
        said = f"the store answers with {code}" if code else f"the connection fails ({type(error).__name__})"
        if code is not None and code not in _TRANSIENT:
            raise Refused(said) from None
        raise Transient(said) from None


def hush() -> None:
    """Keeps what the backends log off the terminal, unless somebody asked for it."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not logger.hasHandlers():
            logger.addHandler(logging.NullHandler())


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
    if "gcsfs" in sys.modules:
        found.append(ValueError)  # what it makes of an answer that says "invalid"
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
