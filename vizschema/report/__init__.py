"""One module a report format; they read results and nothing else. The table of formats is here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vizschema.findings import Report
    from vizschema.report.options import Options

    Reporter = Callable[[Iterable[Report], Options], Iterator[str]]


def _format(module: str, name: str = "render") -> Reporter:
    """The reporter of this name in a module of this package, which is imported when it is first used."""

    def render(reports: Iterable[Report], options: Options) -> Iterator[str]:
        reporter: Reporter = getattr(import_module(f"vizschema.report.{module}"), name)
        return reporter(reports, options)

    return render


FORMATS: Mapping[str, Reporter] = {
    "text": _format("text"),
    "json": _format("json"),
    "jsonl": _format("json", "render_lines"),
    "sarif": _format("sarif"),
    "junit": _format("junit"),
    "github": _format("github"),
    "html": _format("html"),
}
