"""Imports point down only, as docs/architecture.md has it: read from the source, so that a lazy import counts too."""

from __future__ import annotations

import ast
import graphlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from vizschema.scan.facts import FACTS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "vizschema"

# From the ground up: a module imports from the packages below its own, and from its own.
LAYERS = (
    "vizschema text canonical bounds",
    "errors description",
    "findings containers",
    "describing rules outline scan",
    "reader",
    "sources",
    "worker",
    "measure",
    "digests",
    "validation project difference writer",
    "fleet migration recording report viewing",
    "cli",
    "__main__",
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
APART = {("rules", "containers"), ("reader", "rules")}
"""Packages that know nothing of one another: judging sees no array, and measuring no rule."""

CONTAINERS = (
    "values base others",
    "bytes",
    "codecs",
    "texts stored accounts attributes",
    "formats",
    "zips remote listed",
    "zarr",
    "npz safetensors",
    "asdf hdf5",
    "in_zip",
    "by_url",
    "opening",
)
"""The same within `containers`."""


def modules() -> Iterator[tuple[str, Path]]:
    """Every module of the package, by its name without `vizschema.`, and its file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "vizschema", path


SOURCES = dict(modules())


def imports(source: str) -> set[str]:
    """The names of all modules (and of what may be modules) that a source imports, but for those of type checking."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))
    return found


def own_imports(name: str) -> set[str]:
    """The modules of the package that the module `name` imports."""
    found = {module.removeprefix("vizschema.") for module in imports(SOURCES[name].read_text(encoding="utf-8"))}
    return {module for module in found if module in SOURCES} - {name}


def room_of(name: str) -> str:
    return name.partition(".")[0]


def test_reading_imports_sees_lazy_ones_and_no_types() -> None:
    source = "if TYPE_CHECKING:\n    import a\nelse:\n    import b\ndef f():\n    from c.d import e\n"
    assert imports(source) == {"b", "c.d", "c.d.e"}


def test_every_module_has_its_layer() -> None:
    assert {name.partition(".")[0] for name in SOURCES} == set(LAYER)


def test_every_module_is_in_the_table_of_the_architecture() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
    named = {name.removesuffix(".py").removesuffix("/") for name in re.findall(r"`([a-z_]+(?:\.py|/))`", rows)}
    assert set(LAYER) - {"vizschema", "__main__"} <= named


@pytest.mark.parametrize("name", SOURCES)
def test_imports_point_down(name: str) -> None:
    room = room_of(name)
    others = {room_of(other) for other in own_imports(name)} - {room}
    assert not {other for other in others if LAYER[other] >= LAYER[room] or (room, other) in APART}


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("containers.")])
def test_imports_of_containers_point_down(name: str) -> None:
    layer = {each: number for number, names in enumerate(CONTAINERS) for each in names.split()}
    room, *others = (each.split(".")[1] for each in (name, *own_imports(name)) if each.startswith("containers."))
    assert not {other for other in others if other != room and layer[other] >= layer[room]}


def test_rooms_are_few_and_so_are_the_ways_between_them(capsys: pytest.CaptureFixture[str]) -> None:
    edges = {(room_of(name), room_of(other)) for name in SOURCES for other in own_imports(name)}
    ways = len({(room, other) for room, other in edges if room != other})
    tops = [path for path in PACKAGE.iterdir() if path.suffix == ".py"]
    with capsys.disabled():
        print(f"\n{len(LAYERS)} levels, {ways} ways between {len(LAYER)} packages, {len(tops)} modules at the top")
    assert len(LAYERS) <= 13
    assert ways <= 151
    assert len(tops) <= 12


def test_no_import_goes_round_in_a_circle() -> None:
    graphlib.TopologicalSorter({name: own_imports(name) for name in SOURCES}).prepare()


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("rules.")])
def test_judging_sees_no_array(name: str) -> None:
    tops = {module.partition(".")[0] for module in imports(SOURCES[name].read_text(encoding="utf-8"))}
    assert not tops & {"numpy", "h5py", "zarr", "numcodecs", "ml_dtypes"}


@pytest.mark.parametrize("name", [name for name in SOURCES if name.startswith("report")])
def test_reports_read_results_only(name: str) -> None:
    allowed = {
        "vizschema",
        "findings",
        "text",
        "errors",
        "containers.formats",
        "outline",
        "outline.figures",
        "outline.words",
    }
    assert not {module for module in own_imports(name) if not module.startswith("report")} - allowed


@pytest.mark.parametrize("name", [name for name in SOURCES if re.match(r"(scan|worker)\.(?!facts)", name)])
def test_a_scan_names_no_fact(name: str) -> None:
    words = set(re.findall(r"\w+", SOURCES[name].read_text(encoding="utf-8")))
    names = {key for key in FACTS if "_" in key}
    assert not words & {*names, "HASH"}


def test_what_bounds_reading_is_one_class_of_each_name() -> None:
    trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
    classes = [
        (name, node.name) for name, tree in trees.items() for node in tree.body if isinstance(node, ast.ClassDef)
    ]
    assert [place for place in classes if place[1] in ("Bounds", "Reading")] == [
        ("bounds", "Bounds"),
        ("bounds", "Reading"),
    ]


def test_only_judging_and_checking_keywords_import_an_engine() -> None:
    engines = {"jsonschema_rs", "jsonschema"}
    importers = {name for name, path in SOURCES.items() if imports(path.read_text(encoding="utf-8")) & engines}
    assert importers == {"rules.judge", "rules.keywords", "rules.sent"}


@pytest.mark.parametrize(
    "name", [name for name in SOURCES if name not in ("cli.arguments", "cli.parser", "recording.weights")]
)
def test_the_engine_knows_no_model(name: str) -> None:
    words = re.compile(r"attention|openfold|mnist|\bvit\b", re.IGNORECASE)
    assert not words.findall(SOURCES[name].read_text(encoding="utf-8"))


def test_every_folder_with_modules_is_packaged() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    sources = (path for folder in ("vizschema", "conformance") for path in (ROOT / folder).rglob("*.py"))
    own = (path.parent.relative_to(ROOT).parts for path in sources)
    names = {".".join(parts) for parts in own if "node_modules" not in parts}
    packages = {name if name.startswith("vizschema") else f"vizschema.{name}" for name in names}
    assert packages - {"vizschema.conformance.benchmarks.engine"} | {"vizschema.spec"} == set(listed)
