"""The hash of an array's values, as a fact: `spec/1.0.0/digest.md` defines it, `hashing` computes it."""

from __future__ import annotations

from typing import Any

from vizschema.scan.facts.base import Context, Seen


class ValuesHash:
    """The hash that all accumulators of one array share; from another process, one of their own.

    What does not fit into its memory is left out, and read again before the result is asked for.
    """

    def __init__(self, context: Context) -> None:
        self._hash = context.hash

    def add(self, seen: Seen) -> None:
        """Take in one block."""
        if self._hash is not None:
            self._hash.add(seen.start, seen.values, uniform=seen.uniform)

    def merge(self, other: ValuesHash) -> None:
        """Take in what `other` has seen."""
        if self._hash is not None and other._hash is not None and other._hash is not self._hash:
            self._hash.merge(other._hash)

    def result(self) -> dict[str, Any]:
        """In hexadecimal digits; None if a chunk could not be read."""
        root = None if self._hash is None else self._hash.root
        return {"values_hash": None if root is None else root.hex()}
