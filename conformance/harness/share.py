"""A part of the suite: one of so many units, by a hash of their names, so that it is the same in every run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from vizschema.errors import UsageError


@dataclass(frozen=True, slots=True)
class Share:
    """One of `sample` units, and of these the part `shard` of `shards` (from 1).

    Sample and shard depend on different bytes of the hash, so that each shard of a sample has its share.
    """

    sample: int = 1
    shard: int = 1
    shards: int = 1

    @property
    def is_whole(self) -> bool:
        """Whether it leaves nothing out."""
        return self.sample == self.shards == 1

    def has(self, name: str) -> bool:
        """Whether the unit of this name (`rule/case [container]`) belongs to it."""
        digest = hashlib.sha256(name.encode()).digest()
        sampled, sharded = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
        return sampled % self.sample == 0 and sharded % self.shards == self.shard - 1

    def __str__(self) -> str:
        """In words: `a sample of 1 in 8, shard 1/4`."""
        sample = [f"a sample of 1 in {self.sample}"] if self.sample > 1 else []
        return ", ".join([*sample, *([f"shard {self.shard}/{self.shards}"] if self.shards > 1 else [])])


WHOLE = Share()


def share(sample: int, shard: str | None) -> Share:
    """The part of these options: one in `sample`, and `shard` like `2/8`; raises `UsageError`."""
    number, _, count = (shard or "1/1").partition("/")
    if sample < 1:
        raise UsageError(f"--sample {sample}: expected 1 or more, to run one of that many")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--shard {shard}: expected i/n with i from 1 to n, like 1/8")
    return Share(sample, int(number), int(count))
