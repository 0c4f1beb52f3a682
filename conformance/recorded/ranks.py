"""A recording of several processes: each has a part of the samples. Needs torch.

`python -m vizschema.conformance.recorded.ranks FOLDER` writes two archives there, and joins them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import vizschema
from vizschema.conformance.recorded import own

NAME = "own gpt"
COUNT = 2


def rank(number: int, folder: str) -> None:
    """Record one sample in the process of this number, of a model that is wrapped as for training."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/together", rank=number, world_size=COUNT)
    wrapped = torch.nn.parallel.DistributedDataParallel(own.built(NAME))
    with torch.no_grad(), vizschema.record(wrapped, f"{folder}/run.zarr"):
        wrapped(own.OWN[NAME].inputs()[0][number : number + 1])
    torch.distributed.destroy_process_group()


def joined(folder: Path) -> Path:
    """Record in several processes, and return the archive that their archives are joined to."""
    torch.multiprocessing.spawn(rank, (str(folder.absolute()),), nprocs=COUNT)
    parts = [folder / f"run.rank_{number:02}.zarr" for number in range(COUNT)]
    vizschema.join(parts, folder / "joined.zarr", axis="sample")
    return folder / "joined.zarr"


if __name__ == "__main__":
    print(vizschema.validate(joined(Path(sys.argv[1]))).verdict)
