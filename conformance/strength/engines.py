"""Whether engines come to the same findings: every description of the suite, and mutations of them, by each of them.

`own` is the judge of the package, which asks jsonschema-rs place by place. The others report errors as engines do:
jsonschema-rs and jsonschema in this process, Ajv and Hyperjump's JSON Schema in Node.js (`conformance/javascript`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

from vizschema.bounds import Bounds, Reading
from vizschema.conformance.corpus import ablation
from vizschema.conformance.corpus.cases import Case
from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.strength.equivalence import Found, findings, found_of, subjects
from vizschema.conformance.strength.second_opinion import second_opinion
from vizschema.description import Description
from vizschema.errors import UsageError, VizschemaError
from vizschema.rules.versions import Profile, Spec
from vizschema.validation import read

JAVASCRIPT = Path(__file__).resolve().parents[1] / "javascript"
_AT_ONCE = 2000


class Subject(NamedTuple):
    """A description to judge: its profile, and the case or mutation that it is of."""

    profile: str
    origin: str
    description: Description


def subjects_of(spec: Spec, cases: Sequence[Case], *, mutated: int, seed: int, sample: int = 1) -> Iterator[Subject]:
    """Every description of the suite, of archives that are damaged too, and `mutated` mutations.

    With a `sample` above 1, one of so many, by a hash of its origin: the same ones in every run.
    """

    def taken(origin: str) -> bool:
        return int.from_bytes(hashlib.sha256(origin.encode()).digest()[:8], "big") % sample == 0

    yield from starmap(Subject, subjects(cases, spec.profiles, mutated=mutated, seed=seed, taken=taken))
    for case in cases:
        for container in case.containers if not case.has_document else ():
            origin = f"{case.name} in {container}"
            description = _described(case, container) if taken(origin) else None
            if description is not None:
                yield Subject(case.profile, origin, description)


def _described(case: Case, container: str) -> Description | None:
    """The description of an archive that only files show; None where it is not an archive."""
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        path = case.write_in(Path(folder), "archive", container)
        reading = Reading(1, Bounds(), isolated=False, dask=None, progress=None)
        try:
            return read(str(path), reading, case.spec, case.loaded_profile, values=case.values, digest=False)[0]
        except VizschemaError:
            return None


Engine = Callable[[Spec, Sequence[Subject]], list[Found]]


def differences(
    spec: Spec, subjects: Iterable[Subject], engines: Sequence[str], reference: str = "own"
) -> Iterator[tuple[str, Subject, Found, Found]]:
    """(engine, subject, findings of `reference`, findings of the engine) where they differ, some subjects at a time."""
    for batch in _batches(subjects):
        expected = ENGINES[reference](spec, batch)
        for engine in engines:
            for subject, one, other in zip(batch, expected, ENGINES[engine](spec, batch), strict=True):
                if one != other:
                    yield engine, subject, one, other


def _batches(subjects: Iterable[Subject]) -> Iterator[list[Subject]]:
    batch: list[Subject] = []
    for subject in subjects:
        batch.append(subject)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _in_process(judge: Callable[[Description, Profile], Found]) -> Engine:
    return lambda spec, subjects: [judge(each.description, spec.profile(each.profile)) for each in subjects]


def _in_node(engine: str) -> Engine:
    return lambda spec, subjects: _asked(engine, spec.version, subjects)


def _asked(engine: str, version: str, subjects: Sequence[Subject]) -> list[Found]:
    """The findings of an engine in Node.js; raises `UsageError` where Node.js or its packages are missing."""
    node = shutil.which("node")
    if node is None or not (JAVASCRIPT / "node_modules").is_dir():
        found = "no node" if node is None else "no node_modules"
        raise UsageError(f"{JAVASCRIPT}: expected Node.js 20 and its packages, found {found}; run `npm ci` there")
    lines = (
        json.dumps({"version": version, "profile": each.profile, "description": each.description}) for each in subjects
    )
    command = [node, str(JAVASCRIPT / "engines.mjs"), engine]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)  # noqa: S603
    return [
        tuple(sorted((each["severity"], each["rule"], each["path"], each["instance"]) for each in json.loads(line)))
        for line in done.stdout.splitlines()
    ]


ENGINES: Mapping[str, Engine] = {
    "own": _in_process(findings),
    "jsonschema-rs": _in_process(lambda each, profile: found_of(each, ablation.faults(each, profile))),
    "jsonschema": _in_process(lambda each, profile: found_of(each, second_opinion(each, profile))),
    "ajv": _in_node("ajv"),
    "hyperjump": _in_node("hyperjump"),
}


def lines_of(spec: Spec, subjects: Iterable[Subject], engines: Sequence[str], shown: int = 20) -> Iterator[str]:
    """The comparison of engines in words: how many descriptions, and for each engine how many findings differ."""
    judged = 0

    def counted() -> Iterator[Subject]:
        nonlocal judged
        for subject in subjects:
            judged += 1
            yield subject

    counts = dict.fromkeys(engines, 0)
    for engine, subject, expected, found in differences(spec, counted(), engines):
        counts[engine] += 1
        if sum(counts.values()) <= shown:
            yield f"{engine}: {subject.profile}: {subject.origin}"
            yield from (f"  missing: {' '.join(each)}" for each in expected if each not in found)
            yield from (f"  more: {' '.join(each)}" for each in found if each not in expected)
    yield f"{judged} descriptions"
    yield from (
        f"{engine}: {'the same findings' if not count else f'{count} differ'}" for engine, count in counts.items()
    )
