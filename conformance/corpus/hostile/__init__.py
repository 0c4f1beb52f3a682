"""Hostile, damaged and odd archives: each a small generator, with the rules that it breaks, or none.

`CASES` is the whole corpus. A case that is legal but odd is a control: it breaks no must-rule, and no validator may refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping

from vizschema.conformance.corpus.hostile import (
    asdf,
    at_limits,
    hdf5,
    npz,
    zarr_consolidated,
    zarr_controls,
    zarr_documents,
    zarr_files,
    zarr_zip,
)
from vizschema.conformance.corpus.hostile.case import Case

__all__ = ["BY_NAME", "CASES", "Case"]

CASES: tuple[Case, ...] = (
    *zarr_documents.CASES,
    *zarr_consolidated.CASES,
    *zarr_files.CASES,
    *zarr_controls.CASES,
    *zarr_zip.CASES,
    *hdf5.CASES,
    *npz.CASES,
    *asdf.CASES,
    *at_limits.CASES,
)
"""Every case, each under a name of its own."""

BY_NAME: Mapping[str, Case] = {case.name: case for case in CASES}
"""Every case by its name."""
