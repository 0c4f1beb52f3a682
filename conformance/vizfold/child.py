"""What VizFold's readers find in exported archives: a child without vizschema, in an environment with Zarr.

Arguments: the folder with the readers' files, the folder with the exports. Prints a JSON object: from the name of a
check to true, false, or the exception.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr as _zarr

zarr: Any = _zarr
found: dict[str, object] = {}


def check(name: str, test: Callable[[], object]) -> None:
    """Note what a test gives."""
    try:
        found[name] = bool(test())
    except Exception as error:  # noqa: BLE001  (whatever a reader raises is the result)
        found[name] = f"{type(error).__name__}: {error}"[:200]


def module(path: Path) -> Any:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    sys.modules[path.stem] = loaded
    spec.loader.exec_module(loaded)  # type: ignore[union-attr]
    return loaded


def same(read: object, root: Any, path: str) -> bool:
    """Whether an array was read as Zarr reads it."""
    wanted = np.asarray(root[path])
    return np.asarray(read).shape == wanted.shape and bool((np.asarray(read) == wanted).all())


def archive_reader(readers: Path, path: Path, tag: str) -> None:
    """Pull request 47: `ArchiveReader`."""
    sys.path.insert(0, str(readers / "47"))
    reader = importlib.import_module("vizfold.offline.archive_reader").ArchiveReader(str(path))
    root = zarr.open(str(path), mode="r")
    kinds = sorted(root["attention"].group_keys())
    check(f"{tag} sequence", lambda: reader.get_sequence() == str(np.asarray(root["metadata/sequence"])[()]))
    check(f"{tag} kinds", lambda: sorted(reader.list_attention_types()) == kinds)
    check(f"{tag} layers", lambda: all(reader.list_layers(kind) == [0, 1] for kind in kinds))
    single, pair = "representations/single/layer_01", "representations/pair/layer_01"
    check(f"{tag} single", lambda: same(reader.load_single_representation(1), root, single))
    check(f"{tag} pair", lambda: same(reader.load_pair_representation(1), root, pair))
    check(f"{tag} structure", lambda: reader.load_structure() is not None)


def functions(readers: Path, archives: Path) -> None:
    """Pull requests 59 and 62: validators and loaders."""
    sys.path.insert(0, str(readers / "59"))
    load, core = (importlib.import_module(f"archive.{name}") for name in ("load", "core"))
    path = str(archives / "issue40.zarr")
    root = zarr.open(path, mode="r")
    check("59 strict validator", lambda: core.validate_archive(path, strict=True) is not False)
    sequence = str(np.asarray(root["metadata/sequence"])[()])
    check("59 sequence", lambda: load.load_metadata(path)["sequence"] == sequence)
    check("59 single", lambda: same(load.load_single_representation(path, 1), root, "representations/single/layer_01"))
    check("59 pair", lambda: same(load.load_pair_representation(path, 1), root, "representations/pair/layer_01"))
    kinds = sorted(root["attention"].group_keys())
    heads = {kind: np.asarray(root[f"attention/{kind}/layer_01"])[1] for kind in kinds}
    check("59 heads", lambda: all((load.load_attention_head(path, k, 1, 1) == heads[k]).all() for k in kinds))
    flat = module(readers / "62" / "vizfold_to_zarr.py")
    old = str(archives / "issue39.zarr")
    other = zarr.open(old, mode="r")
    check("62 validator", lambda: flat.validate_archive(old) is not False)
    check("62 single", lambda: same(flat.load_single_representation(old, 1), other, "representations/single/layer_01"))
    check("62 pair", lambda: same(flat.load_pair_representation(old, 1), other, "representations/pair/layer_01"))


def web(readers: Path, archives: Path) -> None:
    """The reader of the web interface, which needs Zarr 3: a zip file."""
    reader = module(readers / "47" / "webui" / "trace_reader.py").ZarrTraceReader(
        (archives / "issue40.zip").read_bytes()
    )
    root = zarr.open(str(archives / "issue40.zarr"), mode="r")
    shapes = {
        name: tuple(each.shape) for name, each in root["attention"].members(max_depth=None) if hasattr(each, "shape")
    }
    found_there = {name.partition("attention/")[2]: shape for name, shape in reader.list_attention_arrays().items()}
    check("web attention", lambda: found_there == shapes)
    check("web sequence", lambda: reader.get_sequence() == str(np.asarray(root["metadata/sequence"])[()]))


def main() -> None:
    """Run every check."""
    warnings.simplefilter("ignore")
    readers, archives = map(Path, sys.argv[1:])
    for name in ("issue40", "issue39"):
        archive_reader(readers, archives / f"{name}.zarr", f"47 {name}")
    functions(readers, archives)
    if zarr.__version__.startswith("3"):
        web(readers, archives)
    print(json.dumps({"zarr": zarr.__version__, "found": found}))


if __name__ == "__main__":
    main()
