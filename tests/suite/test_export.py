"""An export: the same every time, and wherever it lies; a script of thirty lines runs it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from support.needed import installed

from vizschema.cli.main import main
from vizschema.conformance.corpus.cases import corpus
from vizschema.conformance.corpus.identity import identity
from vizschema.conformance.corpus.recipes import GIANT, follow, recipe_of
from vizschema.conformance.harness.roles import items_of
from vizschema.conformance.harness.serve import Own
from vizschema.rules import versions
from vizschema.validation import validate

SCRIPT = Path(__file__).parents[1] / "support" / "run_export.mjs"
ONLY = (
    "root-group",
    "generator/absent",
    "finite/valid-minus-zero",
    "external-link",
    "encodings/hdf5-001-hashes",
    "encodings/zarr-v3-zip-002-hashes",
    "encodings/asdf-003-right",
    "encodings/npz-002-wrong",
    "chunk-readable/hostile-zarr-v3-chunk-1-tib",
    "no-archive/hostile-zarr-v3-pipe-as-archive",
)


def exported(*targets: str) -> int:
    return main(["conformance", "export", *targets, *(word for name in ONLY for word in ("--only", name))])


def state(root: Path) -> dict[str, Any]:
    """Everything below a folder: mode, time, and content or target."""
    found = {}
    for path in sorted(root.rglob("*")):
        stat = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        link = path.is_symlink()  # which tar gives the time of its making
        found[path.relative_to(root).as_posix()] = (link or stat.st_mode, link or stat.st_mtime, content)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("export") / "one"
    assert exported(str(root), "--tar", str(root.with_suffix(".tar.xz"))) == 0
    return root


def test_two_exports_are_the_same_bytes_and_all(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = os.umask(0o077)
    try:
        assert exported("other", "--tar", "other.tar.xz") == 0  # a relative folder, and another mask
    finally:
        os.umask(before)
    assert state(tmp_path / "other") == state(folder)
    assert (tmp_path / "other.tar.xz").read_bytes() == folder.with_suffix(".tar.xz").read_bytes()


def test_the_tar_file_holds_what_the_folder_holds(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(folder.with_suffix(".tar.xz")) as tar:
        names = tar.getnames()
        tar.extractall(tmp_path, filter="fully_trusted")  # noqa: S202  (our own)
        assert {(each.uid, each.gid, each.uname, each.mtime) for each in tar.getmembers()} == {(0, 0, "", 946684800)}
    assert names == sorted(names, key=os.fsencode)
    assert state(tmp_path / "corpus") == state(folder)


def test_the_index_is_what_its_schema_says(folder: Path) -> None:
    index = json.loads((folder / "index.json").read_text("utf-8"))
    documents = [
        versions.read_json(versions.root() / name) for name in ("protocol.schema.json", "description.schema.json")
    ]
    registry = Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in documents])
    schema = versions.read_json(versions.root() / "index.schema.json")
    assert [
        each.message for each in jsonschema.Draft202012Validator(schema, registry=registry).iter_errors(index)
    ] == []
    assert index["corpus"] == identity("1.0.0")
    for entry in index["cases"]:
        name = hashlib.sha256(
            f"{entry['case']}\n{entry['container']}\n{index['corpus']['digest']}".encode()
        ).hexdigest()
        assert name[:32] in entry["path"]
        assert os.path.lexists(folder / entry["path"])
    wanted = {
        item.name
        for role in ("validator", "reader", "writer")
        for item in items_of(role, [case for case in corpus() if {case.name, case.rule} & set(ONLY)], Own().hello({}))
    }
    assert wanted == {f"{each['case']} [{each['container']}]" for each in [*index["cases"], *index["left_out"]]}


def test_giants_and_pipes_are_left_out_with_a_recipe(folder: Path) -> None:
    left = {each["case"]: each for each in json.loads((folder / "index.json").read_text("utf-8"))["left_out"]}
    giant = left["chunk-readable/hostile-zarr-v3-chunk-1-tib"]
    (step,) = giant["recipe"]
    assert (step["make"], step["size"]) == ("file", 1 << 40)
    assert step["path"].startswith(giant["path"])
    pipe = left["no-archive/hostile-zarr-v3-pipe-as-archive"]
    assert pipe["recipe"] == [{"path": pipe["path"], "make": "pipe"}]
    assert not any((folder / each["path"]).exists() for entry in left.values() for each in entry["recipe"])
    assert sum(path.lstat().st_size for path in folder.rglob("*")) < 8 << 20


def test_a_recipe_makes_the_file_again_and_one_without_runs_has_none(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    content = b'{"a":"' + b"x" * GIANT + b'"}' + bytes(1 << 20) + b"\0end\0\0"
    one.write_bytes(content)
    recipe = recipe_of(one)
    assert recipe is not None
    assert len(json.dumps(recipe)) < 500
    follow(recipe, other)
    assert other.read_bytes() == content
    other.write_bytes(os.urandom(GIANT + 1))
    assert recipe_of(other) is None
    other.write_bytes(bytes(GIANT))
    assert recipe_of(other) is None


def test_nodes_have_the_hashes_of_the_values_that_a_writer_is_given(folder: Path) -> None:
    index = json.loads((folder / "index.json").read_text("utf-8"))
    readers = [entry for entry in index["cases"] if "reader" in entry["roles"]]
    assert {entry["case"] for entry in readers} >= {"finite/valid-minus-zero", "encodings/hdf5-001-hashes"}
    for entry in readers:
        nodes = json.loads((folder / entry["nodes"]).read_text("utf-8"))
        found = Own().read({"path": str(folder / entry["path"])})["nodes"]
        hashes = {path: node["sha256"] for path, node in nodes.items() if node["kind"] == "array"}
        assert hashes == {path: node["sha256"] for path, node in found.items() if node["kind"] == "array"}
        for digest in hashes.values() if "writer" in entry["roles"] else ():
            assert hashlib.sha256((folder / "values" / digest).read_bytes()).hexdigest() == digest


def test_a_moved_export_is_judged_the_same(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "corpus"
    shutil.copytree(folder, moved, symlinks=True)
    for entry in json.loads((moved / "index.json").read_text("utf-8"))["cases"]:
        if entry["level"] == "archive" and "validator" in entry["roles"] and entry["verdict"] != "refused":
            path = moved / entry["path"]
            report = validate(path, spec="1.0.0", profile=entry["profile"], values=entry["values"], jobs=1)
            assert {finding.rule for finding in report.findings} == set(entry["expected"]), entry["case"]


def test_a_script_of_thirty_lines_without_python_runs_a_moved_export(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "corpus"
    shutil.copytree(folder, moved, symlinks=True)
    index = json.loads((moved / "index.json").read_text("utf-8"))
    entries = [*index["cases"], *index["left_out"]]
    verdicts = {entry["path"]: {"valid": 0, "invalid": 1, "refused": 3}[entry["verdict"]] for entry in entries}
    # A shell script around the command for three archives; it knows the others, and the verdict of one of them wrongly.
    wrong = next(entry for entry in entries if entry["case"] == "generator/absent")
    real = [
        next(e["path"] for e in entries if e["case"].startswith(name)) for name in ("external", "finite", "no-arch")
    ]
    known = verdicts.items() - {(path, verdicts[path]) for path in [wrong["path"], *real]}
    lines = [f"  */{path.split('/', 1)[1]}) exit {code} ;;" for path, code in known]
    asked = " | ".join(f"*/{path.split('/', 1)[1]}" for path in real)
    judged = f"{sys.executable} -m vizschema validate -q --spec 1.0.0 --profile"
    lines += [f'  {asked}) exec {judged} "$1" "$2" ;;']
    script = tmp_path / "implementation.sh"
    script.write_text("\n".join(['case "$2" in', *lines, "  *) exit 0 ;;", "esac", ""]), encoding="utf-8")
    command = [installed("node"), str(SCRIPT), str(moved), "sh", str(script)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    document = json.loads(result.stdout)
    assert result.returncode == 1, result.stderr
    assert result.stderr.startswith(f"{wrong['case']} [{wrong['container']}]: expected invalid, found valid")
    assert (document["failed"], document["corpus"]) == (1, identity("1.0.0"))
    assert len(document["results"]) == sum(
        entry["level"] == "archive" and "validator" in entry["roles"] for entry in entries
    )


def test_what_is_there_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(str(folder)) == 2
    assert "already exists" in capsys.readouterr().err
    assert exported() == 2
    assert "expected DIR or --tar FILE" in capsys.readouterr().err
