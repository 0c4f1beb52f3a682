"""What each command does, up to its exit code. Heavy modules are imported when a command needs them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vizschema.bugs import reported_as_bug
from vizschema.errors import NotAnArchive, UsageError, VizschemaError
from vizschema.ground import Choice, ground_of
from vizschema.report import FORMATS
from vizschema.report.options import Options, exit_code, overall_exit_code
from vizschema.report.text import count, wrapped

if TYPE_CHECKING:
    from vizschema.findings import Report, Rule
    from vizschema.specs import Spec


def validate(paths: Sequence[str], choice: Choice, form: str, options: Options) -> int:
    """The exit code after every archive was judged and reported in the format `form`."""
    codes: list[int] = []
    ground = ground_of(choice, Path.cwd())

    def judged() -> Iterator[Report]:
        for path in paths:
            report = ground.named(_judge(path, ground.spec, ground.profile))
            codes.append(exit_code(report, options))
            yield report

    for line in FORMATS[form](judged(), options):
        print(line)
    return overall_exit_code(codes)


def describe(path: str) -> int:
    """0 after the description of the archive was printed as JSON."""
    from vizschema.describe import describe as described

    try:
        description = described(path)
    except OSError as error:
        raise NotAnArchive(f"{path}: cannot be read: {error.strerror or error}") from error
    print(json.dumps(description, indent=2, sort_keys=True, allow_nan=False))
    return 0


def explain(rule_id: str, choice: Choice) -> int:
    """0 after the rule was printed: its clause, why it is there, how to mend a breach."""
    ground = ground_of(choice, Path.cwd())
    spec = _spec(ground.spec)
    rules = _rules(spec, ground.profile)
    if rule_id not in rules:
        close = difflib.get_close_matches(rule_id, rules, n=3)
        hint = (
            f"did you mean {' or '.join(close)}?"
            if close
            else "`vizschema spec show` names the profiles, and they their rules"
        )
        raise UsageError(f"spec {spec.version} has no rule {rule_id!r}; {hint}")
    rule = rules[rule_id]
    print(f"{rule.id} ({rule.severity}, profile {rule.profile}, spec {spec.version})\n")
    for text in (rule.title, f"Why: {rule.reason}" if rule.reason else "", f"Mend: {rule.mend}" if rule.mend else ""):
        if text:
            print(wrapped(text, "  "))
    return 0


def list_specs() -> int:
    """0 after every installed version was printed with its digest and profiles."""
    from vizschema import specs

    for version in specs.versions():
        spec = specs.load(version)
        state = "released" if spec.released else "draft"
        print(f"{version}  sha256 {spec.digest}  {state}  {', '.join(spec.profiles)}")
    return 0


def export_spec(target: str, version: str | None) -> int:
    """0 after the schemas of all versions, or of one, were copied below the folder `target`."""
    from vizschema.export import export

    written = export(Path(target), None if version is None else _spec(version))
    print(f"{target}: {count(written, 'file')} written, each at the path of its $id below https://vizschema.org/spec/")
    return 0


def pin(version: str | None, file: str | None) -> int:
    """0 after the version, the newest by default, and its digest were written into the project's configuration."""
    from vizschema.pin import place_for, write_pin

    spec = _spec(version)
    path = place_for(Path.cwd()) if file is None else Path(file)
    write_pin(path, spec)
    print(f"{path}: pins spec {spec.version}, sha256 {spec.digest}")
    if not spec.released:
        print(f"note: {spec.version} is a draft; its digest changes with the next vizschema")
    return 0


def show_spec(version: str | None, profile: str | None) -> int:
    """0 after the profiles of a version were printed, or the rules of one of them."""
    spec = _spec(version)
    print(f"spec {spec.version}  sha256 {spec.digest}")
    if profile is None:
        for name in spec.profiles:
            rules = spec.profile(name).rules.values()
            must = sum(rule.severity == "error" for rule in rules)
            print(f"  {name:<12} {count(must, 'error rule')}, {count(len(rules) - must, 'warning rule')}")
        return 0
    shown = spec.profile(profile)
    print(f"profile {shown.name}: {count(len(shown.rules), 'rule')}")
    column = max((len(rule_id) for rule_id in shown.rules), default=0)
    for rule in sorted(shown.rules.values(), key=lambda rule: (rule.severity, rule.id)):
        start = f"  {rule.severity:<8} {rule.id:<{column}}  "
        print(wrapped(rule.title, start, " " * len(start)))
    return 0


def demo(into: str | None) -> int:
    """0 when all went as the demonstration tells it, otherwise 1."""
    from vizschema.conformance.demo import run

    code: int = run(into)
    return code


def example(profile: str, path: str, container: str | None, *, overwrite: bool) -> int:
    """0 after a small conforming archive of the profile was written and its verdict printed."""
    from vizschema.conformance.examples import write_example

    try:
        report: Report = write_example(profile, path, container=container, overwrite=overwrite)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error
    for line in FORMATS["text"]([report], Options()):
        print(line)
    return report.exit_code


def benchmark(name: str, arguments: Sequence[str]) -> int:
    """The exit code of the benchmark of this name."""
    from importlib import import_module

    code: int = import_module(f"vizschema.conformance.benchmarks.{name}").main(list(arguments))
    return code


def _judge(path: str, spec: str | None, profile: str | None) -> Report:
    """The report on one archive; whatever goes wrong is in it, so that the next archive has its turn."""
    from vizschema.findings import Report
    from vizschema.validate import validate as judged

    try:
        with reported_as_bug():
            return judged(path, spec=spec, profile=profile)
    except VizschemaError as error:
        return Report(path, "", "", "", "", "", error=error)


def _spec(version: str | None) -> Spec:
    from vizschema import specs

    return specs.newest() if version is None else specs.load(version)


def _rules(spec: Spec, profile: str | None) -> dict[str, Rule]:
    """Every rule of every profile, and of one of the user's own, by its id; an inherited rule is the same in each."""
    names = {*spec.profiles, *([] if profile is None else [profile])}
    return {rule.id: rule for name in sorted(names) for rule in spec.profile(name).rules.values()}
