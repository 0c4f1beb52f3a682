"""The command line: its exit codes, and that nobody ever sees a traceback."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vizschema
from vizschema.cli.completion import words_of
from vizschema.cli.main import main
from vizschema.cli.parser import whole_parser
from vizschema.conformance.examples import write_example
from vizschema.rules import versions

COMMANDS = tuple(typed for typed in words_of(whole_parser()) if typed and " --" not in typed)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive that conforms."""
    path = tmp_path_factory.mktemp("cli") / "good.zarr"
    write_example("openfold", path)
    return str(path)


@pytest.fixture
def bad(good: str, tmp_path: Path) -> str:
    """An archive that is one and does not conform: a root without anything."""
    path = tmp_path / "bad.zarr"
    path.mkdir()
    (path / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    return str(path)


def judging(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let every judging raise `error`, but for paths with `good` in them."""
    module = importlib.import_module("vizschema.validation")
    judged = module.judged

    def raising(path: str, *arguments: Any, **options: Any) -> Any:
        if "good" in path:
            return judged(path, *arguments, **options)
        raise error

    monkeypatch.setattr(module, "judged", raising)


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "vizschema", *arguments], text=True, capture_output=True, **options)


def test_a_benchmark_that_is_not_installed_says_where_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("vizschema.conformance.benchmarks.engine", "vizschema.conformance.benchmarks.engine.metadata"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "vizschema.conformance.benchmarks.engine", None)
    assert main(["benchmark", "metadata"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("vizschema: benchmark metadata: not installed; run it from a checkout of the repository")


# Exit codes


def test_what_conforms_is_0(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", good]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{good}: conforms to openfold 1.0.0 (structure and values)\n")
    assert f"spec 1.0.0 (sha256 {versions.load('1.0.0').digest[:12]}…), which the archive declares" in out


@pytest.mark.parametrize("how", [[], ["--trust"], ["--jobs", "1", "--memory", "1M"]])
def test_values_are_read_and_the_report_says_how_much_of_them(
    how: list[str], good: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "--format", "json", *how, good]) == 0
    (archive,) = json.loads(capsys.readouterr().out)["archives"]
    coverage = archive["coverage"]
    assert archive["values"] == "read"
    assert coverage["chunks_read"] == coverage["chunks"] > 0
    assert coverage["bytes_read"] == coverage["bytes"] > 0


def test_without_values_the_verdict_is_about_the_structure(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--no-values", good]) == 0
    assert capsys.readouterr().out.startswith(f"{good}: structure conforms to openfold 1.0.0\n")


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_describe_reads_values_where_asked(trust: list[str], good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", good, *trust]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == "not_read"
    assert main(["describe", "--values", good, *trust]) == 0
    description = json.loads(capsys.readouterr().out)
    assert description["values"] == "read"
    assert description["nodes"]["/outputs/confidence"]["facts"]["non_finite"] == 0


@pytest.mark.parametrize("typed", ["0", "-1", "two", "99999", "١"])
def test_a_number_of_threads_is_1_or_more(typed: str, good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--jobs", typed, good]) == 2
    assert "argument --jobs: expected 1 to 1024 threads, found" in capsys.readouterr().err


def test_what_does_not_conform_is_1(bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", bad]) == 1
    assert capsys.readouterr().out.startswith(f"{bad}: does not conform to trace 1.0.0, the default (")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["validate"],
        ["validate", "x", "--format", "pdf"],
        ["spec"],
        ["benchmark", "nothing"],
        ["example", "openfold"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: vizschema")


@pytest.mark.parametrize("arguments", [[], ["spec"]])
def test_no_command_is_the_help_and_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    main([*arguments, "--help"])
    assert (captured.out, captured.err) == ("", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("typed", "program", "words"),
    [
        ("validat x", "vizschema", "found 'validat'; did you mean validate?"),
        ("spec shwo", "vizschema spec", "found 'shwo'; did you mean show?"),
        ("conformance rn", "vizschema conformance", "found 'rn'; did you mean run?"),
        ("benchmark metdata", "vizschema benchmark", "found 'metdata'; did you mean metadata?"),
        ("benchmark metadata --arays 1", "vizschema benchmark metadata", "--arays; did you mean --arrays?"),
        ("validate x --strct", "vizschema validate", "unknown option --strct; did you mean --strict?"),
        ("validate x --profil trace", "vizschema validate", "unknown option --profil; did you mean --profile?"),
        ("validate x --profil=trace", "vizschema validate", "; did you mean --profile?"),
        ("validate x --format josn", "vizschema validate", "found 'josn'; did you mean json?"),
        ("spec list --jsn", "vizschema spec list", "unknown option --jsn"),
        ("describe a b", "vizschema describe", "unknown argument b"),
        ("--vers", "vizschema", "unknown option --vers; did you mean --version?"),
        ("validate --strct", "vizschema validate", "unknown option --strct; did you mean --strict?"),
        ("--strict validate x", "vizschema", "unknown option --strict; options of a command follow it"),
    ],
)
def test_a_slip_names_what_was_meant_and_shows_the_usage_of_its_command(
    typed: str, program: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(typed.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"usage: {program} ")
    assert words in said


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_is_abbreviated(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for option in [each for each in words_of(whole_parser())[command] if each.startswith("--")]:
        main([*command.split(), option[:-1]])
        assert f"unknown option {option[:-1]}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "typed", "words"),
    [
        ("--jobs", "0", "expected 1 to 1024 threads, found 0"),
        ("--memory", "2X", "expected a size such as 192M or 2G, found 2X"),
        ("--memory", "0", "expected a size such as 192M or 2G, found 0"),
        ("--timeout", "soon", "expected seconds above 0, such as 60 or 0.5, found soon"),
        ("--timeout", "-1", "expected seconds above 0, such as 60 or 0.5, found -1"),
        ("--timeout", "inf", "expected seconds above 0, such as 60 or 0.5, found inf"),
    ],
)
def test_a_quantity_says_what_is_expected(
    option: str, typed: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "x", option, typed]) == 2
    assert f"argument {option}: {words}\n" in capsys.readouterr().err


# Paths that are no archive


@pytest.mark.parametrize("command", ["validate", "describe", "digest"])
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("c.zar", "c.zar: no such file or folder; did you mean c.zarr?"),
        ("runs/a.zar", "did you mean runs/a.zarr?"),
        ("c.zarr/zarr.json", "it is within the archive c.zarr: pass c.zarr instead"),
        ("c.zarr/activatons", "it is within the archive c.zarr: pass c.zarr instead"),
        ("runs/b.h5/activations", "runs/b.h5 is a file, and an archive is read as a whole: pass runs/b.h5 instead"),
        ("abfs://container/a.zarr", "abfs:// is not supported; write az://CONTAINER/PATH"),
        ("hf://datasets/a/b.zarr", "Hugging Face (hf://) is not supported; download the archive"),
        ("file://host/a.zarr", "expected file:///PATH"),
    ],
)
def test_a_path_that_is_no_archive_says_what_to_pass(
    command: str, typed: str, words: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, typed]) in (2, 3)
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


@pytest.mark.parametrize("command", ["describe", "digest"])
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("runs", "runs: a folder with 2 archives, and not one itself; pass these: runs/*.h5 runs/*.zarr"),
        (".", ".: a folder with one archive, and not one itself; pass ./c.zarr instead"),
    ],
)
def test_a_folder_of_archives_is_no_archive_to_other_commands(
    command: str, typed: str, words: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, typed]) == 3
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


@pytest.mark.parametrize("part", ["activations", "activations/layer_00", "activations/layer_00/c"])
def test_a_part_of_an_archive_is_not_judged_as_one(part: str, runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", f"c.zarr/{part}"]) == 3
    said = capsys.readouterr().out
    instead = "pass c.zarr instead (`validate --enclosing` does so) — not judged\n\n"
    assert said == f"c.zarr/{part}: a part of the archive c.zarr; {instead}"


def test_an_archive_that_lies_in_a_zarr_folder_is_judged(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_example("vit", runs / "made", container="zarr-v3")
    (runs / "made").rename(runs / "c.zarr" / "inner")
    assert main(["validate", "c.zarr/inner"]) == 0
    assert main(["validate", "c.zarr/inner", "--profile", "openfold"]) == 1
    assert "not judged" not in capsys.readouterr().out


@pytest.mark.parametrize("start", ["file://", "FILE://localhost"])
def test_a_file_url_is_read(start: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a b%c.zarr"
    write_example("trace", path)
    url = start + str(path).replace("%", "%25").replace(" ", "%20")
    assert main(["validate", url]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: conforms")
    assert main(["digest", url]) == 0
    assert main(["convert", url, str(tmp_path / "b.h5")]) == 0
    assert vizschema.validate(url).conforms
    assert vizschema.describe(url) == vizschema.describe(path)
    with vizschema.open(url) as archive:
        assert archive.description == vizschema.describe(path)


def test_names_of_containers_and_options_are_those_of_the_command_line(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "c.zarr", "c.foo"]) == 2
    assert "found .foo; rename the target, or choose with --container" in capsys.readouterr().err
    assert main(["convert", "c.zarr", "d.h5", "--container", "hdf"]) == 2
    assert "found 'hdf'; did you mean hdf5?" in capsys.readouterr().err
    assert main(["convert", "c.zarr", "runs/b.h5"]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_a_profile_that_is_misspelt_names_the_closest(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "c.zarr", "--profile", "openfld"]) == 4
    assert "did you mean openfold?" in capsys.readouterr().out


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with an archive, and a folder of two."""
    (tmp_path / "runs").mkdir()
    for name in ("c.zarr", "runs/a.zarr", "runs/b.h5"):
        write_example("trace", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("columns", "widest"), [("40", 40), ("72", 72), ("160", 160)])
def test_a_report_is_as_wide_as_the_terminal(
    columns: str, widest: int, bad: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["validate", bad]) == 1
    _, *lines = [line for line in capsys.readouterr().out.splitlines() if len(line.split()) > 1]  # words stay whole
    assert widest - 25 < max(map(len, lines)) <= widest
    assert main(["explain", "axis-one-size"]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert widest - 25 < max(map(len, lines)) <= widest


@pytest.mark.parametrize("command", ["validate", "describe"])
def test_what_is_no_archive_is_3_with_one_sentence(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.h5").write_text("This is no HDF5 file.")
    (tmp_path / "hollow.zarr").mkdir()
    for name in ("text.h5", "hollow.zarr", "missing.zarr"):
        assert main([command, str(tmp_path / name)]) == 3
        captured = capsys.readouterr()
        assert (captured.out + captured.err).count(name) == 1
        assert len((captured.out + captured.err).strip().splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["validate", "GOOD", "--spec", "9.9.9"], ["validate", "GOOD", "--profile", "none"]]
)
def test_a_problem_with_the_spec_is_4(command: list[str], good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([good if part == "GOOD" else part for part in command]) == 4
    assert "not judged" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["explain", "axis-one-size", "--spec", "9.9.9"], ["spec", "show", "9.9.9"]])
def test_a_version_that_is_not_there_is_4(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 4
    assert capsys.readouterr().err.startswith("vizschema: spec version '9.9.9' is not installed")


def test_our_own_bug_is_70_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judging(monkeypatch, RuntimeError("odd\x1b[2J"))
    assert main(["validate", "a.zarr"]) == 70
    captured = capsys.readouterr()
    assert "a.zarr: internal error: RuntimeError: odd\\u001b[2J. It says nothing about the archive" in captured.out
    assert "please report it" in captured.out
    assert captured.err == ""


def test_a_bug_shows_its_traceback_where_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIZSCHEMA_DEBUG", "1")
    judging(monkeypatch, RuntimeError("odd"))
    assert main(["validate", "a.zarr"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_of_a_command_is_70_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(versions, "versions", lambda: 1 / 0)
    assert main(["spec", "list"]) == 70
    assert capsys.readouterr().err.startswith("vizschema: internal error: ZeroDivisionError")


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    judging(monkeypatch, KeyboardInterrupt())
    assert main(["validate", "a.zarr"]) == 130
    assert capsys.readouterr().out.startswith("a.zarr: interrupted before it was judged — not judged\n")


def test_warnings_count_where_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "warned.zarr")
    attributes = {"/": {"generator": "a 1"}, "/metadata": {"model_name": "a", "model_version": "1"}}
    arrays = {"/outputs/logits": vizschema.Array([[0.5, 1.5]], ["sample", "class"])}
    vizschema.write(path, arrays, attributes, profile="trace")
    assert main(["validate", path]) == 0
    assert main(["validate", "--strict", path]) == 1
    assert "warnings, which --strict counts as errors" in capsys.readouterr().out


# Several archives


def test_one_bad_path_does_not_stop_the_others(good: str, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "missing.zarr", bad, good]) == 3
    out = capsys.readouterr().out
    assert f"{good}: conforms" in out
    assert f"{bad}: does not conform" in out
    assert out.endswith("1 of 3 archives passed, 1 failed, 1 could not be judged\n")


def test_a_bug_does_not_stop_the_others(
    good: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judging(monkeypatch, RuntimeError("odd"))
    assert main(["validate", "a.zarr", good]) == 70
    assert f"{good}: conforms" in capsys.readouterr().out


def test_json_holds_every_archive(good: str, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--format", "json", "missing.zarr", bad, good]) == 3
    document = json.loads(capsys.readouterr().out)
    assert [archive["exit_code"] for archive in document["archives"]] == [3, 1, 0]
    assert document["exit_code"] == 3


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
)
def test_colours_are_for_terminals_and_those_who_want_them(
    good: str, environment: dict[str, str], expected: bool
) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    result = run("validate", good, "--no-values", env={**kept, **environment})
    assert ("\033[" in result.stdout) is expected


def test_paths_come_from_standard_input_too(good: str, bad: str) -> None:
    result = run("validate", "-", "--quiet", "--no-values", input=f"{good}\n\n{bad}\n")
    assert (result.returncode, result.stdout.count("\n")) == (1, 1)
    assert result.stdout.startswith(f"{bad}: does not conform")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_no_path_on_standard_input_is_2_and_never_a_pass(text: str) -> None:
    result = run("validate", "-", input=text)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("expected paths of archives on standard input, one per line, found none\n")


# Hostile surroundings


@pytest.mark.parametrize("command", ["validate", "describe"])
def test_a_hostile_path_is_printed_escaped(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, os.fsdecode(b"a\xff\x1b[31m.zarr")]) == 3
    captured = capsys.readouterr()
    assert "a\\udcff\\u001b[31m.zarr" in captured.out + captured.err


def test_a_hostile_argument_is_printed_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["x\x1b[31m"]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["spec", "show", "1.0.0", "openfold"], ["--help"], ["--version"], ["demo"]])
def test_a_closed_pipe_is_no_traceback(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    try:
        result = subprocess.run(
            [sys.executable, "-m", "vizschema", *arguments],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            env=buffered,
        )
    finally:
        os.close(write)
    assert result.stderr == ""
    assert result.returncode == 141


def test_a_terminal_without_unicode_gets_a_verdict(good: str) -> None:
    result = run("validate", good, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (result.returncode, result.stderr) == (0, "")
    assert "\\u2026" in result.stdout


# Commands


def test_describe_prints_the_description(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", good]) == 0
    assert json.loads(capsys.readouterr().out) == vizschema.describe(good)


def test_explain_says_clause_reason_and_mend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "axis-one-size"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("axis-one-size (error, profile trace, spec 1.0.0)\n\n  An axis has one size")
    assert "\n  Why: " in out
    assert "\n  Fix: " in out
    assert "\n  `vizschema fix` leaves it: " in out
    assert main(["explain", "index-width"]) == 0
    assert (
        "\n  `vizschema fix` renames the members of a series to numbers of one width, where no"
        in capsys.readouterr().out
    )


def test_every_rule_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    spec = versions.default()
    for rule_id in {rule_id for name in spec.profiles for rule_id in spec.profile(name).rules}:
        assert main(["explain", rule_id]) == 0


def test_an_unknown_rule_is_2_and_names_close_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "axis-on-size"]) == 2
    start = "vizschema: spec 1.0.0 has no rule 'axis-on-size'; did you mean axis-one-size"
    assert capsys.readouterr().err.startswith(start)
    assert main(["explain", "zzz"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def test_spec_list_names_version_digest_and_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "list"]) == 0
    spec = versions.load("1.0.0")
    state = "released" if spec.released else "draft"
    assert f"1.0.0  sha256 {spec.digest}  {state}  {', '.join(spec.profiles)}\n" in capsys.readouterr().out


def test_spec_show_lists_profiles_then_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["spec", "show"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in versions.default().profiles)
    assert main(["spec", "show", "1.0.0", "openfold"]) == 0
    out = capsys.readouterr().out
    assert all(f" {rule_id} " in out for rule_id in versions.default().profile("openfold").rules)


def test_version_names_those_of_the_spec(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"vizschema {vizschema.__version__} (spec {', '.join(versions.versions())})\n"


@pytest.mark.parametrize("container", ["zarr", "h5"])
@pytest.mark.parametrize("profile", versions.default().profiles)
def test_an_example_conforms(profile: str, container: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / f"example.{container}")
    assert main(["example", profile, path]) == 0
    assert f"conforms to {profile} 1.0.0" in capsys.readouterr().out
    assert main(["validate", path]) == 0


def test_an_example_overwrites_only_where_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "example.zarr")
    assert main(["example", "trace", path]) == 0
    assert main(["example", "trace", path]) == 2
    assert "example.zarr" in capsys.readouterr().err
    assert main(["example", "trace", path, "--overwrite"]) == 0


def test_an_example_that_cannot_be_written_is_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["example", "trace", str(tmp_path / "file" / "example.zarr")]) == 2
    assert main(["example", "none", str(tmp_path / "example.zarr")]) in (2, 4)
    assert "Traceback" not in capsys.readouterr().err


def test_the_demo_goes_as_it_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out = capsys.readouterr().out
    assert out.count(": conforms to openfold 1.0.0 (structure and values)") == 2
    assert out.count("does not conform to openfold 1.0.0 (structure and values) — 1 error") == 1
    assert "error axis-one-size (1 place)" in out


def test_the_demo_keeps_its_archives_where_asked_and_overwrites_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--into", str(tmp_path / "tryout")]) == 0
    assert sorted(path.name for path in (tmp_path / "tryout").iterdir()) == [
        "broken.zarr",
        "example.h5",
        "example.zarr",
    ]
    assert main(["demo", "--into", str(tmp_path / "tryout")]) == 2
    assert "example.zarr" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    assert f"example:\n  vizschema {command}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["spec", "list"], ["validate", "--help"]])
def test_no_array_library_is_imported_before_it_is_needed(arguments: list[str]) -> None:
    program = (
        "import sys; from vizschema.cli.main import main; code = main(sys.argv[1:]); "
        "sys.exit(code or ', '.join({'numpy', 'zarr', 'h5py', 'jsonschema_rs'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
