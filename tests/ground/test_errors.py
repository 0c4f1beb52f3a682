"""Exceptions have their parts as fields, so that no caller parses a message; each class as a user meets it."""

from __future__ import annotations

import ast
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import traces

import vizschema
from vizschema import errors
from vizschema.bounds import Reading
from vizschema.errors import VizschemaError
from vizschema.validation import judged

PACKAGE = Path(vizschema.__file__).parent
PLACES = "path|target|shown|file|place|source|url|folder|base|archive"
CLASSES = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, VizschemaError)}


def messages(source: str) -> list[str]:
    """The text that each exception of the package is made with, expressions in braces."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.func).rpartition(".")[2] in CLASSES:
            if isinstance(node.args[0], ast.List):  # several problems, each with its place
                continue
            parts = getattr(node.args[0], "values", [node.args[0]])
            found.append(
                "".join(
                    str(part.value)
                    if isinstance(part, ast.Constant)
                    else f"{{{ast.unparse(getattr(part, 'value', part))}}}"
                    for part in parts
                )
            )
    return found


def test_reading_messages_sees_a_place_and_parts() -> None:
    assert messages('raise UsageError(f"{path}: expected a, found {b}")') == ["{path}: expected a, found {b}"]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_the_place_and_the_parts_of_a_message_are_fields(path: Path) -> None:
    for message in messages(path.read_text(encoding="utf-8")):
        assert not re.match(rf"\{{[^}}]*\b({PLACES})\b[^}}]*\}}: ", message), message
        assert not re.search(r"\bexpected .*, found ", message), message


def fields(error: VizschemaError) -> dict[str, str | None]:
    return {name: vars(error)[name] for name in errors.FIELDS}


def raised(kind: type[VizschemaError], function: Any, *arguments: Any, **options: Any) -> Any:
    """The exception of a call, the same after it was pickled."""
    with pytest.raises(kind) as caught:
        function(*arguments, **options)
    error = caught.value
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  (made here)
    assert (type(again), str(again), fields(again)) == (type(error), str(error), fields(error))
    return error


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.zarr"
    vizschema.write(path, traces.arrays(), traces.attributes(), profile="trace")
    return path


def test_not_an_archive_has_the_path_and_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "none.zarr"
    error = raised(vizschema.NotAnArchive, vizschema.describe, path)
    assert (error.path, error.reason) == (str(path), "no such file or folder")


@pytest.mark.parametrize("isolated", [False, True])
def test_an_error_of_a_worker_has_the_same_fields(tmp_path: Path, isolated: bool) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    error = judged(path, None, None, Reading(isolated=isolated)).error
    assert isinstance(error, vizschema.NotAnArchive)
    assert error.path == str(path)
    assert error.reason
    assert str(error) == f"{path}: {error.reason}"


def test_a_wrong_argument_has_what_was_expected_and_found(archive: Path) -> None:
    error = raised(vizschema.UsageError, vizschema.convert, archive, archive.with_name("b.h5"), chunks="all")
    assert (error.path, error.found) == ("chunks", "'all'")
    assert error.expected == "keep, default, or lengths of axes like head=1"
    error = raised(vizschema.UsageError, vizschema.write, archive / "x" / "y.zarr", {}, profile="trace")
    assert error.fix == "make it first"


def test_damage_has_the_array_the_chunk_and_why(archive: Path) -> None:
    chunk = next((archive / "activations" / "layer_00" / "c").rglob("0"))
    chunk = chunk if chunk.is_file() else next(path for path in chunk.rglob("*") if path.is_file())
    chunk.write_bytes(b"")
    with vizschema.open(archive) as opened:
        error = raised(vizschema.Damaged, lambda: opened["/activations/layer_00"][...])
    assert error.path == "/activations/layer_00"
    assert error.key == chunk.relative_to(archive / "activations" / "layer_00").as_posix()
    assert error.reason == "truncated"
    assert error.detail in str(error)
    assert isinstance(error, vizschema.NotAnArchive)


def test_what_has_no_digest_names_every_fault(archive: Path) -> None:
    for name in ("one", "two", "three", "four"):
        (archive / name).mkdir()
        (archive / name / "zarr.json").write_text("{")
    error = raised(vizschema.NoDigest, vizschema.digest, archive)
    assert [path for path, _ in error.faults] == ["/four", "/one", "/three", "/two"]
    assert all(why.startswith("expected a group or an array") for _, why in error.faults)
    assert error.fix == "Fix what `validate` reports"


def test_a_missing_version_or_profile_has_what_there_is(archive: Path) -> None:
    error = raised(vizschema.SpecError, vizschema.validate, archive, profile="nothing")
    assert error.path == "profile 'nothing'"
    error = raised(vizschema.SpecError, vizschema.validate, archive, spec="0.0.9")
    assert error.reason == "spec version '0.0.9' is not installed; found 1.0.0, 1.1.0"


def test_a_refused_write_has_the_report(tmp_path: Path) -> None:
    arrays = {"/activations/layer_00": vizschema.Array(np.zeros((2, 2)), ["a", "a"])}
    error = raised(vizschema.NotConforming, vizschema.write, tmp_path / "a.zarr", arrays, profile="trace")
    assert error.path == str(tmp_path / "a.zarr")
    assert error.report.errors


def test_what_a_container_does_not_support_is_named_by_its_node(archive: Path) -> None:
    document = json.loads((archive / "zarr.json").read_text())
    document["attributes"]["CLASS"] = "a name that HDF5 keeps for itself"
    (archive / "zarr.json").write_text(json.dumps(document))
    error = raised(vizschema.NotSupported, vizschema.convert, archive, archive.with_name("b.h5"))
    assert (error.path, error.container, set(error.problems)) == (str(archive), "hdf5", {"/"})


def test_every_class_is_public_and_knows_its_exit_code() -> None:
    codes = {name: getattr(vizschema, name).exit_code for name in CLASSES}
    assert codes == {
        "Damaged": 3,
        "Interrupted": 130,
        "NoDigest": 1,
        "NotAnArchive": 3,
        "NotConforming": 1,
        "NotSupported": 1,
        "Refused": 1,
        "SpecError": 4,
        "Unanswered": 2,
        "UsageError": 2,
        "VizschemaError": 70,
    }
