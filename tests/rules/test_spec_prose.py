"""The prose of 1.0.0 and its schemas say the same: rules, severities, tables of nodes, the profile of the README."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from vizschema.description import ITEM_BYTES, REASONS, array, complete, fault, group, join, parent_of
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.scan.facts import FACTS, HASH

SPEC = versions.load("1.0.0")
PROSE = (SPEC.folder / "spec.md").read_text(encoding="utf-8")
README = (versions.root() / "README.md").read_text(encoding="utf-8")
CONTAINER = {"format": "npz", "version": None, "store": "file", "consolidated": False}

RULES = {rule.id: rule for name in SPEC.profiles for rule in SPEC.profile(name).rules.values()}
NAMED = re.compile(r"\((`[a-z-]+`(?:, `[a-z-]+`)*)\)")
CLAUSE = re.compile(r"(?:^|\n)(?:- |\| )(.*?)(?=\n\n|\n- |\n\||\Z)", re.DOTALL)

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = {"floats": FLOATS, "integers": INTEGERS}
KINDS = ("msa_row", "msa_column", "triangle_start", "triangle_end", "ipa")
SIZES = {"xyz": 3, "end": 2}


@dataclass(frozen=True)
class Row:
    """One array of a profile's table; `paths` and `axes` with every placeholder filled in."""

    profile: str
    path: str
    axes: tuple[str, ...]
    dtypes: tuple[str, ...]
    required: str


def section(heading: str) -> str:
    return PROSE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def table(text: str) -> list[list[str]]:
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `/")]
    return [[cell.strip() for cell in row] for row in rows]


def rows_of(profile: str) -> list[Row]:
    rows = []
    for node, axes, dtype, required in table(section(f"The profile {profile}")):
        names = re.findall("`([^`]+)`", axes)
        dtypes = tuple(name for word in dtype.split(", ") for name in DTYPES.get(word, (word,)))
        for kind in KINDS if "<kind>" in node else ("",):
            path = node.strip("`").replace("NN", "00").replace("<kind>", kind).replace("<module>", "conv1")
            rows.append(Row(profile, path, tuple(name.replace("<kind>", kind) for name in names), dtypes, required))
    return rows


ROWS = [row for profile in SPEC.profiles if profile != "trace" for row in rows_of(profile)]
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.profile}{row.path}-{len(row.axes)}")


def archive(profile: str, rows: Iterable[Row], attributes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The nodes of an archive with the arrays of `rows`, the first dtype that the table allows, and their groups."""
    root = {"spec_version": "1.0.0", "profile": profile, "created_at": "2026-11-21T09:00:00Z", "generator": "test 1"}
    nodes = {"/": group(root), "/metadata": group({"model_name": "m", "model_version": "1"})}
    for row in rows:
        shape = [SIZES.get(name.partition(":")[0], 4) for name in row.axes]
        nodes[row.path] = array(
            row.dtypes[0], shape, row.axes, {"normalization": "none", "source": "unknown", "anchor": "mean"}, None
        )
        parent = parent_of(row.path)
        while parent != "/":
            nodes.setdefault(parent, group({}))
            parent = parent_of(parent)
    return nodes


def broken(profile: str, nodes: Mapping[str, Any], about: str = "") -> set[str]:
    """The MUST rules that `nodes` break, of those whose finding is about the node `about`."""
    findings = judge(complete(CONTAINER, nodes), SPEC.profile(profile))
    return {finding.rule for finding in findings if finding.severity == "error" and finding.path.startswith(about)}


ALONE = ("yes", "unless declared")
"""What the column says of rows that are required where nothing is declared as not captured."""


def required_rows(profile: str) -> list[Row]:
    """Every required row, and of those of which one is enough, the first."""
    rows = rows_of(profile)
    enough = [row for row in rows if row.required.startswith("one ")]
    return [row for row in rows if row.required in ALONE] + enough[:1]


def partners(row: Row) -> list[Row]:
    """The rows without which `row` may not be there."""
    if row.required != "all or none":
        return []
    return [other for other in ROWS if other != row and parent_of(other.path) == parent_of(row.path)]


class TestRules:
    def test_every_rule_of_the_schemas_is_named_once_in_the_prose_and_every_rule_named_is_in_the_schemas(self) -> None:
        named = [rule for group_ in NAMED.findall(PROSE) for rule in re.findall("`([^`]+)`", group_)]
        assert sorted(named) == sorted(RULES)

    @pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
    def test_a_clause_says_must_or_should_as_the_schema_that_states_its_rule(self, rule: Any) -> None:
        clauses = [
            clause
            for item in CLAUSE.findall(PROSE)
            for clause in re.findall(r".*?\(`[a-z-]+`\)", item, re.DOTALL)
            if clause.endswith(f"(`{rule.id}`)")
        ]
        assert len(clauses) == 1
        words = set(re.findall(r"\b(?:MUST|SHOULD)\b", clauses[0]))
        assert words == {"MUST" if rule.severity == "error" else "SHOULD"}

    def test_the_table_of_reasons_has_every_reason_with_its_kind_and_its_rule(self) -> None:
        lines = section("Damaged and dangerous nodes, stray files").splitlines()
        listed = [re.fullmatch(r"\| ([a-z]+) \| `([a-z-]+)` \|.*\(`([a-z-]+)`\) \|", line) for line in lines]
        reasons = [(kind, name, name) for name, kind in REASONS.items() if kind != "stray"]
        assert [match.groups() for match in listed if match] == reasons

    def test_the_table_of_codecs_is_that_of_the_schema(self) -> None:
        containers = ("Zarr v3", "Zarr v2", "HDF5")
        rows = re.findall(r"^\| (Zarr v3|Zarr v2|HDF5) \| (`.*`) \|$", section("Chunks and codecs"), re.MULTILINE)
        listed = {container: re.findall("`([^`]+)`", codecs) for container, codecs in rows}
        trace = json.loads((SPEC.folder / "trace" / "must.schema.json").read_text(encoding="utf-8"))
        rule = next(part for part in trace["$defs"]["common"]["allOf"] if part.get("$anchor") == "portable-codec")
        lists = re.findall(r'"items": \{"enum": \[([^]]*)', json.dumps(rule))
        assert [listed[name] for name in containers] == [json.loads(f"[{codecs}]") for codecs in lists]

    def test_the_axis_terms_are_those_of_the_schema(self) -> None:
        clause = next(item.partition("(`axis-term`)")[0] for item in CLAUSE.findall(PROSE) if "(`axis-term`)" in item)
        refused = re.findall("`([a-z_]+)`", clause)
        pattern = re.search(r'"pattern": "\^\((batch[^)]*)\)', (SPEC.folder / "trace/should.schema.json").read_text())
        assert pattern is not None
        assert sorted(refused) == sorted(pattern[1].split("|"))


class TestTables:
    def test_a_profile_has_rows_that_are_required_and_rows_that_are_not(self) -> None:
        assert {(row.profile, row.required) for row in ROWS} >= {
            (name, required) for name in ("mnist", "vit", "openfold") for required in ("yes", "no")
        }
        assert {row.required for row in ROWS} == {
            *("yes", "no", "all or none", "one at least", "unless declared", "one at least, unless declared")
        }

    @EACH_ROW
    def test_a_listed_node_is_known_to_its_profile_and_a_node_beside_it_is_not(self, row: Row) -> None:
        rule = f"{row.profile}-known-nodes"
        assert rule not in broken(row.profile, archive(row.profile, [row]))
        outside = {**archive(row.profile, [row]), "/elsewhere": array("float32", [4], ["sample"], {}, None)}
        assert rule in broken(row.profile, outside)

    @EACH_ROW
    def test_a_listed_node_has_the_dtypes_of_its_row_and_no_others(self, row: Row) -> None:
        for dtype in ITEM_BYTES:
            nodes = archive(row.profile, [row])
            nodes[row.path]["dtype"] = dtype
            refused = any(rule.endswith("-dtype") for rule in broken(row.profile, nodes, row.path))
            assert refused == (dtype not in row.dtypes), dtype

    @EACH_ROW
    def test_a_listed_node_has_the_axes_of_its_row_and_no_others(self, row: Row) -> None:
        for axes in {row.axes, row.axes[::-1], ("other", *row.axes), row.axes[1:]}:
            nodes = archive(row.profile, [row])
            nodes[row.path] = array(
                row.dtypes[0],
                [4] * len(axes),
                axes,
                {"normalization": "none", "source": "unknown", "anchor": "mean"},
                None,
            )
            refused = any(rule.endswith("-axes") for rule in broken(row.profile, nodes, row.path))
            allowed = {other.axes for other in rows_of(row.profile) if other.path == row.path}
            assert refused == (axes not in allowed), axes

    @EACH_ROW
    def test_a_listed_node_is_an_array_and_its_parents_are_groups(self, row: Row) -> None:
        nodes = archive(row.profile, [row])
        assert not broken(row.profile, nodes) & {"array-node", "group-node"}
        nodes[join(row.path, "data")] = nodes[row.path]
        nodes[row.path] = group({})
        assert broken(row.profile, nodes, row.path) == {"array-node"}

    @pytest.mark.parametrize("profile", ["mnist", "vit", "openfold"])
    def test_the_required_rows_suffice_and_the_others_may_be_added(self, profile: str) -> None:
        required = required_rows(profile)
        assert broken(profile, archive(profile, required)) == set()
        for row in rows_of(profile):
            assert broken(profile, archive(profile, [*required, row, *partners(row)])) == set(), row.path

    @EACH_ROW
    def test_a_row_of_two_that_belong_together_does_not_stand_alone(self, row: Row) -> None:
        alone = broken(row.profile, archive(row.profile, [*required_rows(row.profile), row]))
        assert alone == ({"top-k-pair"} if partners(row) else set())

    @pytest.mark.parametrize("profile", ["mnist", "vit", "openfold"])
    def test_no_required_row_can_be_left_out(self, profile: str) -> None:
        required = required_rows(profile)
        for row in required:
            assert broken(profile, archive(profile, [other for other in required if other != row])), row.path

    def test_a_row_of_which_one_kind_is_enough_is_enough(self) -> None:
        required = [row for row in required_rows("openfold") if row.required in ALONE]
        for row in rows_of("openfold"):
            if row.required.startswith("one at least"):
                assert broken("openfold", archive("openfold", [*required, row])) == set(), row.axes


class TestReadme:
    @pytest.fixture
    def profile(self, tmp_path: Path) -> versions.Profile:
        folder = tmp_path / "gpt"
        folder.mkdir()
        names = ("must.schema.json", "should.schema.json", "facts.json")
        for name, block in zip(names, re.findall(r"```json\n(.*?)```", README, re.DOTALL), strict=True):
            (folder / name).write_text(block, encoding="utf-8")
        return SPEC.profile(str(folder))

    def nodes(self) -> dict[str, Any]:
        row = Row("gpt", "/activations/layer_00", ("token", "hidden"), ("float32",), "yes")
        return archive("gpt", [row])

    def rules(self, profile: versions.Profile, nodes: Mapping[str, Any]) -> list[str]:
        findings = judge(complete(CONTAINER, nodes), profile)
        return [finding.rule for finding in findings if finding.severity == "error"]

    def test_the_example_uses_allowed_keywords(self, profile: versions.Profile) -> None:
        dialect = jsonschema.Draft202012Validator(json.loads((versions.root() / "keywords.schema.json").read_text()))
        for url in (profile.must, profile.should):
            assert [error.message for error in dialect.iter_errors(profile.documents[url])] == []

    def test_the_example_extends_the_facts_of_trace(self, profile: versions.Profile) -> None:
        assert profile.facts[:-1] == SPEC.profile("trace").facts

    def test_an_archive_conforms_to_the_example(self, profile: versions.Profile) -> None:
        assert self.rules(profile, self.nodes()) == []

    @pytest.mark.parametrize(
        ("path", "node", "rule"),
        [
            ("/elsewhere", array("float32", [4], ["token"], {}, None), "gpt-known-nodes"),
            ("/Elsewhere", array("float32", [4], ["token"], {}, None), "node-name"),
            ("/activations/layer_00", array("float32", [4, 4], ["hidden", "token"], {}, None), "gpt-hidden-axes"),
            ("/activations/layer_00", array("float32", [4, 4], ["token", "token"], {}, None), "axes-unique"),
            ("/activations/layer_00", array("int8", [4, 4], ["token", "hidden"], {}, None), "float-dtype"),
            ("/activations/layer_00", fault("damaged", "truncated"), "damaged"),
        ],
    )
    def test_one_fault_is_one_finding_in_the_example(
        self, profile: versions.Profile, path: str, node: dict[str, Any], rule: str
    ) -> None:
        nodes = {**self.nodes(), path: node}
        if node["kind"] != "array":
            nodes["/activations/layer_01"] = array("float32", [4, 4], ["token", "hidden"], {}, None)
        assert self.rules(profile, nodes) == [rule]

    def test_every_measure_that_a_profile_may_ask_for_is_explained(self) -> None:
        explained = re.findall(r"^\| `([a-z_]+)` \|", README.partition("| measure |")[2], re.MULTILINE)
        assert sorted(explained) == sorted(set(FACTS) - {HASH})
        used = {measure for name in SPEC.profiles for fact in SPEC.profile(name).facts for measure in fact["measure"]}
        assert used <= set(explained)

    def test_every_file_of_the_specification_is_in_the_list(self) -> None:
        listed = set(re.findall(r"^\| `([^`]+\.(?:json|md|toml))`", README, re.MULTILINE))
        root = versions.root()
        files = {path.relative_to(root) for path in root.rglob("*") if path.suffix in (".json", ".md", ".toml")}
        of_one = [re.sub(r"^[0-9.]+/", "1.0.0/", path.as_posix()) for path in files]
        of_each = [re.sub(r"^dialects/[a-z0-9-]+\.toml$", "dialects/<layout>.toml", path) for path in of_one]
        of_each = [re.sub(r"^recorders/[a-z0-9-]+\.toml$", "recorders/<model>.toml", path) for path in of_each]
        listed = {name.replace("<version>/", "1.0.0/") for name in listed}
        there = {re.sub(r"^(1\.0\.0/)(parts/)?[a-z]+/", r"\1<profile>/", path) for path in of_each}
        assert listed == there - {"README.md"}
