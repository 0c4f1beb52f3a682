#!/usr/bin/env python3
"""Mutation of the code that judges and measures: which single changes of it do the tests notice?

    .venv/bin/python .ci/mutate.py [--into DIR] [--write] [--only-report] [GROUP …]

Runs mutmut (extras `dev`, `mutation`) in copies of the tree, one a group of modules, with only the tests of that group,
one process at a time. Interrupted, it goes on where it stopped; where modules or tests were changed since, the mutants
that survived are asked once more. `--write` puts the result into `docs/conformance.md`. Takes about an hour for
everything.

A mutant counts as killed where a test fails, or never ends. Survivors that no test could kill are listed with the
reason in `.ci/equivalent_mutants.json`; they count as survivors all the same.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "conformance.md"
EQUIVALENT = ROOT / ".ci" / "equivalent_mutants.json"
BEGIN, END = "<!-- mutation: written by .ci/mutate.py -->\n", "<!-- /mutation -->\n"

GROUPS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "judge": (("vizschema/rules/judge.py",), ("tests/rules/test_judge.py",)),
    "facts": (
        ("vizschema/scan/facts/*.py",),
        ("tests/scan/test_facts.py", "tests/scan/test_row_sums.py", "tests/scan/test_masked_facts.py"),
    ),
    "describe": (
        ("vizschema/describing.py", "vizschema/description.py"),
        ("tests/ground/test_description.py", "tests/whole/test_describe.py", "tests/rules/test_judge.py"),
    ),
    "zarr": (
        ("vizschema/containers/zarr/metadata.py",),
        ("tests/containers/test_zarr_metadata.py", "tests/containers/test_zarr_metadata_v2.py"),
    ),
}
"""The modules that are mutated together, and the tests that have to notice."""

CONFIGURATION = """
[tool.mutmut]
source_paths = ["vizschema"]
only_mutate = {modules}
also_copy = ["conformance", "spec"]
pytest_add_cli_args_test_selection = {tests}
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:randomly", "-p", "quick"]
timeout_multiplier = 2.0
timeout_constant = 4.0
use_git_change_detection = false
use_setproctitle = false
"""

# The same examples for every mutant, and none is shrunk: that a test fails is enough.
QUICK = """
from hypothesis import Phase, settings
settings.register_profile("quick", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile("quick")
"""

KILLED = frozenset({1, 3, 24, -24, 36, 152, -9, -11, -6, 255})
"""How a test run ends that noticed: a test failed, could not be run, ran out of time (SIGXCPU), or crashed."""


class Mutant(NamedTuple):
    """One mutant, and the exit code of its test run: 0 where every test passed, 33 where none runs its line."""

    name: str
    module: str
    code: int | None

    @property
    def killed(self) -> bool:
        """Whether the tests noticed it."""
        return self.code in KILLED

    @property
    def function(self) -> str:
        """The function that it is in, with its module."""
        module, _, name = self.name.rpartition(".")
        plain = name.rpartition("__mutmut_")[0]
        return f"{module}.{plain[2:] if plain.startswith('x_') else '.'.join(plain[1:].strip('ǁ').split('ǁ'))}"


def main() -> int:
    """Run what is asked for, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--into", type=Path, default=Path(tempfile.gettempdir()) / "vizschema-mutants", metavar="DIR")
    parser.add_argument("--only-report", action="store_true", help="run nothing: report what was found before")
    parser.add_argument("--write", action="store_true", help="put the result into docs/conformance.md")
    parsed = parser.parse_args()
    unknown = set(parsed.groups) - set(GROUPS)
    if unknown:
        parser.error(f"expected groups among {', '.join(GROUPS)}, found {', '.join(sorted(unknown))}")
    for group in parsed.groups or GROUPS:
        if not parsed.only_report:
            run(group, parsed.into / group)
    trees = [parsed.into / group for group in GROUPS if (parsed.into / group / "mutants").is_dir()]
    every = [change for tree in trees for change in survivors(tree)]
    known = json.loads(EQUIVALENT.read_text("utf-8"))
    explained = {change.mutant.name for change in every if reason_of(change, known)}
    head = ["| module | mutants | killed | survived | of these equivalent |", "|---|---|---|---|---|"]
    table = "\n".join([*head, *rows([mutant for tree in trees for mutant in mutants(tree)], explained)])
    stale = report(every, known)
    print(table)
    if parsed.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    return 1 if stale else 0


def run(group: str, tree: Path) -> None:
    """Run the mutants of a group that have no result yet, in a copy of the tree."""
    modules, tests = GROUPS[group]
    again = any(fnmatch.fnmatch(name, pattern) for name in copy(tree) for pattern in (*modules, *tests))
    plugins = tree / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "quick.py").write_text(QUICK, encoding="utf-8")
    with (tree / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(CONFIGURATION.format(modules=json.dumps(list(modules)), tests=json.dumps(list(tests))))
    if again:
        for path, content in results(tree):
            codes = content["exit_code_by_key"]
            content["exit_code_by_key"] = {key: code if code in KILLED else None for key, code in codes.items()}
            path.write_text(json.dumps(content), encoding="utf-8")
        (tree / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # which test runs which function
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1"]
    path = os.pathsep.join(filter(None, (str(plugins), os.environ.get("PYTHONPATH"))))
    with (tree / "mutmut.log").open("w", encoding="utf-8") as log:
        code = subprocess.run(  # noqa: S603
            command, cwd=tree, env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log, check=False
        ).returncode
    if code:
        sys.exit(f"{group}: mutmut ended with exit code {code}; see {tree / 'mutmut.log'}")


def copy(tree: Path) -> list[str]:
    """Bring every file that git knows into `tree`, where it differs; the names of those that did."""
    brought = []
    listed = subprocess.run(
        ["git", "ls-files", "-z", "vizschema", "conformance", "spec", "tests", "pyproject.toml", "README.md"],  # noqa: S607
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        source, target = ROOT / name, tree / name
        if source.is_file() and (not target.is_file() or source.read_bytes() != target.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
            brought.append(name)
    return brought


def results(tree: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What mutmut has noted of each module."""
    for path in sorted((tree / "mutants").rglob("*.meta")):
        yield path, json.loads(path.read_text("utf-8"))


def mutants(tree: Path) -> list[Mutant]:
    """Every mutant of a group."""
    return [
        Mutant(key, path.relative_to(tree / "mutants").as_posix().removesuffix(".meta"), code)
        for path, content in results(tree)
        for key, code in content["exit_code_by_key"].items()
    ]


def rows(every: Sequence[Mutant], explained: Set[str]) -> Iterator[str]:
    """A row of the table for each module, and one for all."""
    modules = sorted({mutant.module for mutant in every})
    for name, here in (
        *((f"`{module}`", [mutant for mutant in every if mutant.module == module]) for module in modules),
        ("all", every),
    ):
        killed = sum(mutant.killed for mutant in here)
        waiting = sum(mutant.code is None for mutant in here)
        left = f" ({waiting} not run)" if waiting else ""
        equivalent = sum(mutant.name in explained for mutant in here)
        share = f"{killed} ({killed / max(1, len(here) - waiting):.1%})"
        yield f"| {name} | {len(here)}{left} | {share} | {len(here) - killed - waiting} | {equivalent} |"


class Change(NamedTuple):
    """A survivor: where, the lines that the mutant lacks, the lines that it has in their place."""

    mutant: Mutant
    was: str
    now: str


def survivors(tree: Path) -> list[Change]:
    """Every mutant of a group that no test noticed, with what it changes."""
    found = [mutant for mutant in mutants(tree) if mutant.code is not None and not mutant.killed]
    sources = {module: functions(tree / "mutants" / module) for module in {mutant.module for mutant in found}}
    return [Change(mutant, *changed(sources[mutant.module], mutant.name)) for mutant in found]


def functions(path: Path) -> dict[str, list[str]]:
    """The lines of every function of a mutated module, by its mangled name."""
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name: ast.unparse(node).splitlines()[1:] for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    }


def changed(sources: Mapping[str, Sequence[str]], name: str) -> tuple[str, str]:
    """The lines that a mutant lacks and those that it has, without indentation."""
    mangled = name.rpartition(".")[2]
    own = sources[mangled]
    original = sources[f"{mangled.rpartition('__mutmut_')[0]}__mutmut_orig"]
    lines = list(difflib.unified_diff(original, own, n=0, lineterm=""))[2:]
    was, now = (" ".join(line[1:].strip() for line in lines if line.startswith(mark)) for mark in "-+")
    return was, now


def reason_of(change: Change, known: Sequence[Mapping[str, str]]) -> Mapping[str, str] | None:
    """The entry that says why no test can tell the mutant from the original; null where there is none."""
    own = {"in": change.mutant.function, "was": change.was, "now": change.now}
    return next((entry for entry in known if {**entry, **own} == entry), None)


def report(every: Sequence[Change], known: Sequence[Mapping[str, str]]) -> int:
    """How many entries explain no survivor; prints them, and the survivors that no entry explains."""
    used = [reason_of(change, known) for change in every]
    for change, entry in zip(every, used, strict=True):
        if entry is None:
            print(f"\n{change.mutant.name}\n  - {change.was}\n  + {change.now}")
    stale = [entry for entry in known if entry not in used]
    for entry in stale:
        print(f"\n{EQUIVALENT.name}: explains no survivor: {entry['in']}: {entry['now']}")
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())
