"""The specification, validator and conformance suites for archives of traced neural networks.

A name is imported when it is first used, so that `import vizschema` costs nothing and the command line starts fast.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vizschema.bounds import Bounds
    from vizschema.containers.base import Limits
    from vizschema.describing import describe
    from vizschema.difference.diff import Comparison, diff
    from vizschema.digests import digest
    from vizschema.errors import (
        Damaged,
        Interrupted,
        NoDigest,
        NotAnArchive,
        NotConforming,
        NotSupported,
        Refused,
        SpecError,
        Unanswered,
        UsageError,
        VizschemaError,
    )
    from vizschema.findings import Accepted, Finding, Question, Report, Rule
    from vizschema.fleet.many import validate_many
    from vizschema.migration.drafting.draft import suggest
    from vizschema.migration.exporting.export import Exported, export
    from vizschema.migration.migrate import migrate
    from vizschema.migration.result import Migrated
    from vizschema.reader.archive import Archive, open
    from vizschema.reader.arrays import Selection, StoredArray, StoredGroup
    from vizschema.reader.selection import Cost
    from vizschema.recording.outputs import from_outputs, to_cache
    from vizschema.recording.record import record
    from vizschema.recording.recording import Recording
    from vizschema.rules.fixes.draft import Change
    from vizschema.validation import validate
    from vizschema.writer.convert import Converted, convert
    from vizschema.writer.create import create
    from vizschema.writer.fixing.fix import Fixed, fix
    from vizschema.writer.growing import Slot
    from vizschema.writer.join import join
    from vizschema.writer.plan import Array
    from vizschema.writer.recover import Leftover, recover
    from vizschema.writer.trace import Trace
    from vizschema.writer.write import write

__version__ = "0.1.0"

# An installed package contains `spec` and `conformance`; in a checkout they are stored beside it (pyproject.toml).
_FOLDER = os.path.dirname(__file__)  # noqa: PTH120  (imports less than pathlib)
if not os.path.exists(f"{_FOLDER}/spec"):  # noqa: PTH110
    __path__.append(os.path.dirname(_FOLDER))  # noqa: PTH120

_NAMES = {
    "vizschema.bounds": "Bounds",
    "vizschema.containers.base": "Limits",
    "vizschema.describing": "describe",
    "vizschema.difference.diff": "Comparison diff",
    "vizschema.digests": "digest",
    "vizschema.errors": (
        "Damaged Interrupted NoDigest NotAnArchive NotConforming NotSupported Refused SpecError Unanswered "
        "UsageError VizschemaError"
    ),
    "vizschema.findings": "Accepted Finding Question Report Rule",
    "vizschema.rules.fixes.draft": "Change",
    "vizschema.writer.fixing.fix": "Fixed fix",
    "vizschema.fleet.many": "validate_many",
    "vizschema.migration.drafting.draft": "suggest",
    "vizschema.migration.exporting.export": "Exported export",
    "vizschema.migration.migrate": "migrate",
    "vizschema.migration.result": "Migrated",
    "vizschema.reader.archive": "Archive open",
    "vizschema.reader.arrays": "Selection StoredArray StoredGroup",
    "vizschema.reader.selection": "Cost",
    "vizschema.recording.outputs": "from_outputs to_cache",
    "vizschema.recording.record": "record",
    "vizschema.recording.recording": "Recording",
    "vizschema.validation": "validate",
    "vizschema.writer.convert": "Converted convert",
    "vizschema.writer.create": "create",
    "vizschema.writer.growing": "Slot",
    "vizschema.writer.join": "join",
    "vizschema.writer.recover": "Leftover recover",
    "vizschema.writer.plan": "Array",
    "vizschema.writer.trace": "Trace",
    "vizschema.writer.write": "write",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "Accepted",
    "Archive",
    "Array",
    "Bounds",
    "Change",
    "Comparison",
    "Converted",
    "Cost",
    "Damaged",
    "Exported",
    "Finding",
    "Fixed",
    "Interrupted",
    "Leftover",
    "Limits",
    "Migrated",
    "NoDigest",
    "NotAnArchive",
    "NotConforming",
    "NotSupported",
    "Question",
    "Recording",
    "Refused",
    "Report",
    "Rule",
    "Selection",
    "Slot",
    "SpecError",
    "StoredArray",
    "StoredGroup",
    "Trace",
    "Unanswered",
    "UsageError",
    "VizschemaError",
    "__version__",
    "convert",
    "create",
    "describe",
    "diff",
    "digest",
    "export",
    "fix",
    "from_outputs",
    "join",
    "migrate",
    "open",
    "record",
    "recover",
    "suggest",
    "to_cache",
    "validate",
    "validate_many",
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
