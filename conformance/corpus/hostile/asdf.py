"""ASDF that is hostile, damaged or odd: tags, aliases, blocks, sources, strides."""

from __future__ import annotations

import bz2
import json
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vizschema.conformance.corpus.hostile.case import ATTRIBUTES, MARKER, Build, Case, broken, control, damaged

A = "asdf"
_HEADER = struct.Struct(">I4sQQQ16s")
_TAG = "!core/ndarray-1.1.0"
_SIX = np.arange(6, dtype="<f4").tobytes()
_BOMB = 64 << 20


def block(data: bytes, *, packing: bytes = b"", used: int | None = None, size: int | None = None, allocated: int | None = None, digest: bytes = bytes(16)) -> bytes:  # fmt: skip
    """One block; what is None follows from `data`, which is packed already."""
    length = len(data) if used is None else used
    header = _HEADER.pack(
        0, packing, len(data) if allocated is None else allocated, length, len(data) if size is None else size, digest
    )
    return b"\xd3BLK" + struct.pack(">H", _HEADER.size) + header + data


def ndarray(**fields: Any) -> str:
    """An ndarray of the tree, of block 1, [2, 3] floats unless said otherwise."""
    told = {"source": 1, "datatype": "float32", "byteorder": "little", "shape": [2, 3], **fields}
    return f"{_TAG} {json.dumps({key: value for key, value in told.items() if value is not None})}"


def asdf(
    x: str | None = None, *blocks: bytes, more: str = "", head: str = "", first: bytes | None = None, end: str = "...\n"
) -> Build:
    """Builds the harmless archive with `/extra/x`, these blocks from number 1 on, and more lines of YAML."""

    def build(folder: Path) -> Path:
        groups = {path: json.dumps(dict(attributes)) for path, attributes in ATTRIBUTES.items()}
        layer = f"{{data: {ndarray(source=0)}, axes: [token, hidden]}}"
        tree = [
            "#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0",
            *([head] if head else []),
            f"attributes: {groups['/']}",
            f"metadata: {{attributes: {groups['/metadata']}}}",
            f"activations: {{attributes: {groups['/activations']}, layer_00: {layer}}}",
            "extra:",
            "  attributes: {}",
            *([f"  x: {x}"] if x is not None else []),
            *([more] if more else []),
        ]
        raw = "\n".join(tree).encode("utf-8", "surrogatepass") + b"\n" + end.encode()
        (folder / "archive.asdf").write_bytes(raw + (block(_SIX) if first is None else first) + b"".join(blocks))
        return folder / "archive.asdf"

    return build


def tagged(tag: str, value: str = "[touch, executed]") -> Build:
    """Builds the archive with `/extra/x` under a tag that would construct something."""
    return asdf(f"!<{tag}> {value}")


def _laughs() -> str:
    """Aliases of aliases: a few lines that would grow to 10^10 texts."""
    lines = ['  a0: &a0 ["lol", "lol"]']
    for level in range(1, 11):
        lines.append(f"  a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return "\n".join(lines)


def _cut(share: float) -> Build:
    def build(folder: Path) -> Path:
        path: Path = asdf()(folder)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])
        return path

    return build


def _many(folder: Path) -> Path:
    lines = "\n".join(f"  x{number}: {{attributes: {{}}}}" for number in range(20_000))
    path: Path = asdf(more=lines)(folder)
    return path


def _edited(change: Callable[[bytes], bytes]) -> Build:
    def build(folder: Path) -> Path:
        path: Path = asdf()(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return build


def _indexed(change: Callable[[list[int]], list[int]]) -> Build:
    """Builds the archive with three blocks, and a block index of the offsets that `change` makes of theirs."""

    def build(folder: Path) -> Path:
        path: Path = asdf(ndarray(), block(_SIX), block(bytes(24)))(folder)
        raw = path.read_bytes()
        offsets = change([match.start() for match in re.finditer(b"\xd3BLK", raw)])
        lines = b"".join(b"- %d\n" % offset for offset in offsets)
        path.write_bytes(raw + b"#ASDF BLOCK INDEX\n%YAML 1.1\n---\n" + lines + b"...\n")
        return path

    return build


_PYTHON = "tag:yaml.org,2002:python/object/apply:os.system"
_ZLIB, _BZ2 = zlib.compress(_SIX), bz2.compress(_SIX)

CASES: tuple[Case, ...] = (
    broken(A, "external-uri", "external-storage", "values in another file", asdf(ndarray(source="outside.asdf"))),
    broken(A, "external-http", "external-storage", "values that would be fetched", asdf(ndarray(source="http://127.0.0.1:9/x.asdf"))),
    broken(A, "external-passwd", "external-storage", "values in a file of the system", asdf(ndarray(source="file:///etc/passwd"))),
    broken(A, "source-beyond", "damaged", "a block that is not there", asdf(ndarray(source=99))),
    broken(A, "source-boolean", "metadata-invalid", "true is 1 in Python", asdf(ndarray(source=True), block(_SIX))),
    broken(A, "source-before", "damaged", "a block before the first one", asdf(ndarray(source=-9), block(_SIX))),
    broken(A, "source-fraction", "metadata-invalid", "a block of one and a half", asdf(ndarray(source=1.5), block(_SIX))),
    broken(A, "shape-2-62", "metadata-invalid", "a size of 2^62", asdf(ndarray(shape=[1 << 62, 3]), block(_SIX))),
    broken(A, "shape-negative", "metadata-invalid", "a negative size", asdf(ndarray(shape=[-2, 3]), block(_SIX))),
    broken(A, "shape-nan", "metadata-invalid", "a size that is not a number", asdf(ndarray(shape=["SIZE", 3]).replace('"SIZE"', ".nan"), block(_SIX))),
    broken(A, "shape-large", "metadata-invalid", "a shape that needs more bytes than the block has", asdf(ndarray(shape=[2000, 3]), block(_SIX))),
    broken(A, "offset-negative", "metadata-invalid", "values before the block", asdf(ndarray(offset=-8), block(_SIX))),
    broken(A, "offset-beyond", "metadata-invalid", "values behind the block", asdf(ndarray(offset=1 << 40), block(_SIX))),
    broken(A, "strides-wild", "unsupported", "strides that leap out of the block", asdf(ndarray(strides=[1 << 40, 4]), block(_SIX))),
    broken(A, "strides-negative", "unsupported", "strides that run backwards", asdf(ndarray(strides=[-12, 4]), block(_SIX))),
    broken(A, "byteorder", "metadata-invalid", "an invalid byte order", asdf(ndarray(byteorder="middle"), block(_SIX))),
    broken(A, "datatype", "unsupported", "a type that is unknown", asdf(ndarray(datatype="quaternion"), block(_SIX))),
    broken(A, "datatype-huge", "metadata-invalid", "text of 2^62 characters an entry", asdf(ndarray(datatype=["ucs4", 1 << 62], shape=[1]), block(_SIX))),
    broken(A, "mask", "unsupported", "values that are masked", asdf(ndarray(mask=0), block(_SIX))),
    broken(A, "inline-masked", "unsupported", "values in the tree, one of which is masked", asdf(f"{_TAG} [1, null, 3]")),
    broken(A, "structure", "portable-dtype", "records", asdf(ndarray(datatype=["float32", "int32"], shape=[3]), block(_SIX))),
    broken(A, "block-claims", "damaged", "a block that claims 2^60 bytes", asdf(ndarray(), block(_SIX, used=1 << 60, size=1 << 60, allocated=1 << 60))),
    broken(A, "block-cut", "damaged", "a block that ends with the file", asdf(ndarray(), block(_SIX)[:-9])),
    broken(A, "block-sizes", "damaged", "a block that uses more than it has", asdf(ndarray(), block(_SIX, used=99, size=99))),
    damaged(A, "lz4-claims", "a part of lz4 that claims 2 GiB", asdf(ndarray(), block(struct.pack(">I", 34) + struct.pack("<I", 1 << 31) + bytes(30), packing=b"lz4\0", size=24))),
    broken(A, "packing-unknown", "unsupported", "a packing that is unknown", asdf(ndarray(), block(_SIX, packing=b"evil"))),
    broken(A, "name-dots", "metadata-invalid", "names that lead out of the archive where they are taken for a path", asdf(more='  "..": {"..": {y: {attributes: {}}}}')),
    broken(A, "name-slash", "metadata-invalid", "a name that is the path of another node", asdf(more='  y: {z: {attributes: {a: 1}}}\n  "y/z": {attributes: {a: 2}}')),
    broken(A, "key-twice", "metadata-malformed", "readers take the first or the last", asdf(more="  y: {a: 1, a: 2}")),
    broken(A, "merge", "unsupported", "a merge key, which copies what others say", asdf(more="  y: &y {a: 1}\n  z: {<<: *y}")),
    broken(A, "deep", "over-limit", "a tree nested ten thousand times", asdf(more="  y: " + "[" * 10_000 + "]" * 10_000)),
    broken(A, "attribute-laughs", "portable-attribute", "attributes that would grow to 10^10 texts", asdf(more="  y:\n    attributes:\n" + _laughs().replace("  a", "      a"))),
    broken(A, "attribute-itself", "portable-attribute", "an attribute that holds itself", asdf(more="  y: &y {attributes: {a: *y}}")),
    broken(A, "attribute-digits", "portable-attribute", "an integer of 100,000 digits", asdf(more=f"  y: {{attributes: {{a: {'9' * 100_000}}}}}")),
    broken(A, "deep-groups", "over-limit", "groups a hundred levels deep", asdf(more="  y: " + "{y: " * 100 + "{attributes: {}}" + "}" * 100)),
    broken(A, "100-mb", "over-limit", "a tree of 100 MB", asdf(more="  y: " + "x" * 100_000_000)),
    broken(A, "no-yaml", "metadata-malformed", "a tree that is not YAML", asdf(more="  y: [1, 2")),
    broken(A, "two-documents", "metadata-malformed", "a second tree behind the first", asdf(more="--- {a: 1}")),
    broken(A, "attribute-escape", "printable-text", "a text that would repaint the terminal", asdf(more='  y: {attributes: {title: "\\e[2J"}}')),
    broken(A, "name-escape", "printable-text", "a name that would repaint the terminal", asdf(more='  "a\\e[2J": {attributes: {}}')),
    broken(A, "name-lines", "printable-text", "a name of several lines", asdf(more='  "a\\n::error::lost": {attributes: {}}')),
    broken(A, "names-case", "distinct-names", "names that are one on other systems", asdf(more="  Y: {attributes: {}}\n  y: {attributes: {}}")),
    broken(A, "cut-10", "damaged", "a file that was cut within its tree", _cut(0.1)),
    broken(A, "tag-of-other-standard", "unsupported", "an ndarray tag that the standard of the file does not have", asdf(ndarray().replace("1.1.0", "1.0.0", 1), block(_SIX))),
    broken(A, "no-byteorder", "metadata-invalid", "values whose byte order is unknown", asdf(ndarray(byteorder=None), block(_SIX))),
    broken(A, "format-9", "unsupported", "a version of the file format to come", _edited(lambda raw: raw.replace(b"#ASDF 1.0.0", b"#ASDF 9.9.9"))),
    broken(A, "standard-99", "unsupported", "a version of the standard to come", _edited(lambda raw: raw.replace(b"STANDARD 1.6.0", b"STANDARD 99.0.0"))),
    broken(A, "index-of-fewer", "container-readings", "a block index that leaves out a block: readers that go by it read another array", _indexed(lambda offsets: offsets[:1])),
    broken(A, "index-swapped", "container-readings", "a block index that swaps two blocks", _indexed(lambda offsets: [offsets[0], offsets[2], offsets[1]])),
    broken(A, "index-in-block", "container-readings", "a block that ends like a block index", asdf(ndarray(datatype="uint8", shape=[24]), block(b"\n#ASDF BLOCK INDEX\n- 5\n#"))),
    broken(A, "bytes-behind", "container-readings", "bytes that belong to no block", _edited(lambda raw: raw + b"PK\3\4")),
    damaged(A, "block-bomb-zlib", "64 MiB of zeros, packed, for 24 bytes declared", asdf(ndarray(), block(zlib.compress(bytes(_BOMB), 9), packing=b"zlib", size=24))),
    damaged(A, "block-bomb-bzp2", "64 MiB of zeros, packed, for 24 bytes declared", asdf(ndarray(), block(bz2.compress(bytes(_BOMB)), packing=b"bzp2", size=24))),
    damaged(A, "block-noise", "a block of noise that says it is packed", asdf(ndarray(), block(bytes(range(99)), packing=b"zlib", size=24))),
    damaged(A, "block-digest", "a block that is not the one that was written", asdf(ndarray(), block(_SIX, digest=b"x" * 16))),
    control(A, "plain", "the archive that all others are made from", asdf()),
    control(A, "array", "one more array", asdf(ndarray(), block(_SIX))),
    control(A, "index", "a block index that is true", _indexed(lambda offsets: offsets)),
    control(A, "zeros-behind", "zeros behind the blocks", _edited(lambda raw: raw + bytes(999))),
    control(A, "inline", "values in the tree", asdf(f"{_TAG} [1, 2, 3]")),
    control(A, "big-endian", "the other byte order", asdf(ndarray(byteorder="big"), block(_SIX))),
    control(A, "fortran-order", "the first index runs fastest", asdf(ndarray(strides=[4, 8]), block(_SIX))),
    control(A, "zlib", "a block that is packed", asdf(ndarray(), block(_ZLIB, packing=b"zlib", size=24))),
    control(A, "bzp2", "a block that is packed otherwise", asdf(ndarray(), block(_BZ2, packing=b"bzp2", size=24))),
    control(A, "shared-block", "two arrays in one block", asdf(ndarray(source=0))),
    control(A, "source-last", "the last block, counted from the end", asdf(ndarray(source=-1), block(_SIX))),
    control(A, "blocks-100000", "100,000 blocks that is not needed", asdf(None, *[block(b"")] * 100_000)),
    control(A, "groups-20000", "20,000 groups", _many),
    control(A, "names-of-scripts", "names in many scripts, in normal form C", asdf(more="\n".join(f"  {name}: {{attributes: {{}}}}" for name in ("größe", "слой", "層", "طبقة")))),
    broken(A, "laughs", "internal-link", "ten lines that would grow to 10^10 texts: lists of aliases, which stay aliases", asdf(more=_laughs())),
    broken(A, "python", "pickle", "a tag that runs a command where a loader that is not safe reads it", tagged(_PYTHON, f"[touch {MARKER}]")),
    broken(A, "python-module", "pickle", "a tag that imports a module", tagged("tag:yaml.org,2002:python/module:antigravity", "{}")),
)  # fmt: skip
