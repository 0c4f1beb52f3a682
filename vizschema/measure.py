"""Description and values of one archive, read in this process or by a worker: what is judged afterwards.

Each way of reading is imported when it is taken: a description alone needs no NumPy, a trusted archive no worker.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vizschema.bounds import Bounds
from vizschema.description import Description
from vizschema.errors import UsageError

if TYPE_CHECKING:
    from vizschema.scan.array import Progress
    from vizschema.scan.threads import Scanned
    from vizschema.worker.client import Start
    from vizschema.worker.process import Worker

Begin = Callable[[int], Callable[[int], object]]
"""From the bytes that will be read to what is told of every number of them that was."""

Entries = Callable[[Description], Sequence[Mapping[str, Any]]]
"""From a description to the entries of `facts.json` of the profile that it will be judged by."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How one archive is read: by `jobs` threads (null: one a CPU), within `bounds`, also those of a worker.

    Its values by the Dask cluster at the address `dask`, where there is one. Workers are those that `start` gives, by
    default processes of our own.
    """

    archive: str | os.PathLike[str]
    entries: Entries
    jobs: int | None
    bounds: Bounds
    begin: Begin | None
    dask: str | None = None
    start: Start | None = None

    def here(self, *, values: bool) -> Description:
        """The description, read in this process."""
        from vizschema.describing import describe, describe_open

        if not values:
            return describe(self.archive)
        from vizschema.containers import open_container
        from vizschema.scan.threads import Bounds as ScanBounds
        from vizschema.scan.threads import describe_scanned, scan

        with closing(open_container(os.fspath(self.archive))) as container:
            description = describe_open(container)
            bounds = ScanBounds(self.jobs, self.bounds.memory)
            asked = container, description, self.entries(description), bounds, self._begun(description)
            found = scan(*asked) if self.dask is None else self._on_cluster(self.dask, asked)
        return describe_scanned(description, found)

    def _on_cluster(self, address: str, asked: tuple[Any, ...]) -> Scanned:
        from vizschema.scan.dask import scan_on

        return scan_on(address, self.archive, *asked)

    def by_worker(self, *, values: bool) -> tuple[Description, tuple[str, ...]]:
        """The description, read by a worker, and notes in words; raises `UsageError` where a cluster is asked for."""
        if self.dask is not None:
            raise UsageError(
                "the processes of a Dask cluster are not confined as a worker is: expected --trust (in Python: not "
                "`isolated`) with --dask, found none"
            )
        from vizschema.worker.client import describe
        from vizschema.worker.process import Worker

        then = self._scanned if values else None
        return describe(self.archive, bounds=self.bounds, then=then, start=self.start or Worker)

    def _scanned(self, description: Description, worker: Worker, asked: Mapping[str, Any]) -> Description:
        from vizschema.scan.threads import describe_scanned
        from vizschema.worker.client_scan import IsolatedScan

        entries = self.entries(description)
        reading = IsolatedScan(os.fspath(self.archive), entries, self.bounds, self.jobs, self._begun(description))
        return describe_scanned(description, reading.run(description, worker, asked))

    def _begun(self, description: Description) -> Progress | None:
        if self.begin is None:
            return None
        from vizschema.scan.threads import coverage_of

        return self.begin(coverage_of(description)["bytes"])
