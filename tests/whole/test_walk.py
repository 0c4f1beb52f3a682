"""How far a newcomer has to read: the modules that one small archive passes while it is validated."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import vizschema

RECOMMENDED: dict[str, Any] = {
    **dict.fromkeys(("framework", "task", "dataset", "license", "device", "dtype"), "x"),
    **{"checkpoint_sha256": "0" * 64, "git_commit": "0" * 40, "seed": 0},
}

MODULES = {"nothing is found": 33, "warnings": 39}
"""Five of the latter say whether `fix` fixes a finding, one words it. May only become less."""

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


@pytest.mark.parametrize("found", MODULES)
def test_one_array_passes_few_modules(found: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.zarr"
    array = vizschema.Array(np.arange(6, dtype=np.float32).reshape(2, 3), ["token", "hidden"])
    attributes: dict[str, Any] = {"/metadata": {"model_name": "m", "model_version": "1"}}
    if found == "nothing is found":
        attributes = {"/metadata": {**attributes["/metadata"], **RECOMMENDED}, "/activations": {"num_layers": 1}}
    vizschema.write(path, {"/activations/layer_00": array}, attributes, profile="trace")
    # What is compiled once for a profile is no part of the walk.
    assert bool(vizschema.validate(path).findings) == (found == "warnings")
    modules = visited(path)
    with capsys.disabled():
        print(f"\n{len(modules)} modules for one validated array, {found}: {' > '.join(modules)}")
    assert len(modules) <= MODULES[found]
