"""How an archive is read: within which memory and time, by how many threads, where. Values only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

MEMORY = 192 << 20
"""Default bytes of decoded values in memory at a time."""

Progress = Callable[[int], object]
"""Called with every number of bytes that was read, from any thread."""

Begin = Callable[[int], Progress]
"""Called with the bytes that will be read; returns what is called with every number of bytes that was."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits on the sandboxed process that reads an archive.

    Attributes:
        memory: Maximum bytes of decoded values in memory.
        seconds: Maximum seconds per archive, by the clock.
        silence: Maximum seconds between two messages of the process, in which it computed or waited.
        answer: Maximum bytes of the description, as JSON, and again of the facts of the values.
        values: Maximum JSON values of the description and of the facts.

    Examples:
        >>> bounds = vizschema.Bounds(memory=64 << 20, seconds=600)
        >>> vizschema.validate("run.zarr", isolated=True, bounds=bounds).verdict
        'conforms'
    """

    memory: int = MEMORY
    seconds: float = 3600
    silence: float = 60
    answer: int = 256 << 20
    values: int = 6_000_000


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read one archive: by `jobs` threads (None: one per CPU), within `bounds`, in this process.

    With `isolated`, a sandboxed process reads it; with `dask`, the values are read by the Dask cluster at this address.
    """

    jobs: int | None = None
    bounds: Bounds = Bounds()
    isolated: bool = False
    dask: str | None = None
    progress: Begin | None = None

    @property
    def threads(self) -> int:
        """How many threads read values, at least one."""
        return allowed_cpus() if self.jobs is None else max(1, self.jobs)

    def begun(self, size: int) -> Progress | None:
        """Report that `size` bytes will be read; return what is called with every number that was."""
        return None if self.progress is None else self.progress(size)


def allowed_cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
