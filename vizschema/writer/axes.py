"""The axes of an array that its caller leaves to the profile: those of its row in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vizschema.errors import UsageError
from vizschema.rules.profiles import paths_of
from vizschema.rules.versions import Profile, axes_at, version_for
from vizschema.text import suggestion
from vizschema.writer.arraylike import readable
from vizschema.writer.plan import Array, node_path


def with_axes(path: str, given: Any, profile: Profile) -> Array:
    """Return `given` with the axes that `profile` has at `path`, where it names none itself.

    Raise `UsageError` where no list of axes, or more than one, fits the number of dimensions.
    """
    place = node_path(path)
    if not isinstance(given, Array):
        fix = "write vizschema.Array(data, axes)"
        raise UsageError(path=place, expected="a vizschema.Array", found=type(given).__name__, fix=fix)
    array: Array = replace(given, data=readable(place, given.data))
    shape = tuple(array.data.shape)
    if len(array.axes or ()) or not shape:
        return array
    known = axes_at(profile, place)
    if not known:
        listed = paths_of(profile)
        fix = f"pass axes{'' if place in listed else suggestion(place, listed)}"
        raise UsageError(path=place, expected="axes", found=f"none, here and in the profile {profile.name}", fix=fix)
    fitting = [axes for axes in known if len(axes) == len(shape)]
    if len(fitting) != 1:
        found = "; ".join(" ".join(axes) or "no axes" for axes in fitting or known)
        wanted = f"one list of {len(shape)} axes" if fitting else f"a list of {len(shape)} axes for the shape {shape}"
        raise UsageError(path=place, expected=f"{wanted} in the profile {profile.name}", found=found, fix="pass axes")
    return replace(array, axes=fitting[0])


def axes_of(path: str, dimensions: int, spec: str, profiles: Sequence[str]) -> Sequence[str]:
    """The axes that the first of these profiles has at `path` for so many dimensions; none where none has one list."""
    for name in profiles:
        known = axes_at(version_for(spec, name).profile(name), node_path(path))
        fitting = [axes for axes in known if len(axes) == dimensions]
        if len(fitting) == 1:
            return fitting[0]
    return ()
