"""`vizschema migrate --suggest`: a draft migrates layouts without a mapping, once its questions are answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vizschema
from vizschema.cli.main import main
from vizschema.conformance.migrations.layouts import LAYOUTS, random, softmax
from vizschema.errors import NotAnArchive, Refused, Unanswered
from vizschema.migration.answers import Answers
from vizschema.migration.drafting.draft import drafted, suggest
from vizschema.migration.drafting.hints import hints
from vizschema.migration.mapping import Dialect, read
from vizschema.migration.migrate import Migrated, migrate
from vizschema.migration.plan import Plan
from vizschema.sources.item import Item, Tree, in_memory

TOKENS, HEADS, WIDTH = 7, 4, 16


def nnsight(folder: Path) -> Path:
    """Saved outputs of modules, by their names in the model."""
    with h5py.File(folder / "run.h5", "w") as file:
        file.attrs.update({"model_name": "gpt2", "prompt": "The tower", "n_layers": 3})
        for layer in range(3):
            file[f"transformer.h.{layer}/output/0"] = random(1, TOKENS, WIDTH, seed=layer)
            file[f"transformer.h.{layer}.attn/output/1"] = softmax(1, HEADS, TOKENS, TOKENS, seed=layer)
        file["lm_head/output"] = random(1, TOKENS, 50)
        file["input_ids"] = np.arange(TOKENS)[None]
        file["tokens"] = np.array(list("abcdefg"), dtype=h5py.string_dtype())
    return folder / "run.h5"


def cache(folder: Path) -> Path:
    """A cache of hooks: queries, scores that are minus infinity above the diagonal, and their softmax."""
    arrays = {"hook_embed": random(1, TOKENS, WIDTH), "ln_final.hook_scale": random(1, TOKENS, 1)}
    masked = np.triu(np.ones((TOKENS, TOKENS), bool), 1)
    for layer in range(11):
        scores = random(1, HEADS, TOKENS, TOKENS, seed=layer)
        scores[..., masked] = -np.inf
        pattern = np.exp(scores)
        arrays |= {
            f"blocks.{layer}.hook_resid_pre": random(1, TOKENS, WIDTH, seed=layer),
            f"blocks.{layer}.attn.hook_q": random(1, TOKENS, HEADS, 5, seed=layer),
            f"blocks.{layer}.attn.hook_attn_scores": scores,
            f"blocks.{layer}.attn.hook_pattern": pattern / pattern.sum(-1, keepdims=True),
        }
    np.savez(folder / "cache.npz", **arrays)
    return folder / "cache.npz"


def store(folder: Path) -> Path:
    """Activations of prompts of several lengths, of some layers, as safetensors."""
    arrays = {
        f"prompt_{prompt}/layers.{layer}.resid": random(5 + prompt, WIDTH, seed=layer)
        for prompt in range(3)
        for layer in (3, 6, 9)
    }
    header: dict[str, Any] = {"__metadata__": {"model": "pythia-70m"}}
    start = 0
    for name, values in arrays.items():
        offsets = [start, start := start + values.nbytes]
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    data = b"".join(values.tobytes() for values in arrays.values())
    (folder / "store.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    return folder / "store.safetensors"


def files(folder: Path) -> Path:
    """A folder for each layer, heads last, and what a configuration says."""
    for layer in range(11):
        (folder / "run" / f"layer_{layer}").mkdir(parents=True)
        np.save(folder / "run" / f"layer_{layer}" / "mlp.npy", random(TOKENS, WIDTH, seed=layer))
        weights = np.moveaxis(softmax(HEADS, TOKENS, TOKENS, seed=layer), 0, -1)
        np.save(folder / "run" / f"layer_{layer}" / "attn_weights.npy", weights)
    (folder / "run" / "config.json").write_text(
        '{"model_name": "mine", "seq_len": 7, "d_model": 99, "nested": {"a": 1}}'
    )
    return folder / "run"


def cubes(folder: Path) -> Path:
    """As many heads as tokens as channels, and one hidden state more than maps of attention."""
    arrays = {f"attn_{layer}": softmax(5, 5, 5, seed=layer) for layer in range(2)}
    np.savez(folder / "cubes.npz", **arrays, **{f"hidden_{layer}": random(5, 5, seed=layer) for layer in range(3)})
    return folder / "cubes.npz"


KINDS: Mapping[str, Callable[[Path], Path]] = {each.__name__: each for each in (nnsight, cache, store, files, cubes)}
SOURCES = {**KINDS, **{name: old.write for name, old in LAYOUTS.items()}}


def settled(source: Path, draft: Path, last: bool = False) -> Migrated:
    """The migration by a draft: of each question the first choice, or the last one; an answer that fits, else."""
    given_up = "/hits.a3m@insertions"  # an attribute without a JSON value has no rule in a draft
    answers: dict[str, Any] = {f"lose:{given_up}": "no columns"} if (source / "hits.a3m").exists() else {}
    target = source.parent / f"new-{last}.zarr"
    while True:
        try:
            return migrate(str(source), str(target), mapping=str(draft), answers=answers)
        except Unanswered as missing:
            found: dict[str, Any] = {}
            for question in missing.questions:
                key = f"{question.key}:{question.place}" if question.place else question.key
                is_last = last or question.key == "normalization"
                words = question.choices or (48 if question.kind == "INTEGER" else "x",)
                found[key] = words[-1 if is_last else 0]
            assert not found.keys() <= answers.keys()
            answers |= found


@pytest.mark.parametrize("name", SOURCES)
def test_a_draft_migrates_once_its_questions_are_answered(name: str, tmp_path: Path) -> None:
    source, draft = SOURCES[name](tmp_path), tmp_path / "own.toml"
    draft.write_text(suggest(source, name="own"), encoding="utf-8")
    for last in (False, True):
        done = settled(source, draft, last)
        assert done.report is not None
        assert done.report.conforms
        assert done.proved >= 4


def of(tree: Mapping[str, Any]) -> Tree:
    items = [Item("/", "group"), *(in_memory(f"/{name}", np.asarray(values)) for name, values in tree.items())]
    return {item.path: item for item in items}


def rules(tree: Mapping[str, Any], tmp_path: Path) -> tuple[Dialect, str]:
    text = drafted(of(tree), "own", "1.0.0")
    (tmp_path / "own.toml").write_text(text, encoding="utf-8")
    return read(tmp_path / "own.toml"), text


def test_rows_that_sum_to_1_say_which_axis_holds_the_keys(tmp_path: Path) -> None:
    weights = np.moveaxis(softmax(3, 6, 6), -1, 0)
    dialect, text = rules({"a_0": weights, "a_1": weights}, tmp_path)
    rule = dialect.rules("nodes")[0]
    assert (rule["axes"], rule["do"]) == (
        ["head", "token:query", "token:key"],
        [{"moveaxis": [1, 0]}, {"moveaxis": [2, 1]}],
    )
    assert "rows sum to 1 along dimension 0: the keys" in text


def test_equal_sizes_are_a_question_with_a_rule_for_each_answer(tmp_path: Path) -> None:
    dialect, _ = rules({"w_0": softmax(5, 5, 5), "w_1": softmax(5, 5, 5, seed=1)}, tmp_path)
    choices = dialect.asks["axes_w"]["choices"]
    assert choices == ["head, token:query, token:key", "token:query, head, token:key"]
    assert [rule["when"] for rule in dialect.rules("nodes")] == [{"axes_w": choice} for choice in choices]


def test_layers_that_are_stacked_are_an_axis_and_heads_are_no_samples(tmp_path: Path) -> None:
    dialect, text = rules(
        {"attn": softmax(3, 1, 2, 6, 6), "x.0.attn": softmax(4, 6, 6), "x.1.attn": softmax(4, 6, 6)}, tmp_path
    )
    axes = {rule["ndim"]: rule["axes"] for rule in dialect.rules("nodes")}
    assert axes == {
        5: ["layer", "sample", "head", "token:query", "token:key"],
        3: ["x_head", "token:query", "token:key"],
    }
    assert "doubt: the first dimension is taken for the layers" in text


def test_one_member_more_than_maps_of_weights_may_be_the_embedding(tmp_path: Path) -> None:
    arrays = {f"attn_{layer}": softmax(2, 6, 6, seed=layer) for layer in range(2)}
    dialect, _ = rules({**arrays, **{f"hidden_{layer}": random(6, 3) for layer in range(3)}}, tmp_path)
    targets = [rule["to"] for rule in dialect.rules("nodes") if "first_hidden" in rule.get("when", {})]
    assert targets == [
        "/activations/hidden/embedding",
        "/activations/hidden/layer_{i-1:n}",
        "/activations/hidden/layer_{i:n}",
    ]
    assert dialect.asks["first_hidden"]["why"] == "what is /hidden_0, the first of 3 beside the 2 of /attn_0?"


def test_gaps_and_numbers_from_1_are_noted(tmp_path: Path) -> None:
    dialect, text = rules({f"layer_{layer}": random(2, 3) for layer in (1, 2, 4)}, tmp_path)
    assert dialect.rules("nodes")[0]["to"] == "/activations/layer_{i-1:n}"
    assert "doubt: layer 3 not there" in text
    assert "doubt: the numbers begin at 1" in text


def test_a_number_in_the_source_that_its_arrays_contradict_is_lost_with_that_reason(tmp_path: Path) -> None:
    source, draft = files(tmp_path), tmp_path / "own.toml"
    draft.write_text(suggest(source, name="own"), encoding="utf-8")
    assert "/config.json@d_model says 99, the arrays have 16" in draft.read_text(encoding="utf-8")
    losses = {loss["what"]: loss["why"] for loss in settled(source, draft).losses}
    assert losses == {"/config.json@d_model": "it says 99; the arrays have 16"}


def test_prompts_of_several_lengths_have_scopes_of_their_own(tmp_path: Path) -> None:
    source, draft = store(tmp_path), tmp_path / "own.toml"
    draft.write_text(suggest(source, name="own"), encoding="utf-8")
    assert settled(source, draft).proved == 9
    with vizschema.open(tmp_path / "new-False.zarr") as archive:
        array = archive["/activations/prompt2_resid/layer_06"]
        assert (array.axes, array.shape, array.attributes) == (
            ("token", "hidden"),
            (7, 16),
            {"scope_token": "prompt_2"},
        )


def test_what_cannot_be_an_array_is_left_to_the_user(tmp_path: Path) -> None:
    odd = {"/": Item("/", "group"), "/x": Item("/x", "link", reason="a link"), "/a": in_memory("/a", np.ones((2, 3)))}
    text = drafted(odd, "own", "1.0.0")
    assert "# no rule: /x: a link; give it up with --set 'lose:/x=REASON'" in text


def test_the_command_prints_a_draft_or_writes_it_and_says_what_is_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = cubes(tmp_path), tmp_path / "mine.toml"
    assert main(["migrate", str(source), "--suggest"]) == 0
    assert 'name = "cubes"\n' in capsys.readouterr().out
    assert main(["migrate", str(source), "--suggest", "--out", str(out)]) == 0
    assert f"vizschema migrate {source} TARGET --mapping {out} --dry-run\n" in capsys.readouterr().out
    assert main(["migrate", str(source), "--suggest", "--out", str(out)]) == 2
    assert "cannot be written: File exists" in capsys.readouterr().err
    assert main(["migrate", str(source), str(tmp_path / "new.zarr"), "--mapping", str(out)]) == 2
    out_lines = capsys.readouterr().out
    assert "--set 'axes_self=head, token:query, token:key|token:query, head, token:key'" in out_lines
    assert "--set 'first_hidden=embedding|layer'" in out_lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected SOURCE TARGET, found no TARGET"),
        (["new.zarr", "--suggest"], "expected no TARGET with --suggest"),
        (["new.zarr", "--out", "x.toml"], "expected --suggest, found --out without it"),
    ],
)
def test_a_draft_and_a_result_are_not_asked_for_together(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["migrate", str(tmp_path / "old.npz"), *arguments]) == 2
    assert message in capsys.readouterr().err


NAMES = st.text(
    st.sampled_from("aAhL019_.- /é{}()[]*+?|$^\\\"'#\x7f")
    | st.characters(codec="utf-8", categories=("L", "N", "P", "S")),
    min_size=1,
    max_size=12,
)
SHAPES = st.lists(st.sampled_from((0, 1, 2, 3, 3, 5)), max_size=4).map(tuple)
VALUES = st.builds(
    lambda shape, dtype, ones: (np.ones(shape) / max(1, (*shape, 1)[-1 if ones else 0])).astype(dtype),
    SHAPES,
    st.sampled_from(("float32", "float16", "int64", "uint8", "bool", "complex64")),
    st.booleans(),
)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=6), st.dictionaries(NAMES, st.integers(0, 5), max_size=3))
@settings(max_examples=60, deadline=None)
def test_a_draft_of_anything_is_a_mapping_that_takes_every_node(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any], attributes: dict[str, Any]
) -> None:
    tree = dict(of({name: values for name, values in arrays.items() if name.strip("/")}))
    tree["/"] = Item("/", "group", attributes)
    folder = tmp_path_factory.getbasetemp()
    (folder / "any.toml").write_text(drafted(tree, "any", "1.0.0"), encoding="utf-8")
    dialect = read(folder / "any.toml")
    first = {key: ask["choices"][0] for key, ask in dialect.asks.items() if "choices" in ask}
    plan = Plan(dialect, tree, Answers(dialect.asks, first))
    assert plan.problems == []


def test_prompts_of_one_name_have_one_layout_by_the_sizes_that_tell_most(tmp_path: Path) -> None:
    arrays = {
        f"prompt_{number}/attn.q": random(1, length, 4, 8, seed=number) for number, length in enumerate((8, 5, 1))
    }
    dialect, text = rules(arrays, tmp_path)
    assert len({tuple(axis.rpartition("_")[2] for axis in rule["axes"]) for rule in dialect.rules("nodes")}) == 1
    assert {rule["to"].split("/")[1] for rule in dialect.rules("nodes")} == {"activations"}
    assert "the axes are those of /prompt_1/attn.q, whose sizes tell more" in text


def test_numbers_in_lists_of_a_json_file_are_drafted_as_an_array_and_given_back(tmp_path: Path) -> None:
    (tmp_path / "view.json").write_text(json.dumps({"attn": softmax(2, 3, 5, 5).tolist(), "words": list("abcde")}))
    (tmp_path / "own.toml").write_text(suggest(tmp_path / "view.json"), encoding="utf-8")
    who = {"model_name": "m", "model_version": "1"}
    done = migrate(tmp_path / "view.json", tmp_path / "a.zarr", mapping=str(tmp_path / "own.toml"), answers=who)
    assert (done.proved, done.losses) == (1, ())
    again = vizschema.export(tmp_path / "a.zarr", tmp_path / "back", str(tmp_path / "own.toml"), container="zarr-v2")
    assert again.losses == ()
    with vizschema.open(tmp_path / "back") as back:
        assert dict(back["/"].attributes) == json.loads((tmp_path / "view.json").read_text())


def test_a_source_without_arrays_is_refused_with_what_it_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.md").write_text("x")
    with pytest.raises(Refused, match="no array is found in it") as raised:
        suggest(tmp_path / "run")
    assert raised.value.problems == ("/notes.md: a file of a kind that is not read here (.md)",)
    assert main(["migrate", str(tmp_path / "run"), "--suggest", "--trust"]) == 1
    assert "\n  /notes.md: a file of a kind" in "".join(capsys.readouterr())
    (tmp_path / "run" / "model.ckpt-1.data-00000-of-00001").write_bytes(b"\0" * 9)
    with pytest.raises(NotAnArchive, match="a TensorFlow checkpoint; open it with tensorflow"):
        suggest(tmp_path / "run")


def test_the_hints_name_questions_of_the_draft_that_there_are() -> None:
    asked = {value["ask"] for value in hints()["weights"]["attributes"].values()} | hints()["identity"].keys()
    assert asked == hints()["ask"].keys()
