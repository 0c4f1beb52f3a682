"""What `vizschema.record` costs: a call of GPT-2 with random weights, recorded, beside the same tensors stored by hand.

Each kind runs in a fresh process, in turn: `forward` stores nothing, `hold` keeps the tensors, `torch.save`, `h5py` and
`zarr` store them, the last with the chunks and the codec that `record` chooses. Each stores a call of 8 tokens first:
most of what that costs is paid once in a process (imports, tables, the profile), and it is said apart. It needs torch
and transformers.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vizschema.cli.parser import Parser
from vizschema.conformance.benchmarks.engine.pages import fill
from vizschema.errors import UsageError, require

AIM = 1.2
"""How many times the cost of storing by zarr the recording may cost, a call of 8 tokens before it left out."""

KINDS = ("forward", "hold", "torch.save", "h5py", "zarr", "record", "record sdpa")
_QUEUE = 64 << 20
_PASSED = ("layers", "width", "samples", "tokens", "threads", "device")


def main(argv: Sequence[str]) -> int:
    """Print the figures of all kinds; 1 if recording costs more than the aim, else 0."""
    parser = Parser(prog="vizschema benchmark record")
    parser.add_argument("--layers", type=int, default=12, help="blocks of the model (default: 12)")
    parser.add_argument("--width", type=int, default=768, help="hidden units, in heads of 64 (default: 768)")
    parser.add_argument("--samples", type=int, default=2, help="samples of the call (default: 2)")
    parser.add_argument("--tokens", type=int, default=256, help="tokens of a sample (default: 256)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each kind (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu or cuda (default: cpu)")
    parser.add_argument("--page", type=Path, help="a page with <!-- measured: record -->, to be filled")
    parser.add_argument("--kind", choices=KINDS, help="run this kind alone, in this process")
    parser.add_argument("--into", type=Path, help="where --kind writes")
    arguments = parser.parse_args(list(argv))
    if arguments.kind is not None:
        print(json.dumps(_one(arguments)))
        return 0
    lines, ratio = _shown(_measured(arguments))
    where = f"{os.cpu_count()} CPUs" if arguments.device == "cpu" else arguments.device
    size = f"{arguments.layers} blocks of {arguments.width}, {arguments.samples} x {arguments.tokens} tokens"
    head = f"GPT-2, {size}; the least of {arguments.rounds} rounds on {where}, load {os.getloadavg()[0]:.1f} at the end"
    text = "\n".join([head, "", *lines])
    print(text)
    if arguments.page is not None:
        fill(arguments.page, "record", text)
    return 1 if ratio > AIM else 0


def _measured(arguments: Any) -> Mapping[str, list[dict[str, float]]]:
    """The figures of every kind, a round after the other."""
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    with TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            for kind in sorted(KINDS, key=lambda kind: kind != "record"):  # zarr takes its chunks from a recording
                target = Path(folder) / f"{kind.replace(' ', '_')}_{number}"
                sizes = {name: getattr(arguments, name) for name in _PASSED}
                words = [f"--{name}={value}" for name, value in {**sizes, "kind": kind, "into": target}.items()]
                command = [sys.executable, "-m", "vizschema", "benchmark", "record", *words]
                done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
                found[kind].append(json.loads(done.stdout.splitlines()[-1]))
    return found


def _shown(found: Mapping[str, list[dict[str, float]]]) -> tuple[list[str], float]:
    """The figures in lines, and how many times the storing of zarr that of `record` costs."""
    best = {kind: {key: min(each[key] for each in rounds) for key in rounds[0]} for kind, rounds in found.items()}
    lines = [
        f"{'':12} {'CPU s':>6} {'wall s':>7} {'MiB above the model':>20} {'MiB of values':>14} {'first, CPU s':>13}"
    ]
    for kind, each in best.items():
        row = f"{kind:12} {each['cpu']:6.2f} {each['wall']:7.2f} {each['peak']:20.0f} {each['values']:14.0f}"
        lines.append(f"{row} {each['first']:12.2f}")
    spent = {kind: best[kind]["cpu"] - best["forward"]["cpu"] for kind in KINDS}
    ratio = spent["record"] / spent["zarr"] if spent["zarr"] > 0 else math.inf
    total = best["record"]["cpu"] / best["zarr"]["cpu"]
    others = [f"{spent['record'] / spent[kind]:.2f} times {kind}" for kind in ("h5py", "torch.save") if spent[kind] > 0]
    lines += ["", f"storing by record: {ratio:.2f} times zarr (aim: at most {AIM}), {', '.join(others)}"]
    return [*lines, f"call and storing by record: {total:.2f} times zarr"], ratio


def _one(arguments: Any) -> dict[str, float]:
    """The figures of one kind: CPU and wall seconds of call and storing, MiB of memory and of values."""
    require(None, "torch", "transformers")
    import torch
    import transformers

    import vizschema  # noqa: F401  (imported before the time is taken)

    transformers.utils.logging.set_verbosity_error()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    kernel = "sdpa" if arguments.kind == "record sdpa" else "eager"
    heads = arguments.width // 64
    sizes = {"n_layer": arguments.layers, "n_head": heads, "n_embd": arguments.width, "n_positions": arguments.tokens}
    ends = {"vocab_size": 2000, "bos_token_id": 0, "eos_token_id": 0}
    config = transformers.GPT2Config(**sizes, **ends, attn_implementation=kernel)
    try:
        model = transformers.GPT2LMHeadModel(config).eval().to(arguments.device)
    except (RuntimeError, AssertionError) as error:  # torch has no class of its own for a device that is not there
        found = f"{arguments.device}: {str(error).partition(chr(10))[0]}"
        raise UsageError(path="--device", expected="a device of this machine", found=found) from error
    ids = torch.randint(0, 2000, (arguments.samples, arguments.tokens), device=arguments.device)
    with torch.no_grad():
        first = time.process_time()
        _STORES[arguments.kind](model, ids[:, :8], arguments.into.with_name(f"first_{arguments.into.name}"))
        first = time.process_time() - first
        before, cpu, wall = _peak(), time.process_time(), time.perf_counter()
        bytes_held = _STORES[arguments.kind](model, ids, arguments.into)
        if arguments.device != "cpu":
            torch.cuda.synchronize()
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "first": first}
    return {**spent, "peak": _peak() - before, "values": bytes_held / (1 << 20)}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _held(model: Any, ids: Any) -> dict[str, Any]:
    """The tensors that `record` stores, by path."""
    found: dict[str, Any] = {"/inputs/token": ids}
    places = {"/activations/embedding": model.transformer.drop, "/activations/final_norm": model.transformer.ln_f}
    for index, block in enumerate(model.transformer.h):
        places[f"/activations/layer_{index:02}"] = block
        places[f"/attention/self/layer_{index:02}"] = block.attn
    places["/outputs/logits"] = model.lm_head
    hooks = []
    for path, module in places.items():

        def hook(_module: Any, _args: Any, output: Any, path: str = path) -> None:
            found[path] = output[1] if isinstance(output, tuple) else output

        hooks.append(module.register_forward_hook(hook))
    model(ids)
    for each in hooks:
        each.remove()
    return {path: tensor.cpu() for path, tensor in found.items()}


def _size(tensors: Mapping[str, Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _forward(model: Any, ids: Any, _target: Path) -> int:
    model(ids)
    return 0


def _hold(model: Any, ids: Any, _target: Path) -> int:
    return _size(_held(model, ids))


def _torch_save(model: Any, ids: Any, target: Path) -> int:
    import torch

    tensors = _held(model, ids)
    torch.save(tensors, target)
    return _size(tensors)


def _h5py(model: Any, ids: Any, target: Path) -> int:
    import h5py

    tensors = _held(model, ids)
    with h5py.File(target, "w") as file:
        for path, tensor in tensors.items():
            file.create_dataset(path, data=tensor.numpy())
    return _size(tensors)


def _zarr(model: Any, ids: Any, target: Path) -> int:
    """Store by zarr, in the chunks and by the codec that the recording beside it has."""
    import zarr

    pattern = zarr.open_group(next(target.parent.glob("record_*.zarr")), mode="r")
    tensors = _held(model, ids)
    root = zarr.create_group(target, zarr_format=3)
    for path, tensor in tensors.items():
        like: Any = pattern[path.strip("/")]
        values = tensor.numpy()
        array = root.create_array(
            path.strip("/"),
            shape=values.shape,
            dtype=values.dtype,
            chunks=like.chunks,
            compressors=like.compressors,
            dimension_names=like.metadata.dimension_names,
        )
        array[...] = values
    return _size(tensors)


def _record(model: Any, ids: Any, target: Path) -> int:
    """Record, and return the bytes of what was recorded."""
    import vizschema

    with vizschema.record(model, target.with_suffix(".zarr"), memory=_QUEUE):
        model(ids)
    with vizschema.open(target.with_suffix(".zarr")) as archive:
        arrays = [node for _, node in archive.items() if isinstance(node, vizschema.StoredArray)]
        return sum(math.prod(array.shape) * array.dtype.itemsize for array in arrays)


_STORES: Mapping[str, Callable[[Any, Any, Path], int]] = {
    "forward": _forward,
    "hold": _hold,
    "torch.save": _torch_save,
    "h5py": _h5py,
    "zarr": _zarr,
    "record": _record,
    "record sdpa": _record,
}
