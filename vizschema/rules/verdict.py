"""Which version and profile an archive is judged by, and the verdict: description → report. Reads no archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from vizschema.description import Description
from vizschema.findings import Finding, Report
from vizschema.rules.judge import judge
from vizschema.rules.versions import Profile, Spec, load, version_for, versions
from vizschema.text import shorten

BASE_PROFILE = "trace"

TELLING = 3
"""How many telling words of a profile an archive needs to look like one; one or two are chance."""

SPEC_DIGEST, PROFILE_DIGEST = "spec-digest", "profile-digest"
"""Findings about digests that the root carries, which no schema can compare."""

_TOPS = 4

_TRUSTED_COPY = (
    "described from the consolidated copy of the metadata, which is trusted: the documents of a remote archive are not "
    "compared with it one by one"
)

_UNLISTED = (
    "stray files, and chunks under other keys, in the folders of arrays were not looked for: these folders are listed "
    "where values are read, and not on the network"
)


class Chosen(NamedTuple):
    """The version and the profile that an archive is judged by, how each was chosen, and notes about the choice.

    `likely` is the profile that an archive which declares none looks like, `missing` the one that it declares, where
    that is not available.
    """

    version: Spec
    version_chosen: str
    profile: Profile
    profile_chosen: str
    likely: str | None = None
    notes: tuple[str, ...] = ()
    missing: str | None = None


def choose(description: Description, spec: str | None = None, profile: str | Profile | None = None) -> Chosen:
    """Choose what is asked for, else what the archive declares, else the default version and the base profile.

    Raises `SpecError` if there is no such version or profile.
    """
    root = description["nodes"].get("/", {}).get("attributes", {})
    wanted = root.get("profile") if profile is None else profile
    version, version_chosen, version_notes = _choose_version(root, spec, wanted)
    judged, profile_chosen, likely, notes = _choose_profile(description, root, version, profile)
    declared = root.get("profile")
    missing = declared if profile_chosen == "default" and isinstance(declared, str) and declared else None
    notes = (*version_notes, *notes, *_whereabouts(root, missing))
    return Chosen(version, version_chosen, judged, profile_chosen, likely, notes, missing)


def _whereabouts(root: Mapping[str, Any], missing: str | None) -> tuple[str, ...]:
    """Where the archive says that its missing profile is."""
    url = root.get("profile_url")
    if missing is None or not isinstance(url, str):
        return ()
    return (f"the archive says that its profile is at {_shown(url)}: download it, and pass it as --profile",)


def report_of(description: Description, archive: str, chosen: Chosen, *, errors_only: bool = False) -> Report:
    """Judge a description by what was chosen for it; `archive` is the name in the report.

    With `errors_only`, nothing that a profile only recommends is judged.
    """
    container = description["container"]
    trusted = (_TRUSTED_COPY,) if container["store"] == "remote" and container["consolidated"] else ()
    listed = container["format"] != "zarr" or (description["values"] != "not_read" and "unlisted" not in container)
    return Report(
        archive,
        chosen.version.version,
        chosen.version.digest,
        chosen.version_chosen,
        chosen.profile.name,
        chosen.profile_chosen,
        chosen.likely,
        container,
        description["values"],
        len(description["nodes"]),
        (*trusted, *(() if listed else (_UNLISTED,)), *chosen.notes),
        (*judge(description, chosen.profile, errors_only=errors_only), *_other_digests(description, chosen)),
        coverage=description.get("coverage"),
        missing_profile=chosen.missing,
    )


def _other_digests(description: Description, chosen: Chosen) -> Iterator[Finding]:
    """A warning for each digest that the root carries of another version, or of another state of its profile."""
    root = description["nodes"].get("/", {}).get("attributes", {})
    version, profile = chosen.version, chosen.profile
    carried = (
        (SPEC_DIGEST, f"version {version.version}", root.get("spec_version") == version.version),
        (PROFILE_DIGEST, f"profile {profile.name}", root.get("profile") == profile.name),
    )
    for rule, what, same in carried:
        name = rule.replace("-", "_")
        found = root.get(name)
        if not same or not isinstance(found, str):
            continue
        expected = f"sha256:{version.digest}" if rule == SPEC_DIGEST else profile.digest
        if found != expected:
            yield Finding(
                rule,
                "warning",
                "/",
                f"/nodes/~1/attributes/{name}",
                f"{expected}, that of the {what} which it is judged by",
                shorten(found, 80),
                "The specification and the profile that an archive was written by are those that it is judged by.",
                "judge it by the version and the profile that it was written by, or write the archive again.",
            )


def _choose_version(
    root: Mapping[str, Any], requested: str | None, profile: object
) -> tuple[Spec, str, tuple[str, ...]]:
    if requested is not None:
        return load(requested), "requested", ()
    declared = root.get("spec_version")
    if isinstance(declared, str) and declared in versions():
        return load(declared), "declared", ()
    spec = version_for(None, profile)
    what = (
        f"declares spec_version {_shown(declared)}, which is not installed"
        if "spec_version" in root
        else "declares no spec_version"
    )
    return spec, "first", (f"the archive {what}: judged by {spec.version}, the default",)


def _choose_profile(
    description: Description, root: Mapping[str, Any], spec: Spec, requested: str | Profile | None
) -> tuple[Profile, str, str | None, tuple[str, ...]]:
    if isinstance(requested, Profile):
        return requested, "requested", None, ()
    if requested is not None:
        return spec.profile(requested), "requested", None, ()
    declared = root.get("profile")
    if isinstance(declared, str) and declared in spec.profiles:
        return spec.profile(declared), "declared", None, ()
    likely = likely_profile(description, spec)
    what = (
        f"declares the profile {_shown(declared)}, which {spec.version} does not have"
        if "profile" in root
        else "declares no profile"
    )
    hint = f"; it looks like {likely} (--profile {likely})" if likely else ""
    if not likely and "profile" not in root and "spec_version" not in root:
        others = ", ".join(name for name in spec.profiles if name != BASE_PROFILE)
        reason = _no_trace(description, spec.profile(BASE_PROFILE).recognized_by)
        hint = f"; it looks like none of {others}"
        if reason is not None:
            hint += f", and is probably no inference trace, because {reason}"
    return spec.profile(BASE_PROFILE), "default", likely, (f"the archive {what}: judged as {BASE_PROFILE}{hint}",)


def _no_trace(description: Description, words: Sequence[str]) -> str | None:
    """Why an archive that declares nothing is probably no trace; None where one of the words shows that it may be."""
    if description["nodes"]["/"]["kind"] == "array":
        return "it is one array, and a trace is a tree of arrays"
    tops = sorted({path.split("/")[1] for path in description["nodes"]} - {""})
    if any(word in top.lower() for word in words for top in tops):
        return None
    found = ", ".join(map(_shown, tops[:_TOPS])) + (", …" if len(tops) > _TOPS else "")
    return f"no group of the root is called after {', '.join(words[:-1])} or {words[-1]} (found: {found or 'nothing'})"


def _shown(value: Any) -> str:
    return shorten(str(value), 60)


def likely_profile(description: Description, spec: Spec) -> str | None:
    """The profile most of whose telling words occur in the names and attributes; None where two are level."""
    text = " ".join(_telling(description)).lower()
    scores = {}
    for name in spec.profiles:
        if name != BASE_PROFILE:
            words = spec.profile(name).recognized_by
            found = sum(word in text for word in words)
            scores[name] = found / len(words) if found >= TELLING else 0
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    if not ranked or not ranked[0][1] or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _telling(description: Description) -> set[str]:
    """Names of nodes, names of attributes, and short texts among their values."""
    words: set[str] = set()
    for path, node in description["nodes"].items():
        words.update(path.split("/"))
        for key, value in node.get("attributes", {}).items():
            words.add(key)
            if isinstance(value, str) and len(value) <= 200:
                words.add(value)
    return words
