"""`python -P -m vizschema.conformance.vizfold REPOSITORY`: VizFold's readers open what is exported.

REPOSITORY is a git repository of AI2Science/vizfold-foundation with its pull requests 47, 59 and 62 as
`refs/pull/N/head`. Their code is run, by each PYTHON, which has Zarr and NumPy.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vizschema.cli.parser import Parser
from vizschema.conformance.examples import write_example
from vizschema.migration.exporting.export import export

CHILD = Path(__file__).with_name("child.py")
FOLDERS = {47: ("vizfold", "webui/trace_reader.py"), 59: ("archive",), 62: ("archive/vizfold_to_zarr.py",)}
ANSWERS = {
    "issue40": {"config_version": "none", "num_recycles": "3"},
    "issue39": {"config_version": "none", "num_recycles": "3", "representation_names": "layer_00,layer_01"},
}


def git(repository: str, *arguments: str) -> bytes:
    """What git prints; raises `CalledProcessError` where it fails."""
    return subprocess.run(["git", "-C", repository, *arguments], check=True, capture_output=True).stdout  # noqa: S603, S607


def take(repository: str, folder: Path) -> None:
    """Write the files of the readers below a folder for each pull request."""
    for number, paths in FOLDERS.items():
        ref = f"refs/pull/{number}/head"
        for name in git(repository, "ls-tree", "-r", "--name-only", ref, *paths).decode().splitlines():
            if name.endswith(".py"):
                target = folder / str(number) / (Path(name).name if number == 62 else name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(git(repository, "show", f"{ref}:{name}"))


def write(folder: Path) -> None:
    """Export the example of the profile openfold to the layouts that the readers know."""
    run = folder / "run.zarr"
    write_example("openfold", str(run), container=None, overwrite=False)
    for name, answers in ANSWERS.items():
        export(str(run), str(folder / f"{name}.zarr"), name, answers=answers)
    export(str(run), str(folder / "issue40.zip"), "issue40", answers=ANSWERS["issue40"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where every check of every PYTHON holds, else 1."""
    parser = Parser(prog="python -P -m vizschema.conformance.vizfold", description=__doc__)
    parser.add_argument("repository", metavar="REPOSITORY", help="a git repository with the pull requests")
    parser.add_argument("--python", action="append", metavar="PYTHON", help="an interpreter, repeatable (this one)")
    given: Any = parser.parse_args(arguments)
    failed = 0
    with TemporaryDirectory(prefix="vizschema-vizfold-") as name:
        readers, archives = Path(name) / "readers", Path(name) / "archives"
        take(given.repository, readers)
        archives.mkdir()
        write(archives)
        for python in given.python or [sys.executable]:
            command = [python, "-I", str(CHILD), str(readers), str(archives)]
            reply = json.loads(subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1])  # noqa: S603
            held = [check for check, result in reply["found"].items() if result is True]
            print(f"Zarr {reply['zarr']}: {len(held)} of {len(reply['found'])} checks hold")
            for check, result in reply["found"].items():
                if result is not True:
                    failed += 1
                    print(f"  {check}: {result}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
