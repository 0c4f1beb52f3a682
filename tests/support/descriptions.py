"""Conforming descriptions of each profile, made without any archive, to be broken in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vizschema import description

Nodes = dict[str, dict[str, Any]]

CONTAINER = {"format": "zarr", "version": 3, "store": "directory", "consolidated": False}
SIZES = {
    **{"sample": 2, "channel": 1, "height": 28, "width": 28, "class": 10, "token": 5, "hidden": 8, "head": 2},
    **{"conv1_channel": 4, "conv1_height": 26, "conv1_width": 26, "fc1_unit": 16, "tokens": 5},
    **{"residue": 12, "sequence": 3, "single_channel": 6, "pair_channel": 4, "msa_channel": 5, "atom": 37, "xyz": 3},
    **{"entry": 7, "end": 2, "msa_row_head": 2, "msa_column_head": 2, "triangle_start_head": 4, "ipa_head": 3},
    **{"triangle_end_head": 4},
}
METADATA = {
    **{"model_name": "a model", "model_version": "1", "framework": "none", "task": "test", "dataset": "none"},
    **{"license": "Apache-2.0", "checkpoint_sha256": "0" * 64, "git_commit": "unknown", "seed": 0, "dtype": "float32"},
    "device": "cpu",
}


def root(profile: str) -> Nodes:
    """The root and `/metadata` of a conforming archive."""
    identity = {
        "spec_version": "1.0.0",
        "profile": profile,
        "created_at": "2026-11-21T09:00:00Z",
        "generator": "tests 1",
        "complete": True,
    }
    return {"/": description.group(identity), "/metadata": description.group({**METADATA, "size_residue": 12})}


def array(axes: str, dtype: str = "float32", **attributes: Any) -> dict[str, Any]:
    """An array over `axes` (separated by spaces), in one chunk for each sample and head."""
    names = axes.split()
    shape = [SIZES[name.partition(":")[0]] for name in names]
    chunks = [
        1 if name in ("sample", "head") or name.endswith("_head") else size
        for name, size in zip(names, shape, strict=True)
    ]
    storage = description.storage(
        shape, names, description.ITEM_BYTES[dtype], chunks=chunks, shard=None, codecs=["bytes", "zstd"]
    )
    return description.array(dtype, shape, names, attributes, storage)


def trace() -> Nodes:
    """A trace of a model that the specification has never heard of."""
    return {
        **root("trace"),
        "/activations": description.group({"num_layers": 2}),
        "/activations/layer_00": array("token hidden"),
        "/activations/layer_01": array("token hidden"),
        "/attention": description.group({}),
        "/attention/self": description.group({"num_layers": 1}),
        "/attention/self/layer_00": array(
            "sample head token:query token:key", normalization="softmax", source="captured"
        ),
        "/extra": description.group({}),
        "/extra/Anything, even Größe": array("token", "complex64"),
    }


def mnist() -> Nodes:
    """A convolutional classifier of two samples."""
    return {
        **root("mnist"),
        "/inputs": description.group({}),
        "/inputs/images": array("sample channel height width"),
        "/inputs/labels": array("sample", "int64"),
        "/activations": description.group({}),
        "/activations/conv1": array("sample conv1_channel conv1_height conv1_width"),
        "/activations/fc1": array("sample fc1_unit", "bfloat16"),
        "/outputs": description.group({}),
        "/outputs/logits": array("sample class"),
        "/outputs/predictions": array("sample", "int64"),
    }


def vit() -> Nodes:
    """A vision transformer of two blocks."""
    nodes = mnist()
    del nodes["/activations/conv1"], nodes["/activations/fc1"]
    nodes["/"]["attributes"]["profile"] = "vit"
    nodes["/activations"]["attributes"]["num_layers"] = 2
    nodes["/activations/embedding"] = array("sample token hidden")
    nodes["/attention"] = description.group({})
    nodes["/attention/self"] = description.group({"num_layers": 2})
    for index in range(2):
        nodes[f"/activations/layer_{index:02}"] = array("sample token hidden")
        nodes[f"/attention/self/layer_{index:02}"] = array(
            "sample head token:query token:key", normalization="softmax", source="captured"
        )
    return nodes


def openfold() -> Nodes:
    """A trace of two blocks and two recycles, with every optional node."""
    nodes = root("openfold")
    for path in ("/inputs", "/attention", "/attention_topk", "/outputs"):
        nodes[path] = description.group({})
    nodes["/inputs/sequence"] = array("residue", "uint8")
    nodes["/inputs/msa"] = array("sequence residue", "int32")
    nodes["/inputs/residue_index"] = array("residue", "int32")
    nodes["/inputs/aatype"] = array("residue", "int32")
    families = {
        "/single": ("residue single_channel", {}),
        "/pair": ("residue:i residue:j pair_channel", {}),
        "/msa": ("sequence residue msa_channel", {}),
        "/attention/msa_row": (
            "msa_row_head residue:query residue:key",
            {"normalization": "softmax", "source": "captured"},
        ),
        "/attention/msa_column": (
            "msa_column_head sequence:query sequence:key",
            {"normalization": "softmax", "source": "captured"},
        ),
        "/attention/ipa": ("ipa_head residue:query residue:key", {"normalization": "softmax", "source": "captured"}),
        "/attention/triangle_start": (
            "triangle_start_head residue:query residue:key",
            {"normalization": "softmax", "source": "captured", "anchor": "mean"},
        ),
        "/attention/triangle_end": (
            "triangle_end_head residue:anchor residue:query residue:key",
            {"normalization": "softmax", "source": "captured"},
        ),
    }
    for path, (axes, attributes) in families.items():
        nodes[path] = description.group({"num_layers": 2})
        for index in range(2):
            nodes[f"{path}/layer_{index:02}"] = array(axes, **attributes)
    nodes["/attention_topk/ipa"] = description.group({"num_layers": 1})
    nodes["/attention_topk/ipa/layer_00"] = description.group({})
    nodes["/attention_topk/ipa/layer_00/indices"] = array("ipa_head entry end", "int32")
    nodes["/attention_topk/ipa/layer_00/weights"] = array("ipa_head entry", "float16")
    nodes["/recycle"] = description.group({"num_recycles": 2})
    for index in range(2):
        nodes[f"/recycle/recycle_{index:02}"] = description.group({})
        nodes[f"/recycle/recycle_{index:02}/single"] = array("residue single_channel")
        nodes[f"/recycle/recycle_{index:02}/pair"] = array("residue:i residue:j pair_channel", "float16")
        nodes[f"/recycle/recycle_{index:02}/coordinates"] = array("residue atom xyz")
    nodes["/outputs/coordinates"] = array("residue atom xyz")
    nodes["/outputs/atom_mask"] = array("residue atom", "uint8")
    nodes["/outputs/confidence"] = array("residue")
    nodes["/outputs/predicted_aligned_error"] = array("residue:i residue:j")
    nodes["/outputs/ptm"] = array("")
    return nodes


PROFILES: Mapping[str, Callable[[], Nodes]] = {"trace": trace, "mnist": mnist, "vit": vit, "openfold": openfold}

FACTS = {
    **{"non_finite": 0, "nan": 0, "infinite": 0, "positive_infinite": 0, "minimum": 0, "maximum": 1, "constant": False},
    **{"absent_chunks": 0, "damaged_chunks": []},
}
PARTNERS: Mapping[str, Mapping[str, Any]] = {
    "/inputs/labels": {"beyond_axis": 0},
    "/outputs/predictions": {"argmax_differs": 0},
    "/inputs/sequence": {"minimum": 65, "maximum": 90},
    "/outputs/confidence": {"minimum": 0, "maximum": 99.5},
    "/inputs/aatype": {"decode_differs": 0},
    "/attention_topk/ipa/layer_00/indices": {"beyond_axis": 0},
    "/outputs/coordinates": {"masked_nonzero": 0},
}


def with_facts(nodes: Nodes) -> Nodes:
    """`nodes` with the facts of values that obey every rule."""
    for path, node in nodes.items():
        if node["kind"] == "array":
            node["facts"] = {**FACTS, **PARTNERS.get(path, {})}
            if path.startswith("/attention/"):
                sums = dict.fromkeys(("row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum"), 1)
                node["facts"].update(row_length=4, **sums, duplicate_slices=0)
    return nodes


def complete(nodes: Nodes, values: str = "not_read") -> description.Description:
    """The whole description."""
    return description.complete(CONTAINER, nodes, values)
