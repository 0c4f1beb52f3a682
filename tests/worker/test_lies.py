"""A worker that was taken over: whatever it says, there is a report, and the parent stays small."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from support import traces

import vizschema
from vizschema.bounds import Bounds
from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.conformance.migrations.layouts import LAYOUTS
from vizschema.errors import NotAnArchive
from vizschema.outline.picture import picture_of
from vizschema.worker import messages, warm

LIAR = """
import os, struct, sys
from vizschema.worker import child, messages
def run():
    requests = open(0, "rb", closefd=False)
    def ask():
        return messages.unpack(messages.read(requests))
    def raw(body):
        body = memoryview(struct.pack(">I", len(body)) + body)
        while body: body = body[os.write(1, body):]
    def send(*message):
        raw(messages.pack(message)[4:])
    C = {"format": "zarr", "version": 3, "store": "directory", "consolidated": False}
    G = {"kind": "group", "attributes": {}}
    A = {"kind": "array", "dtype": "float32", "shape": [2], "bytes": 8, "axes": None, "storage": None, "attributes": {}}
    def described(*more):
        send("ready", []); ask(); send("container", C); send("node", "/", G)
        for each in more: send("node", *each)
    ask()
    LIE
    while True: ask()
child.run = run
"""

LIES = {
    "ready-number": 'send("ready", 5)',
    "ready-short": 'send("ready")',
    "ready-notes": 'send("ready", [1])',
    "no-list": 'raw(b"5")',
    "empty": 'raw(b"[]")',
    "unknown": 'send("ready", []); ask(); send("x")',
    "error-short": 'send("ready", []); ask(); send("error")',
    "error-list": 'send("ready", []); ask(); send("error", [1], 2)',
    "error-fields": 'send("ready", []); ask(); send("error", "NotAnArchive", "x", {"path": [1]})',
    "error-control": 'send("ready", []); ask(); send("error", "NotAnArchive", "\\x1b[2J", {})',
    "limit-short": 'send("ready", []); ask(); send("limit")',
    "limit-number": 'send("ready", []); ask(); send("limit", 5)',
    "container-poor": 'send("ready", []); ask(); send("container", {"format": "zarr"})',
    "node-poor": 'described(["/x", {"kind": "array"}])',
    "node-types": 'described(["/x", {"kind": "group", "attributes": 5}])',
    "node-kind": 'described(["/x", {"kind": [1]}])',
    "node-axes": 'described(["/x", {**A, "axes": ["a", "b"]}])',
    "node-shape": 'described(["/x", {**A, "shape": [-1]}])',
    "path-control": 'described(["/x\\x1b[2J", G]); send("end", C)',
    "attribute-control": 'described(["/x", {**G, "attributes": {"a": "\\u202e"}}]); send("end", C)',
    "readings-control": 'described(); send("end", {**C, "readings": ["\\x1b[2J"]})',
    "end-early": 'described(["/x", A]); send("end", C); ask(); send("end", False)',
    "path-empty": 'described(["", G])',
    "path-slash": 'described(["/a/", G])',
    "touching-nothing": 'send("ready", []); ask(); send("touching", ""); send("x")',
    "no-root": 'send("ready", []); ask(); send("container", C); send("node", "/x", G); send("end", C)',
    "end-poor": 'described(); send("end", None)',
    "deep": "described(); raw(b'[\"node\",\"/x\",' + b'[' * 1000 + b']' * 1000 + b']')",
    "facts-poor": 'described(["/x", A]); send("end", C); ask(); send("facts", "/x", {"damaged_chunks": 5}, [1, 4])',
    "facts-elsewhere": 'described(["/x", A]); send("end", C); ask(); send("facts", "/y", None, [1, 4])',
    "facts-negative": 'described(["/x", A]); send("end", C); ask(); send("facts", "/x", None, [-1, 4])',
    "progress-text": 'described(["/x", A]); send("end", C); ask(); send("progress", "x")',
}

LARGE = {
    "lists": 'described(); raw(b"[" + b"[]," * 9_000_000 + b"0]")',
    "objects": 'described(); raw(b"[" + b"{}," * 9_000_000 + b"0]")',
    "numbers": 'described(); raw(b"[" + b"7," * 9_000_000 + b"0]")',
    "axes": """N = [[f"a{i}_{j}" for j in range(32)] for i in range(2000)]
    described(*([f"/{each[0]}", {**A, "shape": [1] * 32, "axes": each}] for each in N))""",
    "nodes": 'described(*([f"/x{i}", {**G, "attributes": {"a": [{}] * 1000}}] for i in range(20_000)))',
}

VALIDATE = """
import sys
from pathlib import Path
from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.conformance.migrations.layouts import LAYOUTS
from vizschema.errors import NotAnArchive
from vizschema.outline.picture import picture_of
from vizschema.worker import warm
warm._START = warm._START.replace("sys.exit(", f"exec({sys.argv[1]!r}); sys.exit(")
code = main(["validate", sys.argv[2], "--format", "json"])
# Not `ru_maxrss`, which may be that of the process that started this one.
status = Path("/proc/self/status").read_text()
print("exit", code, int(status.partition("VmHWM:")[2].split()[0]) >> 10)
"""


@pytest.fixture
def archive(tmp_path: Path) -> str:
    return str(traces.written(tmp_path, "zarr-v3"))


def lying(lie: str) -> str:
    return LIAR.replace("LIE", lie)


@pytest.mark.parametrize("lie", LIES)
def test_a_worker_that_lies_is_a_finding(lie: str, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code = lying(LIES[lie])
    monkeypatch.setattr(warm, "_START", warm._START.replace("sys.exit(", f"exec({code!r}); sys.exit("))
    report = vizschema.validate(archive, isolated=True, bounds=Bounds(seconds=60))
    assert report.error is None
    assert {"crashed", "chunk-readable"} & {finding.rule for finding in report.errors}
    assert report.exit_code == 1


CHANGES = """
import json, random
from vizschema.worker import child
draw = random.Random(SEED)
INSTEAD = [None, True, -1, 1 << 63, 1e300, "", "x", "/", "\\x1b[2J", "\\u202e", "nan", "x" * 100_000]
INSTEAD += [[], [[]], {}, {"a": [1]}]
def places(value):
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])
def changed(message):
    holder, key = draw.choice(list(places(message)))
    if isinstance(holder[key], int) and draw.random() < 0.3:
        holder[key] += draw.choice([-1, 1, 1_000_000])
    elif draw.random() < 0.2:
        del holder[key]
    else:
        holder[key] = draw.choice(INSTEAD)
    return message
post = child.Channel.post
def posted(self, *message):
    post(self, *(changed(json.loads(json.dumps(message))) if draw.random() < SHARE else message))
child.Channel.post = posted
"""

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\x9b\u202a-\u202e\u2066-\u2069]")

READING = {
    "validate": ["validate", "ARCHIVE", "--format", "json"],
    "describe": ["describe", "ARCHIVE", "--values"],
    "digest": ["digest", "ARCHIVE"],
    "show": ["show", "ARCHIVE", "--sizes"],
    "show-array": ["show", "ARCHIVE", "/activations/layer_00"],
    "diff": ["diff", "ARCHIVE", "OTHER"],
    "fix": ["fix", "ARCHIVE"],
    "infer": ["profile", "infer", "ARCHIVE"],
    "suggest": ["migrate", "OLD", "--suggest"],
    "migrate": ["migrate", "OLD", "NEW", "--set", "model_name=cnn", "--set", "model_version=1"],
    "export": ["export", "ARCHIVE", "NEW", "--as", "mnist-batches"],
}
"""Each command that has a worker read, with what stands for paths in capital letters."""


@pytest.mark.parametrize("command", READING)
def test_no_command_believes_a_worker_that_changes_what_it_says(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {
        "ARCHIVE": tmp_path / "a.zarr",
        "OTHER": tmp_path / "b.h5",
        "OLD": LAYOUTS["mnist-batches"].write(tmp_path),
    }
    write_example("trace", paths["ARCHIVE"])
    write_example("trace", paths["OTHER"])
    start = warm._START
    for seed, share in enumerate((0.02, 0.1, 0.5)):
        lie = CHANGES.replace("SEED", str(seed)).replace("SHARE", str(share))
        monkeypatch.setattr(warm, "_START", start.replace("sys.exit(", f"exec({lie!r}); sys.exit("))
        new = {"NEW": tmp_path / f"new{seed}.zarr"}
        assert main([str({**paths, **new}.get(word, word)) for word in READING[command]]) in range(5)
        told = capsys.readouterr()
        assert CONTROL.search(told.out + told.err) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts": [-1000]},
        {"counts": ["x"]},
        {"counts": [0] * 1000},
        {"minimum": "nan"},
        {"maximum": "inf"},
        {"levels": "00" * 3, "columns": 2},
        {"axes": 5},
        {"axes": []},
    ],
    ids=str,
)
def test_a_picture_is_checked(wrong: dict[str, Any]) -> None:
    right = {"counts": [1, 2], "minimum": 0, "maximum": 1, "seen": "all values"}
    assert picture_of(right).counts == (1, 2)
    with pytest.raises(NotAnArchive, match="malformed message"):
        picture_of({**right, **wrong})


def test_a_picture_that_is_none_costs_no_verdict(
    archive: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lie = """described(["/x", {**A, "axes": ["a"]}]); send("end", C); ask()
    send("facts", "/x", None, [1, 8]); send("end", True); ask()
    send("picture", "/x", {"counts": [1e300], "minimum": "<b>", "maximum": None, "seen": "x"}); send("end", None)"""
    monkeypatch.setattr(warm, "_START", warm._START.replace("sys.exit(", f"exec({lying(lie)!r}); sys.exit("))
    assert main(["validate", archive, "--format", "html"]) == 1
    assert "pictures are not complete" in capsys.readouterr().out


@pytest.mark.parametrize("lie", LARGE)
def test_a_worker_that_says_too_much_is_over_a_limit(lie: str, archive: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-P", "-c", VALIDATE, lying(LARGE[lie]), archive], capture_output=True, text=True, check=False
    )
    word, code, mebibytes = ran.stdout.splitlines()[-1].split()
    assert (word, code) == ("exit", "1")
    assert "over-limit" in ran.stdout
    assert int(mebibytes) < 512


def test_values_are_counted_before_a_message_is_unpacked() -> None:
    assert messages.count_values(b'["a",{"b":1,"c":[2]}]') == 5
    text = orjson.dumps(["," * (1 << 17)])
    assert messages.count_values(text) == 1
    escaped = orjson.dumps(['"\\,' * (1 << 16)])
    assert messages.count_values(escaped) == 1


def test_a_message_that_is_nested_too_deeply_is_malformed() -> None:
    with pytest.raises(messages.Malformed, match="nested"):
        messages.unpack(b"[" * 301 + b"]" * 301)
    assert messages.unpack(orjson.dumps(["[" * 1000])) == ["[" * 1000]
