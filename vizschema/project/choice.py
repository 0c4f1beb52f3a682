"""The version and profile that the user requests: those of the call, else of the configuration.

`rules/verdict.py` chooses the ones that an archive is judged by, from these and those that it declares.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from vizschema.findings import Report
from vizschema.project.configuration import Configuration, find, load


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user requests: a version, a profile, a configuration file, or none (`configured` is False)."""

    spec: str | None = None
    profile: str | None = None
    config: str | None = None
    configured: bool = True


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration, and the requested version and profile (None: those that the archive declares)."""

    spec: str | None
    profile: str | None
    configuration: Configuration
    pinned: bool = False
    profile_configured: bool = False

    def named(self, report: Report) -> Report:
        """Return `report`, marked as pinned or configured if the configuration set its version or profile."""
        if self.pinned and report.spec_chosen == "requested":
            report = replace(report, spec_chosen="pinned")
        if self.profile_configured and report.profile_chosen == "requested":
            report = replace(report, profile_chosen="configured")
        return report


def settings_of(choice: Choice, folder: Path) -> Settings:
    """Return the settings for `folder`; raise `SpecError` for an invalid configuration or pin."""
    configuration = _configuration(choice, folder)
    pinned = choice.spec is None and configuration.spec is not None
    if pinned:
        from vizschema.project.pin import pinned as require_pinned

        require_pinned(configuration)
    return Settings(
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
