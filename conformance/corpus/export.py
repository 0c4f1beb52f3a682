"""The corpus written out for whoever cannot, or will not, materialise it: archives, descriptions, and an index."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.cases import Case, content_of, corpus


def export(target: Path, spec: str = "1.0.0", only: Sequence[str] = ()) -> str:
    """How much was written, in words: `index.json`, `archives/` under names that say nothing, `descriptions/`."""
    archives, descriptions = target / "archives", target / "descriptions"
    for folder in (archives, descriptions):
        folder.mkdir(parents=True)
    index = []
    for case in corpus(spec):
        if not only or {case.name, case.rule} & set(only):
            index += [_entry(case, container, target) for container in case.containers]
    document = {"spec": spec, "cases": index}
    (target / "index.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return f"{len(index)} cases"


def _entry(case: Case, container: str, target: Path) -> dict[str, Any]:
    name = uuid.uuid4().hex
    content = content_of(case)
    entry = {key: content[key] for key in ("rule", "kind", "why", "profile", "level", "values", "verdict", "expected")}
    entry["many"] = case.many
    if case.level == "archive":
        folder = target / "archives" / name
        folder.mkdir()
        path = case.write_in(folder, "archive", container)
    else:
        path = target / "descriptions" / f"{name}.json"
        path.write_text(json.dumps(case.description(container), ensure_ascii=False), encoding="utf-8")
    return {"case": case.name, "container": container, "path": path.relative_to(target).as_posix(), **entry}
