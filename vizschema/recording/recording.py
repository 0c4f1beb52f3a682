"""What `record` yields. No torch here."""

from __future__ import annotations

import os


class Recording:
    """A recording in progress; yielded by `record`.

    Attributes:
        path: Where the archive is written; with several ranks, that of this one.
        table: The name of the table that says which module becomes which array; empty until the first call of a model
            whose table is drafted.
        profile: The profile that the archive is judged by; empty as long as `table` is.
        passes: How many calls of the model were recorded so far.
        nodes: The paths of the arrays that were recorded so far, sorted.

    Examples:
        >>> with vizschema.record(model, "new.zarr") as run:  # doctest: +SKIP
        ...     model(inputs)
        ...     print(run.table, run.profile, run.passes)
        gpt2 lm 1
    """

    path: str
    table: str
    profile: str
    passes: int
    nodes: list[str]

    def __init__(self, path: str | os.PathLike[str], table: str = "", profile: str = "") -> None:
        self.path = os.fspath(path)
        self.table = table
        self.profile = profile
        self.passes = 0
        self.nodes = []
