"""What archives are judged by, before any is opened: the version and profile of the call, else of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vizschema.findings import Report
from vizschema.project.configuration import Configuration, find, load


@dataclass(frozen=True, slots=True)
class Choice:
    """What the call says: a version, a profile, a file with the configuration, or that none is `configured`."""

    spec: str | None = None
    profile: str | None = None
    config: str | None = None
    configured: bool = True


@dataclass(frozen=True, slots=True)
class Ground:
    """The version and the profile to judge by (None: what the archive declares), and the configuration there is."""

    spec: str | None
    profile: str | None
    configuration: Configuration
    pinned: bool = False
    profile_configured: bool = False

    def named(self, report: Report) -> Report:
        """`report`, which says that the version was pinned, or the profile configured, where that is so."""
        if self.pinned and report.spec_chosen == "requested":
            report = replace(report, spec_chosen="pinned")
        if self.profile_configured and report.profile_chosen == "requested":
            report = replace(report, profile_chosen="configured")
        return report


def ground_of(choice: Choice, folder: Path) -> Ground:
    """What to judge by in `folder`; raises `SpecError` for a configuration or a pin that does not hold."""
    configuration = _configuration(choice, folder)
    pinned = choice.spec is None and configuration.spec is not None
    if pinned:
        from vizschema.project.pin import pinned as held

        held(configuration)
    return Ground(
        configuration.spec if pinned else choice.spec,
        configuration.profile if choice.profile is None else choice.profile,
        configuration,
        pinned,
        choice.profile is None and configuration.profile is not None,
    )


def _configuration(choice: Choice, folder: Path) -> Configuration:
    if not choice.configured:
        return Configuration()
    place = find(folder) if choice.config is None else Path(choice.config)
    return Configuration() if place is None else load(place)
