"""Why a source is not migrated: what no rule accounts for, or questions that are still open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vizschema.errors import VizschemaError


class Refused(VizschemaError):
    """A source was not migrated, and nothing was written.

    Attributes:
        problems: What is in the way, each with its place.
    """

    exit_code = 1

    def __init__(self, problems: Sequence[str], reason: str = "nothing was written") -> None:
        super().__init__("\n  ".join([reason, *problems]))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Question:
    """A question that no file answers.

    Attributes:
        key: What `--set` calls it.
        why: Why it is asked.
        choices: The answers that are allowed, if not any.
        kind: What else an answer is: TEXT, INTEGER, NUMBER or BOOLEAN, and words.
        place: The group in the result that it is about, or empty.
        found: What was measured, in words, or empty.
    """

    key: str
    why: str
    choices: tuple[object, ...] = ()
    kind: str = "TEXT"
    place: str = ""
    found: str = ""

    @property
    def line(self) -> str:
        """What to add to the command."""
        value = "|".join(map(str, self.choices)) or self.kind
        return f"--set '{self.key}{f':{self.place}' if self.place else ''}={value}'"

    def __str__(self) -> str:
        return f"{self.line}  # {self.why}{f' ({self.found})' if self.found else ''}"


class Unanswered(VizschemaError):
    """Questions are open, and nothing was written.

    Attributes:
        questions: The questions.
    """

    exit_code = 2

    def __init__(self, questions: Sequence[Question]) -> None:
        count = "one answer is" if len(questions) == 1 else f"{len(questions)} answers are"
        super().__init__("\n  ".join([f"{count} missing; add to the command:", *map(str, questions)]))
        self.questions = tuple(questions)
