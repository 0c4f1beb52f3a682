"""The public Python interface: these names, from these modules, and nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import vizschema

PUBLIC = {
    "Archive": "vizschema.read",
    "Array": "vizschema.plan",
    "Damaged": "vizschema.errors",
    "Finding": "vizschema.findings",
    "NoDigest": "vizschema.errors",
    "NotAnArchive": "vizschema.errors",
    "NotConforming": "vizschema.errors",
    "Report": "vizschema.findings",
    "Rule": "vizschema.findings",
    "SpecError": "vizschema.errors",
    "Trace": "vizschema.create",
    "UsageError": "vizschema.errors",
    "VizschemaError": "vizschema.errors",
    "convert": "vizschema.convert",
    "create": "vizschema.create",
    "describe": "vizschema.describe",
    "digest": "vizschema.digest",
    "open": "vizschema.read",
    "validate": "vizschema.validate",
    "write": "vizschema.write",
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


@pytest.mark.parametrize("name", [name for name, module in PUBLIC.items() if module == f"vizschema.{name}"])
@pytest.mark.parametrize(
    "first", ["import vizschema.{0}", "from vizschema.{0} import {0}", "import vizschema.validate"]
)
def test_a_module_of_the_same_name_does_not_hide_a_function(name: str, first: str) -> None:
    twice = f"assert vizschema.{name} is vizschema.{name}; vizschema.{name}.__code__"
    program = f"{first.format(name)}; import vizschema; {twice}"
    subprocess.run([sys.executable, "-c", program], check=True)


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
