"""What axe-core finds in an open page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import NamedTuple

from support.chromium import Page

FILE = Path(str(importlib.util.find_spec("axe_core_python").submodule_search_locations[0])) / "axe.min.js"  # type: ignore[union-attr]
RUN = """axe.run(document, %s).then(found => JSON.stringify({
  faults: found.violations.map(({ id, nodes }) => [id, nodes.slice(0, 3).map(({ html }) => html)]),
  passed: found.passes.map(({ id }) => id) }))"""


class Found(NamedTuple):
    """Faults, each a rule with the first places, and the rules that the page keeps."""

    faults: list[tuple[str, list[str]]]
    passed: list[str]


def examined(page: Page, *schemes: str) -> Found:
    """The page as it is: all rules in the first colour scheme (none: as it is), those of colours in the others."""
    page.evaluate(FILE.read_text(encoding="utf-8") + ";0")
    whole = Found([], [])
    for number, scheme in enumerate(schemes or ("",)):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        rules = {"runOnly": ["color-contrast"]} if number else {"resultTypes": ["violations"]}
        found = json.loads(page.evaluate(RUN % json.dumps(rules)))
        whole.faults.extend((rule, places) for rule, places in found["faults"])
        whole.passed.extend(found["passed"])
    return whole
