"""Writes `torch_files.zip` for `torch_files.py`: what PyTorch saves. Last written by

pip install torch==2.13.0 numpy
PYTHONPATH=tests python tests/support/torch_files_packed.py
"""

from __future__ import annotations

import pickle
import tempfile
import zipfile
from pathlib import Path

import torch
from support.torch_files import PACKED

ROW = torch.arange(24.0).reshape(2, 3, 4)
SAVED = {
    "hidden_states": tuple(ROW[0] + number for number in range(3)),
    "attn": torch.full((2, 3, 3), 1 / 3).to(torch.bfloat16),
    "e4m3": torch.tensor([1.75, -0.5]).to(torch.float8_e4m3fn),
    "e5m2": torch.tensor([1.75, -0.5]).to(torch.float8_e5m2),
    "uint16": torch.tensor([0, 65535]).to(torch.uint16),
    "half": torch.tensor([1.5, 65504]).half(),
    "complex": torch.tensor([1 + 2j]),
    "bool": torch.tensor([True, False]),
    "turned": ROW.transpose(0, 2),
    "view": ROW[1, 1:],
    "expanded": torch.ones(1).expand(5, 2),
    "parameter": torch.nn.Parameter(torch.ones(3)),
    "scalar": torch.tensor(3),
    "empty": torch.zeros(0, 3),
    "config": {"lr": 0.5, "sizes": [1, 2], "name": "net"},
    "dtype": torch.float32,
    "size": ROW.size(),
}


class Own:
    """A class that only this file has."""

    def __init__(self) -> None:
        self.step = 7
        self.weights = torch.ones(2)


def main() -> None:
    """Write the zip file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.save(SAVED, folder / "zipped.pt")
        torch.save(SAVED, folder / "legacy.pt", _use_new_zipfile_serialization=False)
        (folder / "plain.pkl").write_bytes(pickle.dumps(SAVED))
        torch.save(ROW, folder / "one.pt")
        torch.save(torch.nn.Linear(2, 3).state_dict(), folder / "state.pt")
        torch.save({"own": Own()}, folder / "own.pt")
        with zipfile.ZipFile(PACKED, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(folder.iterdir()):
                packed.write(path, path.name)


if __name__ == "__main__":
    main()
