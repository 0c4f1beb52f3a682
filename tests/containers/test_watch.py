"""Every container tells the path of a node before it touches it, and leaves alone what something else stands for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest
from support import traces

import vizschema
from vizschema.containers.base import Container
from vizschema.containers.opening import open_container, recognise
from vizschema.description import Node, fault


@pytest.fixture(params=traces.READABLE)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(traces.written(tmp_path, request.param))


@contextmanager
def opened(path: str) -> Iterator[Container]:
    container = open_container(path)
    try:
        yield container
    finally:
        container.close()


def test_every_path_is_told_before_its_node_comes(archive: str) -> None:
    told: list[str] = []
    with opened(archive) as container:
        for path, _ in container.nodes(told.append):
            assert path in told
    assert set(told) - dimensions(archive) == set(vizschema.describe(archive)["nodes"])
    assert len(told) == len(set(told))


def dimensions(path: str) -> set[str]:
    """The datasets of HDF5 that name the axes of others, and are no nodes."""
    if not path.endswith(".h5"):
        return set()
    with h5py.File(path) as file:
        return {f"/{name}" for name, member in file.items() if member.attrs.get("CLASS") == b"DIMENSION_SCALE"}


def test_what_stands_for_a_node_is_all_that_comes_of_it(archive: str) -> None:
    def watch(path: str) -> Node | None:
        return fault("damaged", "left alone") if path == "/activations" else None

    with opened(archive) as container:
        nodes = dict(container.nodes(watch))
    assert nodes["/activations"] == fault("damaged", "left alone")
    whole = vizschema.describe(archive)["nodes"]
    assert set(nodes) == {path for path in whole if not path.startswith("/activations/")}
    assert all(node.get("reason") is None for path, node in nodes.items() if path != "/activations")


def test_the_root_may_be_left_alone(archive: str) -> None:
    with opened(archive) as container:
        assert dict(container.nodes(lambda _: fault("damaged", "left alone"))) == {"/": fault("damaged", "left alone")}


def test_recognising_tells_the_format_before_anything_is_opened(archive: str) -> None:
    recognised, described = recognise(archive).container, vizschema.describe(archive)["container"]
    assert {key: recognised[key] for key in ("format", "store")} == {key: described[key] for key in ("format", "store")}
