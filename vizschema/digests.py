"""The logical digest of an archive: one line of text that is the same in every container and chunking.

`spec/1.0.0/digest.md` defines it to the byte. Here: who has one, the text of a node, the hash over all nodes,
and the reading of an archive for it. The hash of an array's values is in `hashing`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from vizschema.bounds import MEMORY, Begin, Bounds, Reading
from vizschema.canonical import canonical
from vizschema.description import ITEM_BYTES, Description, Node
from vizschema.errors import Damaged, NoDigest, UsageError
from vizschema.findings import Finding, Report
from vizschema.measure import measured
from vizschema.scan.facts import HASH
from vizschema.scan.hashing.tree import hash_of
from vizschema.text import escape_text, shorten

PREFIX = "vz1:blake3:"
"""The version of the definition and the hash function: what a digest begins with."""

VALUES_PREFIX = "vz1-values:blake3:"
"""What a digest of the arrays without any attribute begins with."""

ENTRY: Mapping[str, Any] = {"at": "^/", "measure": [HASH]}
"""What asks a scan for all that a digest needs, beside the description."""

_DIGEST = re.compile(f"{PREFIX}[0-9a-f]{{64}}")


def digest(
    path: str | os.PathLike[str],
    *,
    values_only: bool = False,
    jobs: int | None = None,
    memory: int = MEMORY,
    progress: Begin | None = None,
    isolated: bool = False,
    bounds: Bounds | None = None,
    dask: str | None = None,
) -> str:
    """Compute the digest of an archive, which is the same in every container; reads all values.

    Parameters:
        path: A file, a folder or a URL.
        values_only: Leave out groups and attributes: the digest of the arrays' paths, dtypes, shapes, axes and values.
        jobs: Threads that read values (None: one per CPU that this process may use).
        memory: Maximum bytes of decoded values in memory.
        progress: Called with the number of bytes to read; returns a function that is called with every number of
            bytes that was read.
        isolated: Read the archive in a sandboxed process, for untrusted archives.
        bounds: Limits on that process (None: the defaults, with `memory`).
        dask: Address of a Dask cluster that reads the values, or `local` for `jobs` processes of this machine (the
            extra `dask`).

    Returns:
        `vz1:blake3:` and 64 hexadecimal digits; with `values_only`, `vz1-values:blake3:` and as many.

    Raises:
        NotAnArchive: The path cannot be read as an archive (`Damaged`: a chunk of it).
        NoDigest: A node is damaged or not portable.

    Examples:
        >>> vizschema.digest("run.zarr")
        'vz1:blake3:...'
        >>> vizschema.digest("run.zarr", values_only=True)
        'vz1-values:blake3:...'
    """

    reading = Reading(jobs, bounds or Bounds(memory=memory), isolated, dask, progress)
    return digest_by(path, reading, values_only=values_only)


def digest_by(path: str | os.PathLike[str], reading: Reading, *, values_only: bool = False) -> str:
    """Return the digest as `digest` does, of an archive that is read by `reading`."""
    with measured(path, reading) as archive:
        require_portable(archive.description, values_only=values_only)  # before anything is read
        description = archive.with_values([ENTRY])
    if description["values"] == "partial":
        raise KeyboardInterrupt  # a scan ends with what it has; there is no part of a digest
    return values_digest_of(description) if values_only else digest_of(description)


def digest_of(description: Description) -> str:
    """The digest of an archive with this description, whose arrays have `values_hash`; raises `NoDigest`, `Damaged`."""
    require_portable(description)
    hashes = [node_hash(path, node) for path, node in description["nodes"].items()]
    return PREFIX + hash_of(b"".join(sorted(hashes))).hex()


def values_digest_of(description: Description) -> str:
    """The digest of the arrays alone, without any attribute; raises as `digest_of` does."""
    require_portable(description, values_only=True)
    arrays = {path: node for path, node in description["nodes"].items() if node["kind"] == "array"}
    hashes = [hash_of(canonical(_array(path, node))) for path, node in arrays.items()]
    return VALUES_PREFIX + hash_of(b"".join(sorted(hashes))).hex()


def node_hash(path: str, node: Node) -> bytes:
    """The hash of one node; raises `NoDigest`, and `Damaged` for an array of which a chunk could not be read."""
    told = _array(path, node) if node["kind"] == "array" else {"path": path, "kind": node["kind"]}
    return hash_of(canonical({**told, "attributes": node["attributes"]}))


def _array(path: str, node: Node) -> dict[str, Any]:
    """What counts of an array, but for its attributes."""
    kept = {key: node[key] for key in ("kind", "dtype", "shape", "axes")}
    return {"path": path, **kept, "values": _values(path, node)}


def require_portable(description: Description, *, values_only: bool = False) -> None:
    """Raise `NoDigest` unless every container can store all nodes, or their values alone, in the same way."""
    nodes = description["nodes"]
    faults = [(path, words) for path, node in nodes.items() for words in _faults(node, values_only=values_only)]
    if faults:
        raise NoDigest(faults, "Fix what `validate` reports")


def has_digest(description: Description) -> bool:
    """Whether the archive has a digest, as far as can be seen before its values are read."""
    return not any(True for node in description["nodes"].values() for _ in _faults(node))


def require_digest(text: str | None, *, values: bool) -> None:
    """Raise `UsageError` unless `text` is a vizschema digest and values are read."""
    if text is not None and not _DIGEST.fullmatch(text):
        raise UsageError(
            expected=f"a digest as `vizschema digest` prints it, {PREFIX} and 64 hexadecimal digits",
            found=repr(shorten(escape_text(text))),
        )
    if not values:
        raise UsageError("a digest needs all values; remove --no-values (values=False)")


def with_digest(report: Report, description: Description, expected: str | None) -> Report:
    """`report` with the digest of what it is about; without one, with a note that says why.

    Where the digest is not the `expected` one, with a finding `expected-digest`.
    """
    found, why = None, ""
    try:
        found = digest_of(description)
    except (NoDigest, Damaged) as error:
        why = str(error)
    if expected is None or found == expected:
        return replace(report, digest=found, notes=(*report.notes, why) if why else report.notes)
    finding = Finding(
        "expected-digest",
        "error",
        "/",
        "",
        f"the digest {expected}",
        found or f"none: {why}",
        "The archive has the digest that was asked for.",
        "compare both archives node by node; where this one is right, ask for its digest.",
    )
    return replace(report, digest=found, findings=(*report.findings, finding))


def _values(path: str, node: Node) -> str:
    facts = node.get("facts", {})
    damaged = facts.get("damaged_chunks", ())
    if damaged:
        raise Damaged(path, **damaged[0])
    found = facts.get(HASH)
    if found is None:
        raise NoDigest([(path, "not all of its values were read")])
    return str(found)


def _faults(node: Node, *, values_only: bool = False) -> Iterator[str]:
    if node["kind"] not in ("group", "array"):
        yield f"expected a group or an array, found {node['kind']} ({node['reason']})"
        return
    escaped = [place for place in node.get("escaped", ()) if not (values_only and place.startswith("attributes/"))]
    if escaped:
        yield f"expected printable names and texts, found something escaped in {', '.join(escaped)}"
    if node["kind"] == "array" and node["dtype"] not in ITEM_BYTES:
        yield f"expected numbers, found {node['dtype']}"
    for key, kind in () if values_only else node.get("unsupported", {}).items():
        yield f"attribute {escape_text(key)}: expected a JSON value, found {kind}"
