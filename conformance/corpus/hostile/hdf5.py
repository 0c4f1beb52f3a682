"""HDF5 that is hostile, damaged or odd: links, layouts, types, filters, attributes, sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t

from vizschema.conformance.corpus.hostile.case import ATTRIBUTES, MARKER, Build, Case, broken, control, damaged, refused
from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped

H = "hdf5"
Change = Callable[[Any], object]
_MANY = 100_000


def write(folder: Path, *changes: Change, **options: Any) -> Path:
    """The harmless archive with these changes of the open file."""
    path = folder / "archive.h5"
    with h5py.File(path, "w", **options) as file:
        for place, attributes in ATTRIBUTES.items():
            file.require_group(place).attrs.update(attributes)
        layer = file["activations"].create_dataset("layer_00", data=np.arange(6, dtype=np.float32).reshape(2, 3))
        layer.dims[0].label, layer.dims[1].label = "token", "hidden"
        for change in changes:
            change(file)
    return path


def h5(*changes: Change, **options: Any) -> Build:
    """Builds the archive with these changes."""
    return lambda folder: write(folder, *changes, **options)


def data(**options: Any) -> Change:
    """Puts a dataset at `/extra/x`."""
    return lambda file: file.create_dataset("extra/x", **options)


def typed(dtype: Any, *values: Any) -> Change:
    """Puts a dataset of this type at `/extra/x`."""
    return lambda file: file.create_dataset("extra/x", (max(len(values), 1),), dtype, data=list(values) or None)


def attribute(name: str, value: Any, **options: Any) -> Change:
    """Puts an attribute on `/extra`."""
    return lambda file: file["extra"].attrs.create(name, value, **options)


def link(name: str, target: Any) -> Change:
    """Puts a link, or whatever else `target` is, at `name`."""
    return lambda file: file.__setitem__(name, target)


def _external_storage(file: Any) -> None:
    Path(file.filename).with_name("outside.bin").write_bytes(bytes(16))
    file.create_dataset("extra/x", (4,), "i4", external=[("outside.bin", 0, 16)])


def _passwd_storage(file: Any) -> None:
    file.create_dataset("extra/x", (64,), "u1", external=[("/etc/passwd", 0, 64)])


def _endless_storage(file: Any) -> None:
    file.create_dataset("extra/x", (1 << 20,), "u1", external=[("/dev/zero", 0, 1 << 20)])


def _dense_attributes(file: Any) -> None:
    owner = file["extra"].id
    for number in range(_MANY):
        h5a.create(owner, b"a%d" % number, h5t.STD_I8LE, h5s.create(h5s.SCALAR))


def _huge_attribute(file: Any) -> None:
    h5a.create(file["extra"].id, b"x", h5t.IEEE_F64LE, h5s.create_simple((1 << 27,)))


def _deep_type(levels: int) -> Change:
    def change(file: Any) -> None:
        kind = h5t.STD_I32LE
        for _ in range(levels):
            outer = h5t.create(h5t.COMPOUND, kind.get_size())
            outer.insert(b"a", 0, kind)
            kind = outer
        h5d.create(file["extra"].id, b"x", kind, h5s.create_simple((1,)), untimed())

    return change


def _odd_types(file: Any) -> None:
    seven = h5t.STD_I32LE.copy()
    seven.set_precision(7)
    lists = h5t.vlen_create(h5t.vlen_create(h5t.STD_I32LE))
    table = h5t.array_create(h5t.IEEE_F32LE, (3, 3))
    for number, kind in enumerate((h5t.STD_B32LE, h5t.UNIX_D32LE, seven, lists, table)):
        h5d.create(file["extra"].id, b"x%d" % number, kind, h5s.create_simple((4,)), untimed())


def _virtual(source: str) -> Change:
    def change(file: Any) -> None:
        creation, space = untimed(), h5s.create_simple((2, 3))
        creation.set_virtual(space, source.encode(), b"/activations/layer_00", h5s.create_simple((2, 3)))
        h5d.create(file["extra"].id, b"x", h5t.IEEE_F32LE, space, creation)

    return change


def _filtered(number: int, *, optional: bool = False) -> Change:
    """A dataset with a filter that is not there, whose chunk was written raw."""

    def change(file: Any) -> None:
        creation = untimed()
        creation.set_chunk((4,))
        creation.set_filter(number, h5py.h5z.FLAG_OPTIONAL if not optional else 1, (1, 2, 3))
        dataset = h5d.create(file["extra"].id, b"x", h5t.STD_I32LE, h5s.create_simple((4,)), creation)
        dataset.write_direct_chunk((0,), bytes(16))

    return change


def _raw_chunk(raw: bytes, mask: int = 0) -> Change:
    """A dataset of 24 bytes, deflated, whose chunk holds these bytes."""

    def change(file: Any) -> None:
        dataset = file.create_dataset("extra/x", (2, 3), "f4", chunks=(2, 3), compression="gzip")
        dataset.id.write_direct_chunk((0, 0), raw, mask)

    return change


def _bomb() -> bytes:
    import zlib

    return zlib.compress(bytes(64 << 20), 9)


def _sized(shape: tuple[int, ...], chunks: tuple[int, ...] | None = None, dtype: str = "f4") -> Change:
    return lambda file: file.create_dataset("extra/x", shape, dtype, chunks=chunks)


def _cycle(file: Any) -> None:
    file["extra/x"] = file["extra"]
    file["extra/root"] = file["/"]


def _soft_cycle(file: Any) -> None:
    file["extra/x"] = h5py.SoftLink("/extra/y")
    file["extra/y"] = h5py.SoftLink("/extra/x")


def _deep(levels: int) -> Change:
    def change(file: Any) -> None:
        group = file["extra"]
        for _ in range(levels - 1):
            group = group.create_group("x")
        group.create_dataset("x", data=1)

    return change


def _many_nodes(file: Any) -> None:
    parent, creation = file["extra"].id, untimed(h5p.GROUP_CREATE)
    for number in range(_MANY):
        h5g.create(parent, b"x%d" % number, None, creation)


def _many_links(file: Any) -> None:
    parent = file["extra"].id
    for number in range(_MANY // 5):
        parent.links.create_soft(b"x%d" % number, b"/nothing")


def _many_attributes(file: Any) -> None:
    for number in range(5000):
        file["extra"].attrs[f"a{number}"] = number


def untimed(kind: Any = h5p.DATASET_CREATE) -> Any:
    """Properties of a dataset or group without the time of its making: the same bytes every time."""
    creation = h5p.create(kind)
    creation.set_obj_track_times(False)
    return creation


def _named(*names: bytes) -> Change:
    def change(file: Any) -> None:
        for name in names:
            group = h5g.create(file["extra"].id, name, None, untimed(h5p.GROUP_CREATE))
            h5d.create(group, b"x", h5t.NATIVE_INT8, h5s.create(h5s.SCALAR), untimed())

    return change


def _reference(kind: str) -> Change:
    def change(file: Any) -> None:
        layer = file["activations/layer_00"]
        value = layer.regionref[:] if kind == "region" else layer.ref
        dtype = h5py.regionref_dtype if kind == "region" else h5py.ref_dtype
        file["extra"].attrs.create("pointer", value, dtype=dtype)

    return change


def _references(file: Any) -> None:
    dataset = file.create_dataset("extra/x", (1,), h5py.ref_dtype)
    dataset[0] = file["activations"].ref


def _null(file: Any) -> None:
    file["extra/x"] = h5py.Empty("f4")


def _pickled(folder: Path) -> Path:
    """A pickle as opaque bytes, which some readers load."""
    import pickle

    from vizschema.conformance.corpus.hostile.case import Payload

    return write(folder, attribute("state", np.void(pickle.dumps(Payload()))))


def _plugin(folder: Path) -> Path:
    """A filter whose plug-in lies beside the archive, where HDF5 would look if it were told to."""
    (folder / "libh5mystery.so").write_bytes(b"\x7fELF" + MARKER.encode())
    return write(folder, _filtered(306))


def cut(share: float) -> Build:
    """Builds the archive without its end."""

    def build(folder: Path) -> Path:
        path = write(folder)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])
        return path

    return build


def flipped(find: bytes, offset: int, *values: int, libver: str = "earliest") -> Build:
    """Builds the archive with bytes changed, `offset` bytes after the first place where `find` stands."""

    def build(folder: Path) -> Path:
        path = write(folder, attribute("text", "x" * 40), libver=libver)
        raw = bytearray(path.read_bytes())
        at = raw.index(find) + offset
        raw[at : at + len(values)] = bytes(values)
        path.write_bytes(raw)
        return path

    return build


def _followed(folder: Path, behind: bytes) -> Path:
    path = write(folder)
    path.write_bytes(path.read_bytes() + behind)
    return path


def _prefixed(folder: Path, prefix: bytes = b"#!/bin/sh\ntouch executed\n") -> Path:
    path = write(folder, userblock_size=512)
    with path.open("r+b") as file:
        file.write(prefix)
    return path


def _signature_only(folder: Path) -> Path:
    (folder / "archive.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    return folder / "archive.h5"


CASES: tuple[Case, ...] = (
    broken(H, "external-link", "external-link", "a link into another file", h5(link("extra/x", h5py.ExternalLink("outside.h5", "/x")))),
    broken(H, "external-link-passwd", "external-link", "a link into a file of the system", h5(link("extra/x", h5py.ExternalLink("/etc/passwd", "/")))),
    broken(H, "external-link-self", "external-link", "a link into itself, as if it were another file", h5(link("extra/x", h5py.ExternalLink("archive.h5", "/")))),
    broken(H, "soft-link", "internal-link", "an alias", h5(link("extra/x", h5py.SoftLink("/activations")))),
    broken(H, "soft-link-dangling", "internal-link", "an alias of nothing", h5(link("extra/x", h5py.SoftLink("/nothing")))),
    broken(H, "soft-cycle", "internal-link", "two aliases of each other", h5(_soft_cycle)),
    broken(H, "hard-cycle", "internal-link", "a group within itself: a tree without end", h5(_cycle)),
    broken(H, "hard-link", "internal-link", "one array under two names", h5(lambda file: link("extra/x", file["activations/layer_00"])(file))),
    broken(H, "many-links", "internal-link", "20,000 links", h5(_many_links, libver="latest")),
    broken(H, "external-storage", "external-storage", "values in a file beside", h5(_external_storage)),
    broken(H, "external-storage-passwd", "external-storage", "values in a file of the system", h5(_passwd_storage)),
    broken(H, "external-storage-device", "external-storage", "values in a device without end", h5(_endless_storage)),
    broken(H, "virtual", "virtual-dataset", "values assembled from another file", h5(_virtual("outside.h5"), libver="latest")),
    broken(H, "virtual-self", "virtual-dataset", "values assembled from this file", h5(_virtual("."), libver="latest")),
    broken(H, "filter-unknown", "portable-codec", "an unknown filter", h5(_filtered(32768))),
    broken(H, "filter-plugin", "portable-codec", "a filter whose plug-in lies beside the archive", _plugin),
    broken(H, "named-type", "named-type", "a committed datatype", h5(lambda file: link("extra/x", np.dtype("f8"))(file))),
    broken(H, "compound", "portable-dtype", "records", h5(typed(np.dtype([("a", "f4"), ("b", "i4")])))),
    broken(H, "compound-deep", "portable-dtype", "records within records, 500 levels deep", h5(_deep_type(500), libver="latest")),
    broken(H, "types-odd", "portable-dtype", "bits, times, numbers of seven bits, lists of lists", h5(_odd_types, libver="latest")),
    broken(H, "references", "portable-dtype", "references to other nodes", h5(_references)),
    broken(H, "variable-length", "portable-dtype", "lists of different lengths, in the heap", h5(typed(h5py.vlen_dtype("f4")))),
    broken(H, "texts", "portable-dtype", "texts of different lengths, in the heap", h5(typed(h5py.string_dtype(), "a", "b"))),
    broken(H, "opaque", "portable-dtype", "bytes without a meaning", h5(typed(np.dtype("V16")))),
    broken(H, "enumeration", "portable-dtype", "named numbers", h5(typed(h5py.enum_dtype({"a": 0, "b": 1})))),
    broken(H, "array-type", "portable-dtype", "arrays within an array", h5(typed(np.dtype("(3,)f4")))),
    broken(H, "null", "unsupported", "a dataset that can hold no value", h5(_null)),
    broken(H, "shape-2-62", "metadata-invalid", "2^62 entries of four bytes", h5(_sized((1 << 62,), (1 << 10,)))),
    broken(H, "chunks-2-40", "over-limit", "2^40 chunks that were never written: a loop that never ends", h5(_sized((1 << 40,), (1,), "i1"))),
    broken(H, "chunk-1-gib", "chunk-maximum", "one chunk of 1 GiB that was never written", h5(_sized((1 << 28,), (1 << 28,)))),
    broken(H, "attribute-reference", "portable-attribute", "an attribute that points", h5(_reference("object"))),
    broken(H, "attribute-region", "portable-attribute", "an attribute that points to a part", h5(_reference("region"))),
    broken(H, "attribute-pickle", "portable-attribute", "a pickle in an attribute", _pickled),
    broken(H, "attribute-table", "portable-attribute", "an attribute of two dimensions", h5(attribute("x", np.zeros((2, 2))))),
    broken(H, "attribute-2-mib", "portable-attribute", "an attribute of 2 MiB", h5(attribute("x", np.zeros(1 << 18)), libver="latest")),
    broken(H, "attribute-nan", "portable-attribute", "an attribute that is not a number", h5(attribute("x", float("nan")))),
    broken(H, "attributes-5000", "over-limit", "5,000 attributes, each of which is looked for among all", h5(_many_attributes, libver="latest")),
    broken(H, "attributes-100000", "over-limit", "100,000 attributes in a tree of their own", h5(_dense_attributes, libver="latest")),
    broken(H, "attribute-1-gib", "damaged", "an attribute that declares 1 GiB", h5(_huge_attribute, libver="latest")),
    broken(H, "attribute-texts", "portable-attribute", "100,000 texts in one attribute, each in the heap", h5(attribute("x", np.array(["x" * 20] * _MANY, h5py.string_dtype())), libver="latest")),
    broken(H, "attribute-escape", "printable-text", "a text that would repaint the terminal", h5(attribute("title", "\x1b[2J\x1b]0;x\x07"))),
    broken(H, "attribute-no-text", "printable-text", "a text that is not UTF-8", h5(attribute("title", np.bytes_(b"\xff\xfe")))),
    broken(H, "attribute-null-inside", "printable-text", "a text with a zero in it", h5(attribute("title", np.array(b"a\0b", "S4")))),
    broken(H, "name-escape", "printable-text", "a name that would repaint the terminal", h5(_named(b"a\x1b[2Jb"))),
    broken(H, "name-lines", "printable-text", "a name of several lines", h5(_named(b"a\n::error::all is lost"))),
    broken(H, "name-override", "printable-text", "a name that is shown from right to left", h5(_named("a\u202eb".encode()))),
    broken(H, "name-no-text", "printable-text", "a name that is not UTF-8", h5(_named(b"a\xff"))),
    broken(H, "name-dots", "metadata-invalid", "a name that leads out of the archive where it is taken for a path", h5(_named(b".."))),
    broken(H, "names-case", "distinct-names", "names that are one on other systems", h5(_named(b"Layer", b"layer"))),
    broken(H, "names-normal-form", "distinct-names", "names that differ in normal form only", h5(_named("é".encode(), "e\u0301".encode()))),
    broken(H, "name-60000", "over-limit", "a group whose name has 60,000 characters", h5(_named(b"n" * 60_000), libver="latest")),
    broken(H, "deep-tree", "over-limit", "groups a hundred levels deep", h5(_deep(100))),
    refused(H, "signature-only", "eight bytes that promise a file", _signature_only),
    *(refused(H, f"cut-{int(share * 100)}", "a copy that was interrupted", cut(share)) for share in (0.05, 0.5, 0.99)),
    refused(H, "superblock-version", "a superblock of a version to come", flipped(b"\x89HDF", 8, 99)),
    refused(H, "superblock-offsets", "addresses of 255 bytes", flipped(b"\x89HDF", 13, 255)),
    refused(H, "superblock-end", "a file that says it ends elsewhere", flipped(b"\x89HDF", 40, 255, 255, 255, 255, 255, 255, 255, 127)),
    refused(H, "root-address", "a root beyond the end of the file", flipped(b"\x89HDF", 64, 0, 0, 0, 0, 255)),
    broken(H, "heap-signature", "damaged", "an invalid heap of names", flipped(b"HEAP", 0, 0, 0)),
    broken(H, "tree-signature", "damaged", "an invalid tree of members", flipped(b"TREE", 0, 0, 0)),
    broken(H, "nodes-signature", "damaged", "an invalid list of members", flipped(b"SNOD", 0, 0, 0)),
    broken(H, "header-checksum", "damaged", "an object header whose checksum is wrong", flipped(b"OHDR", 40, 255, 255, libver="latest")),
    damaged(H, "chunk-noise", "a chunk of noise", h5(_raw_chunk(bytes(range(99))))),
    damaged(H, "chunk-bomb", "64 MiB of zeros, compressed, for 24 bytes declared", h5(_raw_chunk(_bomb()))),
    damaged(H, "chunk-empty", "a chunk of one byte", h5(_raw_chunk(b"x"))),
    damaged(H, "chunk-mask-short", "a chunk that skips its filters, and is too short", h5(_raw_chunk(b"x" * 9, 1))),
    damaged(H, "chunk-mask-long", "a chunk that skips its filters, and is too long", h5(_raw_chunk(b"x" * 99, 1))),
    control(H, "plain", "the archive that all others are made from", h5()),
    control(H, "plain-latest", "the newest format of the file", h5(libver="latest")),
    control(H, "nodes-100000", "100,000 groups", h5(_many_nodes, libver="latest")),
    control(H, "comment", "a comment that is not shown", h5(lambda file: h5py.h5o.set_comment(file["extra"].id, b"\x1b[2J"))),
    broken(H, "user-block-zip", "container-readings", "a user block that begins like a zip file", lambda folder: _prefixed(folder, b"PK\3\4")),
    broken(H, "user-block", "container-readings", "a user block in front, with a script in it", _prefixed),
    broken(H, "zip-behind", "container-readings", "a zip file behind the end that the superblock declares", lambda folder: _followed(folder, zipped([Entry("x.npy", b"")]))),
    control(H, "user-block-text", "a user block of text, as MATLAB writes it", lambda folder: _prefixed(folder, b"MATLAB 7.3 MAT-file")),
    control(H, "zeros-behind", "zeros behind the end that the superblock declares", lambda folder: _followed(folder, bytes(999))),
    control(H, "big-endian", "the other byte order", h5(data(data=np.arange(6, dtype=">f8")))),
    control(H, "never-written", "a dataset without one chunk", h5(data(shape=(100, 100), dtype="f4", chunks=(10, 10)))),
    control(H, "size-zero", "a dataset without values", h5(data(shape=(0, 3), dtype="f4", chunks=(1, 3), maxshape=(None, 3)))),
    control(H, "resizable", "a dataset that may grow without end", h5(data(shape=(2, 3), dtype="f4", maxshape=(None, None)))),
    control(H, "scalar", "a dataset without dimensions", h5(data(data=1.5))),
    control(H, "compact", "values within the header", h5(data(data=np.arange(4), track_order=True))),
    control(H, "fill-value", "a fill value other than 0", h5(data(shape=(4,), dtype="i4", fillvalue=-1))),
    control(H, "filters", "shuffled, deflated, with checksums", h5(data(data=np.arange(100), chunks=(10,), shuffle=True, compression="gzip", fletcher32=True))),
    control(H, "booleans", "booleans, which HDF5 keeps as an enumeration", h5(data(data=np.array([True, False])))),
    control(H, "complex", "complex numbers, which HDF5 keeps as records", h5(data(data=np.array([1 + 2j])))),
    control(H, "sixty-deep", "sixty levels of groups", h5(_deep(60))),
    control(H, "names-of-scripts", "names in many scripts, in normal form C", h5(_named("größe".encode(), "слой".encode(), "層".encode(), "طبقة".encode()))),
    control(H, "names-odd", "spaces, quotes, dots, a long name", h5(_named(b"a b", b"it's \"so\"", b"...", b"-rf", b"x" * 200))),
    control(H, "attributes-odd", "texts of fixed length, lists, numbers at the edge", h5(attribute("a", np.bytes_(b"abc")), attribute("b", np.arange(9)), attribute("c", 2**63, dtype="u8"), attribute("d", ["a", "é", ""]))),
    control(H, "order-tracked", "members in the order of their making", h5(data(data=np.arange(3)), track_order=True)),
)  # fmt: skip
