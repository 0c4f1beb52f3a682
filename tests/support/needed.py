"""Programs that a test needs: where one is missing the test is skipped, and fails in CI (VIZSCHEMA_CI)."""

from __future__ import annotations

import os
import shutil

import pytest


def installed(*names: str) -> str:
    """Return the path of the first of these programs that is installed."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        end = pytest.fail if os.environ.get("VIZSCHEMA_CI") else pytest.skip
        end(f"not installed: {' or '.join(names)}")
    return found
