"""Makes `spec/1.0.0/digest_vectors.json`: `python tests/support/digest_vectors.py > spec/1.0.0/digest_vectors.json`.

The definition written down once more, as plainly as can be: one hash call a step, whole arrays in memory, nothing of
`vizschema` but the canonical JSON text.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import ml_dtypes
import numpy as np
from blake3 import blake3

from vizschema.canonical import canonical

MIB = 1 << 20


def cut(whole: Any, size: int) -> list[Any]:
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def blocks_of(data: bytes) -> list[bytes]:
    return [blake3(block).digest() for block in cut(data, MIB)]


def root_of(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [blake3(b"".join(run)).digest() for run in cut(hashes, 1024)]
    return hashes[0] if hashes else blake3(b"").digest()


def digest_of(hashes: Mapping[str, bytes]) -> str:
    return "vz1:blake3:" + blake3(b"".join(sorted(hashes.values()))).hexdigest()


def bytes_of(data: Mapping[str, Any]) -> bytes:
    if "base64" in data:
        return base64.b64decode(data["base64"])
    return bytes(number % 251 for number in range(data["counting"]))


def attributes_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes with their large integers as integers."""
    return {
        key: int(value["$integer"]) if isinstance(value, dict) and value.keys() == {"$integer"} else value
        for key, value in attributes.items()
    }


def expected(nodes: Mapping[str, Any]) -> dict[str, Any]:
    """What a vector expects of these nodes."""
    blocks, values, hashes, alone = {}, {}, {}, []
    for path, given in nodes.items():
        node = {"path": path, **given, "attributes": attributes_of(given["attributes"])}
        data = node.pop("data", None)
        if data is not None:
            blocks[path] = blocks_of(bytes_of(data))
            values[path] = root_of(blocks[path])
            node["values"] = values[path].hex()
            alone.append(blake3(canonical({key: node[key] for key in node if key != "attributes"})).digest())
        hashes[path] = blake3(canonical(node)).digest()
    return {
        "blocks": {path: [value.hex() for value in found] for path, found in blocks.items()},
        "values": {path: value.hex() for path, value in values.items()},
        "hashes": {path: value.hex() for path, value in hashes.items()},
        "digest": digest_of(hashes),
        "values_digest": "vz1-values:blake3:" + blake3(b"".join(sorted(alone))).hexdigest(),
    }


def group(**attributes: Any) -> dict[str, Any]:
    return {"kind": "group", "attributes": attributes}


def array(values: Any, axes: Any = None, **attributes: Any) -> dict[str, Any]:
    bits = values if values.dtype.type.__module__ == "numpy" else values.view(f"u{values.dtype.itemsize}")
    data = bits.astype(bits.dtype.newbyteorder("<")).tobytes()
    return {
        "kind": "array",
        "dtype": values.dtype.name,
        "shape": list(values.shape),
        "axes": axes,
        "attributes": attributes,
        "data": {"base64": base64.b64encode(data).decode()},
    }


def counting(dtype: str, shape: list[int], axes: list[str]) -> dict[str, Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return {
        "kind": "array", "dtype": dtype, "shape": shape, "axes": axes, "attributes": {}, "data": {"counting": size},
    }  # fmt: skip


DTYPES = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
DTYPES += ["float16", "float32", "float64", "complex64", "complex128"]

FLOATS_8 = [f"float8_{name}" for name in ("e4m3fn", "e5m2", "e4m3fnuz", "e5m2fnuz")]  # of ml_dtypes

ARCHIVES: dict[str, dict[str, Any]] = {
    "nothing but a root": {"/": group()},
    "attributes": {
        "/": group(
            whole=1.0,
            zero=-0.0,
            third=1 / 3,
            small=5e-324,
            large=1e21,
            edge=1e20,
            six=1e-6,
            seven=1e-7,
            largest={"$integer": str((1 << 64) - 1)},
            smallest={"$integer": str(-(1 << 63))},
            odd={"$integer": str((1 << 53) + 1)},
            double={"$integer": str(1 << 63)},
            beyond=2.0**64,
            text='é "quoted" \u20ac \U0001f600',
            empty="",
            true=True,
            list=[1, 2.5, -3],
            texts=["b", "a"],
            none=[],
            null=None,
            object={},
            nested={"b": [1.0, None, {"": [], "a": False}], "a": [[1], [2, "x"]]},
            mixed=[1, "1", True, None],
        ),
        "/keys": {"kind": "group", "attributes": {"\U0001f600": 1, "\ufb33": 2, "a": 3, "B": 4, "10": 5, "9": 6}},
    },
    "every dtype": {
        "/": group(),
        **{f"/{name}": array(np.array([0, 1, 2, 100], name), ["x"]) for name in DTYPES},
        "/bool": array(np.array([True, False, True]), ["x"]),
        "/bfloat16": array(np.array([0, 1, -2.5], ml_dtypes.bfloat16), ["x"]),
        **{f"/{name}": array(np.array([0, 1, -2.5], name), ["x"]) for name in FLOATS_8},
        "/int4": array(np.array([0, 7, -8, -1], ml_dtypes.int4), ["x"]),
        "/uint4": array(np.array([0, 7, 8, 15], ml_dtypes.uint4), ["x"]),
    },
    "bits": {
        "/": group(),
        "/zeros": array(np.array([0.0, -0.0], "float32"), ["x"]),
        "/nans": array(np.array([0x7FC00000, 0x7FC00001, 0xFFC00000, 0x7F800000], "uint32").view("float32"), ["x"]),
    },
    "shapes and axes": {
        "/": group(),
        "/scalar": array(np.array(3.5), []),
        "/empty": array(np.zeros((0, 3)), ["none", "three"]),
        "/unnamed": array(np.arange(6, dtype="uint8").reshape(2, 3)),
        "/partly": array(np.arange(6, dtype="uint8").reshape(2, 3), ["row", None]),
        "/named": array(
            np.arange(6, dtype="uint8").reshape(2, 3),
            ["token:query", "token:key"],
            normalization="softmax",
            source="captured",
        ),
    },
    "one block, and one byte more, and three": {
        "/": group(),
        "/one": counting("uint8", [MIB], ["x"]),
        "/more": counting("uint8", [MIB + 1], ["x"]),
        "/three": counting("float32", [5, 131072], ["x", "y"]),
    },
}
LEAVES = (0, 1, 2, 1024, 1025, 2048, 2049)


def main() -> None:
    document = {
        "description": "Vectors for digest.md, which says what they are.",
        "archives": [{"name": name, "nodes": nodes, "expect": expected(nodes)} for name, nodes in ARCHIVES.items()],
        "trees": [
            {"leaves": count, "root": root_of([blake3(str(leaf).encode()).digest() for leaf in range(count)]).hex()}
            for count in LEAVES
        ],
    }
    print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
