"""Runs the suite against a subject: a smoke test of the harness, then every case in its role, then the sum.

Archives are written in a thread ahead of the questions, under names that say nothing, and removed after the answer.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from vizschema.conformance.corpus.cases import Case, corpus, named
from vizschema.conformance.corpus.identity import identity
from vizschema.conformance.corpus.raw import scratch
from vizschema.conformance.harness.outcomes import Known, Outcome, Run, excuse
from vizschema.conformance.harness.protocol import PROTOCOL, Reply, Trouble
from vizschema.conformance.harness.roles import Item, check, items_of, prepare
from vizschema.conformance.harness.serve import Own
from vizschema.conformance.harness.share import WHOLE, Share
from vizschema.conformance.harness.subjects import InProcess, Subject
from vizschema.errors import VizschemaError

AHEAD = 6
"""Archives that are written ahead of the questions."""

AT_ONCE = 4
"""Processes of an implementation where nobody said how many: at most these, they would wait for archives."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run: role, version, seconds in all, known failures, and which cases (by name; all if empty).

    `share` is the part of these that is run, `jobs` how many archives are asked about at the same time.
    """

    role: str = "validator"
    spec: str = "1.0.0"
    budget: float | None = None
    known: Sequence[Known] = ()
    only: Sequence[str] = ()
    share: Share = WHOLE
    jobs: int = 1

    @property
    def part(self) -> str:
        """In words which part of the corpus it is; empty for the whole."""
        words = [] if self.share.is_whole else [str(self.share)]
        return "; ".join([*words, *([f"only {', '.join(self.only)}"] if self.only else [])])


class NotReady(Exception):
    """There is nobody to ask: the harness is broken, or there is no conversation."""


def run(
    subject: Subject, order: Order, telling: Callable[[int], Callable[[Outcome | None], None]] | None = None
) -> Run:
    """What came of it. Never raises for what the subject does.

    `telling` is called with the number of units, and what it returns with each outcome, and with None at the end.
    """
    begun = time.monotonic()
    cases = chosen(order)
    blank = Run(
        order.spec,
        order.role,
        {"name": "", "version": ""},
        (),
        0,
        0,
        {},
        known=order.known,
        corpus=identity(order.spec),
        share=order.part,
    )
    with tempfile.TemporaryDirectory(prefix="vizschema-suite-", dir=scratch()) as folder:
        try:
            hello = greeted(subject, order, Path(folder))
        except NotReady as error:
            return replace(blank, trouble=str(error))
        concerned = list(items_of(order.role, cases, hello))
        items = [item for item in concerned if order.share.has(item.name)]
        told = telling(len(items)) if telling is not None else None
        outcomes: list[Outcome] = []
        for outcome in _asked(subject, order, items, Path(folder), begun):
            outcomes.append(outcome)
            if told is not None:
                told(outcome)
    if told is not None:
        told(None)
    marked, stale = excuse(outcomes, order.known)
    left = len(items) - len(outcomes)
    return replace(
        blank,
        implementation={"name": str(hello["name"]), "version": str(hello["version"])},
        outcomes=marked,
        not_asked=sum(len(case.containers) for case in cases) - len(concerned),
        left=left,
        constants=constants(items, rules_count=not subject.exit_codes_only) if order.role == "validator" else {},
        stale=stale if not left and order.share.is_whole else (),  # a part does not show that an entry explains nothing
        seconds=time.monotonic() - begun,
    )


def greeted(subject: Subject, order: Order, folder: Path) -> Reply:
    """What the subject says of itself, once the harness was shown to work; raises `NotReady`."""
    broken = harness_trouble(folder)
    if broken is not None:
        raise NotReady(f"the harness is broken: {broken}")
    try:
        hello = subject.ask("hello", "hello", protocol=PROTOCOL, corpus=identity(order.spec))
        if order.role not in hello["roles"]:
            raise NotReady(f"{hello['name']} is no {order.role}, it says")
        if not subject.ask("spec", "done", version=order.spec)["ok"]:
            raise NotReady(f"{hello['name']} does not have spec {order.spec}, it says")
    except (Trouble, OSError) as error:
        subject.stop()
        raise NotReady(f"no conversation with the implementation: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        # An in-process subject is not held against the schema of replies first.
        raise NotReady(f"no conversation with the implementation: {type(error).__name__}: {error}") from error
    return hello


def chosen(order: Order) -> list[Case]:
    """The cases of an order: all, or those whose name or rule is named."""
    return list(named(corpus(order.spec), order.only))


def harness_trouble(folder: Path) -> str | None:
    """What is wrong with the harness itself: whether this package tells right from wrong through it; None if not."""
    smoke = [case for case in corpus() if case.name in ("generator/absent", "generator/one-character")]
    if len(smoke) != 2:
        return "expected the two cases of the smoke test in the corpus"
    for case in smoke:
        for container in case.containers[:1]:
            item = Item(case, container)
            try:
                path = prepare("validator", item, folder)
                problem = check("validator", InProcess(Own()), item, path)
            except (Trouble, VizschemaError, OSError) as error:
                return f"{item.name}: {error}"
            if problem is not None:
                return f"{item.name}: {problem}"
    return None


def _asked(subject: Subject, order: Order, items: Sequence[Item], folder: Path, begun: float) -> Iterator[Outcome]:
    """What came of each case, in order; `order.jobs` are asked at the same time, each of a subject of its own."""
    subjects = [subject, *(subject.another() for _ in range(order.jobs - 1))]
    free = SimpleQueue[Subject]()
    for each in subjects:
        free.put(each)

    def ask(item: Item, path: Path) -> Outcome:
        asked = free.get()
        try:
            return outcome_of(asked, order.role, item, path)
        finally:
            free.put(asked)

    waiting: deque[Future[Outcome]] = deque()
    try:
        with ThreadPoolExecutor(order.jobs) as pool:
            for item, path in _prepared(order.role, items, folder):
                if order.budget is not None and time.monotonic() - begun > order.budget:
                    break
                waiting.append(pool.submit(ask, item, path))
                if len(waiting) >= order.jobs:
                    yield waiting.popleft().result()
            yield from (each.result() for each in waiting)
    finally:
        for each in subjects:
            each.stop()


def outcome_of(subject: Subject, role: str, item: Item, path: Path) -> Outcome:
    """What came of one case whose archive is at `path`, alone in its folder; both are removed."""
    case = item.case
    status, detail = "pass", ""
    try:
        problem = check(role, subject, item, path)
        if problem is not None:
            status, detail = "fail", problem
    except Trouble as trouble:
        status, detail = trouble.outcome, str(trouble)
    except (KeyError, TypeError, AttributeError) as error:
        # An in-process subject is not held against the schema of replies first.
        status, detail = "rubbish", f"{type(error).__name__}: {error}"
    finally:
        _remove(path)
    return Outcome(case.name, case.rule, item.container, case.verdict, status, detail)


def _remove(path: Path) -> None:
    for left in path.parent.iterdir() if path.parent.is_dir() else ():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    path.parent.rmdir() if path.parent.is_dir() else None


def _prepared(role: str, items: Iterable[Item], folder: Path) -> Iterator[tuple[Item, Path]]:
    """Every item with its path, each in a folder of its own, written a few ahead in a thread."""

    def make(number: int, item: Item) -> Path:
        own = folder / f"{number:05}"
        own.mkdir()
        path: Path = prepare(role, item, own)
        return path

    waiting: deque[tuple[Item, Future[Path]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for number, item in enumerate(items):
            waiting.append((item, pool.submit(make, number, item)))
            if len(waiting) > AHEAD:
                first, path = waiting.popleft()
                yield first, path.result()
        while waiting:
            first, path = waiting.popleft()
            yield first, path.result()


def constants(items: Sequence[Item], *, rules_count: bool) -> dict[str, float]:
    """The shares of the cases that `always valid` and `always invalid`, with no rule named, would pass.

    Where exit codes alone count, the shares of the rules of which every case would be passed.
    """
    shares = {}
    for verdict in ("valid", "invalid"):
        passed = [item.case.verdict == verdict and not (rules_count and item.case.expected) for item in items]
        if not rules_count:
            rules = sorted({item.case.rule for item in items})
            passed = [all(item.case.verdict == verdict for item in items if item.case.rule == rule) for rule in rules]
        shares[f"always {verdict}"] = sum(passed) / len(passed) if passed else 0.0
    return shares
