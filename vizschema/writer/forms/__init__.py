"""Writers of containers, one module each; the table of formats picks by name or suffix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from vizschema.containers.formats import WRITERS, WRITTEN, loaded
from vizschema.errors import UsageError
from vizschema.text import suggestion
from vizschema.writer.forms.base import Form


class _Forms(Mapping[str, Form]):
    """Forms that are imported when they are looked up, so that writing one needs no library of another."""

    def __getitem__(self, name: str) -> Form:
        form: Form = loaded(WRITERS[name])
        return form

    def __iter__(self) -> Iterator[str]:
        return iter(WRITERS)

    def __len__(self) -> int:
        return len(WRITERS)

    def __contains__(self, name: object) -> bool:
        return name in WRITERS


FORMS: Mapping[str, Form] = _Forms()
"""What can be written, by the name that a caller gives."""


def form_of(path: Path, container: str | None) -> Form:
    """The form that `container` names, else the suffix of `path`; raises `UsageError` where there is none."""
    if container is not None:
        if container in FORMS:
            return FORMS[container]
        hint = suggestion(container, FORMS)
        raise UsageError(path="container", expected=f"one of {', '.join(FORMS)}", found=f"{container!r}{hint}")
    if path.suffix.lower() in WRITTEN:
        return FORMS[WRITTEN[path.suffix.lower()]]
    known = ", ".join(f"{suffix} ({name})" for suffix, name in WRITTEN.items())
    raise UsageError(
        path=path.name,
        expected=f"one of the suffixes {known}",
        found=path.suffix or "none",
        fix=f"rename the target, or choose with --container (in Python container=) one of {', '.join(FORMS)}",
    )
