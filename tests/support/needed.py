"""Programs and built files that a test needs: without one the test is skipped, and fails in CI (VIZSCHEMA_CI)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def installed(*names: str) -> str:
    """Return the path of the first of these programs that is installed."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        _lacking(f"not installed: {' or '.join(names)}")
    return str(found)


def built(file: Path, how: str) -> Path:
    """Return a file that a build makes, by the command `how`."""
    if not file.is_file():
        _lacking(f"not built: {how}")
    return file


def _lacking(words: str) -> None:
    end = pytest.fail if os.environ.get("VIZSCHEMA_CI") else pytest.skip
    end(words)
