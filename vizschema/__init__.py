"""The specification, validator and conformance suites for archives of traced neural networks.

A name is imported when it is first used, so that `import vizschema` costs nothing and the command line starts fast.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.convert import convert
    from vizschema.create import Trace, create
    from vizschema.describe import describe
    from vizschema.digest import digest
    from vizschema.errors import Damaged, NoDigest, NotAnArchive, NotConforming, SpecError, UsageError, VizschemaError
    from vizschema.findings import Finding, Report, Rule
    from vizschema.plan import Array
    from vizschema.read import Archive, open
    from vizschema.validate import validate
    from vizschema.write import write

__version__ = "0.1.0"

# An installed package contains `spec` and `conformance`; in a checkout they are stored beside it (pyproject.toml).
_FOLDER = os.path.dirname(__file__)  # noqa: PTH120  (imports less than pathlib)
if not os.path.exists(f"{_FOLDER}/spec"):  # noqa: PTH110
    __path__.append(os.path.dirname(_FOLDER))  # noqa: PTH120

_HOME = {
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

__all__ = [
    "Archive",
    "Array",
    "Damaged",
    "Finding",
    "NoDigest",
    "NotAnArchive",
    "NotConforming",
    "Report",
    "Rule",
    "SpecError",
    "Trace",
    "UsageError",
    "VizschemaError",
    "__version__",
    "convert",
    "create",
    "describe",
    "digest",
    "open",
    "validate",
    "write",
]


def __getattr__(name: str) -> Any:
    """The public name `name`, imported from the module that owns it (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'vizschema' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)


class _Package(ModuleType):
    """This package: `describe`, `validate` and `write` stay functions when modules of these names are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Bind `name`, unless the import system wants to bind a submodule over a public name."""
        if name not in _HOME or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
