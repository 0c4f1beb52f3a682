"""The worker between us and an archive: what it may not do, and what becomes of its death."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from support import traces

import vizschema
from vizschema.bounds import Bounds
from vizschema.cli.main import main
from vizschema.conformance.benchmarks.engine import isolation as benchmark
from vizschema.containers.base import Limits
from vizschema.errors import NotAnArchive, VizschemaError
from vizschema.rules import verdict
from vizschema.worker import client, messages, process, warm, watch
from vizschema.worker.process import Worker, WorkerDied

Start = Callable[[str], None]


@pytest.fixture(params=traces.READABLE)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return written(tmp_path, request.param)


def written(folder: Path, container: str) -> str:
    return str(traces.written(folder, container))


@pytest.fixture
def hdf5(tmp_path: Path) -> str:
    return written(tmp_path, "hdf5")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Start:
    """Lets workers have some code run once their modules are imported, before they do anything."""

    def prepend(code: str) -> None:
        line = warm._START.replace("sys.exit(main())", f"exec({code!r}); sys.exit(main())")
        monkeypatch.setattr(warm, "_START", line)

    return prepend


def die_at(path: str, how: str) -> str:
    """Code with which a worker does `how` as soon as HDF5 opens the object at `path`."""
    return (
        "import os, sys, time, ctypes\n"
        "from vizschema.containers.hdf5 import file as hdf5\n"
        "follow = hdf5._follow\n"
        "def _follow(holder, link, path, seen, watch):\n"
        "    instead = watch(path)\n"
        f"    if instead is None and path == {path!r}:\n"
        f"        {how}\n"
        "    return follow(holder, link, path, seen, lambda _: instead)\n"
        "hdf5._follow = _follow\n"
    )


SILENT = "the worker reported nothing for {} seconds, computing or waiting"


class Clock:
    """The clock by which a worker is watched over: it runs a million times as fast while the worker hangs."""

    def __init__(self) -> None:
        self._shift = 0.0
        self._hanging_since: float | None = None

    def monotonic(self) -> float:
        now, since = time.monotonic(), self._hanging_since
        return now + self._shift + (0 if since is None else 1_000_000 * (now - since))

    def hang(self) -> None:
        self._hanging_since = time.monotonic()

    def go_on(self) -> None:
        self._shift, self._hanging_since = self.monotonic() - time.monotonic(), None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Runs fast from the message on that `/extra/mask` is about to be touched, until the worker is dead."""
    clock = Clock()
    following = Worker._next

    def follow(process: Worker) -> list[Any]:
        try:
            message = following(process)
        except WorkerDied:
            clock.go_on()
            raise
        if "/extra/mask" in message:
            clock.hang()
        return message

    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(Worker, "_next", follow)
    return clock


def probe(code: str) -> str:
    """Code that makes `probe` a function of the worker, which gives the value of `found`."""
    indented = "\n".join(f"    {line}" for line in code.splitlines())
    return (
        "from vizschema.worker import child\nimport ctypes, os, resource, signal, socket, sys, threading\n"
        "def refused(action, *arguments):\n"
        "    try:\n        action(*arguments)\n    except OSError as error:\n        return type(error).__name__\n"
        "    return 'done'\n"
        f"def probe(arguments, session):\n{indented}\n    session.channel.send('end', found)\n"
        "child.FUNCTIONS['probe'] = probe\n"
    )


def probed(path: str, arguments: dict[str, Any] | None = None, **bounds: Any) -> Any:
    with Worker([path], Bounds(**bounds)) as process:
        if process.notes:
            pytest.skip(f"2026-11-21: {process.notes[0]}")
        return list(process.run("probe", arguments or {}))[-1][1]


def described(path: str | Path, **options: Any) -> tuple[Any, tuple[str, ...]]:
    """The description of an archive by a worker, and notes."""
    with client.opened(path, **options) as archive:
        return archive.description, archive.notes


# What it gives


def test_a_worker_describes_what_this_process_describes(archive: str) -> None:
    description, _ = described(archive)
    assert description == vizschema.describe(archive)


def test_the_limits_are_those_that_were_asked_for(archive: str) -> None:
    description, _ = described(archive, limits=Limits(nodes=3))
    assert [node["reason"] for node in description["nodes"].values() if "reason" in node] == ["over-limit"]


def test_a_report_is_the_same_but_for_notes(archive: str) -> None:
    isolated_report, report = vizschema.validate(archive, isolated=True), vizschema.validate(archive)
    assert (isolated_report.verdict, isolated_report.findings) == (report.verdict, report.findings)
    assert report.conforms


@pytest.mark.parametrize("isolated", [False, True])
def test_the_profile_of_an_archive_is_chosen_once(
    archive: str, isolated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = []
    choose = verdict._choose_profile
    monkeypatch.setattr(verdict, "_choose_profile", lambda *given: chosen.append(given) or choose(*given))
    assert vizschema.validate(archive, isolated=isolated).conforms
    assert len(chosen) == 1


def test_what_is_no_archive_is_said_in_the_same_words(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.txt"
    path.write_text("text")
    with pytest.raises(NotAnArchive) as here:
        vizschema.describe(path)
    with pytest.raises(NotAnArchive) as there:
        described(path)
    assert str(there.value) == str(here.value)


def test_a_path_need_not_be_text(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.zarr")
    vizschema.write(path, traces.arrays(), traces.attributes(), profile="trace")
    assert described(path)[0] == vizschema.describe(path)


def test_a_relative_path_and_a_link_to_an_archive_are_followed(archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(archive).parent
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "link").symlink_to(archive)
    monkeypatch.chdir(folder / "elsewhere")
    assert described("link")[0] == vizschema.describe(archive)


# What it may not do

OUTSIDE = """
found = {
    "read": refused(open, "/etc/passwd"),
    "list": refused(os.listdir, "/"),
    "proc": refused(open, "/proc/self/environ"),
    "beside": refused(open, arguments["beside"]),
    "write": refused(open, arguments["beside"], "w"),
    "inside": refused(open, arguments["inside"], "w"),
    "remove": refused(os.unlink, arguments["archive"]),
    "rename": refused(os.rename, arguments["archive"], arguments["archive"] + ".old"),
    "truncate": refused(os.truncate, arguments["archive"], 0),
    "execute": refused(os.execv, "/bin/true", ["true"]),
    "connect": refused(socket.create_connection, ("127.0.0.1", arguments["port"])),
    "listen": refused(lambda: socket.socket().bind(("127.0.0.1", 0))),
    "signal": refused(os.kill, arguments["parent"], 0),
    "archive": refused(open, arguments["archive"]),
    "interpreter": refused(open, os.__file__),
}
"""


def test_a_worker_reads_the_archive_and_the_interpreter_and_does_nothing_else(hdf5: str, start: Start) -> None:
    beside = Path(hdf5).with_name("secret.txt")
    beside.write_text("secret")
    start(probe(OUTSIDE))
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = {"archive": hdf5, "beside": str(beside), "inside": f"{hdf5}.new", "parent": os.getpid()}
        found = probed(hdf5, {**arguments, "port": server.getsockname()[1]})
    assert (found.pop("archive"), found.pop("interpreter")) == ("done", "done")
    assert set(found.values()) == {"PermissionError"}, found
    assert beside.read_text() == "secret"


def test_a_worker_reads_all_of_an_archive_that_is_a_folder_and_writes_nothing_there(
    tmp_path: Path, start: Start
) -> None:
    path = written(tmp_path, "zarr-v3")
    start(probe("found = [refused(os.listdir, arguments['path']), refused(open, arguments['path'] + '/new', 'w')]"))
    assert probed(path, {"path": path}) == ["done", "PermissionError"]


def test_a_worker_has_limits_on_memory_time_and_files(hdf5: str, start: Start) -> None:
    names = ("DATA", "CPU", "FSIZE", "CORE", "NOFILE")
    start(probe(f"found = [list(resource.getrlimit(getattr(resource, 'RLIMIT_' + name))) for name in {names}]"))
    memory, time, *rest = probed(hdf5, memory=1 << 20, seconds=9)
    cpus = os.cpu_count() or 1
    assert memory == [(1 << 20) + process.ALLOWANCE] * 2
    assert time == [10 * cpus, 10 * cpus + 1]
    assert rest == [[0, 0], [0, 0], [256, 256]]


def test_a_worker_inherits_no_file_and_next_to_no_environment(
    hdf5: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    read, write = os.pipe()
    os.set_inheritable(read, True)
    code = (
        "found = [dict(os.environ), [fd for fd in range(256) if refused(os.fstat, fd) == 'done'], sys.flags.isolated]"
    )
    start(probe(code))
    try:
        environment, files, alone = probed(hdf5)
    finally:
        os.close(read)
        os.close(write)
    assert {name for name in environment if name.startswith(("PYTHON", "AWS", "HOME"))} == set()
    assert environment["HDF5_PLUGIN_PRELOAD"] == "::"
    assert len(files) == 4  # stdin, stdout, stderr, the channel
    assert alone == 1


def test_what_a_library_prints_is_no_message(hdf5: str, start: Start) -> None:
    start(die_at("/extra/mask", "os.write(1, b'junk'), print('junk', flush=True), os.write(2, b'junk')"))
    assert described(hdf5)[0] == vizschema.describe(hdf5)


@pytest.mark.parametrize(("container", "absent"), [("zarr-v3", {"numpy", "h5py", "zarr"}), ("hdf5", {"zarr"})])
def test_a_worker_imports_what_the_container_needs_only(
    tmp_path: Path, start: Start, container: str, absent: set[str]
) -> None:
    path = written(tmp_path, container)
    start(probe("found = sorted(name for name in sys.modules if '.' not in name)"))
    assert not (absent | {"jsonschema_rs", "numcodecs"}) & set(probed(path))


# Its death

DEATHS = {
    "os.abort()": ("crashed", "SIGABRT"),
    "ctypes.string_at(0)": ("crashed", "SIGSEGV"),
    "os._exit(3)": ("crashed", "exit code 3"),
    "os.write(3, b'junk' * 9)": ("crashed", "malformed message"),
    "bytearray(1 << 30)": ("over-limit", "memory"),
}


@pytest.mark.parametrize("how", DEATHS)
def test_the_death_of_a_worker_is_one_node_and_the_rest_is_described(hdf5: str, start: Start, how: str) -> None:
    start(die_at("/extra/mask", how))
    description, _ = described(hdf5)
    whole = vizschema.describe(hdf5)
    node = description["nodes"]["/extra/mask"]
    reason, words = DEATHS[how]
    assert (node["kind"], node["reason"]) == ("unreadable", reason)
    assert words in node["detail"]
    assert {path: node for path, node in description["nodes"].items() if path != "/extra/mask"} == {
        path: node for path, node in whole["nodes"].items() if path != "/extra/mask"
    }


@pytest.mark.usefixtures("clock")
def test_a_worker_that_hangs_is_ended_and_the_rest_is_described(hdf5: str, start: Start) -> None:
    start(die_at("/extra/mask", "time.sleep(9999)"))
    description, notes = described(hdf5, bounds=Bounds(seconds=1e9, silence=1000))
    node = description["nodes"]["/extra/mask"]
    assert (node["reason"], node["detail"]) == ("over-limit", SILENT.format(1000))
    assert set(description["nodes"]) == set(vizschema.describe(hdf5)["nodes"])
    assert not any("looked at" in note for note in notes)


@pytest.mark.usefixtures("clock")
def test_the_time_for_an_archive_is_up_only_once(hdf5: str, start: Start) -> None:
    start(die_at("/extra/mask", "time.sleep(9999)"))
    description, notes = described(hdf5, bounds=Bounds(seconds=1000, silence=1e9))
    node = description["nodes"]["/extra/mask"]
    assert (node["reason"], node["detail"]) == (
        "over-limit",
        "reading the archive takes more than 1000 seconds (--timeout)",
    )
    assert notes[-1].startswith("nothing after /extra/mask was looked at")


def test_too_much_cpu_time_is_a_limit(hdf5: str, start: Start) -> None:
    start(die_at("/extra/mask", "os.kill(os.getpid(), 24)"))
    assert described(hdf5)[0]["nodes"]["/extra/mask"]["reason"] == "over-limit"


def test_a_node_that_takes_cpu_time_without_an_end_ends_the_reading(hdf5: str, start: Start) -> None:
    code = "from vizschema.worker import child\nchild.NODE_SECONDS = 0.3\n"
    start(code + die_at("/extra/mask", "all(True for _ in iter(int, 1))"))
    description, notes = described(hdf5)
    node = description["nodes"]["/extra/mask"]
    assert (node["reason"], node["detail"]) == ("over-limit", "reading it takes more CPU time than a node may")
    assert notes[-1].startswith("nothing after /extra/mask was looked at")


def test_a_heap_whose_free_space_leads_to_itself_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_group("g").create_group("member")
    content = bytearray(path.read_bytes())
    heap = content.rindex(b"HEAP")
    free, data = (int.from_bytes(content[heap + at : heap + at + 8], "little") for at in (16, 24))
    content[data + free : data + free + 16] = free.to_bytes(8, "little") + bytes(8)
    path.write_bytes(content)
    report = vizschema.validate(path, isolated=True)
    assert {"damaged", "over-limit", "crashed"} & {finding.rule for finding in report.errors}
    assert report.exit_code == 1


def test_an_answer_that_never_ends_is_a_limit(hdf5: str) -> None:
    description, notes = described(hdf5, bounds=Bounds(answer=2000))
    found = {path: node["reason"] for path, node in description["nodes"].items() if "reason" in node}
    assert list(found.values()) == ["over-limit"]
    assert notes[-1].startswith(f"nothing after {next(iter(found))} was looked at")


@pytest.mark.parametrize("item", [b"[],", b'{"a":1},', b"{},"])
def test_a_copy_that_takes_all_memory_is_a_limit(tmp_path: Path, item: bytes) -> None:
    start, end = b'{"zarr_format":3,"node_type":"group","consolidated_metadata":{"metadata":{"a":[', b"1]}}}"
    (tmp_path / "zarr.json").write_bytes(start + item * ((60 << 20) // len(item)) + end)
    report = vizschema.validate(tmp_path, isolated=True)
    assert {finding.rule for finding in report.errors} <= {"over-limit", "crashed"}
    assert report.exit_code == 1


def test_workers_are_started_again_a_few_times_only(hdf5: str, start: Start) -> None:
    start(
        "import os\nfrom vizschema.containers.hdf5 import file as hdf5\nfollow = hdf5._follow\n"
        "def _follow(holder, link, path, seen, watch):\n"
        "    instead = watch(path)\n"
        "    if instead is None and path.count('/') == 2:\n        os.abort()\n"
        "    return follow(holder, link, path, seen, lambda _: instead)\n"
        "hdf5._follow = _follow\n"
    )
    description, notes = described(hdf5)
    crashed = [path for path, node in description["nodes"].items() if node.get("reason") == "crashed"]
    assert len(crashed) == client.RESTARTS + 1
    assert "/" in description["nodes"]
    assert notes[-1].startswith("nothing after ")


@pytest.mark.parametrize(
    ("room", "module", "name"), [("hdf5", "file", "hdf5"), ("zarr", "directory", "zarr_directory")]
)
def test_a_death_while_the_archive_is_opened_is_the_root(
    tmp_path: Path, start: Start, room: str, module: str, name: str
) -> None:
    path = written(tmp_path, "hdf5" if room == "hdf5" else "zarr-v3")
    opened = f"from vizschema.containers.{room} import {module} as module\nmodule.open_{name}"
    start(f"import os\n{opened} = lambda *_: os.abort()\n")
    report = vizschema.validate(path, isolated=True)
    assert [finding.rule for finding in report.findings] == ["crashed"]
    assert report.container["format"] == vizschema.describe(path)["container"]["format"]
    assert report.exit_code == 1


def test_a_node_that_killed_a_worker_is_not_opened_under_another_name(tmp_path: Path, start: Start) -> None:
    import h5py

    path = str(tmp_path / "a.h5")
    with h5py.File(path, "w") as file:
        file["a"] = 1
        file["b"] = file["a"]
    start(die_at("/a", "os.abort()"))
    nodes = described(path)[0]["nodes"]
    assert (nodes["/a"]["reason"], nodes["/b"]["reason"]) == ("crashed", "internal-link")


def test_a_crash_is_one_finding_and_the_other_archives_are_judged(
    tmp_path: Path, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    good = written(tmp_path, "zarr-v3")
    start(die_at("/extra/mask", "os.abort()"))
    assert main(["validate", good, written(tmp_path, "hdf5"), good, "--format", "json"]) == 1
    captured = capsys.readouterr()
    reports = json.loads(captured.out)["archives"]
    assert [report["exit_code"] for report in reports] == [0, 1, 0]
    assert [(found["rule"], found["path"]) for found in reports[1]["findings"] if found["severity"] == "error"] == [
        ("crashed", "/extra/mask")
    ]
    assert captured.err == ""


def test_a_bug_in_the_worker_is_a_bug_of_ours(hdf5: str, start: Start) -> None:
    start(die_at("/extra/mask", "raise KeyError('x')"))
    report = vizschema.validate(hdf5, isolated=True)
    assert report.exit_code == 70
    assert "internal error: KeyError: 'x'" in str(report.error)


def test_a_worker_that_cannot_start_says_what_to_do(hdf5: str, start: Start) -> None:
    start("raise SystemExit(5)")
    with pytest.raises(VizschemaError, match=r"could not be started: .*exit code 5.*VIZSCHEMA_DEBUG=1.*--trust"):
        described(hdf5)


def test_trust_needs_no_worker(hdf5: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("raise SystemExit(5)")
    assert main(["validate", hdf5, "--trust"]) == 0
    assert main(["describe", hdf5, "--trust"]) == 0
    assert main(["describe", hdf5]) == 70
    assert "could not be started" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--memory", "much"], ["--timeout", "0"], ["--timeout", "nan"], ["--memory", "1E"]])
def test_a_quantity_that_is_none_is_wrong_usage(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "x", *wrong]) == 2
    assert wrong[1] in capsys.readouterr().err


def test_the_option_memory_bounds_the_worker(hdf5: str, start: Start) -> None:
    start(die_at("/extra/mask", "bytearray(600 << 20)"))
    assert main(["validate", hdf5, "--memory", "1G"]) == 0
    assert main(["validate", hdf5, "--memory", "1M"]) == 1


def test_the_option_timeout_bounds_the_worker(hdf5: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start(die_at("/extra/mask", "time.sleep(60)"))
    assert main(["validate", hdf5, "--timeout", "4.5"]) == 1
    assert "4.5 seconds" in capsys.readouterr().out


def test_the_peak_of_a_worker_is_known_while_it_lives(hdf5: str) -> None:
    with Worker([hdf5]) as process:
        assert 4 << 20 < process.peak_memory < 256 << 20


def test_the_benchmark_says_what_isolation_costs() -> None:
    seconds = {("hdf5", 1, True): [0.1], ("hdf5", 1, False): [0.3], ("hdf5", 8, True): [0.2], ("hdf5", 8, False): [1.1]}
    assert benchmark.report(seconds).splitlines()[-1].split() == ["hdf5", "100", "300", "200", "100"]


def test_the_benchmark_fills_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n<!-- measured: isolation -->\nold\n<!-- end -->\nMore.\n")
    benchmark.fill(page, "isolation", "hdf5 100")
    assert page.read_text() == "Text.\n<!-- measured: isolation -->\n```text\nhdf5 100\n```\n<!-- end -->\nMore.\n"
    page.write_text("Text.\n")
    with pytest.raises(ValueError, match="no <!-- measured: isolation -->"):
        benchmark.fill(page, "isolation", "hdf5 100")


# Messages


def test_a_message_is_read_as_it_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(messages.pack(["a", {"b": 1}]) + messages.pack([]))
    with path.open("rb") as stream:
        assert messages.unpack(messages.read(stream)) == ["a", {"b": 1}]
        assert messages.unpack(messages.read(stream)) == []
        with pytest.raises(EOFError):
            messages.read(stream)


@pytest.mark.parametrize("raw", [b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1{"])
def test_what_is_no_message_is_said_to_be_none(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "frames").write_bytes(raw)
    with (tmp_path / "frames").open("rb") as stream, pytest.raises(messages.Malformed):
        messages.unpack(messages.read(stream))


@pytest.mark.parametrize("message", ["\ud800", object(), "x" * (messages.LARGEST + 1)])
def test_what_cannot_be_a_message_is_not_sent(message: Any) -> None:
    with pytest.raises(messages.Malformed):
        messages.pack(message)
