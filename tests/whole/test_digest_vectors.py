"""The test vectors of the digest: three implementations agree on them, one of them in another language."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from support import digest_vectors
from support.needed import installed

from vizschema.rules import versions

PATH = versions.root() / "1.0.0" / "digest_vectors.json"
VECTORS = json.loads(PATH.read_bytes())
SUPPORT = Path(__file__).parents[1] / "support"


def test_the_file_is_what_the_plain_implementation_makes(capsys: pytest.CaptureFixture[str]) -> None:
    digest_vectors.main()
    assert capsys.readouterr().out == PATH.read_text(encoding="utf-8")


def test_a_short_script_in_javascript_computes_the_same() -> None:
    script = SUPPORT / "digest_vectors.mjs"
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 32
    done = subprocess.run([installed("node"), str(script), str(PATH)], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert found["archives"] == [vector["expect"] for vector in VECTORS["archives"]]
    assert found["trees"] == [vector["root"] for vector in VECTORS["trees"]]


def test_no_two_things_that_count_have_the_same_hash() -> None:
    hashes = [value for vector in VECTORS["archives"] for value in vector["expect"]["hashes"].items()]
    assert len({value for _, value in hashes}) == len(set(hashes))
    digests = {vector["expect"]["digest"] for vector in VECTORS["archives"]}
    assert len(digests) == len(VECTORS["archives"])
