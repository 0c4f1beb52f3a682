"""What can be fixed in an archive: each fix proposes changes of its description, and the judge says whether they help.

A change is taken where no MUST rule is broken in more places afterwards and something is better. Reads no archive.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vizschema.description import ITEM_BYTES, Description, Node
from vizschema.findings import Finding, Fixable, Report
from vizschema.rules.fixes import attributes, axes, names, storage
from vizschema.rules.fixes.draft import Change, Draft
from vizschema.rules.fixes.proposal import Context, Proposal, Propose
from vizschema.rules.fixes.table import Entry, table
from vizschema.rules.verdict import Chosen, choose, report_of

Choose = Callable[[Description], Chosen]
"""What a description is judged by."""

EFFORT = 5_000
"""How many nodes may be judged, one as often as it is, to find what can be fixed, without a request for a fix."""

_ROUNDS = 4
_SINGLY = 16
"""Proposals of one fix that are tried one by one, where all together do not help."""

FIXES: Mapping[str, Propose] = {
    "metadata-arrays": storage.metadata_arrays,
    "misplaced-attributes": attributes.misplaced_attributes,
    "typed-values": attributes.typed_values,
    "spelling": attributes.spelling,
    "time-offset": attributes.time_offset,
    "reference-slash": attributes.reference_slash,
    "node-name": names.node_name,
    "attribute-name": names.attribute_name,
    "composed-names": names.composed_names,
    "index-width": names.index_width,
    "declared-count": attributes.declared_count,
    "axis-names": axes.axis_names,
    "axis-spelling": axes.axis_spelling,
    "axis-term": axes.axis_term,
    "chunks": storage.chunks,
    "codecs": storage.codecs,
}
"""What proposes the changes of each fix of descriptions, by its name in the table."""


@dataclass(slots=True)
class Plan:
    """A draft in which all is fixed that can be; the changes, and what was found in it before and after.

    With `structure`, the findings are those that need no values: others may be there. `blocked` says in words why
    nothing can be fixed, where that is so; `cut_short` whether more may be fixed, since the effort was spent.
    """

    draft: Draft
    choose: Choose
    structure: bool
    values: Mapping[str, Any] | None = None
    closed: frozenset[str] = frozenset()
    changes: list[Change] = field(default_factory=list)
    blocked: str | None = None
    cut_short: bool = False
    before: Sequence[Finding] = ()
    after: Sequence[Finding] = ()

    def fixed(self) -> Iterator[Finding]:
        """The findings of before that are gone."""
        new_paths = self.draft.new_paths
        left = Counter((finding.rule, finding.path) for finding in self.after)
        for finding in self.before:
            key = finding.rule, _moved(finding.path, new_paths)
            if left[key]:
                left[key] -= 1
            else:
                yield finding


def _moved(path: str, new_paths: Mapping[str, str]) -> str:
    """Where a place of the archive is in the draft: a node, or a series `<parent>/<stem>_*`."""
    if path in new_paths:
        return new_paths[path]
    parent, _, name = path.rpartition("/")
    return f"{new_paths[parent]}/{name}" if parent in new_paths else path


def plan(
    description: Description,
    choose: Choose,
    closed: frozenset[str],
    values: Mapping[str, Any] | None = None,
    *,
    structure: bool = False,
    without: frozenset[str] = frozenset(),
    effort: int | None = None,
) -> Plan:
    """What can be fixed of the archive of a description; with `structure`, its facts are not looked at.

    `closed` are the arrays in codecs that are not decoded. `values` are those of `small_arrays`, as JSON; without them,
    it is not known whether these can be read. Fixes of the names in `without` are left out. `effort` is how many nodes
    may be judged until it is cut short (None: any number).
    """
    found = Plan(Draft.of(description), choose, structure, values, closed)
    _Planner(found, without, effort).run()
    found.blocked = blocked(found.draft, closed)
    if found.blocked is not None:
        found.draft, found.changes = Draft.of(description), []
    structure = found.structure = structure or found.draft.stale
    found.before = judged(Draft.of(description), choose, structure=structure)
    found.after = judged(found.draft, choose, structure=structure) if found.changes else found.before
    return found


def blocked(draft: Draft, closed: frozenset[str]) -> str | None:
    """In words why an archive cannot be written again without a loss; None where it can.

    The files of a Zarr archive are kept as they are, so that only what readers disagree about is in the way.
    """
    container = draft.container
    if container.get("readings"):
        return "readers of the container disagree about it: which reading is right is unknown"
    if container.get("store") == "remote":
        return "an archive on the network is never written"
    if container["format"] == "zarr":
        return None
    for path, node in draft.nodes.items():
        why = _lost(node, closed=draft.origin.get(path) in closed)
        if why is not None:
            return f"a file of this container is written as a whole, and {path} cannot be: {why}"
    return None


def _lost(node: Node, *, closed: bool) -> str | None:
    """What of a node would be lost if its values were read and written again."""
    if node["kind"] not in ("group", "array"):
        return str(node["detail"])
    odd = [*node.get("escaped", ()), *node.get("unsupported", ()), *node.get("stray", ())]
    if odd:
        return f"{odd[0]} has no form that can be written"
    if node["kind"] == "group":
        return None
    facts = node.get("facts", {})
    if node["dtype"] not in ITEM_BYTES or closed:
        return f"its values ({node['dtype']}) are not read"
    if "axes_detail" in node and node["axes"] is None:
        return str(node["axes_detail"])
    if facts.get("damaged_chunks"):
        return f"chunk {facts['damaged_chunks'][0]['key']} is damaged"
    return "a chunk of it was never written" if facts.get("absent_chunks") else None


def again(chosen: Chosen) -> Choose:
    """What chooses again for a description that has changed: what was asked for stays."""
    spec = chosen.version.version if chosen.version_chosen == "requested" else None
    profile = chosen.profile if chosen.profile_chosen == "requested" else None
    return lambda description: choose(description, spec, profile)


def judged(draft: Draft, choose: Choose, *, structure: bool) -> Sequence[Finding]:
    """The findings about a draft; with `structure`, those that need no values."""
    description = draft.description(structure=structure)
    return report_of(description, "", choose(description)).findings


def is_better(before: Iterable[Finding], after: Iterable[Finding]) -> bool:
    """Whether findings are fewer, and no MUST rule is broken in more places.

    Warnings may be more where errors are fewer: what could not be judged before is judged now.
    """
    before, after = list(before), list(after)
    if is_worse(before, after):
        return False
    errors, fewer = (sum(each.severity == "error" for each in some) for some in (before, after))
    return fewer < errors or (fewer == errors and len(after) < len(before))


def is_worse(before: Iterable[Finding], after: Iterable[Finding]) -> bool:
    """Whether a MUST rule is broken in more places, or, with as many errors as before, a SHOULD rule is."""
    counts, more = (Counter((each.severity, each.rule) for each in some) for some in (list(before), list(after)))
    rises = {severity for (severity, rule), count in more.items() if count > counts[severity, rule]}
    errors, fewer = (sum(n for (severity, _), n in each.items() if severity == "error") for each in (counts, more))
    return "error" in rises or ("warning" in rises and fewer == errors)


class _EffortSpent(Exception):
    """No more nodes may be judged."""


class _Planner:
    """Tries one fix after the other on the draft of a plan, until none helps.

    A draft is judged once for as long as it is not changed: `_known` has the findings of those at hand.
    """

    def __init__(self, found: Plan, without: frozenset[str], effort: int | None) -> None:
        self._plan = found
        self._effort = math.inf if effort is None else effort
        self._known: list[tuple[Draft, Context, Sequence[Finding]]] = []
        self._before: dict[bool, Sequence[Finding]] = {}
        self._entries = [entry for entry in table().fixes.values() if entry.name in FIXES.keys() - without]

    def run(self) -> None:
        """Change the draft."""
        try:
            for _ in range(_ROUNDS):
                if not sum([self._improve(entry) for entry in self._entries]):
                    return
        except _EffortSpent:
            self._plan.cut_short = True

    def _improve(self, entry: Entry) -> bool:
        """Whether a fix, tried for all that it is for, makes the draft better."""
        proposals = list(self._proposals(self._plan.draft, entry))
        if not proposals:
            return False
        if self._take(entry, proposals):
            return True
        singly = proposals[:_SINGLY] if len(proposals) > 1 else []
        return sum([self._take(entry, [proposal]) for proposal in singly]) > 0

    def _proposals(self, draft: Draft, entry: Entry) -> Iterator[tuple[str, Proposal]]:
        """(rule, proposal) for each finding in the draft that the fix is for, each proposal once."""
        context, findings = self._judged(draft)
        seen = set()
        for finding in findings:
            if finding.rule in entry.rules:
                for proposal in FIXES[entry.name](context, finding):
                    if proposal.key not in seen:
                        seen.add(proposal.key)
                        yield finding.rule, proposal

    def _judged(self, draft: Draft) -> tuple[Context, Sequence[Finding]]:
        """What fixes may look at in a draft, and the findings."""
        for known, context, findings in self._known:
            if known is draft:
                return context, findings
        plan = self._plan
        self._spend(draft)
        description = draft.description(structure=plan.structure or draft.stale)
        chosen = plan.choose(description)
        context = Context(draft, description, chosen.profile, table().words, plan.values, plan.closed)
        findings = report_of(description, "", chosen).findings
        self._known.append((draft, context, findings))
        return context, findings

    def _spend(self, draft: Draft) -> None:
        self._effort -= len(draft.nodes)
        if self._effort < 0:
            raise _EffortSpent

    def _forget(self, draft: Draft) -> None:
        self._known = [each for each in self._known if each[0] is not draft]

    def _take(self, entry: Entry, proposals: Sequence[tuple[str, Proposal]]) -> bool:
        """Whether the draft is better with these changes, or with those that they call for; it has them then."""
        plan = self._plan
        candidate, changes = plan.draft.copy(), list[Change]()
        _apply(candidate, entry, proposals, changes)
        better = self._is_better(candidate) or (self._follow(candidate, entry, changes) and self._is_better(candidate))
        if better:
            self._forget(plan.draft)
            plan.draft, self._before = candidate, {}
            plan.changes += changes
        else:
            self._forget(candidate)
        return better

    def _follow(self, candidate: Draft, entry: Entry, changes: list[Change]) -> bool:
        """Apply what other fixes propose for a candidate; whether there is anything."""
        count = len(changes)
        for other in self._entries:
            proposals = list(self._proposals(candidate, other)) if other is not entry else []
            if proposals:
                _apply(candidate, other, proposals, changes)
                self._forget(candidate)
        return len(changes) > count

    def _is_better(self, candidate: Draft) -> bool:
        plan = self._plan
        structure = plan.structure or candidate.stale
        if structure not in self._before:
            if structure == (plan.structure or plan.draft.stale):
                self._before[structure] = self._judged(plan.draft)[1]
            else:
                self._spend(plan.draft)
                self._before[structure] = judged(plan.draft, plan.choose, structure=structure)
        return is_better(self._before[structure], self._judged(candidate)[1])


def _apply(draft: Draft, entry: Entry, proposals: Sequence[tuple[str, Proposal]], changes: list[Change]) -> None:
    for rule, proposal in proposals:
        path = draft.origin.get(proposal.path, proposal.path)
        proposal.apply(draft)
        changes.append(Change(entry.name, rule, path, proposal.words))


def marked(report: Report, description: Description, chosen: Chosen, closed: frozenset[str]) -> Report:
    """The report, each finding of which says whether `fix` fixes it: `yes`, `no`, or `maybe` where only it can tell.

    `closed` are the arrays in codecs that are not decoded.
    """
    container = description["container"]
    if not report.findings or container["store"] == "remote":
        return report
    by_files = table().rules(files=True) if container["format"] in ("zarr", "npz") else frozenset[str]()
    by_draft = table().rules(files=False)
    broken = {finding.rule for finding in report.findings}
    fixed, cut_short = dict[tuple[str, str], list[Fixable]](), len(description["nodes"]) > EFFORT
    if broken & by_draft and not cut_short:
        found = plan(description, again(chosen), closed, effort=EFFORT)
        fixed, cut_short = _fixed(found), found.cut_short
    unsure = by_files | (by_draft if cut_short or broken & by_files else frozenset())
    findings = []
    for finding in report.findings:
        states = fixed.get((finding.rule, finding.instance))
        state: Fixable = states.pop() if states else ("maybe" if finding.rule in unsure else "no")
        findings.append(replace(finding, fixable=state))
    return replace(report, findings=tuple(findings))


def _fixed(found: Plan) -> dict[tuple[str, str], list[Fixable]]:
    """What is said of the findings that a plan fixes, by rule and instance."""
    by_values = {change.rule for change in found.changes if table().fixes[change.fix].values}
    states: dict[tuple[str, str], list[Fixable]] = {}
    for finding in found.fixed():
        state: Fixable = "maybe" if finding.rule in by_values else "yes"
        states.setdefault((finding.rule, finding.instance), []).append(state)
    return states
