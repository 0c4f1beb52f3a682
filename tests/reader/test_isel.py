"""`isel`: a part of an array by positions along named axes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vizschema

VALUES = np.arange(45, dtype="float32").reshape(3, 3, 5)


@pytest.fixture
def array(tmp_path: Path) -> Iterator[vizschema.StoredArray]:
    """A pair representation in an open archive."""
    given = {"/activations/pair": vizschema.Array(VALUES, ["residue:i", "residue:j", "channel"])}
    attributes = {"/metadata": {"model_name": "m", "model_version": "1"}}
    vizschema.write(tmp_path / "a.zarr", given, attributes, profile="trace", values=False)
    with vizschema.open(tmp_path / "a.zarr") as archive:
        found = archive["/activations/pair"]
        assert isinstance(found, vizschema.StoredArray)
        yield found


@pytest.mark.parametrize(
    ("by", "keywords", "key"),
    [
        ({}, {}, ()),
        ({"residue:i": 1}, {}, (1,)),
        ({"residue:j": slice(0, 2)}, {"channel": -1}, (slice(None), slice(0, 2), -1)),
        (None, {"residue_i": slice(None, None, 2), "residue_j": np.int64(2)}, (slice(None, None, 2), 2)),
    ],
)
def test_positions_along_named_axes(
    by: Any, keywords: dict[str, Any], key: tuple[Any, ...], array: vizschema.StoredArray
) -> None:
    assert np.array_equal(array.isel(by, **keywords), VALUES[key])


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ({"residue": 0}, "expected one index for one axis among residue:i, residue:j, channel, found 'residue'"),
        ({"residue": 0}, "found 'residue'; did you mean residue:i or residue:j"),
        ({"chanel": 0}, "found 'chanel'; did you mean channel"),
        ({"residue:i": 0, "residue_i": 1}, "found 'residue_i'"),
        ({"channel": [0, 1]}, "expected an integer or a slice for channel"),
        ({"channel": True}, "expected an integer or a slice for channel"),
    ],
)
def test_a_name_or_an_index_that_does_not_fit_is_refused(
    by: dict[str, Any], words: str, array: vizschema.StoredArray
) -> None:
    with pytest.raises(vizschema.UsageError, match=words):
        array.isel(by)
