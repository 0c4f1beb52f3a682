"""Headers of `.npy`: what is read means what NumPy reads, and what NumPy refuses is refused."""

from __future__ import annotations

import io
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.zip_files import headed

import vizschema
from vizschema.conformance.corpus.hostile.zip_base import Entry, zipped
from vizschema.containers.base import Unreadable
from vizschema.containers.npz.npy import Header, read_header
from vizschema.describing import describe

PLAIN = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
DATA = np.arange(6, dtype="<f4").tobytes()

REFUSED = {
    "zero-led-sizes": (PLAIN.replace("(2, 3)", "(02, 03)"), (1, 0)),
    "nul-padding": (PLAIN + "\0\0\0\0", (1, 0)),
    "vertical-tab": (PLAIN.replace(", 'fortran", ",\x0b'fortran"), (1, 0)),
    "indented-second-line": ("\n  " + PLAIN, (1, 0)),
    "indented-last-line": (PLAIN + "\n  ", (3, 0)),
    "long-of-python-2-in-version-3": (PLAIN.replace("(2, 3)", "(2L, 3L)"), (3, 0)),
    "more-than-10000-characters": (PLAIN + " " * 10_000, (1, 0)),
    "line-break-in-text": (PLAIN.replace("<f4", "<f4\n"), (1, 0)),
}

TYPES = {
    **{"<b1": "?", ">b1": "?", "?": "?", "|?": "?", "bool": "?"},
    **{"=f4": "<f4", "f4": "<f4", "|f4": "<f4", "float32": "<f4", "f": "<f4", "single": "<f4", ">f": ">f4"},
    **{"<d": "<f8", "d": "<f8", "double": "<f8", "float": "<f8", "e": "<f2", "half": "<f2", "F": "<c8", "D": "<c16"},
    **{"int64": "<i8", "uint8": "|u1", "<u1": "|u1", "=i1": "|i1", "b": "|i1", "H": "<u2", ">q": ">i8"},
}


def opened(folder: Path, raw: bytes) -> Any:
    path = folder / "a.npz"
    path.write_bytes(zipped([Entry("x.npy", raw)]))
    with vizschema.open(path) as archive:
        array: Any = archive["/x"]
        return array[...]


def by_numpy(raw: bytes) -> Any:
    return np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)


@pytest.mark.parametrize("name", REFUSED)
def test_a_header_that_numpy_refuses_is_malformed(name: str, tmp_path: Path) -> None:
    text, version = REFUSED[name]
    raw = headed(text, DATA, version)
    with pytest.raises((ValueError, TypeError)):
        by_numpy(raw)
    path = tmp_path / "a.npz"
    path.write_bytes(zipped([Entry("x.npy", raw)]))
    assert describe(path)["nodes"]["/x"]["reason"] == "metadata-malformed"


@pytest.mark.parametrize("descr", TYPES)
def test_a_type_that_numpy_reads_is_read_as_numpy_reads_it(descr: str, tmp_path: Path) -> None:
    values = (np.arange(6) % 2).astype(TYPES[descr]).reshape(2, 3)
    raw = headed(PLAIN.replace("<f4", descr), values.tobytes())
    found = opened(tmp_path, raw)
    assert np.array_equal(found, by_numpy(raw))
    assert np.array_equal(found, values)


@pytest.mark.parametrize("descr", ["l", "<L", "int", "long", "intp", "g", "<f3", "Float32", "f4,f4", "2f4"])
def test_a_type_that_depends_on_the_machine_says_what_to_write(descr: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_header(headed(PLAIN.replace("<f4", descr), DATA))
    assert caught.value.reason == "metadata-invalid"
    assert f"expected a type such as '<f4' or '|b1', found {descr}" in caught.value.detail


TOKENS = (
    *("{", "}", "(", ")", "[", "]", ",", ":", " ", "\n", "\t", "\r", "\x0b", "\x0c", "\0", "#", "\\\n", "'", '"', "L"),
    *("'descr'", "'<f4'", "'<b1'", "'f4'", "'d'", "'l'", "'fortran_order'", "'shape'", "False", "True", "None"),
    *("(2, 3)", "()", "(5,)", "(02,)", "(2L,)", "-1", "0", "00", "1_0", "0x1", "1.0", "u'", "b'", "'a' 'b'"),
)
WHOLE = (
    *("{", "'descr'", ":", " ", "'<f4'", ",", " ", "'fortran_order'", ":", " ", "False", ",", " "),
    *("'shape'", ":", " ", "(2, 3)", ",", " ", "}", "   ", "\n"),
)


def changed(random_: random.Random) -> tuple[str, tuple[int, int]]:
    """A header after one to three changes of its tokens."""
    tokens = list(WHOLE)
    for _ in range(random_.randint(1, 3)):
        place, kind = random_.randrange(len(tokens)), random_.random()
        tokens[place : place + (kind > 0.5)] = [random_.choice(TOKENS)] if kind < 0.8 else []
    return "".join(tokens), (random_.choice((1, 2, 3)), 0)


def read(raw: bytes) -> Header | None:
    try:
        return read_header(raw)
    except Unreadable:
        return None


@pytest.mark.parametrize("seed", range(4))
def test_what_is_read_of_a_changed_header_is_what_numpy_reads(seed: int) -> None:
    random_, agreed = random.Random(seed), 0  # noqa: S311  (a test)
    for _ in range(2_500):
        text, version = changed(random_)
        header = read(headed(text, b"", version))
        if header is None or header.code is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about numbers as Python 2 wrote them
            values = by_numpy(headed(text, bytes(1 << 16), version))
        assert (values.shape, values.dtype) == (header.shape, np.dtype(header.code)), text
        agreed += 1
    assert agreed > 100
