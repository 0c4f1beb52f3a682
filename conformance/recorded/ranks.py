"""A recording of several processes: each has a part of the samples. Needs torch.

`python -m vizschema.conformance.recorded.ranks FOLDER` writes two archives of each way to wrap a model, and joins them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

import vizschema
from vizschema.conformance.recorded import own

NAME = "own gpt"
COUNT = 2


def sharded(model: Any) -> Any:
    """Return a model of which each rank has a part of every weight, block by block."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (COUNT,))
    for block in model.blocks:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def flat(model: Any) -> Any:
    """Return a model in `FullyShardedDataParallel`, the older way of sharding."""
    from torch.distributed.fsdp import FullyShardedDataParallel

    return FullyShardedDataParallel(model, device_id=torch.device("cpu"))


WAYS: Mapping[str, Callable[[Any], Any]] = {
    "ddp": torch.nn.parallel.DistributedDataParallel,
    "fsdp": flat,
    "fully_shard": sharded,
}
"""How a model is wrapped as for training."""


def rank(number: int, folder: str, way: str) -> None:
    """Record one sample in the process of this number, of a model that is wrapped."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/together", rank=number, world_size=COUNT)
    wrapped = WAYS[way](own.built(NAME))
    with torch.no_grad(), vizschema.record(wrapped, f"{folder}/run.zarr"):
        wrapped(own.OWN[NAME].inputs()[0][number : number + 1])
    torch.distributed.destroy_process_group()


def joined(folder: Path, way: str) -> Path:
    """Record in several processes, and return the archive that their archives are joined to."""
    torch.multiprocessing.spawn(rank, (str(folder.absolute()), way), nprocs=COUNT)
    parts = [folder / f"run.rank_{number:02}.zarr" for number in range(COUNT)]
    vizschema.join(parts, folder / "joined.zarr", axis="sample")
    return folder / "joined.zarr"


if __name__ == "__main__":
    for each in WAYS:
        into = Path(sys.argv[1]) / each
        into.mkdir()
        print(f"{each}: {vizschema.validate(joined(into, each)).verdict}")
