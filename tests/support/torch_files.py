"""Files of PyTorch, as it writes them, kept in `torch_files.zip`, which `torch_files_packed.py` writes."""

from __future__ import annotations

import zipfile
from pathlib import Path

PACKED = Path(__file__).with_name("torch_files.zip")


def unpacked(name: str, folder: Path) -> Path:
    """One of the files, in `folder`."""
    with zipfile.ZipFile(PACKED) as archive:
        return Path(archive.extract(name, folder))
