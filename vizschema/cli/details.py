"""What a page shows of an archive beside its findings: the nodes of its description, and pictures. Judges nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Set
from dataclasses import replace
from itertools import islice

from vizschema.bounds import Reading
from vizschema.description import Node
from vizschema.errors import NotAnArchive, VizschemaError
from vizschema.findings import Details, Picture, Report
from vizschema.measure import Measured, measured
from vizschema.outline.picture import picture_of
from vizschema.outline.tree import Tree
from vizschema.report.html import PICTURED as SHOWN
from vizschema.worker.process import WorkerDied

PICTURED = 8
"""Arrays without findings of which pictures are made."""

_LOOKED_AT = 200
"""Rows of the tree among which they are looked for."""


class Kept:
    """Details of archives, taken while each was open to be judged; of none if there are more than a page shows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[str] = set()
        self._kept: dict[str, Details] = {}

    def keep(self, report: Report, archive: Measured) -> None:
        """Take the details of an archive that was judged."""
        with self._lock:
            self._seen.add(report.archive)
            if len(self._seen) > SHOWN:
                self._kept.clear()
                return
        found = _details(report, archive)
        with self._lock:
            self._kept[report.archive] = found

    def of(self, report: Report, reading: Reading) -> Details:
        """Return the details of the archive of `report`, read again if they were not taken."""
        return self._kept.get(report.archive) or details(report, reading)


def details(report: Report, reading: Reading) -> Details:
    """Return the details of the archive of `report`, read within the bounds of `reading`.

    Pictures are made, where values were read, of the arrays with findings, and of the first arrays of two axes or more
    without any. What cannot be had is left out, with a note.
    """
    try:
        with measured(report.archive, replace(reading, dask=None)) as archive:
            return _details(report, archive)
    except VizschemaError as error:
        return Details(notes=(f"no tree: {error}",))


def _details(report: Report, archive: Measured) -> Details:
    found = {finding.path for finding in report.findings}
    drawn: dict[str, Picture] = {}
    nodes = archive.description["nodes"]
    wanted = [*sorted(found), *_others(nodes, found)] if report.values != "not_read" else []
    try:
        drawn.update((path, picture_of(picture)) for path, picture in archive.draw(wanted, True))
    except (WorkerDied, NotAnArchive) as died:
        return Details(nodes, drawn, (f"pictures are not complete: {died}",))
    return Details(nodes, drawn)


def _others(nodes: Mapping[str, Node], found: Set[str]) -> list[str]:
    """The arrays without findings of which pictures are made: the first of each series, as the tree has them."""
    rows = islice(Tree(nodes).rows(), _LOOKED_AT)
    maps = (row.path for row in rows if row.node["kind"] == "array" and len(row.node["shape"]) > 1)
    return [path for path in maps if path not in found][:PICTURED]
