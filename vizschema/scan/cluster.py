"""A connection to a Dask cluster; what goes wrong with the cluster itself is a `UsageError`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any

from vizschema.errors import UsageError, require

LOCAL = "local"
"""In place of an address: a cluster of processes on this machine, for this call."""

_LOOPBACK = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}

_PATIENCE = 20
"""Seconds until a scheduler must have answered, and have a worker."""


@contextmanager
def client_of(address: str, processes: int) -> Iterator[Any]:
    """Connect to the cluster at `address`, or start `processes` of this machine, for the block.

    Raises `UsageError` if no scheduler answers, if it has no worker, and if the cluster is lost within the block.
    """
    require("--dask", "distributed")
    distributed: Any = import_module("distributed")
    with ExitStack() as stack:
        client = _connected(distributed, stack, address, processes)
        lost = (distributed.KilledWorker, distributed.comm.CommClosedError, CancelledError)
        try:
            yield client
        except lost as error:
            raise UsageError(f"the cluster {address} was lost while it read: {error}") from error


def _connected(distributed: Any, stack: ExitStack, address: str, processes: int) -> Any:
    """The client, to be closed by `stack`."""
    at: Any = address
    try:
        if address == LOCAL:
            cluster = distributed.LocalCluster(n_workers=processes, threads_per_worker=1, **_LOOPBACK)
            at = stack.enter_context(cluster)
        # Not the default: what the caller computes with Dask must not go to this cluster, nor wait for a lost one.
        client = stack.enter_context(distributed.Client(at, timeout=_PATIENCE, set_as_default=False))
    except (OSError, ValueError) as error:
        raise UsageError(
            path="--dask",
            expected="`local`, or the address of a scheduler that answers",
            found=f"{address!r}: {error}",
        ) from error
    stack.enter_context(client.as_current())
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise UsageError(
            path="--dask",
            expected="a cluster with at least one worker",
            found=f"none at {address!r} after {_PATIENCE} seconds",
        ) from error
    return client


def killed(future: Any) -> str | None:
    """Wait for a task; return in words that it ended several processes of the cluster, None if it did not."""
    distributed: Any = import_module("distributed")
    error = future.exception()
    return f"it ended the processes that read it ({error})" if isinstance(error, distributed.KilledWorker) else None
