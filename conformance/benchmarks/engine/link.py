"""What `migrate --link` costs beside decoding: bytes written, files linked, seconds, of one source in one run.

The source is a Zarr v2 folder of attention with its heads last, so that axes move. Both results are proved, and that of
`--link` is verified: its values are read, undone and compared. Linking and copying are run in turn. Seconds are by the
clock, rates by CPU seconds, since the machine may be shared.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from vizschema.cli.arguments import size
from vizschema.cli.parser import Parser
from vizschema.migration.migrate import migrate
from vizschema.migration.verifying import verify

TOKENS, HEADS, TILE = 512, 16, 128
LAYER_BYTES = TOKENS * TOKENS * HEADS * 4
CHUNKS = (TOKENS // TILE) ** 2 * HEADS

MAPPING = """\
mapping = "1.0"
name = "heads-last"
version = "1"
target = "1.0.0"
title = "Attention with its heads last"
nodes = [{from = "/attn/layer_(?P<i>[0-9]+)", do = [{moveaxis = [-1, 0]}], to = "/attention/self/layer_{i:n}", axes = ["head", "token:query", "token:key"], attributes = {source = "captured", normalization = "none"}, group = {num_layers = {members = true}}}]
recognise = {all = [{node = "/attn/layer_[0-9]+"}]}
set = {"/metadata" = {model_name = "benchmark", model_version = "1"}}
"""  # noqa: E501


def write_source(folder: Path, layers: int) -> Path:
    """A Zarr v2 folder of `layers` arrays [token:query, token:key, head], one head and 64 KiB to a chunk."""
    root = zarr.open_group(str(folder / "old.zarr"), mode="w", zarr_format=2)
    rng = np.random.default_rng(0)
    for layer in range(layers):
        values = rng.integers(0, 255, (TOKENS, TOKENS, HEADS), dtype="uint8").astype("float32") / np.float32(255)
        chunks = (TILE, TILE, 1)
        root.create_array(f"attn/layer_{layer}", shape=values.shape, dtype="float32", chunks=chunks)[...] = values
    (folder / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    return folder / "old.zarr"


def written_bytes(archive: Path, source: Path) -> int:
    """Bytes of files that are not those of the source."""
    of_source = {path.stat().st_ino for path in source.rglob("*") if path.is_file()}
    found = (path.stat() for path in archive.rglob("*") if path.is_file())
    return sum(each.st_size for each in found if each.st_ino not in of_source)


def timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What a call gives, and its seconds: by the clock, and of the CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, time.perf_counter() - start, time.process_time() - cpu


def measure(folder: Path, layers: int, repeats: int) -> list[str]:
    """The rows of the table."""
    source, mapping = write_source(folder, layers), str(folder / "mapping.toml")
    results = {link: folder / f"{'linked' if link else 'copied'}.zarr" for link in (True, False)}
    seconds: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    linked = 0
    for number in range(repeats):
        for link, target in results.items():
            if number:
                target.rename(folder / f"{number}-{target.name}")
            call = partial(migrate, str(source), str(target), mapping=mapping, link=link, memory=16 << 30)
            done, *taken = timed(call)
            seconds[link].append((taken[0], taken[1]))
            linked = done.linked or linked
    _, *again = timed(partial(verify, results[True], source, mapping=mapping, memory=16 << 30))
    middle = {link: [statistics.median(column) for column in zip(*rows, strict=True)] for link, rows in seconds.items()}
    return [
        f"{'':18} {'seconds':>9} {'CPU':>9} {'bytes written':>15} {'files linked':>13} {'chunks a second':>16} "
        f"{'chunks a CPU second':>20}",
        *(
            f"{name:18} {clock:9.2f} {cpu:9.2f} {size:15,} {files:13,} {layers * CHUNKS / clock:16,.0f} "
            f"{layers * CHUNKS / cpu:20,.0f}"
            for name, (clock, cpu), size, files in (
                ("migrate --link", middle[True], written_bytes(results[True], source), linked),
                ("migrate, decoding", middle[False], written_bytes(results[False], source), 0),
                ("migrate --verify", again, 0, 0),
            )
        ),
    ]


def main(argv: Sequence[str]) -> int:
    """0, once everything is measured and printed."""
    parser = Parser(prog="vizschema benchmark link", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=size, default="1G", metavar="SIZE", help="decoded bytes (default: 1G)")
    parser.add_argument("--repeats", type=int, default=3, help="how often both are measured (default: 3)")
    parser.add_argument("--folder", metavar="DIR", help="where to write (default: a temporary folder)")
    arguments = parser.parse_args(argv)
    if arguments.repeats < 1:
        parser.error("--repeats is 1 or more")
    layers = max(1, arguments.size // LAYER_BYTES)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        print(
            f"{layers * LAYER_BYTES >> 20} MiB of float32 in {layers * CHUNKS:,} chunks of 64 KiB, axes moved, "
            f"medians of {arguments.repeats} on {platform.machine()}, {os.cpu_count()} CPUs"
        )
        print("\n".join(measure(Path(name), layers, arguments.repeats)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
