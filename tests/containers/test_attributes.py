"""Attributes as a description has them: what is left out, and the list of conventions of Zarr."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from support.traces import METADATA

import vizschema
from vizschema.containers.attributes import REGISTERED, clean_attributes, registered

OTHER = {"uuid": "b77365e5-2b0c-4141-b917-c03b7c68e935", "name": "license"}


def nested(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


def test_lists_and_objects_are_kept_up_to_sixteen_levels() -> None:
    cleaned = clean_attributes({"a": nested(16), "b": nested(17), "c": {"d": nested(15)}, "e": {"d": nested(16)}})
    assert cleaned.values == {"a": nested(16), "c": {"d": nested(15)}}
    assert cleaned.unsupported == dict.fromkeys("be", "nested deeper than 16 levels")


@pytest.mark.parametrize("value", [float("nan"), [1, [float("inf")]], {"a": 1 << 64}, [-(1 << 63) - 1]])
def test_a_number_that_is_not_in_json_takes_its_attribute_with_it(value: Any) -> None:
    cleaned = clean_attributes({"a": value, "b": 1})
    assert (cleaned.values, list(cleaned.unsupported)) == ({"b": 1}, ["a"])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({}, [REGISTERED]),
        ({"zarr_conventions": [OTHER]}, [OTHER, REGISTERED]),
        ({"zarr_conventions": []}, []),
        ({"zarr_conventions": "none"}, "none"),
    ],
)
def test_an_entry_is_added_to_the_conventions_and_left_out_again(given: dict[str, Any], written: Any) -> None:
    assert registered(given)["zarr_conventions"] == written
    assert registered(registered(given)) == registered(given)
    assert clean_attributes(registered(given)).values == given


@pytest.mark.parametrize("container", ["zarr-v2", "zarr-v3"])
def test_a_zarr_archive_registers_itself_and_keeps_other_conventions(container: str, tmp_path: Path) -> None:
    given = {"/metadata": METADATA, "/": {"zarr_conventions": [OTHER]}}
    logits = {"/outputs/logits": vizschema.Array(np.eye(2), ["sample", "class"])}
    vizschema.write(tmp_path / "a.zarr", logits, given, profile="trace", container=container)
    assert zarr.open_group(tmp_path / "a.zarr").attrs["zarr_conventions"] == [OTHER, REGISTERED]
    converted = vizschema.convert(tmp_path / "a.zarr", tmp_path / "b.h5")
    assert converted.digest == vizschema.digest(tmp_path / "a.zarr")
    with h5py.File(tmp_path / "b.h5") as file:
        assert json.loads(file.attrs["zarr_conventions"]) == [OTHER]
        assert list(file.attrs["json_attributes"]) == ["zarr_conventions"]
    vizschema.convert(tmp_path / "b.h5", tmp_path / "c.zarr", container=container)
    assert zarr.open_group(tmp_path / "c.zarr").attrs["zarr_conventions"] == [OTHER, REGISTERED]


def test_a_trace_that_is_captured_step_by_step_registers_itself(tmp_path: Path) -> None:
    with vizschema.create(tmp_path / "a.zarr", profile="trace", attributes={"/metadata": METADATA}) as trace:
        trace.add("/outputs/logits", np.eye(2), ["sample", "class"])
        trace.annotate("/", zarr_conventions=[OTHER])
    assert zarr.open_group(tmp_path / "a.zarr").attrs["zarr_conventions"] == [OTHER, REGISTERED]
    root = vizschema.describe(tmp_path / "a.zarr")["nodes"]["/"]["attributes"]
    assert (root["zarr_conventions"], root["complete"]) == ([OTHER], True)
