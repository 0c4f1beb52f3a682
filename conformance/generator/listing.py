"""Archives of the generator as a list, by a seed: for those who don't test a property."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from vizschema.conformance.generator.drawing import Archive, archives


def listed(profile: str, count: int, seed: int) -> list[Archive]:
    """`count` archives of a profile, the same ones for the same seed and version of Hypothesis."""
    found: list[Archive] = []
    if count <= 0:
        return found

    @seeded(seed)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(archives(profile))
    def each(archive: Archive) -> None:
        found.append(archive)

    each()
    return [found[number % len(found)] for number in range(count)]
