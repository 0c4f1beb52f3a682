"""A wrong implementation behind the protocol, and the table of all of them."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import vizschema
from vizschema.bounds import Reading
from vizschema.conformance.corpus.raw.nodes import RawNode
from vizschema.conformance.harness.serve import Message, Own
from vizschema.conformance.wrong.careless import CARELESS_READERS, CARELESS_WRITERS
from vizschema.conformance.wrong.decoders import DECODERS
from vizschema.conformance.wrong.judging import JUDGING
from vizschema.conformance.wrong.kinds import Wrong
from vizschema.conformance.wrong.measuring import MEASURING
from vizschema.conformance.wrong.readers import READERS, WRITERS
from vizschema.conformance.wrong.remeasuring import REMEASURING, differing, remeasured
from vizschema.conformance.wrong.validators import VALIDATORS
from vizschema.description import STORED_AS, Description
from vizschema.errors import NotAnArchive, VizschemaError
from vizschema.measure import measured
from vizschema.reader.arrays import StoredArray
from vizschema.rules.judge import faults_of
from vizschema.rules.versions import Profile
from vizschema.rules.wording import place_of

EVERY: Mapping[str, Wrong] = {
    wrong.name: wrong
    for group in (
        VALIDATORS,
        MEASURING,
        JUDGING,
        REMEASURING,
        DECODERS,
        READERS,
        CARELESS_READERS,
        WRITERS,
        CARELESS_WRITERS,
    )
    for wrong in group
}
"""Every wrong implementation by its name."""


def verdict(description: Description, profile: Profile) -> Message:
    """The verdict on a description that may contradict itself, so that no words are made for it."""
    found = [
        (fault.rule, place_of(description, fault.instance, fault.name)) for fault in faults_of(description, profile)
    ]
    return {
        "verdict": "invalid" if any(rule.severity == "error" for rule, _ in found) else "valid",
        "findings": [{"rule": rule.id, "path": path} for rule, path in found],
    }


class Implementation(Own):  # type: ignore[misc]
    """This package with the fault of `wrong`, which changes a copy of the archive where it has to."""

    def __init__(self, wrong: Wrong) -> None:
        super().__init__()
        self.wrong = wrong

    def hello(self, request: Mapping[str, Any]) -> Message:
        """Who it is, with its fault."""
        return {**super().hello(request), "name": f"vizschema, but {self.wrong.fault}"}

    def validate(self, request: Mapping[str, Any]) -> Message:
        """The verdict on an archive, by what was measured wrongly."""
        with self._changed(Path(request["path"])) as path:
            return self._validated(path, request)

    @contextmanager
    def _changed(self, source: Path) -> Iterator[Path]:
        """The archive, or where the fault changes it, a copy with the fault."""
        if self.wrong.archive is None:
            yield source
            return
        with tempfile.TemporaryDirectory(prefix="vizschema-wrong-") as folder:
            copy = Path(folder) / source.name
            shutil.copytree(source, copy, symlinks=True) if source.is_dir() else shutil.copy(source, copy)
            self.wrong.archive(copy)
            yield copy

    def _validated(self, path: Path, request: Mapping[str, Any]) -> Message:
        profile = self._spec.profile(request["profile"])
        try:
            with measured(path, Reading(jobs=1)) as archive:
                read = archive.with_values(profile.facts) if request["values"] else archive.description
            if self.wrong.facts is not None and request["values"]:
                read = remeasured(read, differing(self.wrong, readable(path), profile.facts))
        except NotAnArchive:
            reply: Message = {"verdict": "refused", "findings": []}
            return reply if self.wrong.findings is None else self.wrong.findings(reply)
        return self.judge({"description": read, "profile": request["profile"]})

    def judge(self, request: Mapping[str, Any]) -> Message:
        """The verdict on a description, with the fault."""
        description: Description = request["description"]
        if self.wrong.description is not None:
            description = self.wrong.description(description)
        reply = verdict(description, self._spec.profile(request["profile"]))
        return reply if self.wrong.findings is None else self.wrong.findings(reply)

    def read(self, request: Mapping[str, Any]) -> Message:
        """Every node of an archive, with the fault."""
        if self.wrong.archive is not None or self.wrong.nodes is None:
            with self._changed(Path(request["path"])) as path:
                return super().read({**request, "path": str(path)})
        from vizschema.conformance.harness.roles import contents_of

        with vizschema.open(request["path"]) as archive:
            nodes = {path: _raw(archive[path]) for path in archive.paths()}
        changed = self.wrong.nodes(nodes)
        return {"nodes": json.loads(json.dumps({path: contents_of(node) for path, node in changed.items()}))}

    def write(self, request: Mapping[str, Any]) -> Message:
        """Whether the archive was written, with the fault."""
        if self.wrong.written is not None:
            return {"written": self.wrong.written}
        if self.wrong.nodes is None:
            return super().write(request)
        nodes = {}
        with tempfile.TemporaryDirectory(prefix="vizschema-wrong-") as folder:
            given = {path: _given(node) for path, node in request["nodes"].items()}
            for number, (path, node) in enumerate(self.wrong.nodes(given).items()):
                nodes[path] = {"kind": "group", "attributes": dict(node.attributes)}
                if node.values is not None:
                    file = Path(folder) / str(number)
                    file.write_bytes(node.stored.tobytes())
                    told = {"dtype": node.dtype, "shape": list(node.values.shape), "axes": node.axes}
                    nodes[path] |= {"kind": "array", **told, "values": str(file)}
            return super().write({**request, "nodes": nodes})


def readable(path: Path) -> dict[str, RawNode]:
    """The nodes of an archive whose values can be read, by path."""
    found = {}
    with vizschema.open(path) as archive:
        for place in archive.paths():
            try:
                found[place] = _raw(archive[place])
            except VizschemaError:
                continue  # damaged, or more than the reader knows: its facts stay as they are
    return found


def _raw(node: Any) -> RawNode:
    if not isinstance(node, StoredArray):
        return RawNode(dict(node.attributes))
    values = np.asarray(node[...])
    chunks = node.chunks or () if hasattr(node, "chunks") else ()
    return RawNode(dict(node.attributes), values, values.dtype.name, node.axes, chunks)


def _given(node: Mapping[str, Any]) -> RawNode:
    if node["kind"] == "group":
        return RawNode(node["attributes"])
    from vizschema.containers.values import dtype_of

    dtype = dtype_of(node["dtype"])
    stored = np.frombuffer(Path(node["values"]).read_bytes(), np.dtype(STORED_AS.get(node["dtype"], dtype)))
    values = stored.reshape(node["shape"])
    return RawNode(
        node["attributes"], values.view(dtype) if node["dtype"] in STORED_AS else values, node["dtype"], node["axes"]
    )
