"""What CI and the GitHub Action install is known by its hash: distributions by the locks, actions by their commits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def canonical(name: str) -> str:
    """The name of a distribution, as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> dict[str, str]:
    """Name and version of each line `name==version`."""
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonical(name): version for name, version in found}


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("requirements.lock", "setuptools"),
        ("action.lock", "setuptools"),
        ("torch.lock", "transformers"),
        ("torch-cpu.lock", "torch"),
        ("torch-cuda.lock", "torch"),
    ],
)
def test_a_lock_has_the_versions_of_the_constraints_with_hashes(name: str, has: str) -> None:
    text = (ROOT / ".ci" / name).read_text(encoding="utf-8")
    constraints = {
        key: version
        for file in ("constraints.txt", "constraints-torch.txt")
        for key, version in pinned((ROOT / file).read_text(encoding="utf-8")).items()
    }
    locked = {key: version.removesuffix("+cpu") for key, version in pinned(text).items()}
    assert has in locked
    assert {key: locked[key] for key in locked if key in constraints} == {
        key: constraints[key] for key in constraints if key in locked
    }
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "--hash=sha256:" in entry, entry


def test_what_needs_torch_is_installed_by_its_hash() -> None:
    lines = (ROOT / ".ci" / "torch").read_text(encoding="utf-8").splitlines()
    (install,) = (line for line in lines if "pip install" in line)
    assert " --no-deps --require-hashes " in install


def test_the_lock_of_ci_has_every_constraint() -> None:
    locked = pinned((ROOT / ".ci" / "requirements.lock").read_text(encoding="utf-8"))
    constraints = pinned((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    assert not constraints.keys() - locked.keys()


def test_the_lock_of_the_action_has_every_dependency() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (block,) = re.findall(r"^dependencies = \[\n(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    wanted = {canonical(name) for name in re.findall(r'^    "([\w.-]+)', block, re.MULTILINE)}
    locked = pinned((ROOT / ".ci" / "action.lock").read_text(encoding="utf-8"))
    assert wanted
    assert not wanted - locked.keys()


@pytest.mark.parametrize("name", ["action.yml", "docs/ci.md"])
def test_an_action_is_named_by_its_commit(name: str) -> None:
    used = re.findall(r"uses: (\S+)@(\S+)", (ROOT / name).read_text(encoding="utf-8"))
    others = [reference for action, reference in used if not action.startswith("OWNER/")]
    assert others
    assert all(re.fullmatch(r"[0-9a-f]{40}", reference) for reference in others), others
