"""Whether the page judges archives of the corpus as the command line does.

Each archive is written, read with its values by the worker of the page in a browser, as one that was dropped, and by
`vizschema.validate`; version, profile and all findings have to be the same.
`PYTHONPATH=tests python -P -m support.verdicts` compares all of them, `--archives N` N of them, evenly,
`--container C` those of one container.
Archives with links, devices or names that are not UTF-8 are left out: a drop does not have these; so are those with a
file of more than 64 MiB. Values that the page refuses to read, as they take more than 1 GiB, are counted apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from support.opened import hosted, until
from support.servers import Handler

import vizschema
from vizschema.conformance.corpus.cases import Case, corpus
from vizschema.conformance.corpus.raw import scratch
from vizschema.rules import versions

ARCHIVE = "archive"
MOST = 64 << 20
"""Bytes of a file at most: sparse ones of a tebibyte are not sent to a browser."""

DIFFERENT = "different"
TOO_LARGE = "use vizschema validate"
"""The end of what the page says where values are too many for it."""

ASK = """
globalThis.judged = async (address) => {
  const bytes = await (await fetch(address, { cache: "no-store" })).arrayBuffer();
  const length = new DataView(bytes).getUint32(0);
  let at = 4 + length;
  const files = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length))).map(([path, size]) => {
    const file = size === null ? null : new File([new Uint8Array(bytes, at, size)], path.split("/").at(-1));
    at += size ?? 0;
    return [path, file];
  });
  const worker = (globalThis.worker ??= new Worker("worker.js", { type: "module" }));
  const ask = (message) => new Promise((resolve, reject) => {
    let timer;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => (worker.terminate(), delete globalThis.worker, reject(new Error("ended"))), 30000);
    };
    wait();
    worker.onmessage = ({ data }) => {
      if (data.alive) return wait();
      clearTimeout(timer);
      data.error === undefined ? resolve(data) : reject(new Error(data.error));
    };
    worker.postMessage({ id: 1, ...message });
  });
  const { description } = await ask({ cmd: "open", source: { files } });
  if (!description) return "refused";
  const { version, profile, findings } = await ask({ cmd: "judge", values: true });
  return [version, profile, findings.map(({ rule, path }) => `${rule} ${path}`).sort()];
};0
"""

Verdict = Any
"""[version, profile, findings], each "rule path" and sorted; or "refused", or the words of an error."""


class Outcome(NamedTuple):
    """What both say about an archive."""

    name: str
    page: Verdict
    command: Verdict

    @property
    def kind(self) -> str:
        """What is counted: whether both say the same, and what."""
        if isinstance(self.page, str) and self.page.endswith(TOO_LARGE) and self.command != "refused":
            return "refused by the page as too large"
        if self.page != self.command:
            return DIFFERENT
        if self.command == "refused":
            return "the same, refused"
        return "the same, with findings" if self.command[2] else "the same, without findings"


def items(most: int | None = None, only: str | None = None) -> list[tuple[Case, str]]:
    """Every case with an archive in each of its containers, or in one of them `only`, or `most` of these, evenly."""
    cases = [case for version in versions.versions() for case in corpus(version) if case.level == "archive"]
    found = [(case, container) for case in cases for container in case.containers if only in (None, container)]
    count = len(found) if most is None else min(most, len(found))
    return [found[at * len(found) // count] for at in range(count)]


def bundle(path: Path) -> bytes | None:
    """A file, or all files and empty folders of a folder, as one body; None where a drop could not have them."""
    entries = [path, *sorted(path.rglob("*"))] if path.is_dir() and not path.is_symlink() else [path]
    listed: list[tuple[str, int | None]] = []
    parts = []
    for entry in entries:
        name = entry.relative_to(path.parent).as_posix()
        if entry.is_symlink() or not (entry.is_dir() or entry.is_file()) or not _is_text(name):
            return None
        if entry.is_file():
            if entry.stat().st_size > MOST:
                return None
            parts.append(entry.read_bytes())
            listed.append((name, len(parts[-1])))
        elif not any(entry.iterdir()):
            listed.append((f"{name}/", None))
    head = json.dumps(listed).encode()
    return b"".join([len(head).to_bytes(4, "big"), head, *parts])


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def compared(chosen: list[tuple[Case, str]]) -> Iterator[Outcome]:
    """What page and command say about each archive; nothing about one that cannot be dropped."""
    body = b""

    def bundled(handler: Handler) -> bool:
        if handler.path != "/bundle":
            return False
        handler.answer(200, body)
        return True

    with TemporaryDirectory(dir=scratch()) as root, hosted(Path(root), misbehave=bundled) as (opened, server):
        opened.call("Page.navigate", url=f"{server.url}/page/site.html")
        until(opened, "document.readyState === 'complete' && location.href.startsWith('http')")
        opened.evaluate(ASK)
        for case, container in chosen:
            with TemporaryDirectory(dir=root) as folder:
                path = case.write_in(Path(folder), ARCHIVE, container)
                found = bundle(path)
                if found is None:
                    continue
                body = found
                page = opened.evaluate("judged('/bundle').catch(({ message }) => message)")
                yield Outcome(f"{case.spec} {case.name} [{container}]", page, by_command(path))


def by_command(path: Path) -> Verdict:
    """What `vizschema validate` says."""
    report = vizschema.validate(path, jobs=1)
    if report.error is not None:
        return "refused"
    return [report.spec_version, report.profile, sorted(f"{each.rule} {each.path}" for each in report.findings)]


def main(argv: list[str]) -> int:
    """1 where a verdict differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archives", type=int, help="how many archives, evenly (default: all)")
    parser.add_argument("--container", help="those of one container alone, such as asdf (default: of all)")
    arguments = parser.parse_args(argv)
    chosen = items(arguments.archives, arguments.container)
    counted: Counter[str] = Counter()
    for outcome in compared(chosen):
        counted[outcome.kind] += 1
        if counted.total() % 200 == 0:
            print(counted.total(), "of", len(chosen), file=sys.stderr)
        if outcome.kind == DIFFERENT:
            print(f"{outcome.name}\n  page:    {outcome.page}\n  command: {outcome.command}", flush=True)
    left = len(chosen) - counted.total()
    words = ", ".join(f"{count} {name}" for name, count in sorted(counted.items()))
    print(f"{counted.total()} archives: {words}; {left} not compared, as they cannot be dropped")
    return 1 if counted[DIFFERENT] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
