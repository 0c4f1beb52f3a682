"""Profiles as tables: what is built says what the table says, and every slip in a table is refused or shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vizschema.cli.main import main
from vizschema.conformance.examples import write_example
from vizschema.description import array, complete, fault, group
from vizschema.errors import SpecError
from vizschema.rules import versions
from vizschema.rules.judge import judge
from vizschema.rules.tables.build import texts
from vizschema.rules.tables.layout import laid_out
from vizschema.rules.tables.relations import RELATIONS
from vizschema.scan.facts import FACTS

SPEC = versions.default()
CONTAINER = {"format": "npz", "version": None, "store": "file", "consolidated": False}

ROW = '{axes = "token", dtype = "floats"}'
GPT2 = """
profile = "gpt2"
spec = "1.0.0"
of = "GPT-2"

[nodes]
"/inputs/token"            = {axes = "token", dtype = "integers", need = "yes", below = "vocabulary"}
"/activations/layer_NN"    = {axes = "token hidden", dtype = "floats"}
"/attention/self/layer_NN" = {axes = "head token:query token:key", dtype = "floats"}
"/outputs/logits"          = {axes = "token vocabulary", dtype = "floats", need = "yes"}
"""


def written(folder: Path, text: str, name: str = "table.toml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def profile_of(folder: Path, text: str) -> versions.Profile:
    versions.clear()
    return SPEC.profile(str(written(folder, text)))


def built(folder: Path, text: str) -> versions.Built:
    return versions.built_at(written(folder, text), SPEC.version)


def nodes_of(profile: str, arrays: dict[str, dict[str, Any]]) -> dict[str, Any]:
    root = {"spec_version": "1.0.0", "profile": profile, "created_at": "2026-11-21T09:00:00Z", "generator": "test 1"}
    nodes = {"/": group(root), "/metadata": group({"model_name": "m", "model_version": "1"}), **arrays}
    for path in arrays:
        while path := path.rpartition("/")[0]:
            nodes.setdefault(path, group({}))
    return nodes


def errors(profile: versions.Profile, nodes: dict[str, Any], values: str = "not_read") -> list[tuple[str, str]]:
    findings = judge(complete(CONTAINER, nodes, values), profile)
    return [(finding.rule, finding.path) for finding in findings if finding.severity == "error"]


def values(axes: str, dtype: str = "float32", size: int = 4, **attributes: Any) -> dict[str, Any]:
    names = axes.split()
    return array(dtype, [size] * len(names), names, attributes, None)


def gpt2(**more: dict[str, Any]) -> dict[str, Any]:
    """The nodes of an archive that conforms to the table of GPT-2."""
    arrays = {
        "/inputs/token": values("token", "int32"),
        "/activations/layer_00": values("token hidden"),
        "/attention/self/layer_00": values("head token:query token:key", normalization="none", source="unknown"),
        "/outputs/logits": values("token vocabulary"),
    }
    return nodes_of("gpt2", arrays | {path.replace("__", "/"): node for path, node in more.items()})


class TestSlips:
    """What a slip in a table comes to."""

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("below =", "belwo =", "'belwo' is not one of the columns of a row; did you mean below?"),
            ("[nodes]", "[node]", "'node' is not one of the keys of a table; did you mean nodes?"),
            ('below = "vocabulary"', 'below = "vocab"', "no node of the table has the axis 'vocab'"),
            ('below = "vocabulary"', 'below = "vocabulry"', "has the axis 'vocabulry'; did you mean vocabulary?"),
            ('"/inputs/token"', '"/input/token"', "group 'input'; did you mean inputs?"),
            ('"token hidden"', '"tokn hidden"', "'tokn' and 'token' are one letter apart"),
            ('"token hidden"', '"tokens hidden"', "'tokens' is not the specification's name of an axis"),
            ('"token hidden"', '"token Hidden"', "expected names like `token`"),
            ('"token hidden"', '"token token"', "tell them apart by roles"),
            ('"token hidden"', '"token {kind}"', "the path chooses no set 'kind'"),
            ('"integers"', '"integer"', "'integer' is not a dtype; did you mean integers?"),
            ('"integers"', '"floats"', "below: expected a dtype among int8"),
            ('dtype = "integers", ', "", "nodes /inputs/token: dtype is missing"),
            ('need = "yes", below', 'need = "yess", below', "found 'yess'; did you mean yes?"),
            ('need = "yes", below', 'need = "unless declare", below', "did you mean unless declared?"),
            ('"floats"}', '"floats", view = "squares"}', "did you mean square?"),
            (
                '"token hidden", dtype = "floats"}',
                '"token hidden", dtype = "floats", view = "square"}',
                "one axis twice",
            ),
            ('"token hidden", dtype = "floats"}', '"token hidden", dtype = "floats", view = "points"}', "by `sizes`"),
            ('"floats"}', '"floats", scopes = {tokn = "/activations"}}', "has no axis 'tokn'; did you mean token?"),
            ('"floats"}', '"floats", scopes = {token = "/activation"}}', "did you mean /activations?"),
            ('"floats"}', '"floats", scopes = {token = "/outputs"}}', "is neither the row nor a group above it"),
            ('"floats"}', '"floats", scope = {}}', "did you mean scopes?"),
            ('need = "yes", below', "range = [4, 1], below", "the smallest value is larger than the largest"),
            ('below = "vocabulary"', 'argmax_of = "/outputs/logit"', "did you mean /outputs/logits?"),
            ('below = "vocabulary"', 'argmax_of = "/activations/layer_NN"', "is not one node of the table"),
            ('"token vocabulary"', '"vocabulary token"', None),
            ('"/inputs/token" ', '"/extra/token" ', "a profile says nothing of /extra"),
            ('"/inputs/token" ', '"/outputs/logits/token" ', "an array holds no other node"),
            ('"/inputs/token" ', '"/outputs/<any>" ', "is also a node of"),
            ('"/inputs/token" ', '"/inputs/{kind}" ', "'kind' is not a set of the table"),
            ('"/inputs/token" ', '"inputs/token" ', "expected a path like"),
            ('"/inputs/token" ', '"/inputs/block_NN/token" ', "is for a node, or a series, in groups with fixed names"),
            ('spec = "1.0.0"', 'spec = "9.0.0"', "9.0.0"),
            ('spec = "1.0.0"', 'parts = ["clasifier"]', "'clasifier' is not a part of the specification"),
            ('spec = "1.0.0"', 'id = "https://vizschema.org/spec/1.0.0/gpt2/"', "expected an address of your own"),
            ('profile = "gpt2"', 'part = "gpt2"', "expected the table of a profile, found a part"),
            ('profile = "gpt2"', "", "expected its name"),
            ('profile = "gpt2"', 'profile = "GPT-2"', "expected a name of lower-case letters"),
            ('spec = "1.0.0"', "sizes = {xyz = 3}", "no node of the table has the axis 'xyz'"),
            ('of = "GPT-2"', "of = 2026-11-27", "a date, or nan"),
            ("[nodes]", "[nodes", "expected TOML"),
        ],
    )
    def test_a_slip_is_an_error_that_says_what_is_meant(
        self, old: str, new: str, said: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert old in GPT2
        path = written(tmp_path, GPT2.replace(old, new, 1), "gpt2.toml")
        code = main(["spec", "show", SPEC.version, str(path)])
        assert (code == 4) is (said is not None)
        assert said is None or said in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ('judges = {axes = "/input/*"}', "/input/* selects no axes of the table"),
            (
                'judges = {axis = "/inputs/*"}',
                "'axis' is not one of the columns that a rule can judge; did you mean axes?",
            ),
            ('judges = {range = "/inputs/token"}', "selects no range of the table: none has one"),
            ('judges = {axes = "/inputs/*"}\ntitle = "No full stop"', "expected a sentence that ends with a full stop"),
            ('judges = {need = "/inputs/*"}\nlevel = "should"', "is judged by a rule of level must"),
            (
                'judges = {axes = "*"}\n[rules.other]\njudges = {axes = "/inputs/*"}',
                "expected one rule, found own and other",
            ),
            ('level = "must"', "judges is missing"),
        ],
    )
    def test_a_slip_in_a_rule_is_an_error(self, rule: str, said: str, tmp_path: Path) -> None:
        with pytest.raises(SpecError) as raised:
            built(tmp_path, f"{GPT2}\n[rules.own]\n{rule}\n")
        assert said in str(raised.value)


def test_the_profile_of_the_page_is_a_dozen_lines() -> None:
    page = (Path(__file__).parents[2] / "docs" / "profiles.md").read_text("utf-8")
    table = page.partition('```toml title="gpt2.toml"\n')[2].partition("```")[0]
    assert table.startswith('profile = "gpt2"')
    assert len(table.splitlines()) <= 12


class TestWhatIsBuilt:
    def test_an_archive_conforms_to_its_table(self, tmp_path: Path) -> None:
        assert errors(profile_of(tmp_path, GPT2), gpt2()) == []

    @pytest.mark.parametrize(
        ("path", "node", "rule"),
        [
            ("/inputs/token", values("position", "int32"), "gpt2-axes"),
            ("/inputs/token", values("token"), "integer-dtype"),
            ("/activations/layer_00", values("hidden token"), "gpt2-axes"),
            ("/activations/layer_00", values("token hidden", "int8"), "float-dtype"),
            ("/activations/layer_00", group({}), "array-node"),
            ("/outputs/other", values("token"), "gpt2-known-nodes"),
            ("/outputs/Other", values("token"), "node-name"),
            ("/activations/layer_00", fault("damaged", "truncated"), "damaged"),
        ],
    )
    def test_one_fault_is_one_finding(self, path: str, node: dict[str, Any], rule: str, tmp_path: Path) -> None:
        nodes = {**gpt2(), path: node}
        if node["kind"] == "group":
            nodes[f"{path}/data"] = values("token hidden")
        assert errors(profile_of(tmp_path, GPT2), nodes) == [(rule, path)]

    @pytest.mark.parametrize("place", ["", "/inputs", "/activations", "/attention/self"])
    def test_a_coordinate_may_stand_in_any_group_and_is_tied_to_its_axis(self, place: str, tmp_path: Path) -> None:
        profile, path = profile_of(tmp_path, GPT2), f"{place}/token"
        path = f"{place}/vocabulary" if place == "/inputs" else path  # where /inputs/token is the table's own
        axis = path.rpartition("/")[2]
        assert errors(profile, gpt2() | {path: values(axis, "int64")}) == []
        assert errors(profile, gpt2() | {path: values(axis, "int64", size=3)}) == [("axis-one-size", path)]
        assert ("gpt2-known-nodes", path) in errors(profile, gpt2() | {path: values("hidden", "int64")})
        inner = {path: group({}), f"{path}/token": values("token", "int64")}
        assert errors(profile, gpt2() | inner) == [("gpt2-known-nodes", path)]

    def test_a_node_that_is_needed_unless_declared_is_missed_or_declared(self, tmp_path: Path) -> None:
        table = GPT2.replace('need = "yes", below', 'need = "unless declared", below')
        some = table.replace(
            'token:key", dtype = "floats"', 'token:key", dtype = "floats", need = "some unless declared"'
        )
        profile, nodes = profile_of(tmp_path, some), gpt2()
        assert errors(profile, nodes) == []
        for path in ("/inputs/token", "/inputs", "/attention/self/layer_00", "/attention/self", "/attention"):
            del nodes[path]
        assert errors(profile, nodes) == [("gpt2-nodes", "/"), ("gpt2-nodes", "/inputs/token")]
        nodes["/"]["attributes"]["not_captured"] = ["/inputs/token: lost", "/attention: fused"]
        assert errors(profile, nodes) == []
        nodes["/"]["attributes"]["not_captured"] = ["/inputs: lost", "/attention/self/layer_00: fused"]
        assert errors(profile, nodes) == [("gpt2-nodes", "/")]

    def test_a_scope_stands_where_the_table_says_and_nowhere_else(self, tmp_path: Path) -> None:
        text = GPT2.replace('"/activations/layer_NN"    =', '"/activations/<prompt>/layer_NN" =')
        text = text.replace(
            '"token hidden", dtype = "floats"',
            '"token hidden", dtype = "floats", scopes = {token = "/activations/<prompt>"}',
        )
        profile, nodes = profile_of(tmp_path, text), gpt2()
        nodes["/activations/p/layer_00"] = nodes.pop("/activations/layer_00")
        nodes["/activations/p"] = group({"scope_token": "p"})
        assert errors(profile, nodes) == []
        for path, axis in (
            ("/activations", "token"),
            ("/activations/p", "hidden"),
            ("/activations/p/layer_00", "token"),
        ):
            attributes = nodes[path]["attributes"]
            attributes[f"scope_{axis}"] = "other"
            assert ("gpt2-scopes", path) in errors(profile, nodes)
            del attributes[f"scope_{axis}"]

    def test_a_view_is_how_an_array_is_drawn(self, tmp_path: Path) -> None:
        profile = profile_of(tmp_path, GPT2.replace('token:key", dtype', 'token:key", view = "square", dtype'))
        assert versions.view_of(profile, "/attention/self/layer_07") == "square"
        assert versions.view_of(profile, "/activations/layer_07") is None
        assert versions.view_of(SPEC.profile("vit"), "/inputs/images") == "image"

    def test_a_needed_node_is_missed(self, tmp_path: Path) -> None:
        nodes = gpt2()
        del nodes["/outputs/logits"]
        del nodes["/outputs"]
        assert errors(profile_of(tmp_path, GPT2), nodes) == [("gpt2-nodes", "/outputs/logits")]

    @pytest.mark.parametrize(
        ("facts", "found"),
        [
            ({"minimum": 0, "maximum": 3, "beyond_axis": 0}, []),
            ({"minimum": 0, "maximum": 9, "beyond_axis": 1}, ["gpt2-values"]),
            ({"minimum": -1, "maximum": 3, "beyond_axis": 0}, ["gpt2-values"]),
            ({"minimum": 0, "maximum": 3}, ["gpt2-facts-measured"]),
            ({"minimum": 0, "maximum": 3, "beyond_axis": None}, ["gpt2-facts-measured"]),
        ],
    )
    def test_a_value_rule_is_broken_also_where_nothing_was_measured(
        self, facts: dict[str, Any], found: list[str], tmp_path: Path
    ) -> None:
        nodes = gpt2()
        nodes["/inputs/token"]["facts"] = facts
        broken = errors(profile_of(tmp_path, GPT2), nodes, "read")
        assert [rule for rule, path in broken if path == "/inputs/token" and rule.startswith("gpt2")] == found

    def test_a_fact_that_has_nothing_to_be_measured_by_may_be_null(self, tmp_path: Path) -> None:
        nodes = gpt2()
        nodes["/outputs/logits"]["shape"] = [4, 5]
        nodes["/inputs/more"] = values("vocabulary", "int32")
        nodes["/inputs/token"]["facts"] = {"minimum": 0, "maximum": 3, "beyond_axis": None}
        broken = errors(profile_of(tmp_path, GPT2), nodes, "read")
        assert not [rule for rule, _ in broken if rule == "gpt2-facts-measured"]
        assert [rule for rule, _ in broken if rule == "axis-one-size"]

    def test_facts_are_those_of_trace_and_of_the_relations(self, tmp_path: Path) -> None:
        facts = profile_of(tmp_path, GPT2).facts
        assert facts[:-1] == SPEC.profile("trace").facts
        assert facts[-1] == {"at": "^/inputs/token$", "measure": ["beyond_axis"], "axis": "vocabulary"}

    def test_a_profile_takes_the_rows_and_rules_of_a_part_of_the_specification(self, tmp_path: Path) -> None:
        own = """
            profile = "cnn"
            parts = ["classifier"]
            [nodes]
            "/activations/<module>" = {axes = "sample ...", dtype = "floats"}
        """
        profile = profile_of(tmp_path, own)
        assert {"labels-within-classes", "classifier-nodes", "cnn-axes"} <= set(profile.rules)
        assert "argmax_differs" in {measure for fact in profile.facts for measure in fact["measure"]}
        outputs = {"/outputs/logits": values("sample class"), "/outputs/predictions": values("sample", "int64")}
        images = {"/inputs/images": values("sample channel height width")}
        nodes = nodes_of("cnn", images | outputs | {"/activations/conv1": values("sample conv1_channel")})
        assert errors(profile, nodes) == []
        nodes["/activations/conv1"] = values("conv1_channel sample")
        assert errors(profile, nodes) == [("cnn-axes", "/activations/conv1")]

    def test_a_part_beside_the_table_is_built_with_it(self, tmp_path: Path) -> None:
        table = (
            'profile = "own"\nparts = ["shared.toml"]\n[nodes]\n"/activations/x" = {axes = "token", dtype = "floats"}'
        )
        part = 'part = "shared"\n[nodes]\n"/inputs/y" = {axes = "token", dtype = "integers", below = "token"}'
        written(tmp_path, part, "shared.toml")
        profile = profile_of(tmp_path, table)
        assert {"own-axes", "shared-axes", "shared-values"} <= set(profile.rules)
        assert profile.facts[-1]["at"] == "^/inputs/y$"
        assert main(["profile", "build", str(tmp_path)]) == 0
        assert (tmp_path / "parts" / "shared" / "must.schema.json").is_file()
        versions.clear()
        assert SPEC.profile(str(tmp_path)).rules == profile.rules
        (tmp_path / "table.toml").unlink()
        versions.clear()
        assert versions.load_profile(tmp_path, SPEC.version).facts == profile.facts

    def test_sets_are_chosen_in_paths_and_axes(self, tmp_path: Path) -> None:
        table = """
            profile = "own"
            sets = {kind = "row column"}
            [nodes]
            "/attention/{kind}/layer_NN" = {axes = "{kind}_head token:query token:key", dtype = "floats", need = "some"}
        """
        profile = profile_of(tmp_path, table)
        right = {
            "/attention/row/layer_00": values("row_head token:query token:key", normalization="none", source="unknown")
        }
        wrong = {
            "/attention/column/layer_00": values(
                "row_head token:query token:key", normalization="none", source="unknown"
            )
        }
        assert errors(profile, nodes_of("own", right)) == []
        assert errors(profile, nodes_of("own", wrong)) == [("own-axes", "/attention/column/layer_00")]
        other = errors(profile, nodes_of("own", {"/activations/x": values("token")}))
        assert ("own-nodes", "/") in other

    def test_alternatives_of_axes_are_all_there_are(self, tmp_path: Path) -> None:
        table = """
            profile = "own"
            [nodes]
            "/activations/x" = {axes = ["token hidden", "sample token hidden"], dtype = "floats"}
        """
        profile = profile_of(tmp_path, table)
        for axes, found in {"token hidden": 0, "sample token hidden": 0, "hidden token": 1, "token": 1}.items():
            assert len(errors(profile, nodes_of("own", {"/activations/x": values(axes)}))) == found, axes

    def test_it_is_the_same_however_often_it_is_built(self, tmp_path: Path) -> None:
        assert texts(built(tmp_path, GPT2)) == texts(built(tmp_path, GPT2))

    @pytest.mark.parametrize("name", RELATIONS)
    def test_a_relation_asks_for_a_fact_that_is_measured_of_its_dtypes_and_has_what_it_needs(self, name: str) -> None:
        relation = RELATIONS[name]
        if relation.fact is None:
            assert relation.dtypes is None
            return
        value = {"with": "/x", "table": "AB"} if name == "decodes" else "x"
        fact = FACTS[relation.fact]
        floats = relation.dtypes == "floats"
        assert ("float32" in fact.dtypes, "int32" in fact.dtypes) == (floats, not floats)
        assert set(fact.needs) == set(relation.entry(value))


OWN_VIT = """
profile = "dino"
spec = "1.0.0"
extends = "vit"
[nodes]
"/activations/pooled"      = {axes = "sample hidden", dtype = "floats"}
"/attention/self/layer_NN" = {axes = "sample head token:query token:key", dtype = "float32", need = "yes"}
"""


class TestExtends:
    """A table that builds on another profile."""

    def test_it_has_the_rows_and_rules_of_the_profile_and_its_own(self, tmp_path: Path) -> None:
        profile, vit = profile_of(tmp_path, OWN_VIT), SPEC.profile("vit")
        assert set(vit.rules) - set(profile.rules) == {"vit-known-nodes"}
        assert set(profile.rules) - set(vit.rules) == {"dino-known-nodes", "dino-axes", "vit-dtypes"}
        assert profile.facts == vit.facts
        assert profile.recognized_by == vit.recognized_by
        assert profile.rules["self-attention-axes"].title == vit.rules["self-attention-axes"].title

    def test_it_judges_by_all_of_them(self, tmp_path: Path) -> None:
        profile = profile_of(tmp_path, OWN_VIT)
        arrays = {
            "/inputs/images": values("sample channel height width"),
            "/activations/embedding": values("sample token hidden"),
            "/activations/layer_00": values("sample token hidden"),
            "/activations/pooled": values("sample hidden"),
            "/attention/self/layer_00": values(
                "sample head token:query token:key", normalization="none", source="unknown"
            ),
            "/outputs/logits": values("sample class"),
            "/outputs/predictions": values("sample", "int64"),
        }
        assert errors(profile, nodes_of("dino", arrays)) == []
        for path, node, rule in (
            ("/activations/pooled", values("hidden sample"), "dino-axes"),
            ("/activations/layer_00", values("token sample hidden"), "hidden-state-axes"),
            ("/attention/self/layer_00", {**arrays["/attention/self/layer_00"], "dtype": "float16"}, "vit-dtypes"),
            ("/activations/other", values("sample"), "dino-known-nodes"),
            ("/outputs/predictions", values("sample", "float32"), "integer-dtype"),
        ):
            assert errors(profile, nodes_of("dino", {**arrays, path: node})) == [(rule, path)]
        del arrays["/activations/embedding"]
        assert errors(profile, nodes_of("dino", arrays)) == [("embedding-present", "/activations/embedding")]

    def test_a_table_beside_it_may_be_extended_and_that_one_extends_another(self, tmp_path: Path) -> None:
        written(tmp_path, OWN_VIT, "dino.toml")
        more = 'profile = "more"\nextends = "dino.toml"\n[nodes]\n"/outputs/z" = {axes = "sample", dtype = "floats"}'
        profile = profile_of(tmp_path, more)
        assert {"more-known-nodes", "dino-axes", "more-axes", "hidden-state-axes"} <= set(profile.rules)

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('extends = "vit"', 'extends = "vitt"', "'vitt' is not a table of the specification 1.0.0"),
            ('extends = "vit"', 'extend = "vit"', "did you mean extends?"),
            ('extends = "vit"', 'extends = "trace"', "'trace' is not a table of the specification"),
            ('extends = "vit"', 'extends = "table.toml"', "builds on itself"),
            (
                '"float32", need = "yes"',
                '"floats uint8", need = "yes"',
                "dtype: expected what vit has, or less ('floats')",
            ),
            (', need = "yes"', "", "need: expected what vit has, or less ('unless declared'), found 'no'"),
            ("sample head token:query token:key", "head token:query token:key", "axes: expected what vit has, or less"),
            ("[nodes]", '[rules.hidden-state-axes]\njudges = {axes = "/activations/pooled"}\n[nodes]', "is one of vit"),
        ],
    )
    def test_what_loosens_or_is_not_there_is_an_error(self, old: str, new: str, said: str, tmp_path: Path) -> None:
        assert old in OWN_VIT
        with pytest.raises(SpecError) as refused:
            profile_of(tmp_path, OWN_VIT.replace(old, new))
        assert said in str(refused.value)


class TestFragments:
    """Rules in JSON Schema beside a table."""

    def build(self, folder: Path, **rule: Any) -> versions.Built:
        stated = {"$anchor": "own-rule", "title": "So.", "description": "Why. Fix: it.", **rule}
        (folder / "also.json").write_text(json.dumps({"must": [stated]}), encoding="utf-8")
        return built(folder, GPT2.replace('spec = "1.0.0"', 'also = ["also.json"]'))

    def about(self, path: str, fact: str) -> dict[str, Any]:
        return {
            "properties": {
                "nodes": {"properties": {path: {"properties": {"facts": {"properties": {fact: {"maximum": 0}}}}}}}
            }
        }

    def test_a_rule_is_part_of_what_is_built(self, tmp_path: Path) -> None:
        document = self.build(tmp_path, **self.about("/inputs/token", "beyond_axis"))
        assert document["must.schema.json"]["allOf"][-1]["$anchor"] == "own-rule"

    @pytest.mark.parametrize(
        ("path", "fact", "said"),
        [
            ("/inputs/token", "beyond_axes", "which a rule judges at /inputs/token; did you mean beyond_axis?"),
            ("/outputs/logits", "row_sum_maximum", "judges at /outputs/logits; measure `row_sum` there"),
            ("/inputs/tokn", "beyond_axis", "no node of the table is called /inputs/tokn; did you mean /inputs/token?"),
        ],
    )
    def test_a_rule_about_what_nothing_measures_or_no_row_lists_is_an_error(
        self, path: str, fact: str, said: str, tmp_path: Path
    ) -> None:
        with pytest.raises(SpecError) as raised:
            self.build(tmp_path, **self.about(path, fact))
        assert said in str(raised.value)

    def test_a_keyword_that_schemas_may_not_use_is_an_error(self, tmp_path: Path) -> None:
        self.build(tmp_path, requierd=["x"])
        versions.clear()
        with pytest.raises(SpecError, match="did you mean required"):
            SPEC.profile(str(tmp_path))


class TestHostileTables:
    def refused(self, path: Path, said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["spec", "show", SPEC.version, str(path)]) == 4
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1

    def with_parts(self, *parts: str) -> str:
        return f'profile = "own"\nparts = {json.dumps(parts)}\n[nodes]\n"/activations/x" = {ROW}'

    @pytest.mark.parametrize("name", ["../outside.toml", "/etc/outside.toml", "sub/inside.toml", "..toml"])
    def test_a_part_elsewhere(self, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.refused(written(tmp_path / "in", self.with_parts(name), "own.toml"), "a file beside the table", capsys)

    def test_a_part_with_a_name_that_no_file_can_have(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        path = written(tmp_path, self.with_parts(f"{'x' * 5000}.toml"), "own.toml")
        self.refused(path, "a file beside the table", capsys)

    def test_a_part_that_is_a_link_out_of_the_folder(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        written(tmp_path, 'part = "outside"\n[nodes]\n"/inputs/y" = {axes = "token", dtype = "floats"}', "outside.toml")
        path = written(tmp_path / "in", self.with_parts("outside.toml"), "own.toml")
        (tmp_path / "in" / "outside.toml").symlink_to(tmp_path / "outside.toml")
        self.refused(path, "found one outside it", capsys)

    def test_parts_that_are_made_of_one_another(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for name, other in (("a", "b"), ("b", "a")):
            text = f'part = "{name}"\nparts = ["{other}.toml"]\n[nodes]\n"/inputs/{name}" = {ROW}'
            written(tmp_path, text, f"{name}.toml")
        self.refused(written(tmp_path, self.with_parts("a.toml"), "own.toml"), "is a part of itself", capsys)

    def test_sets_that_multiply_without_bound(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        names = [f"set_{letter}" for letter in "abcdefgh"]
        words = " ".join(f"word_{number}" for number in range(100))
        sets = "\n".join(f'{name} = "{words}"' for name in names)
        path = "".join(f"/{{{name}}}" for name in names)
        text = f'profile = "own"\n[sets]\n{sets}\n[nodes]\n"{path}" = {{axes = "token", dtype = "floats"}}'
        self.refused(written(tmp_path, text, "own.toml"), "exceeds the limit of 2000 nodes", capsys)

    def test_axes_without_bound(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rows = (
            f'"/a_{row}" = {{axes = "{" ".join(f"b{row}_{axis}" for axis in range(16))}", dtype = "floats"}}'
            for row in range(40)
        )
        text = "\n".join(['profile = "own"', "[nodes]", *rows])
        self.refused(written(tmp_path, text, "own.toml"), "exceeds the limit of 500 names of axes, found 640", capsys)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (f'profile = "{"x" * 2_000_000}"', "exceeds the limit of 1048576 bytes"),
            (f"profile = {'[' * 100_000}", "nested too deep"),
            ("a." * 400_000 + "a = 1", "nested too deep"),
            ("a." * 199 + "a = 1", "nested too deep"),
            ('profile = "own"\nprofile = "own"', "expected TOML"),
            (f'profile = "own"\nsizes = {{x = {"9" * 5_000}}}', "number too long"),
            ("\ufeff\x00", "expected TOML"),
        ],
        ids=["large", "deep", "dots", "dotted", "twice", "number", "controls"],
    )
    def test_a_file_that_is_no_table(
        self, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.refused(written(tmp_path, text, "own.toml"), said, capsys)

    def test_bytes_that_are_no_text(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "own.toml").write_bytes(b'profile = "\xff"')
        self.refused(tmp_path / "own.toml", "expected UTF-8", capsys)


class TestCommand:
    def test_documents_are_written_beside_the_table_and_compared(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        written(tmp_path, GPT2)
        assert main(["profile", "build", str(tmp_path), "--check"]) == 1
        assert not (tmp_path / "must.schema.json").exists()
        assert main(["profile", "build", str(tmp_path)]) == 0
        assert main(["profile", "build", str(tmp_path), "--check"]) == 0
        assert "5 rules of its own" in capsys.readouterr().out
        (tmp_path / "facts.json").write_text("{}", encoding="utf-8")
        assert main(["profile", "build", str(tmp_path), "--check"]) == 1
        assert "facts.json" in capsys.readouterr().out

    def test_a_folder_whose_documents_are_stale_is_no_profile(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        written(tmp_path, GPT2)
        main(["profile", "build", str(tmp_path)])
        written(tmp_path, GPT2.replace("vocabulary", "word"))
        versions.clear()
        write_example("trace", tmp_path / "a.npz")
        assert main(["validate", str(tmp_path / "a.npz"), "--profile", str(tmp_path)]) == 4
        said = "".join(capsys.readouterr().out.split())
        assert f"run`vizschemaprofilebuild{tmp_path}`—notjudged" in said

    def test_a_table_of_its_own_is_built_and_nothing_is_written(self, tmp_path: Path) -> None:
        path = written(tmp_path, GPT2, "gpt2.toml")
        assert main(["profile", "build", str(path)]) == 0
        assert [each.name for each in tmp_path.iterdir()] == ["gpt2.toml"]

    def test_a_link_in_the_place_of_a_document_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        outside = written(tmp_path, "kept", "outside.json")
        written(tmp_path / "own", GPT2)
        (tmp_path / "own" / "must.schema.json").symlink_to(outside)
        assert main(["profile", "build", str(tmp_path / "own")]) == 0
        assert outside.read_text(encoding="utf-8") == "kept"


def test_json_is_laid_out_on_one_line_where_it_fits() -> None:
    document = {"a": [1, {"b": "é"}], "long": ["x" * 40] * 4, "empty": {}}
    text = laid_out(document)
    assert json.loads(text) == document
    assert text.splitlines()[1] == '  "a": [1, {"b": "é"}],'
    assert max(map(len, text.splitlines())) <= 128
