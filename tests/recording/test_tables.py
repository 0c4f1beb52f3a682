"""Tables of a recorder: what they may say, which one fits a model, and the arrays that they become for its modules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vizschema.errors import SpecError, UsageError
from vizschema.recording import places, tables
from vizschema.recording.taps import node_name, plan
from vizschema.rules import versions

LAYERS = {"": "M", "h.0": "B", "h.0.attn": "A", "h.1": "B", "h.1.attn": "A", "h.2": "B", "h.2.attn": "A"}
ROWS: list[dict[str, Any]] = [
    {"module": "", "value": "in.x", "node": "/inputs/token", "axes": "sample token", "always": True},
    {"module": "h[.]([0-9]+)", "value": "out", "node": "/activations/layer_{0}", "axes": "sample token hidden"},
    {
        "module": "h[.]([0-9]+)[.]attn",
        "value": "weights",
        "node": "/attention/self/layer_{0}",
        "axes": "sample head token:query token:key",
        "attributes": {"normalization": "softmax"},
    },
]


def table(rows: list[dict[str, Any]]) -> tables.Table:
    found = tables.chosen(rows, "M", "own")
    assert found is not None
    return found[0]


def test_every_installed_table_names_profiles_of_the_specification() -> None:
    assert tables.installed()
    for each in tables.installed().values():
        for fit in each.fits:
            assert fit.profile in versions.version_for(fit.spec, fit.profile).profiles, (each.name, fit.name)


def test_the_installed_table_for_a_class_of_a_package_is_found() -> None:
    found = tables.chosen(None, "GPT2LMHeadModel", "transformers")
    assert found is not None
    assert (found[0].name, found[1].profile) == ("gpt2", "lm")
    assert tables.chosen(None, "GPT2LMHeadModel", "another") is None
    with pytest.raises(UsageError, match=r"did you mean gpt2"):
        tables.chosen("gpt", "GPT2LMHeadModel", "transformers")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axis": "sample"}, r"'axis' is not one of a row|expected a row"),
        ({"value": "output"}, "expected in, out or argmax"),
        ({"node": "activations"}, "expected the path of an array"),
        ({"module": "h[.]([0-9]+"}, "module: not a regular expression"),
        ({"node": "/activations/layer_{1}"}, r"\{1\}: expected one of 0, call, module"),
        ({"optional": "yes"}, "module: a model may lack the module"),
        ({"axes": "sample,token"}, "names of axes"),
        ({"read": {"kv_heads": "config.heads"}}, "a place in a module"),
        ({"read": {"kv_heads": [".heads", ".config.heads if .kind"]}}, "a place in a module"),
        ({"read": {"kv_heads": [".heads[{1}]"]}}, "a place in a module"),
    ],
)
def test_a_row_that_is_none_is_refused_with_what_was_expected(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        table([{**ROWS[1], **change}])


def test_a_table_of_a_user_is_read_from_a_file(tmp_path: Path) -> None:
    text = (versions.root() / "recorders" / "gpt2.toml").read_text(encoding="utf-8")
    (tmp_path / "own.toml").write_text(text.replace('name = "gpt2"', 'name = "own"'), encoding="utf-8")
    found = tables.chosen(tmp_path / "own.toml", "GPT2Model", "transformers")
    assert found is not None
    assert (found[0].name, found[1].profile) == ("own", "trace")
    (tmp_path / "large.toml").write_bytes(b"#" * (tables.MAX_BYTES + 1))
    with pytest.raises(SpecError, match="exceeds the limit"):
        tables.read(tmp_path / "large.toml")
    with pytest.raises(SpecError, match="expected a table of a recorder"):
        tables.read(tmp_path / "missing.toml")


def test_rows_become_arrays_with_the_number_and_the_name_of_the_module() -> None:
    found = plan(table(ROWS), LAYERS, None)
    assert [tap.node for tap in found.taps][:3] == ["/inputs/token", "/activations/layer_00", "/activations/layer_01"]
    last = found.taps[-1]
    assert (last.node, last.module, last.kind) == ("/attention/self/layer_02", "h.2.attn", "weights")
    assert last.attributes == {"normalization": "softmax", "module": "h.2.attn"}
    assert found.groups == {"/activations": {"num_layers": 3}, "/attention/self": {"num_layers": 3}}


def test_what_is_selected_keeps_the_numbers_and_the_count_of_the_model() -> None:
    found = plan(table(ROWS), LAYERS, ["activations/layer_0[02]"])
    assert [tap.node for tap in found.taps] == ["/inputs/token", "/activations/layer_00", "/activations/layer_02"]
    assert found.groups == {"/activations": {"num_layers": 3, "partial": True}}
    assert found.not_selected == ("attention",)
    with pytest.raises(UsageError, match=r"expected a pattern that is found in one of .*/attention/self/layer_NN"):
        plan(table(ROWS), LAYERS, ["mlp"])
    with pytest.raises(UsageError, match="expected regular expressions"):
        plan(table(ROWS), LAYERS, ["("])


def test_a_series_that_only_some_layers_have_lists_them() -> None:
    hybrid = {name: kind for name, kind in LAYERS.items() if name not in ("h.0.attn", "h.2.attn")}
    assert plan(table(ROWS), hybrid, None).groups["/attention/self"] == {"num_layers": 3, "present": [1]}


def test_of_several_places_the_first_that_a_module_has_is_read() -> None:
    places_of_window = [".window", ".config.window if .config.kinds[{0}] = sliding"]
    found = plan(table([{**ROWS[1], "read": {"window": places_of_window}}]), LAYERS, None).taps[1]
    assert found.read == {"window": (".window", ".config.window if .config.kinds[1] = sliding")}
    for module, expected in (
        ({"window": 3, "config": {"window": 4}}, 3),
        ({"window": None, "config": {"window": 4}}, None),
        ({"config": {"window": 4}}, 4),
        ({"config": {"window": 4, "kinds": None}}, 4),
        ({"config": {"window": 4, "kinds": ["full", "sliding"]}}, 4),
        ({"config": {"window": 4, "kinds": ["sliding", "full"]}}, places.ABSENT),
        ({"config": {}}, places.ABSENT),
    ):
        assert places.first(module, found.read["window"]) is expected


def test_layers_past_99_have_names_of_one_width() -> None:
    found = plan(table(ROWS[1:2]), {f"h.{number}": "B" for number in range(101)}, None)
    assert (found.taps[0].node, found.taps[-1].node) == ("/activations/layer_000", "/activations/layer_100")


def test_a_row_that_fits_no_module_is_named_and_one_that_a_model_may_lack_is_not() -> None:
    other = {**ROWS[1], "module": "head", "node": "/outputs/logits"}
    with pytest.raises(UsageError, match="/outputs/logits: no module is called head"):
        plan(table([*ROWS, other]), LAYERS, None)
    assert len(plan(table([*ROWS, {**other, "optional": "module"}]), LAYERS, None).taps) == 7
    with pytest.raises(UsageError, match=r"/activations/layer_00 is filled by several modules: h.0, h.1"):
        plan(table([{**ROWS[1], "node": "/activations/layer_00"}]), LAYERS, None)


@pytest.mark.parametrize(
    ("module", "kind", "name"),
    [
        ("features.0", "Conv2d", "features_0"),
        ("0", "Conv2d", "conv2d_0"),
        ("layer.1", "Linear", "layer_1_linear"),
        ("convBlock.Conv", "X", "conv_block_conv"),
        ("", "Net", "model"),
    ],
)
def test_the_name_of_a_module_becomes_that_of_a_node(module: str, kind: str, name: str) -> None:
    assert node_name(module, kind) == name
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


def test_a_place_leads_into_tuples_mappings_and_objects() -> None:
    class Layer:
        keys = 3

    value = {"cache": {"layers": [Layer(), Layer()]}, "logits": 1}
    assert places.at(value, ".cache.layers[1].keys") == 3
    assert places.at(value, ".cache.layers[2].keys") is places.ABSENT
    assert places.at(value, ".nothing[0]") is places.ABSENT
    assert places.at(value, "") is value
    assert places.at(value, "[1]") == 1


def test_an_argument_is_found_by_its_name_however_it_was_given() -> None:
    assert places.argument(".ids", (5,), {}, ("ids", "mask")) == 5
    assert places.argument(".mask", (5,), {"mask": (7, 8)}, ("ids", "mask")) == (7, 8)
    assert places.argument(".mask[1]", (5,), {"mask": (7, 8)}, ("ids", "mask")) == 8
    assert places.argument(".mask", (5,), {}, ("ids", "mask")) is places.ABSENT
    assert places.argument("", (), {"ids": 5}, ("ids",)) == 5
