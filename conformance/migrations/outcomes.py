"""What each installed mapping makes of the archive of its layout: rows for a page, and what stays as it is."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vizschema.conformance.migrations.layouts import LAYOUTS
from vizschema.digests import digest
from vizschema.migration.mapping import Dialect, installed
from vizschema.migration.migrate import migrate
from vizschema.migration.result import Migrated

EXPECTED = Path(__file__).with_name("expected.json")
"""What each mapping makes, by its name: version, profile, arrays, digest of the values, losses."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A migration of the archive of a layout: what was done, what was asked, seconds, the digest of the values."""

    done: Migrated
    asked: tuple[str, ...]
    seconds: float
    values: str

    def plain(self, version: str) -> dict[str, Any]:
        """What must not change while the mapping has this version."""
        return {
            "version": version,
            "profile": self.done.profile,
            "arrays": self.done.proved,
            "values": self.values,
            "losses": [dict(loss) for loss in self.done.losses],
        }


def outcome(name: str) -> Outcome:
    """Migrate the archive of the layout `name`, in a folder that is removed afterwards."""
    with TemporaryDirectory() as folder:
        old = LAYOUTS[name]
        source, target = str(old.write(Path(folder))), str(Path(folder) / "new.zarr")
        dry = migrate(source, target, dry_run=True)
        start = time.perf_counter()
        done = migrate(source, target, answers=old.answers)
        seconds = time.perf_counter() - start
        asked = tuple(dict.fromkeys(question.key for question in dry.questions))
        return Outcome(done, asked, seconds, digest(target, values_only=True))


def found() -> Mapping[str, Outcome]:
    """The outcome of each mapping that migrates, by its name."""
    return {name: outcome(name) for name, dialect in installed().items() if "refuse" not in dialect.document}


def expected(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The document of `EXPECTED`."""
    known = installed()
    return {name: each.plain(known[name].document["version"]) for name, each in outcomes.items()}


def rows(outcomes: Mapping[str, Outcome], folder: Path) -> Iterator[str]:
    """The table, in Markdown, a row for each mapping with an outcome or a refusal; `folder` has their files."""
    yield "| mapping | the source | lines | asked | lost | result | seconds |"
    yield "|---|---|---|---|---|---|---|"
    for name, dialect in installed().items():
        lines = len((folder / f"{name}.toml").read_text(encoding="utf-8").splitlines())
        if name not in outcomes and "refuse" not in dialect.document:
            continue
        cells = _cells(dialect, outcomes.get(name))
        yield f"| `{name}` | {_text(dialect.document['title'])} | {lines} | {' | '.join(map(_text, cells))} |"


def _cells(dialect: Dialect, each: Outcome | None) -> tuple[str, str, str, str]:
    """What was asked and lost, what came out, and seconds; without an outcome, why the source is refused."""
    if each is None:
        return "–", "–", f"refused: {dialect.document['refuse']}", "–"
    lost: dict[str, list[str]] = {}
    for loss in each.done.losses:
        lost.setdefault(loss["why"], []).append(loss["what"])
    more = {why: f" and {len(what) - 1} more" if len(what) > 1 else "" for why, what in lost.items()}
    reasons = "<br>".join(f"{what[0]}{more[why]}: {why}" for why, what in lost.items())
    asked = ", ".join(f"`{key}`" for key in each.asked)
    result = f"{each.done.profile}, {each.done.proved} arrays equal"
    return asked or "nothing", reasons or "nothing", result, f"{each.seconds:.2f}"


def _text(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")
