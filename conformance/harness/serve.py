"""This package behind the protocol: what `vizschema conformance serve` runs, and an example of an implementation."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

import vizschema
from vizschema.bounds import Reading
from vizschema.conformance.corpus.identity import identity
from vizschema.conformance.corpus.raw import CONTAINERS
from vizschema.containers.values import dtype_of
from vizschema.description import STORED_AS
from vizschema.errors import NotAnArchive, NotConforming, UsageError, VizschemaError
from vizschema.findings import Finding
from vizschema.reader.arrays import StoredArray
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.validation import read
from vizschema.writer.write import Array, write

Message = dict[str, Any]


class Own:
    """The package as an implementation: a method a command, from the fields of a request to those of the reply."""

    def __init__(self) -> None:
        self._spec = versions.default()

    def hello(self, _: Mapping[str, Any]) -> Message:
        """Who we are, and what we can do."""
        return {
            "name": "vizschema",
            "version": vizschema.__version__,
            "roles": ["validator", "reader", "writer"],
            "containers": [*CONTAINERS, "safetensors"],
            "values": True,
            "judge": True,
            "limits": "minimum",
            "corpus": identity(self._spec.version),
        }

    def spec(self, request: Mapping[str, Any]) -> Message:
        """Whether we have this version, by which everything after is judged."""
        if request["version"] not in versions.versions():
            return {"ok": False}
        self._spec = versions.load(request["version"])
        return {"ok": True}

    def validate(self, request: Mapping[str, Any]) -> Message:
        """The verdict on an archive."""
        profile = self._spec.profile(request["profile"])
        try:
            found = read(request["path"], Reading(jobs=1), self._spec.version, profile, values=request["values"])
        except NotAnArchive:
            return {"verdict": "refused", "findings": []}
        return self.judge({"description": found.description, "profile": request["profile"]})

    def judge(self, request: Mapping[str, Any]) -> Message:
        """The verdict on a description."""
        return verdict_of(judge(request["description"], self._spec.profile(request["profile"])))

    def read(self, request: Mapping[str, Any]) -> Message:
        """Every node of an archive, with the SHA-256 of its values."""
        with vizschema.open(request["path"]) as archive:
            return {"nodes": {path: _contents(archive[path]) for path in archive.paths()}}

    def write(self, request: Mapping[str, Any]) -> Message:
        """Whether the archive was written; false where it would not conform."""
        arrays: dict[str, Array] = {}
        attributes: dict[str, Mapping[str, Any]] = {}
        for path, node in request["nodes"].items():
            if node["kind"] == "group":
                attributes[path] = node["attributes"]
                continue
            if node["axes"] is None or None in node["axes"]:
                return {"written": False}
            dtype = dtype_of(node["dtype"]).newbyteorder("<")
            values = np.frombuffer(Path(node["values"]).read_bytes(), dtype).reshape(node["shape"])
            arrays[path] = Array(values, node["axes"], node["attributes"])
        try:
            write(
                request["path"],
                arrays,
                attributes,
                profile=request["profile"],
                container=request["container"],
                spec=self._spec.version,
            )
        except (NotConforming, UsageError):
            return {"written": False}
        return {"written": True}


def verdict_of(findings: tuple[Finding, ...]) -> Message:
    """The reply that these findings come to."""
    return {
        "verdict": "invalid" if any(finding.severity == "error" for finding in findings) else "valid",
        "findings": [{"rule": finding.rule, "path": finding.path} for finding in findings],
    }


def _contents(node: Any) -> Message:
    if not isinstance(node, StoredArray):
        return {"kind": "group", "attributes": dict(node.attributes)}
    values = np.asarray(node[...])
    dtype = values.dtype.name
    stored = values.view(STORED_AS[dtype]) if dtype in STORED_AS else values
    little = np.ascontiguousarray(stored.astype(stored.dtype.newbyteorder("<"), copy=False))
    return {
        "kind": "array",
        "dtype": dtype,
        "shape": list(node.shape),
        "axes": None if node.axes is None else list(node.axes),
        "attributes": dict(node.attributes),
        "sha256": hashlib.sha256(little.tobytes()).hexdigest(),
    }


def serve(own: Any, requests: IO[str], replies: IO[str]) -> int:
    """0 after every request, one a line, was answered, or after `stop`."""
    for line in requests:
        request = json.loads(line)
        if request["cmd"] == "stop":
            break
        print(json.dumps({"seq": request["seq"], **_answer(own, request)}), file=replies, flush=True)
    return 0


def _answer(own: Any, request: Mapping[str, Any]) -> Message:
    method: Callable[[Mapping[str, Any]], Message] = getattr(own, request["cmd"])
    try:
        return method(request)
    except (VizschemaError, OSError) as error:
        return {"error": str(error)}


def main() -> int:
    """The exit code of this package behind the protocol, on standard input and output."""
    return serve(Own(), sys.stdin, sys.stdout)


if __name__ == "__main__":
    sys.exit(main())
