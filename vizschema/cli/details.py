"""What a page shows of an archive beside its findings: the nodes of its description, and pictures. Judges nothing."""

from __future__ import annotations

from dataclasses import replace

from vizschema.bounds import Reading
from vizschema.errors import VizschemaError
from vizschema.findings import Details, Picture, Report
from vizschema.measure import measured
from vizschema.outline.picture import picture_of
from vizschema.worker.process import WorkerDied


def details(report: Report, reading: Reading) -> Details:
    """The details of the archive of `report`, read within the bounds of `reading`.

    Pictures are made of the arrays with findings where values were read. What cannot be had is left out, with a note.
    """
    values = report.values != "not_read"
    wanted = sorted({finding.path for finding in report.findings}) if values else []
    drawn: dict[str, Picture] = {}
    try:
        with measured(report.archive, replace(reading, dask=None)) as archive:
            nodes = archive.description["nodes"]
            try:
                drawn.update((path, picture_of(picture)) for path, picture in archive.draw(wanted, False))
            except WorkerDied as died:
                return Details(nodes, drawn, (f"pictures are not complete: {died}",))
            return Details(nodes, drawn)
    except VizschemaError as error:
        return Details(notes=(f"no tree: {error}",))
