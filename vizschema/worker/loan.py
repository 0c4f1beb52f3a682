"""What a worker gets of the network: a socket at which this process fetches for it, and the URL without its secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vizschema.text import archive_name, scheme_of

if TYPE_CHECKING:
    from vizschema.containers.remote.store import Remote

RELAY = 3
"""The descriptor at which a worker finds the socket."""


class Loan:
    """A connection lent to one worker: the descriptor `fd` that it gets, and the `arguments` that each request has."""

    def __init__(self, url: str, remote: Remote) -> None:
        from vizschema.containers.remote.relay import Lent

        self._remote = remote
        self._lent = Lent(remote)
        self.fd = self._lent.borrower
        self.arguments: Mapping[str, Any] = {
            "path": os.fsencode(archive_name(url)).hex(),
            "borrowed": [RELAY, remote.lists],
        }

    def busy(self) -> bool:
        """Whether the worker waits for the network."""
        return self._lent.busy()

    def close(self) -> None:
        """Let go of the socket and of every connection."""
        self._lent.close()
        self._remote.close()


def loan_of(paths: Sequence[str]) -> Loan | None:
    """The loan for the URL among `paths`, None if there is none; raises `UsageError`."""
    url = next((path for path in paths if scheme_of(path) is not None), None)
    if url is None:
        return None
    from vizschema.containers.opening import connect

    return Loan(url, connect(url))
