"""The public Python interface: these names, from these modules, and nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import vizschema

PUBLIC = {
    "Archive": "vizschema.reader.archive",
    "Array": "vizschema.writer.plan",
    "Damaged": "vizschema.errors",
    "Finding": "vizschema.findings",
    "NoDigest": "vizschema.errors",
    "NotAnArchive": "vizschema.errors",
    "NotConforming": "vizschema.errors",
    "Report": "vizschema.findings",
    "Rule": "vizschema.findings",
    "SpecError": "vizschema.errors",
    "Trace": "vizschema.writer.create",
    "UsageError": "vizschema.errors",
    "VizschemaError": "vizschema.errors",
    "convert": "vizschema.writer.convert",
    "create": "vizschema.writer.create",
    "describe": "vizschema.describing",
    "digest": "vizschema.digests",
    "open": "vizschema.reader.archive",
    "validate": "vizschema.validation",
    "write": "vizschema.writer.write",
}


def test_the_public_names_are_pinned() -> None:
    assert set(vizschema.__all__) == {*PUBLIC, "__version__"}
    assert sorted(vizschema.__all__) == dir(vizschema)


@pytest.mark.parametrize(("name", "module"), PUBLIC.items())
def test_a_public_name_is_that_of_its_module(name: str, module: str) -> None:
    assert getattr(vizschema, name) is getattr(importlib.import_module(module), name)
    assert getattr(vizschema, name).__module__ == module


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'vizschema' has no attribute 'nothing'"):
        vizschema.nothing  # noqa: B018


def test_no_module_has_the_name_of_a_public_function() -> None:
    folder = Path(vizschema.__file__).parent
    assert not {path.stem for path in folder.iterdir()} & set(PUBLIC)


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys; import vizschema; print(sorted(name for name in sys.modules if name.startswith('vizschema')))"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "['vizschema']"


@pytest.mark.parametrize(
    ("name", "code"),
    [("NoDigest", 1), ("UsageError", 2), ("NotAnArchive", 3), ("SpecError", 4), ("VizschemaError", 70)],
)
def test_every_exception_knows_its_exit_code(name: str, code: int) -> None:
    assert getattr(vizschema, name)("why").exit_code == code
