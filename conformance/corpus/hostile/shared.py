"""Archives judged one after the other by one confined worker, which is started again when it dies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vizschema.bounds import Bounds, Reading
from vizschema.description import Description
from vizschema.errors import VizschemaError
from vizschema.findings import Report
from vizschema.measure import measured
from vizschema.rules.verdict import choose, report_of
from vizschema.worker.process import Worker

_FOR_ALL = 100
"""How many times the seconds of one archive a worker may compute in all."""


class SharedWorker:
    """A worker that may read what is in `folder`: started when it is needed, and again when it died. Closes with `close`.

    `deaths` is how often it died; `peak_memory` the most bytes of memory that one of them had.
    """

    def __init__(self, folder: Path, bounds: Bounds) -> None:
        self._folder = folder
        self._bounds = bounds
        self._worker: Worker | None = None
        self._peak = 0
        self.deaths = 0

    @contextmanager
    def __call__(self, _: Sequence[str], __: Bounds) -> Iterator[Worker]:
        """The worker, which stays."""
        if self._worker is None or not self._worker.alive:
            self._start()
        assert self._worker is not None  # noqa: S101  (it was started)
        yield self._worker

    @property
    def peak_memory(self) -> int:
        """Bytes of memory; 0 where the system does not say."""
        now = 0 if self._worker is None else self._worker.peak_memory
        self._peak = max(self._peak, now)
        return self._peak

    @property
    def cpu_seconds(self) -> float:
        """Seconds that the worker has computed; 0 where the system does not say."""
        return 0.0 if self._worker is None else self._worker.cpu_seconds

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()

    def measure(self, archive: Path) -> tuple[Description, tuple[str, ...]]:
        """The description of an archive in the folder, its values read, and notes; raises `VizschemaError`."""
        with measured(archive, Reading(1, self._bounds, isolated=True), start=self) as read:
            return read.with_values(choose(read.description).profile.facts), read.notes

    def judge(self, archive: Path) -> Report:
        """The report on an archive in the folder, as `validate` gives it."""
        try:
            description, notes = self.measure(archive)
        except VizschemaError as error:
            return Report(os.fspath(archive), "", "", "", "", "", error=error)
        report = report_of(description, os.fspath(archive), choose(description))
        return replace(report, notes=(*report.notes, *notes))

    def _start(self) -> None:
        if self._worker is not None:
            self.deaths += 1
            self._worker.close()
        for_all = replace(self._bounds, seconds=self._bounds.seconds * _FOR_ALL)
        self._worker = Worker([os.fspath(self._folder)], for_all)
