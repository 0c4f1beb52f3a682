"""A baseline: the findings that a project had when it began, kept in a file, so that only new ones count."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vizschema.errors import UsageError, writes
from vizschema.findings import Report
from vizschema.rules.bounded import BASELINE_BYTES, json_text
from vizschema.text import shorten

VERSION = "1.0.0"
Known = frozenset[tuple[str, str]]
"""(rule, instance) of each finding."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The findings known of each archive, by its path from the folder of the file."""

    path: Path
    archives: Mapping[str, Known]

    def of(self, archive: str) -> Known:
        """What is known of the archive at this path."""
        return self.archives.get(name_of(archive, self.path.parent), frozenset())


def name_of(archive: str, folder: Path) -> str:
    """The path of an archive as seen from `folder`, with slashes; an address stays as it is."""
    if "://" in archive:
        return archive
    path = os.path.relpath(archive, folder)
    return (os.path.normpath(archive) if path.startswith("..") else path).replace(os.sep, "/")


def load(path: Path) -> Baseline:
    """The baseline in `path`; raises `UsageError` where there is none."""
    try:
        if not path.exists():
            raise FileNotFoundError(path)
        document = json.loads(json_text(path, BASELINE_BYTES))
        version = document["baseline_version"]
        archives = {
            name: frozenset((rule, instance) for rule, instances in rules.items() for instance in instances)
            for name, rules in document["archives"].items()
        }
    except FileNotFoundError as error:
        raise UsageError(
            path=path, expected="a baseline", found="no file", fix=f"`--write-baseline {path}` writes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = shorten(f"{type(error).__name__}: {error}", 160)
        raise UsageError(
            path=path, expected="a baseline", found=said, fix=f"`--write-baseline {path}` writes one"
        ) from error
    if version != VERSION:
        raise UsageError(path=path, expected=f"a baseline of version {VERSION}", found=shorten(repr(version), 40))
    return Baseline(path, archives)


def write(path: Path, reports: Iterable[Report]) -> None:
    """Write the findings of `reports` to `path`, sorted, one per line; raise `UsageError` if that fails."""
    archives: dict[str, dict[str, list[str]]] = {}
    for report in reports:
        rules = archives.setdefault(name_of(report.archive, path.parent), {})
        for finding in report.findings:
            rules.setdefault(finding.rule, []).append(finding.instance)
    document = {
        "baseline_version": VERSION,
        "archives": {
            name: {rule: sorted(places) for rule, places in sorted(rules.items())} for name, rules in archives.items()
        },
    }
    with writes(path):
        path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
