"""`python -P -m vizschema.conformance.migrations`: what the installed mappings make of the archive of their layout.

It prints a table, and exits with 1 where something else comes out than before, or a mapping was changed and has no new
version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vizschema.cli.parser import Parser
from vizschema.conformance.corpus.fixing import written
from vizschema.conformance.migrations import locked, outcomes
from vizschema.migration.mapping import installed
from vizschema.rules.documents import root


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where everything is as expected and locked, else 1."""
    parser = Parser(prog="python -P -m vizschema.conformance.migrations", description=__doc__)
    parser.add_argument("--page", type=Path, metavar="PAGE", help="write the table into this page")
    parser.add_argument("--expect", action="store_true", help="take what comes out as what is expected")
    parser.add_argument("--lock", action="store_true", help="add new versions of mappings to the lock")
    given: Any = parser.parse_args(arguments)
    folder = root() / "dialects"
    lock = locked.read(folder / "lock.json")
    if given.lock:
        lock = locked.added(lock, installed())
        locked.write(folder / "lock.json", lock)
    found = outcomes.found()
    if given.expect:
        text = json.dumps(outcomes.expected(found), indent=1, ensure_ascii=False)
        outcomes.EXPECTED.write_text(text + "\n", encoding="utf-8")
    rows = list(outcomes.rows(found, folder))
    if given.page is None:
        print("\n".join(rows))
    else:
        page = given.page.read_text(encoding="utf-8")
        given.page.write_text(written(page, "mappings", rows), encoding="utf-8")
    before = json.loads(outcomes.EXPECTED.read_bytes())
    now = outcomes.expected(found)
    wrong = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    faults = [*locked.faults(lock, installed()), *(f"{name}: another result than expected" for name in wrong)]
    print("\n".join(faults) or f"{len(found)} mappings: as expected, and locked", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
