"""The tree of an archive as lists of a page, with what was found at each node, and pictures of arrays."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.findings import Details, Finding, Report
from vizschema.outline.figures import figures, text
from vizschema.outline.words import words_of
from vizschema.text import count

NODES = 2000
"""Nodes that a page shows of an archive; those with findings, and what is above them, come first."""


class Archive:
    """An archive on the page: which nodes are shown, and the anchor of each."""

    def __init__(self, number: int, report: Report, details: Details) -> None:
        self.number = number
        self.details = details
        self.findings: dict[str, list[Finding]] = {}
        for finding in report.findings:
            self.findings.setdefault(self._node_of(finding.path), []).append(finding)
        wanted = {above for path in self.findings for above in _with_those_above(path)} & details.nodes.keys()
        others = (path for path in details.nodes if path not in wanted)
        shown = [*sorted(wanted), *others][:NODES]
        self.shown = {path: f"a{number}-n{index}" for index, path in enumerate(sorted(shown), 1)}
        self.children: dict[str, list[str]] = {}
        for path in self.shown:
            if path != "/":
                self.children.setdefault(_above(path), []).append(path)

    def _node_of(self, path: str) -> str:
        """The node at which a finding is shown: the group that holds a series, or would hold a missing node."""
        while path not in self.details.nodes and path != "/":
            path = _above(path)
        return path

    def anchor(self, path: str) -> str | None:
        """The anchor of the node that a finding at `path` is shown at; None where no tree is shown."""
        return self.shown.get(self._node_of(path))


def _above(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _with_those_above(path: str) -> Iterator[str]:
    while path != "/":
        yield path
        path = _above(path)
    yield "/"


def gallery(archive: Archive) -> Iterator[str]:
    """Pictures of arrays without findings; those of others stand in the tree."""
    drawn = {path: picture for path, picture in archive.details.pictures.items() if path not in archive.findings}
    if not drawn:
        return
    yield f"<h3>Pictures of {count(len(drawn), 'array')} without findings</h3>"
    for path, picture in drawn.items():
        anchor = archive.anchor(path)
        name = f"<code>{text(path)}</code>"
        yield f'<p class="quiet">{name if anchor is None else f"""<a href="#{anchor}">{name}</a>"""}</p>'
        yield from figures(path, picture)


def tree(archive: Archive) -> Iterator[str]:
    """The tree as nested lists; groups open and close."""
    if not archive.shown:
        return
    left_out = len(archive.details.nodes) - len(archive.shown)
    yield f"<h3>{count(len(archive.details.nodes), 'node')}</h3>"
    if left_out:
        yield f'<p class="quiet">{count(left_out, "node")} without findings not shown here</p>'
    yield '<ul class="tree">'
    roots = ["/"] if "/" in archive.shown else archive.children.get("/", [])
    for root in roots:
        yield from _node(archive, root)
    yield "</ul>"


def _node(archive: Archive, path: str) -> Iterator[str]:
    node = archive.details.nodes[path]
    name = path if path == "/" else path.rpartition("/")[2]
    label = f'<span class="node">{text(name)}{"/" if node["kind"] == "group" and path != "/" else ""}</span>'
    label = f"{label} {text(words_of(node, codecs=True))}"
    children = archive.children.get(path, ())
    yield f'<li id="{archive.shown[path]}">'
    if children:
        broken = any(each == path or each.startswith(f"{path.rstrip('/')}/") for each in archive.findings)
        yield f"<details{' open' if broken or path == '/' else ''}><summary>{label}</summary>"
        yield from _found(archive, path)
        yield "<ul>"
        for child in children:
            yield from _node(archive, child)
        yield "</ul></details>"
    else:
        yield label
        yield from _found(archive, path)
    yield "</li>"


def _found(archive: Archive, path: str) -> Iterator[str]:
    for finding in archive.findings.get(path, ()):
        kind = f'<span class="{finding.weight}">{finding.weight}</span>'
        yield f"<p>{kind} {text(finding.rule)}: expected {text(finding.expected)}, found {text(finding.found)}</p>"
    picture = archive.details.pictures.get(path)
    if picture is not None and path in archive.findings:
        yield from figures(path, picture)
