"""How far a newcomer has to read: the modules that one small archive passes while it is validated."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

import vizschema

MODULES = 39
"""Five of them say whether `fix` fixes a finding (a recommended attribute is missing). May only become less."""

PACKAGE = Path(vizschema.__file__).parent


def visited(path: Path) -> list[str]:
    """The modules of the package of which anything is called while `path` is validated with its values, in order."""
    seen: dict[str, None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(f"{PACKAGE}/"):
            seen.setdefault(Path(frame.f_code.co_filename).relative_to(PACKAGE).as_posix())

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        assert vizschema.validate(path, jobs=1).verdict == "conforms"
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return list(seen)


def test_one_array_passes_few_modules(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.zarr"
    array = vizschema.Array(np.arange(6, dtype=np.float32).reshape(2, 3), ["token", "hidden"])
    attributes = {"/metadata": {"model_name": "m", "model_version": "1"}}
    vizschema.write(path, {"/activations/layer_00": array}, attributes, profile="trace")
    vizschema.validate(path)  # what is compiled once for a profile is no part of the walk
    modules = visited(path)
    with capsys.disabled():
        print(f"\n{len(modules)} modules for one validated array: {' > '.join(modules)}")
    assert len(modules) <= MODULES
