"""Layouts and their mappings, generated; what an export after a migration gives is the source, but for its losses.

The long run: `python -P -m vizschema.conformance.generator.mappings --examples N --seed S`.
"""

from __future__ import annotations

import pickle
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from vizschema.cli.parser import Parser
from vizschema.migration.drafting.toml import toml
from vizschema.migration.exporting.export import export
from vizschema.migration.exporting.layouts import LAYOUTS
from vizschema.migration.migrate import migrate
from vizschema.migration.operations import Unfit, apply
from vizschema.migration.proof import RECORD
from vizschema.reader.archive import open as open_archive
from vizschema.sources.folder import opened
from vizschema.sources.item import Tree
from vizschema.sources.views import digest, view_of

Values = npt.NDArray[Any]

SUFFIXES = {".zarr": "zarr-v2", ".zip": "zarr-v2-zip", ".h5": "hdf5", ".npz": "npz", "": "folder", ".pkl": "pickle"}
_BACK = {".pkl": ".zarr"}
"""What a source is exported to, where its own kind is not written."""

_WIDER = {"float16": "float32", "float32": "float64", "int8": "int32", "uint8": "int16", "bool": "uint8"}
_DTYPES = ("float16", "float32", "float64", "int8", "int64", "uint8", "uint32", "bool", "complex64")
_SIZES = (1, 1, 2, 3, 5)


@dataclass
class Case:
    """A source and the mapping of its layout.

    Attributes:
        suffix: The suffix of the source, which says its container.
        arrays: The arrays of the source.
        attributes: The attributes of its groups.
        nodes: The rules for nodes.
        rules: The rules for attributes.
        ask: The questions.
        answers: The answers.
    """

    suffix: str
    arrays: dict[str, Values] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    rules: list[dict[str, Any]] = field(default_factory=list)
    ask: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    def mapping(self) -> str:
        """The mapping, as TOML."""
        document = {
            **{"mapping": "1.0", "name": "any", "version": "1", "target": "1.0.0", "title": "generated"},
            **{"nodes": self.nodes, "attributes": self.rules, "recognise": {"all": [{"node": "/.*"}]}},
            **{"set": {"/metadata": {"model_name": "m", "model_version": "1"}}, "ask": self.ask},
        }
        return "".join(f"{key} = {toml(value)}\n" for key, value in document.items())

    def write(self, path: Path) -> None:
        """Write the source."""
        if self.suffix == ".pkl":
            path.write_bytes(pickle.dumps(_nested(self.arrays, self.attributes)))
            return
        arrays = {place: view_of(values) for place, values in self.arrays.items()}
        LAYOUTS[SUFFIXES[self.suffix]](path, arrays, self.attributes)


def _nested(arrays: Mapping[str, Values], attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Dictionaries in dictionaries, by the steps of paths; attributes are plain values in them."""
    found: dict[str, Any] = {}
    named = {f"{place.rstrip('/')}/{name}": value for place, each in attributes.items() for name, value in each.items()}
    for place, value in {**arrays, **named}.items():
        *above, last = place[1:].split("/")
        folder = found
        for step in above:
            folder = folder.setdefault(step, {})
        folder[last] = value
    return found


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A source of one to four series, texts, numbers and attributes, and the mapping of its layout."""
    case = Case(draw(st.sampled_from(list(SUFFIXES))))
    kinds = [_series, *draw(st.lists(st.sampled_from((_series, _series, _lost, _value, _text)), max_size=3))]
    for word, kind in zip("abcd", kinds, strict=False):
        kind(draw, case, word, first=word == "a")
    if case.suffix in (".zarr", ".zip", ".h5", ".pkl"):
        for word in draw(st.sets(st.sampled_from("pqrs"))):
            _attribute(draw, case, word)
    return case


def _file(case: Case) -> str:
    """What a path ends with: the suffix of a file in a folder."""
    return "" if case.suffix else ".npy"


def _values(draw: st.DrawFn, dtype: str, shape: Sequence[int]) -> Values:
    source = np.random.default_rng(draw(st.integers(0, 1000)))
    found: Values = (source.normal(size=shape) * 60).astype(dtype)
    if dtype.startswith("float") and draw(st.booleans()):
        found = np.where(source.random(shape) < 0.3, -np.zeros((), dtype), found)
    return np.asarray(found, dtype=dtype)


def _series(draw: st.DrawFn, case: Case, word: str, *, first: bool) -> None:
    """Numbered arrays, or one, with operations."""
    dtype = "float32" if first else draw(st.sampled_from(_DTYPES))
    shape = draw(st.lists(st.sampled_from(_SIZES), min_size=1 if first else 0, max_size=4))
    steps, after = _steps(draw, dtype, shape, whole=first)
    is_numbered, shift = draw(st.booleans()), draw(st.sampled_from((0, 1)))
    width, style = draw(st.sampled_from((1, 2))), draw(st.sampled_from(("/{}/layer_{}", "/{}.{}", "/{}{}_x")))
    is_float = np.empty(0, after.dtype).dtype.kind == "f"
    group = f"/activations/{word}" if is_float else f"/extra/{word}"
    rule: dict[str, Any] = {"ndim": len(shape)}
    if draw(st.booleans()):
        key = f"which_{word}"
        case.ask[key] = {"why": "generated", "choices": ["this", "other"]}
        case.answers[key] = "this"
        other = {"from": "/never", "ndim": len(shape), "when": {key: "other"}, "to": f"{group}_other", "axes": []}
        case.nodes.append(other)
        rule["when"] = {key: "this"}
    if steps:
        rule["do"] = steps
    if is_numbered:
        pattern = style.format(word, "(?P<i>[0-9]+)").replace(".", "\\.") + _file(case).replace(".", "\\.")
        to = f"{group}/layer_{{i{-shift or ''}:n}}".replace("{i-1", "{i-1")
        rule |= {"from": pattern, "to": to, "group": {"num_layers": {"members": True}}}
        for number in range(draw(st.integers(1, 3))):
            place = style.format(word, f"{number + shift:0{width}}") + _file(case)
            case.arrays[place] = _values(draw, dtype, shape)
    else:
        place = f"/{word}/whole{_file(case)}"
        rule |= {"from": place.replace(".", "\\."), "to": f"{group}_whole"}
        case.arrays[place] = _values(draw, dtype, shape)
    rule["axes"] = [f"{word}_axis_{number}" for number in range(after.ndim)]
    case.nodes.append(rule)


def _steps(draw: st.DrawFn, dtype: str, shape: Sequence[int], *, whole: bool) -> tuple[list[dict[str, Any]], Values]:
    """Operations that fit a shape, and what values of it are after them; none that loses any if they stay `whole`."""
    steps: list[dict[str, Any]] = []
    values: Values = np.ones(shape, dtype)
    for _ in range(draw(st.integers(0, 3))):
        axes = st.integers(-values.ndim, values.ndim - 1) if values.ndim else st.just(0)
        choices: list[dict[str, Any]] = [
            {"moveaxis": [draw(axes), draw(axes)]},
            {"reshape": [values.size, 1] if draw(st.booleans()) else [values.size]},
            {"squeeze": draw(axes)},
            {"expand": draw(st.integers(0, values.ndim))},
            {"cast": _WIDER.get(values.dtype.name, values.dtype.name)},
            {"take": [draw(axes), 0]},
        ]
        step = draw(st.sampled_from(choices))
        if ("take" in step and (whole or draw(st.booleans()))) or ("squeeze" in step and not values.ndim):
            continue
        try:
            values = apply(view_of(values), [step]).values.whole()
        except Unfit:
            continue
        if not ("cast" in step and values.dtype.kind == "c"):
            steps.append(step)
    return steps, values


def _lost(draw: st.DrawFn, case: Case, word: str, *, first: bool) -> None:  # noqa: ARG001
    """An array that the mapping loses."""
    place = f"/{word}/lost{_file(case)}"
    case.arrays[place] = _values(
        draw, draw(st.sampled_from(_DTYPES)), draw(st.lists(st.sampled_from(_SIZES), max_size=2))
    )
    case.nodes.append({"from": place.replace(".", "\\."), "lose": "generated"})


def _value(draw: st.DrawFn, case: Case, word: str, *, first: bool) -> None:  # noqa: ARG001
    """A number, a list of numbers or a text that becomes an attribute of /metadata."""
    place = f"/meta/{word}{_file(case)}"
    number = _values(
        draw, draw(st.sampled_from(("int8", "int64", "float32", "bool"))), draw(st.sampled_from(((), (3,))))
    )
    text = np.array(draw(st.sampled_from(("x", "a, b", "Å 1")))) if draw(st.booleans()) else number
    case.arrays[place] = text
    rule = {"from": place.replace(".", "\\.").replace(word, "(?P<k>[a-d])", 1) if word in place else place}
    rule["from"] = f"/meta/{word}{_file(case)}".replace(".", "\\.")
    case.nodes.append({**rule, "ndim": text.ndim, "to": "/metadata", "as": f"value_{word}"})


def _text(draw: st.DrawFn, case: Case, word: str, *, first: bool) -> None:  # noqa: ARG001
    """A text that becomes one code a letter."""
    place = f"/meta/{word}{_file(case)}"
    case.arrays[place] = np.array("".join(draw(st.lists(st.sampled_from("ACDEFG"), min_size=2, max_size=6))))
    do = [{"codes": "ascii"}]
    rule = {"from": place.replace(".", "\\."), "ndim": 0, "do": do, "to": f"/inputs/{word}", "axes": [f"{word}_letter"]}
    case.nodes.append(rule)


def _attribute(draw: st.DrawFn, case: Case, word: str) -> None:
    """An attribute of the root or a group, kept under its name or another one, extended by an answer, or lost."""
    node = draw(st.sampled_from(("/", "/group")))
    value = draw(st.sampled_from(("text", 7, 2.5, True, [1, 2], ["a", "b"])))
    case.attributes.setdefault(node, {})[word] = value
    rule: dict[str, Any] = {"from": node, "name": word}
    how = draw(st.sampled_from(("same", "other", "text", "lose")))
    if how == "lose":
        rule["lose"] = "generated"
    elif how == "text" and isinstance(value, str):
        case.ask[f"more_{word}"] = {"why": "generated"}
        case.answers[f"more_{word}"] = "+01:00"
        rule |= {"text": f"{{value}}{{more_{word}}}", "to": "/metadata"}
    else:
        rule |= {"to": "/metadata", **({"as": f"new_{word}"} if how == "other" else {})}
    case.rules.append(rule)


def faults(case: Case, folder: Path) -> list[str]:
    """What an export after a migration does not give back, and is not listed as lost; and losses that differ."""
    source, new = folder / f"old{case.suffix}", folder / "new.zarr"
    back = folder / f"back{_BACK.get(case.suffix, case.suffix)}"
    case.write(source)
    (folder / "any.toml").write_text(case.mapping(), encoding="utf-8")
    mapping = str(folder / "any.toml")
    there = migrate(str(source), str(new), mapping=mapping, answers=case.answers)
    again = export(str(new), str(back), mapping)
    lost = {loss["what"] for loss in there.losses}
    found = [] if list(again.losses) == list(there.losses) else [f"losses {there.losses} and {again.losses}"]
    with opened(str(source)) as old, opened(str(back)) as given_back:
        found += _differences(old, given_back, lost)
    if not found and not lost:
        migrate(str(back), str(folder / "third.zarr"), mapping=mapping, answers=case.answers)
        digests = [_source_digest(path) for path in (new, folder / "third.zarr")]
        found += [] if digests[0] == digests[1] else ["a migration of what was exported records another source"]
    return found


def _differences(old: Tree, new: Tree, lost: set[str]) -> list[str]:
    found = [f"{path} is not of the source" for path in new if path not in old]
    for path, item in old.items():
        if path not in new:
            found += [] if path in lost or item.kind == "group" else [f"{path} is not given back"]
            continue
        if item.kind == "array" and path not in lost and digest(new[path].values()) != digest(item.values()):
            found.append(f"{path} has other values")
        kept = {name: value for name, value in item.attributes.items() if f"{path}@{name}" not in lost}
        if dict(new[path].attributes) != kept:
            found.append(f"{path} has the attributes {dict(new[path].attributes)}, and not {kept}")
    return found


def _source_digest(path: Path) -> Any:
    with open_archive(path) as archive:
        return archive[RECORD].attributes["source_sha256"]


def checked(case: Case, then: Callable[[str], None]) -> None:
    """Check a case in a folder of its own; call `then` with each fault."""
    with TemporaryDirectory(prefix="vizschema-mappings-") as folder:
        for fault in faults(case, Path(folder)):
            then(f"{fault}\n{case!r}")
        shutil.rmtree(folder, ignore_errors=True)
        Path(folder).mkdir()


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where every export gives its source back, else 1."""
    parser = Parser(prog="python -P -m vizschema.conformance.generator.mappings", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="how many mappings (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    given_: Any = parser.parse_args(arguments)
    found: list[str] = []
    drawn = [0]

    @seeded(given_.seed)
    @settings(
        max_examples=given_.examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cases())
    def each(case: Case) -> None:
        drawn[0] += 1
        checked(case, found.append)

    each()
    print(f"{drawn[0]} mappings; {len(found)} faults in what an export gave back")
    for fault in found:
        print(f"\n{fault}")
    return 1 if found or not drawn[0] else 0


if __name__ == "__main__":
    sys.exit(main())
