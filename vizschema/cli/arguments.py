"""The arguments of each command, and quantities as they are typed. What the commands do is in `commands.py`."""

from __future__ import annotations

import argparse
import math
import re

from vizschema.cli.completion import SHELLS
from vizschema.report import FORMATS

_SIZE = re.compile(r"([0-9]{1,9})(?:([KMG])i?B?)?", re.ASCII)
_FACTORS = {None: 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_THREADS = 1024

MEMORY = "192M"
TIMEOUT = "3600"


def threads(text: str) -> int:
    """Return a number of threads, 1 or more; raise `ArgumentTypeError` for anything else."""
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:9]) <= _THREADS:
        raise argparse.ArgumentTypeError(f"expected 1 to {_THREADS} threads, found {text}")
    return int(text)


def size(text: str) -> int:
    """Return bytes, typed as `1048576`, `1024K`, `192M` or `2G` (powers of 1024); raise `ArgumentTypeError`."""
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]):
        raise argparse.ArgumentTypeError(f"expected a size such as 192M or 2G, found {text}")
    return int(match[1]) * _FACTORS[match[2]]


def duration(text: str) -> float:
    """Return seconds, more than 0; raise `ArgumentTypeError` for anything else."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"expected seconds above 0, such as 60 or 0.5, found {text}")
    return seconds


def nothing(_: argparse.ArgumentParser) -> None:
    """No arguments."""


def validate(parser: argparse.ArgumentParser) -> None:
    """Those of `validate`."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="an archive, or a folder or prefix (s3://bucket/runs/) of archives; - reads paths from stdin",
    )
    _add_choice_options(parser)
    parser.add_argument("--no-values", action="store_false", dest="values", help="structure only: read no chunk")
    parser.add_argument("--digest", action="store_true", help="also report the digest")
    parser.add_argument("--expect-digest", metavar="D", help="fail if the digest differs")
    parser.add_argument("--strict", action="store_true", help="warnings count as errors for the exit code")
    parser.add_argument("--format", choices=tuple(FORMATS), default="text", help="how to report (default: text)")
    parser.add_argument(
        "--report",
        action="append",
        default=[],
        type=_report_file,
        metavar="FORMAT:FILE",
        help="also write a report to FILE; repeatable",
    )
    parser.add_argument("--no-timestamp", action="store_true", help="omit timestamps (reproducible output)")
    parser.add_argument(
        "--quiet", "-q", action="store_true", help="as text: one line for each archive that does not pass"
    )
    parser.add_argument("--enclosing", action="store_true", help="validate the archive that contains PATH")
    parser.add_argument("--baseline", metavar="FILE", help="known findings, which do not count")
    parser.add_argument("--write-baseline", metavar="FILE", help="save the current findings as the baseline")
    parser.add_argument("--all", action="store_true", help="list every place, not the first three of each rule")
    _add_reading_options(parser)


def describe(parser: argparse.ArgumentParser) -> None:
    """Those of `describe`."""
    parser.add_argument("--values", action="store_true", help="read the values too, and print facts about them")
    parser.add_argument("path", metavar="PATH", help="an archive")
    _add_reading_options(parser)


def look(parser: argparse.ArgumentParser) -> None:
    """Those of `show`."""
    parser.add_argument("path", metavar="ARCHIVE", help="an archive")
    parser.add_argument("place", nargs="?", default="/", metavar="PATH", help="a group or an array in it (default: /)")
    parser.add_argument(
        "--values", action="store_true", help="of an array: read all values, and print facts about them"
    )
    parser.add_argument("--sizes", action="store_true", help="also count stored bytes, without reading values")
    parser.add_argument("--json", action="store_true", help="print JSON (spec/show.schema.json)")
    _add_reading_options(parser, clusters=False)


def view(parser: argparse.ArgumentParser) -> None:
    """Those of `view`."""
    parser.add_argument("path", metavar="ARCHIVE", help="an archive on this machine")
    parser.add_argument(
        "--no-browser", action="store_false", dest="browser", help="print the address, and do not open a browser"
    )


def compare(parser: argparse.ArgumentParser) -> None:
    """Those of `diff`."""
    parser.add_argument("first", metavar="A", help="an archive")
    parser.add_argument("second", metavar="B", help="another one")
    for name in ("absolute", "relative"):
        share = " of the larger value" if name == "relative" else ""
        parser.add_argument(
            f"--{name}", type=_tolerance, default=0.0, metavar="T", help=f"distance{share} that is equal (default: 0)"
        )
    parser.add_argument(
        "--ulp", type=_steps, default=0, metavar="N", help="steps of their dtype by which floats are equal (default: 0)"
    )
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="NAME", help="an attribute that is not compared; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="print JSON (spec/diff.schema.json)")
    _add_reading_options(parser, clusters=False)


def explain(parser: argparse.ArgumentParser) -> None:
    """Those of `explain`."""
    parser.add_argument("rule", metavar="RULE", help="the id of a rule, as findings name it")
    _add_choice_options(parser)


def pin(parser: argparse.ArgumentParser) -> None:
    """Those of `pin`."""
    parser.add_argument("version", nargs="?", metavar="VERSION", help="a version (default: the first)")
    parser.add_argument("--file", metavar="FILE", help="the file to write to (default: the existing configuration)")


def completion(parser: argparse.ArgumentParser) -> None:
    """Those of `completion`."""
    parser.add_argument("shell", choices=tuple(SHELLS), help="the shell")


def digest(parser: argparse.ArgumentParser) -> None:
    """Those of `digest`."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="an archive")
    parser.add_argument(
        "--values",
        action="store_true",
        dest="values_only",
        help="the digest of the arrays alone: paths, dtypes, shapes, axes and values, and no attributes",
    )
    _add_reading_options(parser)


def demo(parser: argparse.ArgumentParser) -> None:
    """Those of `demo`."""
    parser.add_argument("--into", metavar="DIR", help="keep the archives in this folder (default: a temporary one)")


def example(parser: argparse.ArgumentParser) -> None:
    """Those of `example`."""
    parser.add_argument(
        "profile", metavar="PROFILE", help="a profile of the specification; `vizschema spec list` names them"
    )
    parser.add_argument("path", metavar="PATH", help="where to write it")
    parser.add_argument("--container", metavar="C", help="the container, as for convert (default: by the suffix)")
    parser.add_argument("--overwrite", action="store_true", help="replace what is at PATH")


def convert(parser: argparse.ArgumentParser) -> None:
    """Those of `convert`."""
    parser.add_argument("source", metavar="SRC", help="an archive")
    parser.add_argument("target", metavar="DST", help="where to write it")
    parser.add_argument("--container", metavar="C", help="the container of DST (default: by its suffix)")
    parser.add_argument(
        "--chunks",
        metavar="HOW",
        default="keep",
        help="keep those of SRC, default (as for a new archive), or lengths by axis: head=1,token=64 (default: keep)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is at DST")


def join(parser: argparse.ArgumentParser) -> None:
    """Those of `join`."""
    parser.add_argument("parts", nargs="+", metavar="PART", help="an archive; two or more, in order")
    parser.add_argument("--axis", required=True, metavar="A", help="the axis along which they are put together")
    parser.add_argument("--out", required=True, metavar="TARGET", help="where to write the joined archive")
    parser.add_argument("--container", metavar="C", help="the container of TARGET (default: by its suffix)")
    parser.add_argument("--overwrite", action="store_true", help="replace what is at TARGET")


def recover(parser: argparse.ArgumentParser) -> None:
    """Those of `recover`."""
    parser.add_argument("path", metavar="PATH", help="an archive, whether it is there or not")
    act = parser.add_mutually_exclusive_group()
    act.add_argument(
        "--restore", action="store_true", help="put back what can be saved if PATH is missing; remove the rest"
    )
    act.add_argument("--remove", action="store_true", help="remove everything that was found beside PATH")


def migrate(parser: argparse.ArgumentParser) -> None:
    """Those of `migrate`."""
    parser.add_argument("source", metavar="SOURCE", help="an archive of another layout, or a folder of files")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="where to write the result; nothing may be there")
    parser.add_argument("--suggest", action="store_true", help="draft a mapping for a layout that no mapping fits")
    parser.add_argument("--out", metavar="FILE", help="with --suggest: write the draft to FILE (default: print it)")
    parser.add_argument("--mapping", metavar="M", help="a mapping by name, or a file (default: the one that fits)")
    _add_mapping_options(
        parser, "an answer, for all or for one group (KEY:/GROUP=VALUE); lose:/NODE=REASON gives a node up"
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        dest="beside",
        metavar="PATH=FILE",
        help="add an array from a .npy file, or from an archive (FILE#/NODE); repeatable",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="compare the result of a migration, named first, with its source: `migrate --verify TARGET SOURCE`",
    )
    parser.add_argument(
        "--link",
        action="store_true",
        help="from a Zarr folder to a Zarr v3 folder: hard links to the files of chunks, whose values are not read",
    )
    parser.add_argument("--container", metavar="C", help="the container, as for convert (default: by the suffix)")


def give_back(parser: argparse.ArgumentParser) -> None:
    """Those of `export`."""
    parser.add_argument("archive", metavar="ARCHIVE", help="an archive of the specification")
    parser.add_argument("target", metavar="TARGET", help="where to write the layout; nothing may be there")
    parser.add_argument("--as", required=True, dest="layout", metavar="M", help="a mapping by name, or a file")
    _add_mapping_options(parser, "what the layout demands and the archive does not have")
    parser.add_argument(
        "--container",
        metavar="C",
        help="zarr-v2, zarr-v2-zip, hdf5, npz, safetensors or folder (default: by the suffix of TARGET)",
    )
    parser.add_argument(
        "--widen",
        action="store_true",
        help="write bfloat16 and float8 as float32, int4 as int8, where the container lacks them; values stay equal",
    )


def fix(parser: argparse.ArgumentParser) -> None:
    """Those of `fix`."""
    parser.add_argument("path", metavar="ARCHIVE", help="a file or a folder")
    parser.add_argument("target", nargs="?", metavar="TARGET", help="where to write the fixed archive")
    parser.add_argument("--in-place", action="store_true", help="replace the archive")
    parser.add_argument("--spec", metavar="V", help="the version of the spec (default: declared by the archive)")
    parser.add_argument("--profile", metavar="P", help="a profile, a table or a folder (default: the archive's)")
    parser.add_argument("--all", action="store_true", help="list every place, not the first three of each rule")
    _add_reading_options(parser, clusters=False)


def benchmark(parser: argparse.ArgumentParser) -> None:
    """Those of `benchmark`."""
    parser.add_argument(
        "name",
        choices=(
            *("formats", "metadata", "scan", "isolation", "fleet", "remote", "hashes", "start", "reading", "record"),
            *("link", "migrate", "look", "capture", "streaming"),
        ),
        help="formats (the default before options): one trace in nine formats, written and read in eight workloads; "
        "metadata: describing and judging an archive of many arrays; scan: validating values; "
        "isolation: the cost of the worker; fleet: many archives as one job; "
        "remote: requests and seconds on S3; hashes: what the digest adds to "
        "reading; start: the time that commands take to start; reading: parts of arrays by `open`; "
        "record: a model that is recorded; link: `migrate --link` beside decoding; "
        "migrate: the memory of `migrate` and `export`; look: `show` beside `describe`, and `diff` beside `digest`; "
        "capture: `create` beside zarr-python and h5py; streaming: its memory, and its time as layers grow",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help="arguments of the benchmark")


def show(parser: argparse.ArgumentParser) -> None:
    """Those of `spec show`."""
    parser.add_argument("version", nargs="?", metavar="VERSION", help="a version (default: the first)")
    parser.add_argument("profile", nargs="?", metavar="PROFILE", help="a profile, a table, or a folder with one")


def diff(parser: argparse.ArgumentParser) -> None:
    """Those of `spec diff`."""
    parser.add_argument(
        "old", nargs="?", metavar="A", help="a version, or a folder with one (default: the last released)"
    )
    parser.add_argument("new", nargs="?", metavar="B", help="a version, or its folder (default: the newest installed)")


def build(parser: argparse.ArgumentParser) -> None:
    """Those of `profile build`."""
    parser.add_argument("path", metavar="FOLDER", help="a folder with a table.toml, or a table")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the documents differ")
    parser.add_argument("--spec", metavar="V", help="the version to build on (default: the table's, or the first)")


def infer(parser: argparse.ArgumentParser) -> None:
    """Those of `profile infer`."""
    parser.add_argument("paths", nargs="+", metavar="ARCHIVE", help="archives of one kind of model")
    parser.add_argument("--name", metavar="P", help="the name of the profile (default: the archives', or own)")
    parser.add_argument("--out", metavar="FILE", help="write the draft to a new file (default: print it)")
    _add_reading_options(parser)


def export(parser: argparse.ArgumentParser) -> None:
    """Those of `spec export`."""
    parser.add_argument("path", metavar="DIR", help="a folder that does not exist, or is empty")
    parser.add_argument("version", nargs="?", metavar="VERSION", help="one version (default: all)")


def rest(parser: argparse.ArgumentParser) -> None:
    """Whatever follows, for a command that reads its own."""
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="…", help="the action and its arguments")


def _add_mapping_options(parser: argparse.ArgumentParser, answers: str) -> None:
    """Add the options that `migrate` and `export` share; `answers` says what `--set` gives."""
    parser.add_argument(
        "--set", action="append", default=[], dest="given", metavar="KEY=VALUE", help=f"{answers}; repeatable"
    )
    parser.add_argument("--answers", metavar="FILE", help="a TOML file of answers")
    parser.add_argument("--dry-run", action="store_true", help="show what each node becomes, and write nothing")
    parser.add_argument(
        "--memory",
        type=size,
        default="4G",
        metavar="SIZE",
        help="maximum size of an array that cannot be read in parts (default: 4G)",
    )
    _add_trust(parser)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust",
        action="store_true",
        help="read in this process, without the sandbox; for archives you trust",
    )


def _add_reading_options(parser: argparse.ArgumentParser, *, clusters: bool = True) -> None:
    """Add the options that say how archives are read; with `clusters`, by Dask too."""
    parser.add_argument(
        "--jobs", type=threads, metavar="N", help="threads, of all archives together (default: one per CPU)"
    )
    _add_trust(parser)
    parser.set_defaults(dask=None)
    if clusters:
        parser.add_argument(
            "--dask",
            metavar="ADDRESS",
            help="read values on the Dask cluster at this address, or `local` for one of this machine; needs --trust",
        )
    parser.add_argument(
        "--memory",
        type=size,
        default=MEMORY,
        metavar="SIZE",
        help=f"memory for decoded values, of all archives together (default: {MEMORY})",
    )
    parser.add_argument(
        "--timeout", type=duration, default=TIMEOUT, metavar="S", help=f"seconds for an archive (default: {TIMEOUT})"
    )


def _add_choice_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spec", metavar="V", help="the version of the spec (default: pinned, declared by the archive, or the first)"
    )
    parser.add_argument(
        "--profile",
        metavar="P",
        help="a profile, a table (gpt2.toml) or a folder with one (default: configured, the archive's, or trace)",
    )
    parser.add_argument("--config", metavar="FILE", help="the configuration (default: the nearest here or above)")
    parser.add_argument("--no-config", action="store_true", help="use no configuration")


def _tolerance(text: str) -> float:
    """A distance, 0 or more; raises `argparse.ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, such as 1e-6, found {text}")
    return value


def _steps(text: str) -> int:
    """A number of steps, 0 or more; raises `argparse.ArgumentTypeError`."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, found {text}")
    return int(text[:18])


def _report_file(text: str) -> tuple[str, str]:
    """A format and a file, typed as `sarif:report.sarif`; raises `argparse.ArgumentTypeError`."""
    form, separator, file = text.partition(":")
    if form not in FORMATS or not separator or not file:
        raise argparse.ArgumentTypeError(f"expected FORMAT:FILE with one of {', '.join(FORMATS)}, found {text!r}")
    return form, file
