"""Why something is not written: the words, and which findings no later call could fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vizschema.findings import Finding, Report
from vizschema.text import escape_name
from vizschema.writer.plan import ancestors

# What a series says of itself that no later member can fix.
_LASTING_IN_SERIES = frozenset({"digits", "kinds", "undeclared"})
_NUMBER = re.compile(r"_[0-9]{1,9}(?=/|$)")
_SHOWN = 3


def refusal(report: Report) -> str:
    """The first errors of `report`, one a line, with how to fix them, and how many there are."""
    errors = report.errors
    lines = [f"{len(errors)} {'error' if len(errors) == 1 else 'errors'} by {report.profile} {report.spec_version}"]
    lines += [f"  {finding.message} [{finding.rule}]\n    {finding.fix}" for finding in errors[:_SHOWN]]
    if len(errors) > _SHOWN:
        lines.append(f"  and {len(errors) - _SHOWN} more; `report.errors` of this exception has all of them")
    return "\n".join(lines)


def family(path: str) -> str:
    """What `path` and its counterparts in a numbered series have in common: `/recycle/recycle_#/single`."""
    return _NUMBER.sub("_#", path)


def lasting(
    path: str, axes: Iterable[str], attributes: Mapping[str, Any] | None = None, open_references: Iterable[str] = ()
) -> Callable[[Finding], bool]:
    """Whether a finding is about the node at `path`, what it is named, its axes or its series, and will stay.

    With `attributes`, about these attributes of the node, or about `axes`, alone. `open_references` are attributes that
    name arrays which may still come.
    """
    here = _pointer("nodes", escape_name(path))
    fields = ("attributes", "unsupported")
    within = [f"{here}/{field}{_pointer(escape_name(key))}" for field in fields for key in attributes or ()]
    within = [here] if attributes is None else within
    exact = {_pointer("axes", axis) for axis in axes}
    if attributes is None:
        above = [_pointer("nodes", escape_name(group)) for group in ancestors(path) if group != "/"]
        exact.update(f"{group}{part}" for group in above for part in ("", "/kind", "/escaped"))
    series = ("/series/",) if attributes is None else ()

    to_come = tuple(f"{here}/references{_pointer(escape_name(key))}" for key in open_references)

    def lasts(finding: Finding) -> bool:
        place = finding.instance
        if any(place == start or place.startswith(f"{start}/") for start in to_come):
            return False
        if place in exact or any(place == start or place.startswith(f"{start}/") for start in within):
            return True
        return place.startswith(series) and not _LASTING_IN_SERIES.isdisjoint(place.split("/")[3:])

    return lasts


def _pointer(*tokens: str) -> str:
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in tokens)
