"""An archive judged as `vizschema validate` judges it, and what its workers needed for that."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vizschema.bounds import Bounds, Reading
from vizschema.containers.base import Limits
from vizschema.description import Description
from vizschema.errors import VizschemaError
from vizschema.findings import Report
from vizschema.rules.verdict import choose, report_of
from vizschema.scan.coverage import describe_scanned
from vizschema.worker.client import Session


class Confined(NamedTuple):
    """The report on an archive; CPU seconds of its workers, bytes of memory that one had at most, and how many died."""

    report: Report
    cpu_seconds: float
    peak_memory: int
    deaths: int


def measured(session: Session, bounds: Bounds) -> Description:
    """The description of an archive, its values read by one thread; raises `VizschemaError`."""
    session.describe()
    found = session.scan(choose(session.description).profile.facts, Reading(1, bounds))
    return session.description if found is None else describe_scanned(session.description, found)


def judge(archive: Path, bounds: Bounds) -> Confined:
    """The report on an archive, as `validate` gives it, and what it took."""
    name = os.fspath(archive)
    with closing(Session(name, Limits(), bounds)) as session:
        try:
            description = measured(session, bounds)
        except VizschemaError as error:
            report = Report(name, "", "", "", "", "", error=error)
        else:
            report = report_of(description, name, choose(description))
            report = replace(report, notes=(*report.notes, *session.notes))
    workers = session.workers
    peak = max((worker.peak_memory for worker in workers), default=0)
    return Confined(report, sum(worker.cpu_seconds for worker in workers), peak, max(len(workers) - 1, 0))
