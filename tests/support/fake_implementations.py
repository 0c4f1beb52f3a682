"""Tiny wrong implementations: this package with one thing broken. Run as a program, they speak the protocol."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vizschema import Array, open, write
from vizschema.conformance.harness.serve import Own, serve


class AlwaysValid(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"verdict": "valid", "findings": []}

    judge = validate


class AlwaysInvalid(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"verdict": "invalid", "findings": []}

    judge = validate


class WrongRule(Own):
    """Right about the verdict, and blames one rule for everything."""

    def _blamed(self, reply: dict[str, Any]) -> dict[str, Any]:
        return {**reply, "findings": [{"rule": "generator"} for _ in reply["findings"][:1]]}

    def validate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._blamed(super().validate(request))

    def judge(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._blamed(super().judge(request))


class NoWarnings(Own):
    """Reports errors only."""

    def validate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        reply = super().validate(request)
        return reply if reply["verdict"] == "invalid" else {**reply, "findings": []}


class WrongPlace(Own):
    """Finds everything at the root."""

    def validate(self, request: Mapping[str, Any]) -> dict[str, Any]:
        reply = super().validate(request)
        return {**reply, "findings": [{**finding, "path": "/"} for finding in reply["findings"]]}


class _Altered(Own):
    """A reader that changes the values of every array."""

    def altered(self, values: Any) -> Any:
        raise NotImplementedError

    def read(self, request: Mapping[str, Any]) -> dict[str, Any]:
        reply = super().read(request)
        with open(request["path"]) as archive:
            for path, node in reply["nodes"].items():
                if node["kind"] == "array" and node["dtype"] != "bfloat16":
                    values = np.ascontiguousarray(self.altered(np.asarray(archive[path][...])))
                    node["shape"] = list(values.shape)
                    node["sha256"] = hashlib.sha256(values.tobytes()).hexdigest()
        return reply


class HeadsLast(_Altered):
    def altered(self, values: Any) -> Any:
        return np.moveaxis(values, 1, -1) if values.ndim == 4 else values


class DropsMinusZero(_Altered):
    def altered(self, values: Any) -> Any:
        return values + 0.0 if values.dtype.kind == "f" else values


class Int64ThroughFloat(_Altered):
    def altered(self, values: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return values.astype("f8").astype(values.dtype) if values.dtype.kind in "iu" else values


class ForgetsTheLastChunk(Own):
    """A writer that loses the last row of what does not fit a whole number of chunks."""

    def write(self, request: Mapping[str, Any]) -> dict[str, Any]:
        reply = super().write(request)
        if reply["written"]:
            path = Path(request["path"])
            rewritten, attributes = _without_last_row(path)
            wanted = {"profile": request["profile"], "container": request["container"]}
            write(path, rewritten, attributes, **wanted, overwrite=True, values=False)
        return reply


def _without_last_row(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    arrays, attributes = {}, {}
    with open(path) as archive:
        for place in archive.paths():
            node = archive[place]
            if not hasattr(node, "shape"):
                attributes[place] = node.attributes
                continue
            values = np.asarray(node[...])
            if values.ndim and values.shape[0] > 1:
                values[-1] = np.zeros((), values.dtype)
            arrays[place] = Array(values, node.axes, node.attributes)
    return arrays, attributes


class Lenient(Own):
    """A writer that writes whatever it is given, conforming or not."""

    def write(self, request: Mapping[str, Any]) -> dict[str, Any]:
        Path(request["path"]).write_bytes(b"something")
        return {"written": True}


class LeavesTraces(Own):
    """A writer that refuses, and leaves half an archive behind."""

    def write(self, request: Mapping[str, Any]) -> dict[str, Any]:
        reply = super().write(request)
        if not reply["written"]:
            Path(request["path"]).mkdir()
        return reply


class Hangs(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        time.sleep(60)
        raise AssertionError

    read = write = validate


class Crashes(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        sys.exit(5)

    read = write = validate


class Rubbish(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        print("Traceback (most recent call last):", flush=True)
        return {"verdict": "valid", "findings": []}

    read = write = validate


class WrongSeq(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"seq": -1, "verdict": "valid", "findings": []}


class WrongForm(Own):
    def validate(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"verdict": "perhaps", "findings": []}


class NoContainers(Own):
    def hello(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().hello(request), "containers": [], "judge": False}


if __name__ == "__main__":
    sys.exit(serve(globals()[sys.argv[1]](), sys.stdin, sys.stdout))
