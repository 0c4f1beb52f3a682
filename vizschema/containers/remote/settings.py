"""Stores of obstore as the environment sets them up: endpoints, credentials, or none; and what fsspec has in memory."""

from __future__ import annotations

import importlib.util
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

import vizschema
from vizschema.containers.remote.store import Timeouts
from vizschema.errors import UsageError

S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

NO_NAME = re.compile(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f\ud800-\udfff]")
"""What obstore takes for no name of an object."""


class _Backend(NamedTuple):
    """A kind of store, the variables that name its endpoint, and those by which it finds credentials."""

    kind: Any
    endpoints: tuple[str, ...]
    credentials: tuple[str, ...]


_S3 = _Backend(
    S3Store,
    S3_ENDPOINTS,
    (
        *("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"),
        *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
    ),
)
_GOOGLE = _Backend(
    GCSStore,
    ("GOOGLE_BASE_URL", "STORAGE_EMULATOR_HOST"),
    (
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"),
        *("GOOGLE_SERVICE_ACCOUNT_KEY", "GOOGLE_BEARER_TOKEN", "GOOGLE_SKIP_SIGNATURE"),
    ),
)
_AZURE = _Backend(
    AzureStore,
    ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    (
        *("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN"),
        *("AZURE_STORAGE_TOKEN", "AZURE_CLIENT_ID", "AZURE_STORAGE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
        *("AZURE_USE_AZURE_CLI", "AZURE_STORAGE_USE_EMULATOR", "AZURE_SKIP_SIGNATURE"),
    ),
)
_BACKENDS = {"s3": _S3, "s3a": _S3, "gs": _GOOGLE, "gcs": _GOOGLE, "az": _AZURE}


def make_store(scheme: str, bucket: str, timeouts: Timeouts, tries: int, more: dict[str, Any]) -> Any:
    """A store by the settings of the environment; raises `UsageError`."""
    if scheme == "memory":
        return _memory()
    backend = _BACKENDS[scheme]
    endpoint = first_set(backend.endpoints)
    config: dict[str, Any] = dict(more)
    if backend is _GOOGLE and endpoint:
        config["base_url"] = endpoint = endpoint if "://" in endpoint else f"http://{endpoint}"
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise UsageError(expected=f"a URL with http:// or https:// in {' or '.join(backend.endpoints)}", found="none")
    if backend is _AZURE and not first_set(("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_USE_EMULATOR")):
        raise UsageError("names no storage account: set AZURE_STORAGE_ACCOUNT_NAME")
    if not first_set(backend.credentials) and not (backend is _GOOGLE and _google_file().is_file()):
        provider = _profile() if backend is _S3 else None
        config |= {"credential_provider": provider} if provider else {"skip_signature": True}
    client = {
        "allow_http": endpoint.startswith("http:"),
        "connect_timeout": timedelta(seconds=timeouts.connect),
        "read_timeout": timedelta(seconds=timeouts.read),
        "timeout": timedelta(days=1),  # the clock of a `Transport` knows how long a body may take
        "user_agent": f"vizschema/{vizschema.__version__}",
    }
    backoff = {"init_backoff": timedelta(seconds=timeouts.pause)}
    retries = {"max_retries": tries - 1, "backoff": backoff, "retry_timeout": timedelta(seconds=timeouts.whole)}
    try:
        return backend.kind(bucket, client_options=client, retry_config=retries, **config)
    except BaseError:
        names = [name for name in (*backend.endpoints, *backend.credentials) if os.environ.get(name)]
        raise UsageError(f"the settings are not valid: check {', '.join(names) or 'the environment'}") from None


def _memory() -> MemoryStore:
    """What fsspec keeps in the memory of this process, as it is now."""
    import fsspec

    store = MemoryStore()
    for name, file in fsspec.filesystem("memory").store.items():
        if not NO_NAME.search(name.strip("/")):
            store.put(name.strip("/"), file.getvalue())
    return store


def _profile() -> Any:
    """The credentials of a profile of `~/.aws`, or of this machine, by boto3; None without any."""
    if importlib.util.find_spec("boto3") is None:
        if "AWS_PROFILE" in os.environ:
            raise UsageError("AWS_PROFILE needs boto3: install it, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        return None
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except BotoCoreError as error:
        raise UsageError(f"boto3 finds no credentials ({type(error).__name__}): see AWS_PROFILE and ~/.aws") from None
    except ValueError:
        return None  # it has none


def _google_file() -> Path:
    """Where Google's tools keep the credentials of a user."""
    return Path.home() / ".config" / "gcloud" / "application_default_credentials.json"


def first_set(names: tuple[str, ...]) -> str:
    """What the first of these variables says that says anything."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
