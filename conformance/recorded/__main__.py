"""`python -m vizschema.conformance.recorded [NAME…]`: record every model in every way; 1 if an array differs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

import vizschema
from vizschema.conformance.recorded import own
from vizschema.conformance.recorded.hand import ByHand, differing, largest_difference
from vizschema.conformance.recorded.models import ARCHITECTURES, CNNS, built, inputs

BOUNDS = {torch.float32: 1e-5, torch.bfloat16: 2e-2}
"""How far recomputed weights may be from those of eager."""

_STEPS = 5


def faults(archive: Path, hand: ByHand | None) -> list[str]:
    """Return what is wrong with an archive: its verdict, and the arrays that are not those that `hand` saw."""
    report = vizschema.validate(archive)
    wrong = [] if report.verdict == "conforms" else [f"{each.rule} {each.path}" for each in report.errors]
    return wrong + ([] if hand is None else differing(archive, hand))


def one(name: str, kernel: str, dtype: Any, samples: int, folder: Path) -> list[str]:
    """Record one call, and return what is wrong with it."""
    model, given = built(name, kernel, dtype), inputs(name, samples, dtype=dtype)
    target = folder / f"{kernel}.zarr"
    with ByHand(model) as hand, vizschema.record(model, target, overwrite=True):
        model(**given)
    wrong = faults(target, hand)
    if kernel == "sdpa":
        other = built(name, "eager", dtype)
        with vizschema.record(other, folder / "twin.zarr", overwrite=True):
            other(**given)
        worst = largest_difference(target, folder / "twin.zarr", "/attention")
        wrong += [] if worst <= BOUNDS[dtype] else [f"weights differ from eager by {worst:g}"]
    return wrong


def generated(name: str, kernel: str, dtype: Any, samples: int, folder: Path) -> list[str]:
    """Record a generation, and return what is wrong with it, also beside one call over the whole text."""
    model, given = built(name, kernel, dtype), inputs(name, samples, dtype=dtype)
    target = folder / "generated.zarr"
    with vizschema.record(model, target, overwrite=True):
        model.generate(input_ids=given["input_ids"], max_new_tokens=_STEPS, do_sample=False)
    with vizschema.open(target) as archive:
        text = torch.tensor(archive["/inputs/token"][...])  # type: ignore[index]
    has_encoder = ARCHITECTURES[name].has_encoder
    again = {"input_ids": given["input_ids"], "decoder_input_ids": text} if has_encoder else {"input_ids": text}
    with vizschema.record(model, folder / "whole.zarr", overwrite=True):
        model(**again)
    worst = max(largest_difference(target, folder / "whole.zarr", group) for group in ("/activations", "/attention"))
    return faults(target, None) + ([] if worst <= BOUNDS[dtype] else [f"differs from one call by {worst:g}"])


def of_its_own(name: str, folder: Path) -> list[str]:
    """Record a model that no table knows, and return what is wrong with it, its axes too."""
    kind, model, target = own.OWN[name], own.built(name), folder / "own.zarr"
    with ByHand(model) as hand, vizschema.record(model, target, overwrite=True) as run:
        model(*kind.inputs())
    wrong = [] if run.profile == kind.profile else [f"recorded by {run.profile}"]
    with vizschema.open(target) as archive:
        for node, axes in kind.axes.items():
            found = archive[node].axes if node in archive.paths() else None  # type: ignore[union-attr]
            wrong += [] if found == tuple(axes.split()) else [f"{node} has the axes {found}"]
    return wrong + [each for each in faults(target, hand) if not each.startswith("/attention/")]


def runs(names: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """What is recorded, in words, and what is wrong with it."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for name, kind in ARCHITECTURES.items():
            if names and name not in names:
                continue
            for kernel in kind.kernels:
                for dtype in BOUNDS:
                    for samples in (1, 3):
                        words = f"{name}, {kernel}, {str(dtype).removeprefix('torch.')}, {samples} samples"
                        yield words, one(name, kernel, dtype, samples, Path(folder))
                        if kind.generates:
                            yield f"{words}, generate", generated(name, kernel, dtype, samples, Path(folder))
        for name, build in CNNS.items():
            if not names or "cnn" in names:
                model, target = build(), Path(folder) / "cnn.zarr"
                with ByHand(model) as hand, vizschema.record(model, target, overwrite=True):
                    model(torch.rand(3, 1, 16, 16))
                yield name, faults(target, hand)
        for name in own.OWN:
            if not names or "own" in names:
                yield name, of_its_own(name, Path(folder))


def main(names: Sequence[str]) -> int:
    """Print a line for each recording, and return 1 if something is wrong with one, else 0."""
    count = failed = 0
    for words, wrong in runs(names):
        count, failed = count + 1, failed + bool(wrong)
        print(f"{words}: {'; '.join(wrong) or 'conforms, same bits'}")
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
