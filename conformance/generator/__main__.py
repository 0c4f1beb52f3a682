"""The long run: `python -m vizschema.conformance.generator --examples N --seed S` breaks every rule.

With `--breadth` it draws archives that conform instead, and prints of which share each thing in `AIMS` is true.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from vizschema.cli.parser import Parser
from vizschema.conformance.generator.breaking import Broken, Unbreakable, broken_archives, can_be_broken
from vizschema.conformance.generator.broad import AIMS, features
from vizschema.conformance.generator.drawing import Archive, archives
from vizschema.rules import versions
from vizschema.rules.judge import judge


@dataclass
class Tally:
    """What was found: how many archives broke their rule alone, what failed, and rules that no archive can break."""

    drawn: int = 0
    raised: int = 0
    failed: list[str] = field(default_factory=list)
    unbreakable: list[str] = field(default_factory=list)


def check(broken: Broken) -> str | None:
    """What is wrong with the findings about a broken archive; null where nothing is."""
    found = {finding.rule for finding in judge(broken.description(), broken.archive.profile)}
    undeclared = found - {broken.rule} - broken.entailed
    if broken.rule not in found:
        return f"did not raise {broken.rule}: {sorted(found)}"
    return f"raised {sorted(undeclared)} beside {broken.rule}" if undeclared else None


def run(profile: str, rule: str, examples: int, seed: int, version: str, tally: Tally) -> None:
    """Break one rule `examples` times."""

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(broken_archives(profile, version, rule))
    def each(broken: Broken) -> None:
        tally.drawn += 1
        wrong = check(broken)
        tally.raised += wrong is None
        if wrong is not None:
            tally.failed.append(f"{profile}: {wrong}\n{broken!r}")

    try:
        each()
    except Unbreakable:
        tally.unbreakable.append(f"{rule} ({profile})")


@dataclass(frozen=True)
class Breadth:
    """What archives that were drawn have: the share of them of which each thing in `AIMS` is true, and their nodes."""

    shares: Mapping[str, float]
    nodes: Sequence[int]

    @property
    def missed(self) -> list[str]:
        """What is true of fewer than its aim."""
        return [name for name, least in AIMS.items() if self.shares[name] < least]

    def lines(self) -> Iterator[str]:
        """A line for each thing: its share, its aim, and whether that is missed."""
        for name, least in AIMS.items():
            yield f"{name:<38} {self.shares[name]:6.1%}  aim {least:5.1%}{'  MISSED' if name in self.missed else ''}"
        yield f"nodes: least {self.nodes[0]}, median {self.nodes[len(self.nodes) // 2]}, most {self.nodes[-1]}"


def breadth(profile: str, version: str, chosen: Callable[[Any], Any]) -> Breadth:
    """Draw archives of a profile, and say what they have."""
    seen: list[Mapping[str, Any]] = []

    @chosen
    @given(archives(profile, version))
    def draw(archive: Archive) -> None:
        seen.append(archive.document)

    draw()
    counts = Counter(feature for document in seen for feature in features(document))
    shares = {name: counts[name] / len(seen) for name in AIMS}
    return Breadth(shares, sorted(len(document["nodes"]) for document in seen))


def _breadth(profiles: Iterable[str], version: str, examples: int, seed: int) -> int:
    """0 after the shares of each profile were printed; 1 where `trace`, for which the aims are, misses one."""
    missed = []
    chosen = settings(max_examples=examples, database=None, deadline=None, phases=[Phase.generate])
    for profile in profiles:
        found = breadth(profile, version, lambda test: seeded(seed)(chosen(test)))
        print(f"{examples} archives of {profile}")
        print("\n".join(f"  {line}" for line in found.lines()))
        missed += found.missed if profile == "trace" else []
    return 1 if missed else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where every archive broke its rule and no undeclared one, else 1."""
    parser = Parser(prog="python -m vizschema.conformance.generator", description=__doc__)
    parser.add_argument("--examples", type=int, help="how many archives to break, over all rules (5000); to draw (200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--spec", default=None, help="the version (default: the first)")
    parser.add_argument("--profile", action="append", help="a profile, any number of times (default: all)")
    parser.add_argument("--breadth", action="store_true", help="print what N archives have instead (default: of trace)")
    parser.add_argument("--rule", action="append", help="a rule, any number of times (default: all)")
    given_: Any = parser.parse_args(arguments)
    version = versions.default() if given_.spec is None else versions.load(given_.spec)
    if given_.breadth:
        return _breadth(given_.profile or ["trace"], version.version, given_.examples or 200, given_.seed)
    profiles = {name: version.profile(name) for name in given_.profile or version.profiles}
    every = [(name, rule) for name, profile in profiles.items() for rule in given_.rule or sorted(profile.rules)]
    pairs = [(name, rule) for name, rule in every if can_be_broken(profiles[name], rule)]
    tally = Tally()
    for name, rule in pairs:
        run(name, rule, -(-(given_.examples or 5000) // len(pairs)), given_.seed, version.version, tally)
    print(f"{tally.drawn} archives of {', '.join(profiles)}, {len(pairs)} pairs of profile and rule")
    print(f"{tally.raised} broke their rule and no undeclared one; {len(tally.failed)} did not")
    print(f"{len(every) - len(pairs)} pairs have nothing to be about; nothing breaks {tally.unbreakable}")
    for each in tally.failed:
        print(f"\n{each}")
    return 1 if tally.failed or not tally.drawn else 0


if __name__ == "__main__":
    sys.exit(main())
