"""What public libraries read of the fixed archives is what vizschema reads: `vizschema conformance oracle --fixed`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vizschema.cli.main import main
from vizschema.conformance.corpus.hostile import BY_NAME
from vizschema.conformance.oracle import command, known, peers, recorded, report, run, sources
from vizschema.conformance.oracle.compare import Asked, differences
from vizschema.conformance.oracle.readers import common
from vizschema.errors import UsageError

PLAIN = {"kind": "array", "dtype": "float32", "shape": [2], "axes": None, "attributes": {}, "sha256": "a"}
ASKED = Asked("archive", "hdf5", "h5py", "3.16.0")


def order(**changes: Any) -> run.Order:
    return replace(run.Order(known.known(), ("h5py", "numpy"), None, None, recorded.Recorded()), **changes)


def account(**changes: Any) -> dict[str, Any]:
    nodes = {"/": {"kind": "group", "attributes": {}}, "/x": {**PLAIN, **changes}}
    return {"nodes": nodes, "codecs": {}}


def fields(mine: Mapping[str, Any], theirs: Mapping[str, Any], asked: Asked = ASKED) -> list[tuple[str, str]]:
    return [(each.path, each.field) for each in differences(asked, mine, theirs)]


def test_every_library_reads_the_fixed_archives_as_vizschema_does() -> None:
    libraries = tuple(each for each in command.LIBRARIES)
    outcome = run.run(command.fixed(), order(libraries=libraries, whole=True))

    assert not outcome.failed, report.text(outcome)
    assert set(outcome.counts) == {(container, each) for container, many in run.READS.items() for each in many}
    assert all(counts["equal"] for counts in outcome.counts.values())


def test_recorded_answers_are_of_the_archives_of_today(tmp_path: Path) -> None:
    listed = recorded.Recorded().archives
    seen = {}
    for number, named in enumerate(each for each in command.fixed() if each.name in listed):
        (tmp_path / str(number)).mkdir()
        seen[named.name] = recorded.digest(named.build(tmp_path / str(number)))

    assert seen == {name: entry["sha256"] for name, entry in listed.items()}
    assert len(seen) >= 20


def test_another_archive_than_was_recorded_is_a_difference(tmp_path: Path) -> None:
    archive = BY_NAME["zarr-v2-fill-none"].build(tmp_path)
    request = {"name": "hostile/zarr-v2-fill-none", "path": str(archive)}
    assert "nodes" in recorded.Recorded().ask(request)

    (archive / "extra/x/0.0").write_bytes(bytes(24))
    assert "another archive" in recorded.Recorded().ask(request)["refused"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"sha256": "b"}, "values"),
        ({"dtype": "float64"}, "dtype"),
        ({"shape": [3]}, "shape"),
        ({"axes": ["token"]}, "axes"),
        ({"attributes": {"a": 1}}, "attributes"),
        ({"kind": "group"}, "tree"),
        ({"refused": "OSError: no"}, "refused"),
    ],
)
def test_each_kind_of_difference_is_found(changed: dict[str, Any], field: str) -> None:
    assert fields(account(), account()) == []
    assert ("/x", field) in fields(account(), account(**changed))


def test_a_node_that_one_side_lacks_and_a_refusal_are_differences() -> None:
    less = {"nodes": {"/": {"kind": "group", "attributes": {}}}, "codecs": {}}
    assert fields(account(), less) == [("/x", "tree")]
    assert fields(less, account()) == [("/x", "tree")]
    assert fields(account(), {"refused": "OSError: no"}) == [("/", "refused")]


def test_a_whole_number_is_not_the_float_of_its_value() -> None:
    assert fields(account(attributes={"a": 1}), account(attributes={"a": 1.0})) == [("/x", "attributes")]
    assert fields(account(attributes={"a": True}), account(attributes={"a": 1})) == [("/x", "attributes")]


def test_bits_that_say_that_they_are_bfloat16_are() -> None:
    bits = account(dtype="uint16", attributes={"stored_dtype": "bfloat16"})
    assert fields(account(dtype="bfloat16"), bits) == []
    assert fields(account(dtype="bfloat16"), account(dtype="uint16")) == [("/x", "dtype")]


def test_a_reason_explains_what_it_names_and_nothing_else() -> None:
    found = differences(ASKED, account(), account(sha256="b"))[0]
    reason = known.Known("h5py", "3.0", "4", ("hdf5",), "values", "a reason that is made up")
    assert reason.explains(found)
    for changes in (
        {"library": "zarr"},
        {"since": "3.17"},
        {"before": "3.16.0"},
        {"containers": ("npz",)},
        {"field": "dtype"},
        {"dtypes": ("bool",)},
        {"codecs": ("lzf",)},
        {"ours": "^b"},
        {"theirs": "^a"},
    ):
        assert not replace(reason, **changes).explains(found), changes


def test_a_reason_that_explains_nothing_fails_the_fixed_part() -> None:
    spare = known.Known("h5py", "3.0", "99", ("hdf5",), "values", "a reason that is made up")
    archives = [sources.Named("plain", BY_NAME["hdf5-plain"].build)]
    assert not run.run(archives, order(reasons=(spare,))).failed
    outcome = run.run(archives, order(reasons=(spare, replace(spare, elsewhere=True)), whole=True))
    assert outcome.stale == [spare]
    assert outcome.failed
    assert "explain nothing any more" in report.text(outcome)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "known.toml").write_text('[[known]]\nlibrary = "h5py"\n')
    with pytest.raises(UsageError, match="expected a table of reasons"):
        known.known(tmp_path / "known.toml")


def test_archives_that_are_read_otherwise_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = BY_NAME["zarr-v3-numbers-odd"].build(tmp_path)
    (tmp_path / "none.toml").write_text("known = []\n")
    typed = ["conformance", "oracle", str(archive), "--only", "zarr", "--format", "json"]
    assert main(typed) == 0
    assert json.loads(capsys.readouterr().out)["explained"][0]["count"] == 1

    assert main([*typed, "--known", str(tmp_path / "none.toml"), "--keep", str(tmp_path / "kept")]) == 1
    (told,) = json.loads(capsys.readouterr().out)["differences"]
    assert (told["path"], told["field"], told["theirs"]) == ("/extra", "attributes", "f = 1" + "0" * 30)
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_comparing_nothing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = BY_NAME["npz-pickle"].build(tmp_path)
    assert main(["conformance", "oracle", str(broken), "--only", "numpy"]) == 1
    assert "nothing was compared" in capsys.readouterr().out


def test_a_child_that_dies_or_hangs_has_refused_and_is_started_again() -> None:
    hello = 'import sys, time, os; print(\'{"version": "1"}\', flush=True)\n'
    dies = peers.Peer([peers.sys.executable, "-c", hello + "sys.stdin.readline(); os._exit(3)"])
    hangs = peers.Peer([peers.sys.executable, "-c", hello + "time.sleep(60)"], seconds=0.2)
    try:
        assert [dies.ask({})["refused"] for _ in range(2)] == ["the child died"] * 2
        assert "no answer within 0.2 s" in hangs.ask({})["refused"]
    finally:
        dies.close()
        hangs.close()


def test_a_reader_that_does_not_start_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="does not start"):
        peers.Peer([peers.sys.executable, "-c", ""]).start()


@pytest.mark.parametrize("kind", list(sources.KINDS))
def test_a_mutant_is_the_same_in_every_run(kind: str, tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    first, second = (sources.mutant(kind, 3, 5).build(tmp_path / name) for name in "ab")
    assert recorded.digest(first) == recorded.digest(second)


def test_the_result_of_a_run_goes_into_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.START}\nold\n{report.END}\nafter\n")
    outcome = run.run([sources.Named("plain", BY_NAME["hdf5-plain"].build)], order())
    report.write_page(outcome, page, "the command")
    written = page.read_text()
    assert "old" not in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "1 archives, of which 1 conform and 1 were compared" in written

    page.write_text("no marks")
    with pytest.raises(UsageError, match="once each"):
        report.write_page(outcome, page, "the command")


def test_text_has_one_hash_and_name_in_whatever_type_a_library_gives_it() -> None:
    texts = ["a", "bc", ""]
    forms: list[Any] = [np.dtypes.StringDType(), "<U2", ">U2", "S2", object]
    assert len({common.sha256(np.array(texts, form)) for form in forms}) == 1
    assert {common.array(np.array(texts, form), lambda: np.array(texts))["dtype"] for form in forms} == {"string"}
    assert common.sha256(np.array(["ab", "c", ""])) != common.sha256(np.array(texts))
    assert "refused" in common.array(np.array(texts), lambda: np.array([1, None]))


def test_hashes_are_of_little_endian_values_in_c_order() -> None:
    values = np.arange(6, dtype=">i4").reshape(2, 3)

    assert common.sha256(values.T.copy(order="F").T) == common.sha256(values.astype("<i4"))
    assert common.sha256(values) != common.sha256(values.T)
