"""One module a report format; they read results and nothing else. The table of formats is here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from vizschema.findings import Report
from vizschema.report import json, text
from vizschema.report.options import Options

Reporter = Callable[[Iterable[Report], Options], Iterator[str]]

FORMATS: Mapping[str, Reporter] = {"text": text.render, "json": json.render}
