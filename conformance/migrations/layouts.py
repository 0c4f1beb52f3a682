"""Small archives of the layouts that the installed mappings are for, as their writers lay them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import zarr

Arrays = dict[str, npt.NDArray[Any]]
Attributes = Mapping[str, Mapping[str, Any]]

RESIDUES = 5
SEQUENCE = "MQIFV"
WHO = {"model_name": "net", "model_version": "3"}


class Old(NamedTuple):
    """A layout: how a source is written, the answers that it needs, what comes out, and what is lost."""

    write: Callable[[Path], Path]
    answers: Mapping[str, str]
    profile: str
    arrays: int
    losses: int


def random(*shape: int, dtype: str = "float32", seed: int = 0) -> npt.NDArray[Any]:
    """Values from -8 to 8 that are the same on every machine: no function of a library of mathematics is called."""
    whole: npt.NDArray[Any] = np.random.default_rng(seed).integers(-1024, 1024, shape, endpoint=True)
    return np.asarray(whole / 128, dtype)


def softmax(*shape: int, seed: int = 0) -> npt.NDArray[Any]:
    """Rows that sum to 1 along the last axis."""
    raw = np.random.default_rng(seed).integers(1, 100, shape) ** 2
    return np.asarray(raw / raw.sum(-1, keepdims=True), "float32")


def zarr_v2(path: Path, arrays: Arrays, attributes: Attributes | None = None, groups: tuple[str, ...] = ()) -> Path:
    """A Zarr v2 folder; texts are fixed-length, as NumPy has them."""
    root = zarr.open_group(str(path), mode="w", zarr_format=2)
    for name in groups:
        root.create_group(name)
    for name, values in arrays.items():
        if values.dtype.kind == "U":
            text_array(path / name, values, root, name)
        else:
            root.create_array(name, data=np.asarray(values), chunks=values.shape or "auto")
    for name, members in (attributes or {}).items():
        (root if name == "/" else root.require_group(name)).attrs.update(members)
    return path


def text_array(folder: Path, values: npt.NDArray[Any], root: Any, name: str) -> None:
    """An array of texts, its two files written by hand: Zarr 3 warns that its type is no standard."""
    import json

    root.require_group(name.rpartition("/")[0])
    folder.mkdir()
    shape = list(values.shape)
    document = {
        "zarr_format": 2,
        "shape": shape,
        "chunks": shape,
        "dtype": values.dtype.str,
        "compressor": None,
        "fill_value": None,
        "order": "C",
        "filters": None,
    }
    (folder / ".zarray").write_text(json.dumps(document))
    (folder / ".".join("0" * len(shape) or "0")).write_bytes(values.tobytes())


def mnist(folder: Path) -> Path:
    """A batch of images, what two modules gave, and a version of the layout."""
    logits = random(3, 10)
    arrays = {
        "inputs/images": random(3, 1, 6, 6),
        "activations/conv1": random(3, 4, 4, 4),
        "activations/fc1": random(3, 7),
        "outputs/logits": logits,
        "outputs/predictions": logits.argmax(-1),
    }
    return zarr_v2(folder / "old.zarr", arrays, {"/": {"dataset": "MNIST", "archive_version": "v1"}})


def vit(folder: Path) -> Path:
    """Thirteen hidden states beside twelve maps of attention, and metadata that the arrays contradict."""
    layers = 11
    logits = random(1, 10)
    arrays: Arrays = {"inputs/processed_image": random(1, 3, 8, 8), "outputs/logits": logits}
    for layer in range(layers + 1):
        arrays[f"activations/layer_{layer}/hidden_states"] = random(1, 5, 6, seed=layer)
    for layer in range(layers):
        arrays[f"attention/layer_{layer}"] = softmax(1, 2, 5, 5, seed=layer)
    arrays["activations/cls_output"] = arrays[f"activations/layer_{layers}/hidden_states"][:, 0]
    false = {"model_name": "vit", "num_layers": layers, "num_heads": 2, "num_tokens": 197, "hidden_dim": 768}
    attributes: dict[str, Mapping[str, Any]] = {
        "metadata": false,
        "metadata/layers/layer_0": {"attention_shape": [2, 197, 197]},
        "outputs": {"predicted_class": int(logits.argmax())},
    }
    return zarr_v2(folder / "old.zarr", arrays, attributes, ("tokens",))


def trained_vit(folder: Path) -> Path:
    """Attention of two samples, a time without an offset, and a number of heads that the arrays contradict."""
    images = {"inputs/images": random(2, 1, 8, 8), "inputs/labels": np.array([1, 2]), "inputs/preds": np.array([1, 3])}
    arrays = {**images, **{f"attention/layer_{layer}": softmax(2, 3, 5, 5, seed=layer) for layer in range(2)}}
    root = {"archive_version": "1.0", "created_at": "2026-03-08T20:21:03", "model_name": "net", "num_classes": 10}
    return zarr_v2(folder / "old.zarr", arrays, {"/": root, "metadata": {"depth": 2, "num_heads": 4, "dropout": 0.1}})


def candidates() -> Arrays:
    """Arrays of two layers; there are as many channels as residues."""
    arrays = {"outputs/coords": random(RESIDUES, 3), "outputs/conf": random(RESIDUES)}
    for layer in range(2):
        arrays[f"activations/layer_{layer}/single"] = random(RESIDUES, RESIDUES, seed=layer)
        arrays[f"activations/layer_{layer}/pair"] = random(RESIDUES, RESIDUES, 2, seed=layer)
        arrays[f"attention/layer_{layer}"] = random(2, RESIDUES, RESIDUES, seed=layer)
    return arrays


def candidates_hdf5(folder: Path) -> Path:
    """The candidates in an HDF5 file."""
    import h5py

    with h5py.File(folder / "old.h5", "w") as file:
        for name, values in candidates().items():
            file[name] = values
    return folder / "old.h5"


def candidates_npz(folder: Path) -> Path:
    """The candidates under flat names in an NPZ file."""
    names = {
        name: name.replace("activations/layer_", "act_").replace("attention/layer_", "attn_") for name in candidates()
    }
    flat = {names[name].replace("outputs/", "").replace("/", "_"): values for name, values in candidates().items()}
    np.savez(folder / "old.npz", **flat)  # type: ignore[arg-type]
    return folder / "old.npz"


def representations() -> Arrays:
    """Single and pair representations of two layers."""
    arrays: Arrays = {}
    for layer in range(2):
        arrays[f"representations/single/layer_{layer:02}"] = random(RESIDUES, 4, seed=layer)
        arrays[f"representations/pair/layer_{layer:02}"] = random(RESIDUES, RESIDUES, 2, dtype="float16", seed=layer)
    return arrays


def metadata_arrays() -> Arrays:
    """Metadata as arrays without dimensions."""
    return {
        "metadata/model_version": np.array("openfold-1"),
        "metadata/sequence": np.array(SEQUENCE),
        "metadata/num_residues": np.array(RESIDUES),
        "metadata/num_recycles": np.array(3),
    }


def heads_last(folder: Path) -> Path:
    """As many heads as residues: shapes cannot tell which axis has the heads."""
    arrays = {
        **representations(),
        **metadata_arrays(),
        "metadata/representation_names": np.array(["layer_00", "layer_01"]),
        "metadata/recycle_info": random(3),
        "metadata/residue_index": np.arange(RESIDUES),
        "structure/atom_positions": random(RESIDUES * 37, 3),
        "structure/atom_mask": np.ones(RESIDUES * 37, "float32"),
        "structure/ptm": np.array(0.5),
    }
    for layer in range(2):
        attention = softmax(RESIDUES, RESIDUES, RESIDUES, seed=layer)
        arrays[f"attention/triangle_start/layer_{layer:02}"] = np.moveaxis(attention, 0, -1)
    return zarr_v2(folder / "old.zarr", arrays)


def heads_first(folder: Path) -> Path:
    """Attention of two kinds, of which one is what was left of the largest weights."""
    arrays = {
        **representations(),
        **metadata_arrays(),
        "structure/atom_positions": random(RESIDUES, 37, 3, dtype="float16"),
        "structure/atom_mask": np.ones((RESIDUES, 37), "float16"),
        "structure/ptm": np.array([0.5], "float32"),
        "attention/triangle_end/layer_00": softmax(4, RESIDUES, RESIDUES),
        "attention/msa_row/layer_00": np.where(softmax(2, RESIDUES, RESIDUES) > 0.3, np.float32(0.3), np.float32(0)),
    }
    return zarr_v2(folder / "old.zarr", arrays)


def one_atom(folder: Path) -> Path:
    """One atom per residue, and a pair representation of an unknown layer."""
    arrays = {
        "representations/pair/layer_00": random(RESIDUES, RESIDUES, 2, dtype="float16"),
        "structure/atom_positions": random(RESIDUES, 3, dtype="float16"),
        "structure/atom_mask": np.ones(RESIDUES, "float16"),
        "structure/ptm": np.array([0.5], "float32"),
    }
    return zarr_v2(folder / "old.zarr", arrays)


def attributes_for_metadata(folder: Path) -> Path:
    """Metadata as attributes, heads last, and rows of zeros."""
    attention = np.zeros((RESIDUES, RESIDUES, 2), "float32")
    attention[0, 0] = 0.9
    arrays = {
        **representations(),
        "metadata/residue_index": np.arange(RESIDUES),
        "structure/atom_positions": random(RESIDUES, 3),
        "attention/triangle_start/layer_00": attention,
    }
    metadata = {"sequence": SEQUENCE, "num_residues": RESIDUES, "model_version": "openfold-test", "num_recycles": 1}
    return zarr_v2(folder / "old.zarr", arrays, {"metadata": metadata})


def files(folder: Path) -> Path:
    """One file per layer and kind; the anchor is in the name, and layers are left out."""
    (folder / "old" / "attention").mkdir(parents=True)
    for layer in (0, 1, 10):
        row = folder / "old" / "attention" / f"msa_row_attn_layer{layer}.npz"
        np.savez(row, attn=softmax(2, RESIDUES, RESIDUES, seed=layer))
        start = folder / "old" / "attention" / f"triangle_start_attn_layer{layer}_residue_idx_4.npz"
        np.savez(start, attn=softmax(4, RESIDUES, RESIDUES, seed=layer))
    return folder / "old"


def texts(folder: Path) -> Path:
    """The largest weights of each head as text: ten lines, `query key weight`, the largest first."""
    (folder / "old").mkdir()
    for layer in (0, 2):
        lines = []
        for head, weights in enumerate(softmax(2, RESIDUES, RESIDUES, seed=layer)):
            largest = np.argsort(-weights, axis=None)[:10]
            lines.append(f"Layer {layer}, Head {head}")
            lines += [f"{at // RESIDUES} {at % RESIDUES} {weights.flat[at]:.6f}" for at in largest]
        (folder / "old" / f"triangle_start_attn_layer{layer}_residue_idx_avg.txt").write_text("\n".join(lines))
    return folder / "old"


def flat_pass(folder: Path) -> Path:
    """A pass under flat names, with its sequence, alignment and description beside it."""
    arrays: Arrays = {
        "input/aatype": np.array(["ARNDCQEGHILKMFPSTWYV".index(letter) for letter in SEQUENCE], "int32"),
        "input/residue_index": np.arange(RESIDUES, dtype="int32"),
        "input/msa": np.ones((3, RESIDUES), "int32"),
        "block_01/attn_tri_start_residue_4": softmax(4, RESIDUES, RESIDUES),
        "output/final_atom_positions": random(RESIDUES, 37, 3),
        "output/final_atom_mask": np.ones((RESIDUES, 37), "float32"),
        "output/plddt": np.linspace(50, 90, RESIDUES, dtype="float32"),
        "output/predicted_aligned_error": np.full((RESIDUES, RESIDUES), 14, "float32"),
        "output/ptm_score": np.array(0.2, "float32"),
        "output/lddt_logits": random(RESIDUES, 6),
        "output/num_recycles": np.array(2),
    }
    for block in range(2):
        arrays[f"block_{block:02}/m_first_row"] = random(RESIDUES, 6, seed=block)
        arrays[f"block_{block:02}/s"] = random(RESIDUES, 8, seed=block)
        arrays[f"block_{block:02}/z"] = random(RESIDUES, RESIDUES, 2, dtype="float16", seed=block)
        arrays[f"recycle_{block}/single"] = random(RESIDUES, 8, seed=block)
        arrays[f"recycle_{block}/pair"] = random(RESIDUES, RESIDUES, 2, dtype="float16", seed=block)
        arrays[f"recycle_{block}/final_atom_positions"] = random(RESIDUES, 37, 3, seed=block)
        for kind in ("msa_row", "tri_start", "tri_end"):
            arrays[f"block_{block:02}/attn_{kind}_mean"] = softmax(4, RESIDUES, RESIDUES, seed=block)
    (folder / "old").mkdir()
    np.savez(folder / "old" / "pass.npz", **arrays)  # type: ignore[arg-type]
    (folder / "old" / "query.fasta").write_text(f">query\n{SEQUENCE}\n")
    (folder / "old" / "hits.a3m").write_text(f">query\n{SEQUENCE}\n>hit\nMQ-aaFV\n")
    (folder / "old" / "pass.json").write_text('{"meta": {"weights": "random"}, "arrays": {}}')
    return folder / "old"


MADE = {**WHO, "source": "unknown"}
NAMED = {"model_name": "net", "source": "captured", "anchor": "mean"}
FLAT = {**MADE, "kind": "self", "atom": "CA", "confidence_scale": "unknown"}
TOP = {"source:/attention/msa_row": "top_k", "normalization:/attention/msa_row": "softmax_truncated"}

LAYOUTS: Mapping[str, Old] = {
    "mnist-batches": Old(mnist, WHO, "mnist", 5, 1),
    "vit-hidden-states": Old(vit, WHO, "vit", 26, 8),
    "vit-attention": Old(trained_vit, {"model_version": "3", "offset": "+01:00"}, "trace", 5, 3),
    "benchmark-candidates": Old(candidates_hdf5, FLAT, "trace", 8, 0),
    "benchmark-candidates-flat": Old(candidates_npz, FLAT, "trace", 8, 0),
    "issue39": Old(heads_last, NAMED, "trace", 11, 0),
    "issue40": Old(heads_first, {**NAMED, **TOP}, "trace", 10, 0),
    "issue40-pickle": Old(one_atom, WHO, "trace", 4, 0),
    "reader-contract": Old(
        attributes_for_metadata, {**NAMED, "source": "unknown", "normalization": "softmax_truncated"}, "trace", 8, 0
    ),
    "openfold-text": Old(texts, {**WHO, "num_layers": "48", "num_residues": "5"}, "trace", 4, 2),
    "openfold-pass": Old(flat_pass, WHO, "openfold", 31, 1),
    "openfold-npz": Old(files, {**WHO, "num_layers": "48"}, "trace", 6, 0),
}
"""A source for each installed mapping that migrates, by the mapping's name."""
