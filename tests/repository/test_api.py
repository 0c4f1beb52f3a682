"""The public Python interface: these names, from these modules, and nothing else."""

from __future__ import annotations

import builtins
import dataclasses
import doctest
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import traces

import vizschema
from vizschema import errors, findings
from vizschema.conformance.examples import write_example

PUBLIC = {
    "Accepted": "vizschema.findings",
    "Archive": "vizschema.reader.archive",
    "Array": "vizschema.writer.plan",
    "Bounds": "vizschema.bounds",
    "Change": "vizschema.rules.fixes.draft",
    "Comparison": "vizschema.difference.diff",
    "Converted": "vizschema.writer.convert",
    "Damaged": "vizschema.errors",
    "Exported": "vizschema.migration.exporting.export",
    "Finding": "vizschema.findings",
    "Fixed": "vizschema.writer.fixing.fix",
    "Limits": "vizschema.containers.base",
    "NoDigest": "vizschema.errors",
    "NotAnArchive": "vizschema.errors",
    "Interrupted": "vizschema.errors",
    "NotConforming": "vizschema.errors",
    "NotSupported": "vizschema.errors",
    "Migrated": "vizschema.migration.result",
    "Question": "vizschema.findings",
    "Refused": "vizschema.errors",
    "Unanswered": "vizschema.errors",
    "export": "vizschema.migration.exporting.export",
    "migrate": "vizschema.migration.migrate",
    "suggest": "vizschema.migration.drafting.draft",
    "Report": "vizschema.findings",
    "Rule": "vizschema.findings",
    "SpecError": "vizschema.errors",
    "Cost": "vizschema.reader.selection",
    "Selection": "vizschema.reader.arrays",
    "StoredArray": "vizschema.reader.arrays",
    "StoredGroup": "vizschema.reader.arrays",
    "Leftover": "vizschema.writer.recover",
    "join": "vizschema.writer.join",
    "recover": "vizschema.writer.recover",
    "record": "vizschema.recording.record",
    "Recording": "vizschema.recording.recording",
    "Slot": "vizschema.writer.growing",
    "Trace": "vizschema.writer.trace",
    "UsageError": "vizschema.errors",
    "VizschemaError": "vizschema.errors",
    "convert": "vizschema.writer.convert",
    "create": "vizschema.writer.create",
    "describe": "vizschema.describing",
    "diff": "vizschema.difference.diff",
    "digest": "vizschema.digests",
    "fix": "vizschema.writer.fixing.fix",
    "from_outputs": "vizschema.recording.outputs",
    "open": "vizschema.reader.archive",
    "to_cache": "vizschema.recording.outputs",
    "validate": "vizschema.validation",
    "validate_many": "vizschema.fleet.many",
    "write": "vizschema.writer.write",
}

INTERNAL = {"Trace.begin", "Trace.go_on"}
"""Methods that `create` calls."""


def test_the_public_names_are_pinned() -> None:
    assert set(vizschema.__all__) == {*PUBLIC, "__version__"}
    assert sorted(vizschema.__all__) == dir(vizschema)


@pytest.mark.parametrize(("name", "module"), PUBLIC.items())
def test_a_public_name_is_that_of_its_module(name: str, module: str) -> None:
    assert getattr(vizschema, name) is getattr(importlib.import_module(module), name)
    assert getattr(vizschema, name).__module__ == module


def public_calls() -> Iterator[tuple[str, Any]]:
    """Every public function, and every public method of a public class, by its name."""
    for name in PUBLIC:
        value = getattr(vizschema, name)
        if not isinstance(value, type):
            yield name, inspect.unwrap(value)
            continue
        for key, member in vars(value).items():
            function = member.fget if isinstance(member, property) else inspect.unwrap(member)
            if (callable(function) and not key.startswith("_")) or key in ("__getitem__", "__enter__", "__iter__"):
                yield f"{name}.{key}", function


def classes_in(annotation: Any) -> Iterator[type]:
    """Every class of the package in an annotation."""
    for each in typing.get_args(annotation):
        yield from classes_in(each)
    if isinstance(annotation, list):  # the arguments of a callable
        for each in annotation:
            yield from classes_in(each)
    if isinstance(annotation, type) and annotation.__module__.startswith("vizschema."):
        yield annotation


@pytest.mark.parametrize(
    ("name", "call"), list(public_calls()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_a_public_call_takes_returns_or_raises_is_public(name: str, call: Any) -> None:
    private = vars(importlib.import_module(call.__module__)) | vars(errors) | vars(findings)
    hints = typing.get_type_hints(call, {**private, **{each: getattr(vizschema, each) for each in PUBLIC}})
    found = {each.__name__ for annotation in hints.values() for each in classes_in(annotation)}
    words = set(re.findall(r"`([A-Z]\w+)`", call.__doc__ or ""))
    assert found | {word for word in words if not hasattr(builtins, word)} <= set(PUBLIC), name


@pytest.mark.parametrize("name", [name for name in PUBLIC if dataclasses.is_dataclass(getattr(vizschema, name))])
def test_what_a_public_record_holds_is_public(name: str) -> None:
    kind = getattr(vizschema, name)
    scope = {**vars(importlib.import_module(kind.__module__)), **{each: getattr(vizschema, each) for each in PUBLIC}}
    hints = typing.get_type_hints(kind, scope)
    fields = [field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")]
    assert {each.__name__ for field in fields for each in classes_in(hints[field])} <= set(PUBLIC)


def listed(docstring: str, section: str) -> set[str]:
    """The names that a section of a docstring lists."""
    _, _, after = inspect.cleandoc(docstring).partition(f"\n{section}:\n")
    return set(re.findall(r"^    (\w+): ", after.partition("\n\n")[0], re.MULTILINE))


@pytest.mark.parametrize(
    ("name", "call"), list(public_calls()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_docstring_of_a_public_call_lists_its_parameters(name: str, call: Any) -> None:
    if not name.rpartition(".")[2].startswith("_") and name not in INTERNAL:
        parameters = set(inspect.signature(call).parameters) - {"self"}
        assert listed(call.__doc__, "Parameters") == parameters, name


@pytest.mark.parametrize("name", [name for name in PUBLIC if dataclasses.is_dataclass(getattr(vizschema, name))])
def test_the_docstring_of_a_public_record_lists_its_fields(name: str) -> None:
    kind = getattr(vizschema, name)
    fields = {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")}
    assert listed(kind.__doc__, "Attributes") == fields


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archives of the examples, in the working directory."""
    monkeypatch.chdir(tmp_path)
    write_example("trace", "run.zarr")
    for name in ("broken", "damaged", "malformed", "unfixed"):
        shutil.copytree("run.zarr", f"{name}.zarr")
    for name in ("broken", "unfixed"):
        root = Path(f"{name}.zarr/zarr.json")
        document = json.loads(root.read_bytes())
        document.pop("consolidated_metadata", None)
        if name == "broken":
            del document["attributes"]["created_at"]
        root.write_text(json.dumps(document))
    for layer in list(Path("unfixed.zarr/activations").glob("layer_0*")):
        layer.rename(layer.with_name(f"layer_{int(layer.name[-2:])}"))
    chunk = Path("damaged.zarr/outputs/logits/c/0/0/0")
    chunk.write_bytes(chunk.read_bytes()[:-9])
    Path("malformed.zarr/metadata/zarr.json").write_text("{")


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.usefixtures("archives")
def test_the_example_of_a_public_name_runs(name: str) -> None:
    names = {"vizschema": vizschema, "np": np}
    examples = doctest.DocTestParser().get_doctest(getattr(vizschema, name).__doc__ or "", names, name, None, 0)
    assert examples.examples
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=failures.append)
    assert not failures, "".join(failures)


def test_an_open_archive_is_a_mapping_of_its_paths(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    vizschema.write(path, traces.arrays(), traces.attributes(), profile="trace")
    with vizschema.open(path) as archive:
        assert isinstance(archive, Mapping)
        assert list(archive) == archive.paths() == list(archive.description["nodes"])
        assert len(archive) == len(archive.paths())
        assert ("/metadata" in archive, "/nothing" in archive, archive.get("/nothing")) == (True, False, None)
        assert [node.path for node in archive.values()] == list(archive.keys())
        assert archive["/"].members == ("activations", "attention", "extra", "metadata", "outputs")
        assert repr(archive).startswith(f"<Archive {path}: zarr v3 (directory), {len(traces.arrays())} arrays, ")
        assert {archive: 1}[archive] == 1
        with vizschema.open(path) as other:
            assert archive != other


def test_a_node_that_cannot_be_read_is_among_the_paths(tmp_path: Path) -> None:
    vizschema.write(tmp_path / "a.zarr", traces.arrays(), traces.attributes(), profile="trace")
    (tmp_path / "a.zarr" / "metadata" / "zarr.json").write_text("{")
    with vizschema.open(tmp_path / "a.zarr") as archive:
        assert "/metadata" in archive
        with pytest.raises(vizschema.NotAnArchive, match="/metadata: cannot be read: metadata-malformed"):
            archive["/metadata"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'vizschema' has no attribute 'nothing'"):
        vizschema.nothing  # noqa: B018


def test_no_module_has_the_name_of_a_public_function() -> None:
    folder = Path(vizschema.__file__).parent
    assert not {path.stem for path in folder.iterdir()} & set(PUBLIC)


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys; import vizschema; print(sorted(name for name in sys.modules if name.startswith('vizschema')))"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "['vizschema']"
