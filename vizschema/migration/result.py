"""What a migration did, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vizschema.findings import Question, Report


@dataclass(frozen=True, slots=True)
class Migrated:
    """What `migrate` did.

    Attributes:
        mapping: The name of the mapping.
        report: The report on the result, values read; None after a dry run.
        profile: The profile that the result declares; empty after a dry run.
        refused: The reports of the profiles that were tried before it.
        proved: How many arrays of the source were read back from the result, undone, and found equal.
        losses: What was left out: `what` and `why`.
        answers: The answers by key: `value`, and `by`: given, measured, default.
        lines: What happens to each node and attribute, in words.
        linked: How many files of the source are files of the result too.
        problems: After a dry run, what the mapping does not account for.
        questions: After a dry run, what is still open.

    Examples:
        >>> np.savez("old.npz", act_0_single=np.ones((4, 8)))
        >>> who = {"model_name": "net", "model_version": "1"}
        >>> named = {"mapping": "benchmark-candidates-flat", "answers": who, "dry_run": True}
        >>> done = vizschema.migrate("old.npz", "new.zarr", **named)
        >>> done.lines[0], done.answers["model_name"]
        ("/act_0_single: /single/layer_00 ['residue', 'single_channel']", {'by': 'given', 'value': 'net'})
    """

    mapping: str
    report: Report | None
    profile: str
    refused: tuple[Report, ...]
    proved: int
    losses: tuple[Mapping[str, str], ...]
    answers: Mapping[str, Mapping[str, Any]]
    lines: tuple[str, ...]
    linked: int = 0
    problems: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
