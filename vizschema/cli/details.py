"""What a page shows of an archive beside its findings: the nodes of its description, and pictures. Judges nothing."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace
from itertools import islice

from vizschema.bounds import Reading
from vizschema.description import Node
from vizschema.errors import VizschemaError
from vizschema.findings import Details, Picture, Report
from vizschema.measure import measured
from vizschema.outline.picture import picture_of
from vizschema.outline.tree import Tree
from vizschema.worker.process import WorkerDied

PICTURED = 8
"""Arrays without findings of which pictures are made."""

_LOOKED_AT = 200
"""Rows of the tree among which they are looked for."""


def details(report: Report, reading: Reading) -> Details:
    """The details of the archive of `report`, read within the bounds of `reading`.

    Pictures are made, where values were read, of the arrays with findings, and of the first arrays of two axes or more
    without any. What cannot be had is left out, with a note.
    """
    values = report.values != "not_read"
    found = {finding.path for finding in report.findings}
    drawn: dict[str, Picture] = {}
    try:
        with measured(report.archive, replace(reading, dask=None)) as archive:
            nodes = archive.description["nodes"]
            wanted = [*sorted(found), *_others(nodes, found)] if values else []
            try:
                drawn.update((path, picture_of(picture)) for path, picture in archive.draw(wanted, True))
            except WorkerDied as died:
                return Details(nodes, drawn, (f"pictures are not complete: {died}",))
            return Details(nodes, drawn)
    except VizschemaError as error:
        return Details(notes=(f"no tree: {error}",))


def _others(nodes: Mapping[str, Node], found: Set[str]) -> list[str]:
    """The arrays without findings of which pictures are made: the first of each series, as the tree has them."""
    rows = islice(Tree(nodes).rows(), _LOOKED_AT)
    maps = (row.path for row in rows if row.node["kind"] == "array" and len(row.node["shape"]) > 1)
    return [path for path in maps if path not in found][:PICTURED]
