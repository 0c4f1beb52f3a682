"""Writers of containers, one module each; a literal table picks by name or suffix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vizschema.errors import UsageError
from vizschema.text import suggestion
from vizschema.writer.forms.asdf import ASDF
from vizschema.writer.forms.base import Form
from vizschema.writer.forms.hdf5 import HDF5
from vizschema.writer.forms.npz import NPZ
from vizschema.writer.forms.zarr import ZARR_V2, ZARR_V3, ZARR_V3_SHARDED
from vizschema.writer.forms.zarr_zip import ZARR_V2_ZIP, ZARR_V3_ZIP

_ALL = (ZARR_V3, ZARR_V2, HDF5, NPZ, ASDF, ZARR_V3_ZIP, ZARR_V2_ZIP, ZARR_V3_SHARDED)
FORMS: Mapping[str, Form] = {form.name: form for form in _ALL}
"""What can be written, by the name that a caller gives."""

SUFFIXES: Mapping[str, str] = {
    ".zarr": "zarr-v3",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".npz": "npz",
    ".asdf": "asdf",
    ".zip": "zarr-v3-zip",
}
"""The container that a suffix stands for where the caller names none."""


def form_of(path: Path, container: str | None) -> Form:
    """The form that `container` names, else the suffix of `path`; raises `UsageError` where there is none."""
    if container is not None:
        if container in FORMS:
            return FORMS[container]
        hint = suggestion(container, FORMS)
        raise UsageError(path="container", expected=f"one of {', '.join(FORMS)}", found=f"{container!r}{hint}")
    if path.suffix.lower() in SUFFIXES:
        return FORMS[SUFFIXES[path.suffix.lower()]]
    known = ", ".join(f"{suffix} ({name})" for suffix, name in SUFFIXES.items())
    raise UsageError(
        path=path.name,
        expected=f"one of the suffixes {known}",
        found=path.suffix or "none",
        fix=f"rename the target, or choose with --container (in Python container=) one of {', '.join(FORMS)}",
    )
