"""What is done to an archive while its files fail, and what may be there afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import vizschema
from vizschema import Array

STEPWISE = ("zarr-v2", "zarr-v3", "zarr-v3-sharded", "hdf5")
WHOLE = (*STEPWISE, "zarr-v2-zip", "zarr-v3-zip", "npz", "asdf")

AXES = ("sample", "token", "hidden")
METADATA = {"/metadata": {"model_name": "m", "model_version": "1"}}
OLD, NEW = 1, 2

Values = Mapping[str, npt.NDArray[Any]]
Ack = Callable[[str], None]


def values(seed: int, samples: int = 4) -> npt.NDArray[Any]:
    """Values [sample, token, hidden], of which no chunk is zero."""
    return (np.random.default_rng(seed).normal(size=(samples, 5, 4)) + 9).astype(np.float32)


def archive_of(seed: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an archive that is written at once."""
    return {"/activations/x": values(seed), "/extra/y": values(seed + 10)}


def put(path: Path, container: str, seed: int, *, overwrite: bool = False) -> None:
    """Write the archive of this seed."""
    arrays = {place: Array(each, AXES, chunks=[2, 5, 4]) for place, each in archive_of(seed).items()}
    vizschema.write(path, arrays, METADATA, profile="trace", container=container, overwrite=overwrite)


def prepare(path: Path, container: str, name: str) -> None:
    """What is there before a scenario begins: sources beside the folder of the target, and what is replaced."""
    sources = path.parent.parent / "sources"
    sources.mkdir(exist_ok=True)
    if name == "convert":
        put(sources / "new.npz", "npz", NEW)
    if name == "join":
        for part in range(2):
            arrays = {place: Array(each[2 * part : 2 * part + 2], AXES) for place, each in archive_of(NEW).items()}
            vizschema.write(sources / f"part_{part}.npz", arrays, METADATA, profile="trace")
    if name in REPLACING:
        put(path, container, OLD)


def add(path: Path, container: str, ack: Ack) -> None:
    """Capture two arrays and an attribute; a failed step is survived."""
    with vizschema.create(path, profile="trace", container=container, attributes=METADATA) as trace:
        _try(ack, "/activations/a", lambda: trace.add("/activations/a", values(1), AXES, chunks=[2, 5, 4]))
        _try(ack, "", lambda: trace.annotate("/activations", note="n"))
        _try(ack, "/activations/b", lambda: trace.add("/activations/b", values(2), AXES))


def append(path: Path, container: str, ack: Ack) -> None:
    """Append three times to an array; a failed step is survived."""
    with vizschema.create(path, profile="trace", container=container, attributes=METADATA) as trace:
        for number in range(3):
            rows = values(number, 1 + number)
            call = lambda rows=rows: trace.append("/activations/a", rows, "sample", AXES, chunks=[2, 5, 4])  # noqa: E731
            _try(ack, str(number), call)


def recapture(path: Path, container: str, ack: Ack) -> None:
    """Capture an archive in the place of another."""
    with vizschema.create(path, profile="trace", container=container, attributes=METADATA, overwrite=True) as trace:
        for place, each in archive_of(NEW).items():
            trace.add(place, each, AXES, chunks=[2, 5, 4])
            ack(place)


def write(path: Path, container: str, _: Ack) -> None:
    """Write an archive in the place of another."""
    put(path, container, NEW, overwrite=True)


def convert(path: Path, container: str, _: Ack) -> None:
    """Convert an archive, in the place of another."""
    source = path.parent.parent / "sources" / "new.npz"
    vizschema.convert(source, path, container=container, overwrite=True)


def join(path: Path, container: str, _: Ack) -> None:
    """Join two archives, in the place of another."""
    sources = path.parent.parent / "sources"
    parts = [sources / f"part_{part}.npz" for part in range(2)]
    vizschema.join(parts, path, axis="sample", container=container, overwrite=True)


def _try(ack: Ack, name: str, call: Callable[[], object]) -> None:
    try:
        call()
    except OSError:
        return
    if name:
        ack(name)


SCENARIOS: Mapping[str, Callable[[Path, str, Ack], None]] = {
    "add": add,
    "append": append,
    "recapture": recapture,
    "write": write,
    "convert": convert,
    "join": join,
}
REPLACING = ("recapture", "write", "convert", "join")
CAPTURING = ("add", "append", "recapture")


def containers_of(name: str) -> tuple[str, ...]:
    """The containers in which a scenario can be done."""
    return STEPWISE if name in CAPTURING else WHOLE


def expected(name: str, acknowledged: list[str]) -> list[Values]:
    """What a complete archive may contain after these steps were acknowledged, or one more, which was not heard of."""
    if name in REPLACING:
        return [archive_of(OLD), archive_of(NEW)]
    if name == "append":
        done = [int(number) for number in acknowledged]
        following = [[*done, number] for number in range(max(done, default=-1) + 1, 3)]
        found: list[Values] = []
        for numbers in [done, *following]:
            if numbers:
                found.append({"/activations/a": np.concatenate([values(n, 1 + n) for n in numbers])})
        return found
    arrays = {"/activations/a": values(1), "/activations/b": values(2)}
    known = {place: arrays[place] for place in acknowledged}
    return [known, *({**known, place: each} for place, each in arrays.items() if place not in known)]
