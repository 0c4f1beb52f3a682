"""The demonstration: a conforming archive in two containers, one fault in it, and the finding that names the fault."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vizschema.conformance.examples import write_example
from vizschema.errors import UsageError, writes
from vizschema.findings import Report
from vizschema.report import FORMATS
from vizschema.report.options import Options, terminal_width
from vizschema.text import count
from vizschema.validation import validate

PROFILE = "openfold"
BROKEN_ARRAY = "outputs/confidence"
EXPECTED_RULE = "axis-one-size"


def run(into: str | None) -> int:
    """0 when the examples conformed and the fault was found, otherwise 1; with `into` the archives stay in that folder.

    Raises `UsageError` where one of the archives is already there, or the folder cannot be written.
    """
    with _folder(into) as folder:
        zarr, hdf5 = folder / "example.zarr", folder / "example.h5"
        told = [_writes_and_conforms(zarr, "Zarr"), _writes_and_conforms(hdf5, "HDF5"), _breaks(folder, zarr)]
    if all(told):
        print("\nAll of this went as it should. `vizschema validate PATH` does the same with an archive of yours.")
        return 0
    print("\nThis did NOT go as it should: please report it.")
    return 1


@contextmanager
def _folder(into: str | None) -> Iterator[Path]:
    if into is not None:
        folder = Path(into)
        with writes(folder):
            folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="vizschema-demo-") as temporary:
        yield Path(temporary)


def _writes_and_conforms(path: Path, container: str) -> bool:
    """Whether the example was written and conforms."""
    print(f"Writing a small {PROFILE} trace as {container} and validating it:\n")
    with writes(path):
        write_example(PROFILE, path)
    report = validate(path)
    _show(report)
    return report.conforms and report.profile == PROFILE


def _breaks(folder: Path, zarr: Path) -> bool:
    """Whether shortening one array by one residue gives one finding, about that."""
    broken = folder / "broken.zarr"
    if broken.exists():
        raise UsageError(f"{broken}: is already there")
    with writes(broken):
        shutil.copytree(zarr, broken)
        before, after = _shorten(broken)
    print(
        f"Breaking a copy of the Zarr archive: /{BROKEN_ARRAY} now has {count(after, 'residue')}, where all the rest\n"
        f"has {before}, as if a writer had dropped the last one:\n"
    )
    report = validate(broken)
    _show(report)
    print(f"`vizschema explain {EXPECTED_RULE}` says why this is a rule.")
    return {finding.rule for finding in report.errors} == {EXPECTED_RULE}


def _shorten(archive: Path) -> tuple[int, int]:
    """The length of the array's only axis before and after one entry was taken from its metadata."""
    root, array = archive / "zarr.json", archive / BROKEN_ARRAY / "zarr.json"
    metadata = json.loads(array.read_bytes())
    before: int = metadata["shape"][0]
    metadata["shape"] = [before - 1]
    array.write_text(json.dumps(metadata), encoding="utf-8")
    # The root holds a copy of all metadata, which has to say the same.
    everything = json.loads(root.read_bytes())
    everything["consolidated_metadata"]["metadata"][BROKEN_ARRAY]["shape"] = [before - 1]
    root.write_text(json.dumps(everything), encoding="utf-8")
    return before, before - 1


def _show(report: Report) -> None:
    for line in FORMATS["text"]([report], Options(width=terminal_width())):
        print(line)
