"""What vizschema itself says of an archive: its rules, its description, and the values that `open` gives."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

import vizschema
from vizschema.bounds import Reading
from vizschema.conformance.oracle.readers.__main__ import bound
from vizschema.conformance.oracle.readers.common import LARGEST, Node, refusal, sha256
from vizschema.errors import VizschemaError
from vizschema.rules.verdict import report_of
from vizschema.validation import read

READING = frozenset(
    (
        *("metadata-missing", "metadata-malformed", "metadata-invalid", "metadata-conflict", "over-limit", "damaged"),
        *("crashed", "unsupported", "external-link", "internal-link", "external-storage", "virtual-dataset"),
        *(
            "named-type",
            "pickle",
            "special-file",
            "chunk-keys",
            "chunk-readable",
            "container-readings",
            "distinct-names",
        ),
        *("portable-attribute", "portable-codec", "portable-dtype", "printable-text"),
    )
)
"""The rules about reading: an archive that breaks one of them is not compared."""


def account(path: str) -> dict[str, Any]:
    """The rules that an archive breaks, and where it can be compared its container, its nodes and their codecs."""
    description, chosen, _ = read(path, Reading(jobs=1))
    report = report_of(description, path, chosen)
    nodes = description["nodes"]
    broken = sorted({finding.rule for finding in report.errors})
    if report.error is not None:
        return {"broken": ["error"], "why": str(report.error)}
    if READING.intersection(broken) or any("damaged" in node.get("axes_detail", "") for node in nodes.values()):
        return {"broken": broken}
    return {"broken": broken, "container": description["container"], **_read(path, nodes)}


def _read(path: str, described: Mapping[str, Node]) -> dict[str, Any]:
    with vizschema.open(path) as archive:
        nodes = {place: _node(archive, place, node) for place, node in described.items()}
    codecs = {place: node["storage"]["codecs"] for place, node in described.items() if node.get("storage")}
    return {"nodes": nodes, "codecs": codecs}


def _node(archive: Any, path: str, described: Node) -> Node:
    node = {name: described[name] for name in ("kind", "attributes", "dtype", "shape") if name in described}
    if described["kind"] != "array":
        return node
    if "axes_detail" not in described:
        node["axes"] = described["axes"]
    if described["bytes"] > LARGEST:
        return node
    try:
        node["sha256"] = sha256(np.asarray(archive[path][...]))
    except Exception as error:  # noqa: BLE001  (conforming, and not opened: a difference within vizschema)
        node["refused"] = refusal(error)
    return node


def main() -> None:
    """Answer requests as the readers do, of which this is one."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    bound()
    warnings.simplefilter("ignore")
    print(json.dumps({"version": vizschema.__version__}), file=replies, flush=True)
    for line in sys.stdin:
        try:
            reply = account(json.loads(line)["path"])
        except VizschemaError as error:
            reply = {"broken": ["refused"], "why": str(error)}
        except Exception as error:  # noqa: BLE001  (a bug of vizschema, shown as one)
            reply = {"broken": ["bug"], "why": refusal(error)}
        print(json.dumps(reply), file=replies, flush=True)
