"""Mutants of the fuzzer: bytes of an archive changed at random, a member of a zip file among them. Few conform."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from vizschema.conformance.corpus.hostile.fuzz import ORIGINALS, mutants_of


def of_bytes(prefix: str) -> Callable[[random.Random, Path], Path]:
    """A mutant of one of the originals whose name begins so."""
    names = [name for name in ORIGINALS if name.startswith(prefix)]

    def build(chance: random.Random, folder: Path) -> Path:
        original: Path = ORIGINALS[chance.choice(names)](folder)
        next(mutants_of(original, chance, 1))
        return original

    return build
