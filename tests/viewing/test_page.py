"""The page of `vizschema view` in a browser: tree, verdict, slices; nothing but its own server is asked."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import pytest
import zarr
from safetensors.numpy import save_file
from support import verdicts
from support.axe import examined
from support.language_model import gpt2
from support.needed import installed
from support.opened import chosen, drop, hosted, opened_by_url, until, viewed, words
from support.servers import Handler, StaticServer

import vizschema
from vizschema.conformance.corpus.cases import FOLDER, read
from vizschema.conformance.examples import write_example

HOSTILE = '<img src="x" onerror="window.hit=1">'


def test_an_archive_is_opened_judged_and_looked_at(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    with viewed(tmp_path / "run.zarr") as (opened, viewer):
        assert words(opened, "summary") == "zarr v3 (directory), 9 arrays"
        until(opened, "!document.getElementById('verdict').hidden")
        assert words(opened, "verdict-words") == "structure conforms, by the profile vit of 1.0.0; values not read"
        chosen(opened, "attention/self/layer_00")
        with vizschema.open(tmp_path / "run.zarr") as archive:
            values = np.asarray(archive["/attention/self/layer_00"])
        canvas = "document.querySelector('.map canvas')"
        assert opened.evaluate(f"[{canvas}.height, {canvas}.width]") == [5, 5]
        opened.evaluate(f"{canvas}.focus()")
        opened.evaluate(f"{canvas}.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowDown' }}))")
        shown = str(opened.evaluate("document.querySelector('[aria-live]').textContent"))
        assert shown == f"sample 0, head 0, token:query 1, token:key 0: {values[0, 0, 1, 0]:.6g}"
        opened.evaluate("document.getElementById('read-values').click()")
        until(opened, "document.getElementById('verdict-words').textContent.startsWith('conforms')")
        assert examined(opened, "light", "dark").faults == []
        assert opened.complaints == []
        assert all(url.startswith((viewer.url, "data:")) for url in opened.requests)


@pytest.mark.parametrize("suffix", ["zarr", "npz"])
def test_hostile_names_stay_text_on_a_phone(suffix: str, tmp_path: Path) -> None:
    arrays: dict[str, Any] = {HOSTILE: np.eye(3), f"long{'x' * 200}": np.eye(3)}
    path = tmp_path / f"a.{suffix}"
    if suffix == "npz":
        np.savez(path, **arrays)
    else:
        attributes = {"/metadata": {"model_name": HOSTILE, "model_version": "1"}}
        given = {f"/extra/{name}": vizschema.Array(values, ["a", "b"]) for name, values in arrays.items()}
        given["/activations/layer_00"] = vizschema.Array(np.eye(3), ["a", "b"])
        vizschema.write(path, given, attributes, profile="trace")
    with viewed(path, width=390) as (opened, _):
        until(opened, "!document.getElementById('verdict').hidden")
        chosen(opened, "onerror")
        assert HOSTILE in words(opened, "array-title")
        assert opened.evaluate("window.hit") is None
        assert opened.evaluate("document.documentElement.scrollWidth <= 390")
        assert opened.complaints == []


def test_a_finding_has_its_fix_and_leads_to_its_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"attention/self/layer_00": np.eye(3)})
    rules = vizschema.validate(tmp_path / "a.npz", values=False).findings
    with viewed(tmp_path / "a.npz") as (opened, _):
        until(opened, "!document.getElementById('verdict').hidden")
        shown = words(opened, "findings")
        assert rules
        assert all(finding.rule in shown and finding.fix in shown for finding in rules)
        opened.evaluate("document.querySelector('#findings button:not(:disabled)').click()")
        until(opened, "document.querySelector('.map canvas')")
        assert words(opened, "array-title") == "/attention/self/layer_00"
        opened.evaluate("document.querySelectorAll('#findings details').forEach(it => { it.open = true })")
        assert examined(opened, "light").faults == []
        assert opened.complaints == []


def test_dropped_archives_are_judged_without_a_server(tmp_path: Path) -> None:
    for name in ("a.zarr", "a.zarr.zip", "a.npz", "a.h5", "a.asdf"):
        write_example("vit", tmp_path / name)
    save_file({"/outputs/logits": np.eye(3)}, tmp_path / "a.safetensors")
    with viewed(tmp_path / "a.zarr", name="site.html") as (opened, viewer):
        assert words(opened, "summary") == "Nothing is open."
        for path in sorted(tmp_path.glob("a.*")):
            drop(opened, path)
            until(opened, f"document.getElementById('name').textContent === '{path.name}'")
            until(opened, "!document.getElementById('verdict').hidden")
            profile = "trace" if path.suffix == ".safetensors" else "vit"
            words_before = "does not conform" if profile == "trace" else "structure conforms"
            found = f"{words_before}, by the profile {profile} of 1.0.0; values not read"
            assert words(opened, "verdict-words") == found, path
            if profile == "vit":
                chosen(opened, "attention/self/layer_00")
        write_huge(tmp_path)
        drop(opened, tmp_path / "huge.h5")
        until(
            opened, "document.getElementById('summary').textContent.startsWith('expected at most 512 MiB, found 600')"
        )
        drop(opened, tmp_path / "huge.zarr")
        until(opened, "!document.getElementById('verdict').hidden")
        opened.evaluate("document.getElementById('read-values').click()")
        until(
            opened, "document.getElementById('progress').textContent.includes('MiB to judge, expected at most 1,024')"
        )
        opened.evaluate("document.querySelector('#tree button').click()")
        until(
            opened,
            "document.getElementById('shown').textContent.includes('at most 1,024 reads, 16,777,216 bytes of values')",
        )
        (tmp_path / "b.txt").write_bytes(b"text")
        drop(opened, tmp_path / "b.txt")
        until(opened, "document.getElementById('summary').textContent.startsWith('This is not an archive')")
        assert opened.complaints == []
        assert not [url for url in opened.requests if "archive" in url.removeprefix(viewer.url)]


def write_huge(folder: Path) -> None:
    """A file that says that it is HDF5, of 600 MiB, and an array of 16 GiB of which one chunk was written."""
    with (folder / "huge.h5").open("wb") as file:
        file.write(b"\x89HDF\r\n\x1a\n")
        file.truncate(600 << 20)
    group = zarr.open_group(folder / "huge.zarr", mode="w")
    array = group.create_array("a", shape=(1 << 20, 1 << 12), chunks=(1 << 6, 1 << 6), dtype="float32")
    array[:1, :1] = 1


def paths_of(server: StaticServer) -> list[str]:
    return [request.path for request in server.requests if not request.path.startswith("/page/")]


def test_by_url_only_the_chunks_that_are_looked_at_are_read(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    write_example("vit", tmp_path / "run.npz")
    with hosted(tmp_path) as (opened, server):
        assert opened_by_url(opened, server, f"{server.url}/run.zarr").startswith(
            "zarr v3 (directory), 9 arrays; 1 request,"
        )
        until(opened, "!document.getElementById('verdict').hidden")
        assert words(opened, "verdict-words") == "structure conforms, by the profile vit of 1.0.0; values not read"
        assert paths_of(server) == ["/run.zarr/zarr.json"]
        assert opened.evaluate("new URLSearchParams(location.search).get('url')") == f"{server.url}/run.zarr"
        chosen(opened, "attention/self/layer_00")
        until(opened, "document.querySelector('[aria-live]').textContent")
        with vizschema.open(tmp_path / "run.zarr") as archive:
            cost = archive["/attention/self/layer_00"].isel(sample=0, head=0).cost()
            value = np.asarray(archive["/attention/self/layer_00"])[0, 0, 0, 0]
        assert words(opened, "shown").count(f": {value:.6g}") == 1
        assert len(paths_of(server)) - 1 == cost.requests
        opened.evaluate("document.getElementById('read-values').click()")
        until(opened, "document.getElementById('verdict-words').textContent.startsWith('conforms')")
        assert opened_by_url(opened, server, f"{server.url}/run.npz").startswith("npz (file), 9 arrays")
        assert {request.status for request in server.requests if request.path == "/run.npz"} == {206}
        assert opened.complaints == []


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_of_a_shard_by_url_the_index_and_the_inner_chunks_of_a_slice_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((3, 64, 64)).astype(np.float32)
    group = zarr.open_group(tmp_path / "run.zarr", mode="w")
    sizes = {"shape": values.shape, "chunks": (1, 32, 64), "shards": (3, 64, 64), "dtype": "float32"}
    for name, place in (("a", "end"), ("b", "start")):
        array = group.create_array(name, **sizes, compressors=None, dimension_names=["head", "row", "column"])
        array[...] = values
        if place == "start":
            moved_to_the_start(tmp_path / "run.zarr" / name)
    zarr.consolidate_metadata(group.store)
    with hosted(tmp_path) as (opened, server):
        opened_by_url(opened, server, f"{server.url}/run.zarr")
        for name, index in (("a", "bytes=-100"), ("b", "bytes=0-99")):
            before = len(paths_of(server))
            chosen(opened, f"/{name}")
            until(opened, f"document.querySelector('[aria-live]')?.textContent.includes(': {values[0, 0, 0]:.6g}')")
            first = 100 if name == "b" else 0
            # The two inner chunks of head 0, and one of 8 KiB between them, as zarr-python orders them.
            asked = [request.range for request in server.requests if request.path == f"/run.zarr/{name}/c/0/0/0"]
            assert asked == [index, f"bytes={first}-{first + 24575}"]
            assert len(paths_of(server)) == before + 2
        assert opened.complaints == []


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_of_a_large_map_by_url_a_window_is_read_and_small_maps_when_they_are_asked_for(tmp_path: Path) -> None:
    values = np.broadcast_to(np.arange(3000, dtype=np.float32)[:, None], (2, 3000, 2500))
    group = zarr.open_group(tmp_path / "run.zarr", mode="w")
    names = ["head", "row", "column"]
    group.create_array("a", data=values, chunks=(1, 500, 2500), dimension_names=names)
    group.create_array("b", shape=(4200, 4200), chunks=(4200, 4200), dtype="float32")[0, 0] = 1
    zarr.consolidate_metadata(group.store)
    with hosted(tmp_path) as (opened, server):
        opened_by_url(opened, server, f"{server.url}/run.zarr")
        chosen(opened, "/a")
        told = "document.querySelector('[aria-live]')?.textContent"
        until(opened, f"{told}.endsWith('head 0, row 0, column 0: 0')")
        assert opened.evaluate("[...document.querySelectorAll('.map canvas')].map(it => [it.height, it.width])") == [
            [2048, 2048]
        ]
        assert len(paths_of(server)) == 1 + 5
        opened.evaluate(
            "{ const it = [...document.querySelectorAll('label')].find(({ textContent }) =>"
            " textContent.startsWith('2,048 of row from')).querySelector('input'); it.value = 1;"
            " it.dispatchEvent(new Event('input')) }"
        )
        until(opened, f"{told}.endsWith('head 0, row 952, column 0: 952')")
        assert paths_of(server)[6:] == ["/run.zarr/a/c/0/5/0"]
        offer = "document.querySelector('.multiples button')"
        words_found = "Show each head small: at most 10 requests, 50,000,000 bytes of values"
        assert opened.evaluate(f"{offer}.textContent") == words_found
        opened.evaluate(f"{offer}.click()")
        until(
            opened, "[...document.querySelectorAll('.multiples canvas')].filter(it => it.height === 256).length === 2"
        )
        assert len(paths_of(server)) == 7 + 5
        before = len(paths_of(server))
        chosen(opened, "/b")
        status = "document.querySelector('#shown [role=status]').textContent"
        until(opened, f"{status} === 'This slice takes at most 1 request, 70,560,000 bytes of values'")
        assert len(paths_of(server)) == before
        assert examined(opened, "light").faults == []
        opened.evaluate(
            "[...document.querySelectorAll('#shown button')].find(it => it.textContent === 'Read it').click()"
        )
        until(opened, f"{told}.endsWith('axis 0 0, axis 1 0: 1')")
        assert paths_of(server)[before:] == ["/run.zarr/b/c/0/0"]
        assert opened.complaints == []


def moved_to_the_start(folder: Path) -> None:
    """Move the index of a shard of six inner chunks to its start, as `index_location` then says."""
    document = json.loads((folder / "zarr.json").read_bytes())
    document["codecs"][0]["configuration"]["index_location"] = "start"
    (folder / "zarr.json").write_text(json.dumps(document))
    shard = folder / "c" / "0" / "0" / "0"
    data = shard.read_bytes()
    index = np.frombuffer(data[-100:-4], "<u8").reshape(6, 2) + np.array([100, 0], "<u8")
    packed = index.astype("<u8").tobytes()
    shard.write_bytes(packed + int(google_crc32c.value(packed)).to_bytes(4, "little") + data[:-100])


@pytest.mark.filterwarnings("ignore:Combining a `sharding_indexed` codec")
def test_boxes_have_the_values_of_the_whole_array(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((5, 9, 12)).astype(np.float32)
    group = zarr.open_group(tmp_path / "run.zarr", mode="w")
    more: dict[str, Any] = {"shape": values.shape, "dtype": "float32", "fill_value": 0.5}
    turned = zarr.codecs.TransposeCodec(order=(2, 0, 1))
    for name, how in {
        "plain": {"chunks": (2, 4, 5)},
        "sharded": {"chunks": (2, 2, 3), "shards": (4, 8, 6)},
        "turned": {"chunks": (2, 2, 3), "shards": (4, 8, 6), "filters": [turned]},
    }.items():
        group.create_array(name, **more, **how)[1:4, :6] = values[1:4, :6]
    outer = zarr.codecs.ShardingCodec(chunk_shape=(4, 2, 2))
    array = zarr.create(
        **more,
        chunks=(4, 4, 8),
        codecs=[turned, outer],
        config={"write_empty_chunks": True},
        store=tmp_path / "run.zarr" / "outer",
    )
    array[1:4, :6] = values[1:4, :6]
    shard = tmp_path / "run.zarr" / "sharded" / "c" / "0" / "0" / "0"
    data = bytearray(shard.read_bytes())
    data[3] ^= 255
    shard.write_bytes(data)
    script = Path(__file__).parents[1] / "support" / "boxes.mjs"
    run = [installed("node"), str(script), str(tmp_path / "run.zarr")]
    found = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("48\n", "")


def test_what_cannot_be_read_by_url_says_why(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    document = json.loads((tmp_path / "run.zarr" / "zarr.json").read_bytes())
    del document["consolidated_metadata"]
    (tmp_path / "run.zarr" / "zarr.json").write_text(json.dumps(document))

    def large(handler: Handler) -> bool:
        if not handler.path.startswith("/large"):
            return False
        handler.answer(200, b"", {"Content-Length": str(100 << 20)})
        handler.close_connection = True
        return True

    with hosted(tmp_path, misbehave=large) as (opened, server):
        assert "cannot be listed over HTTP" in opened_by_url(opened, server, f"{server.url}/run.zarr")
        assert "expected at most 64 MiB, found 100 MiB" in opened_by_url(opened, server, f"{server.url}/large.npz")
        secret = server.url.replace("://", "://user:word@")
        assert "without a user and a password" in opened_by_url(opened, server, f"{secret}/run.zarr")
        assert "word" not in str(opened.evaluate("location.href"))
        opened_by_url(opened, server, f"{server.url}/run.zarr?token=secret")
        assert "secret" not in str(opened.evaluate("location.href"))


def test_views_series_multiples_and_bounds(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    with viewed(tmp_path / "run.zarr") as (opened, _):
        chosen(opened, "attention/self/layer_00")
        with vizschema.open(tmp_path / "run.zarr") as archive:
            values = np.asarray(archive["/attention/self/layer_01"])
        until(opened, "document.querySelector('.histogram .bound')")
        assert "Rules: at least 0 (" in str(opened.evaluate("document.querySelector('.histogram').textContent"))
        heads = values.shape[1]
        assert opened.evaluate("document.querySelectorAll('.multiples button').length") == heads
        opened.call("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=False)
        assert opened.evaluate("document.documentElement.scrollWidth <= 390")
        opened.evaluate("document.querySelectorAll('.multiples button')[1].click()")
        opened.evaluate(
            "{ const it = document.querySelector('#series input'); it.value = 1; it.dispatchEvent(new Event('input')) }"
        )
        until(opened, "document.getElementById('array-title').textContent.endsWith('layer_01')")
        told = "document.querySelector('[aria-live]')?.textContent"
        until(opened, told)
        assert f"head 1, token:query 0, token:key 0: {values[0, 1, 0, 0]:.6g}" in str(opened.evaluate(told))
        chosen(opened, "outputs/logits")
        until(opened, "document.querySelector('canvas.view-curve')")
        assert opened.complaints == []


def rolled_out(archive: vizschema.Archive, sample: int) -> np.ndarray[Any, Any]:
    """The rollout of two layers of attention, as the paper has it."""
    weights = [np.asarray(archive[f"/attention/self/layer_0{layer}"])[sample].mean(axis=0) for layer in (0, 1)]
    first, last = ((each + np.eye(len(each))) / (each.sum(-1, keepdims=True) + 1) for each in weights)
    return np.asarray(last @ first)


@pytest.mark.parametrize("name", ["run.zarr", "run.npz"])
def test_attention_is_rolled_out_over_the_image(name: str, tmp_path: Path) -> None:
    write_example("vit", tmp_path / name)
    place = "document.getElementById('rollout')"
    with viewed(tmp_path / name) as (opened, _), vizschema.open(tmp_path / name) as archive:
        chosen(opened, "inputs/images")
        assert words(opened, "rollout") == ""
        chosen(opened, "attention/self/layer_01")
        assert words(opened, "rollout") == "Attention rollout over the image (reads 2 layers, at most 800 bytes)"
        opened.evaluate(f"{place}.querySelector('summary').click()")
        until(opened, f"{place}.querySelector('canvas')")
        for slider, value in (("sample", 1), ("token:query", 3)):
            opened.evaluate(
                f"{{ const it = [...{place}.querySelectorAll('label')].find(({{ textContent }}) =>"
                f" textContent.startsWith('{slider}')).querySelector('input'); it.value = {value};"
                " it.dispatchEvent(new Event('input')) }"
            )
            expected = rolled_out(archive, 1)[0 if slider == "sample" else value, 1]
            until(opened, f"{place}.querySelector('[aria-live]')?.textContent.endsWith(': {expected:.6g}')")
        opened.evaluate(
            f"{place}.querySelector('canvas').dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowDown' }}))"
        )
        told = f"token:query 3, patch row 1, patch column 0: {rolled_out(archive, 1)[3, 3]:.6g}"
        assert opened.evaluate(f"{place}.querySelector('[aria-live]').textContent") == told
        opened.call("Emulation.setDeviceMetricsOverride", width=390, height=900, deviceScaleFactor=1, mobile=False)
        assert opened.evaluate("document.documentElement.scrollWidth <= 390")
        assert examined(opened, "light", "dark").faults == []
        assert opened.complaints == []


def test_a_rollout_is_offered_where_the_archive_has_all_of_it(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    nodes = vizschema.describe(tmp_path / "run.zarr")["nodes"]
    layer, images = "/attention/self/layer_01", "/inputs/images"
    views = {layer: "square", "/attention/self/layer_00": "square", images: "image"}
    image, last = nodes[images], nodes[layer]
    given: list[tuple[dict[str, Any], dict[str, str]]] = [
        (nodes, views),
        ({path: node for path, node in nodes.items() if path != "/attention/self/layer_00"}, views),
        (nodes, {**views, layer: "image"}),
        (nodes, {layer: "square"}),
        ({**nodes, layer: {**last, "attributes": {**last["attributes"], "normalization": "sigmoid"}}}, views),
        ({**nodes, layer: {**last, "axes": None}}, views),
        ({**nodes, images: {**image, "shape": [3, 1, 8, 8]}}, views),
        ({**nodes, images: {**image, "shape": [2, 1, 8, 6]}}, views),
        ({**nodes, images: {**image, "axes": ["sample", "channel", None, "width"]}}, views),
    ]
    script = Path(__file__).parents[1] / "support" / "rollouts.mjs"
    asked = json.dumps([[layer, *each] for each in given])
    run = subprocess.run([installed("node"), str(script)], input=asked, capture_output=True, text=True, check=True)
    first, *others = json.loads(run.stdout)
    assert first == {
        "layers": ["/attention/self/layer_00", layer],
        "image": images,
        "patches": {"rows": 2, "columns": 2, "before": 1},
        "roles": {"query": 2, "key": 3},
    }
    assert others == [None] * len(others)


def test_distances_between_points(tmp_path: Path) -> None:
    places = np.array([[0, 0, 1], [0, 3, 5], [0, 0, 0]], np.float32)
    layers = {f"pair/layer_{layer}": places for layer in range(11)}
    np.savez(tmp_path / "a.npz", **{"outputs/coordinates": places}, **layers)
    with viewed(tmp_path / "a.npz") as (opened, _):
        assert "layer_0 … layer_10 (11)" in words(opened, "tree")
        chosen(opened, "outputs/coordinates")
        opened.evaluate(
            "{ const it = document.querySelector('#shown select'); it.value = 'distances';"
            " it.dispatchEvent(new Event('change')) }"
        )
        canvas = "document.querySelector('.map canvas')"
        assert opened.evaluate(f"[{canvas}.height, {canvas}.width]") == [3, 3]
        for key, told in (("ArrowRight", "axis 0 0, axis 0 1: 5"), ("ArrowDown", "axis 0 1, axis 0 1: 0")):
            opened.evaluate(f"{canvas}.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}))")
            assert opened.evaluate("document.querySelector('[aria-live]').textContent") == told
        opened.evaluate(f"{canvas}.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'ArrowDown' }}))")
        assert str(opened.evaluate("document.querySelector('[aria-live]').textContent")).endswith("NaN")
        assert opened.complaints == []


def test_archives_of_the_corpus_are_judged_as_by_the_command_line() -> None:
    names = (
        "attention-row-sum",
        "digest-attributes",
        "chunk-readable",
        "creation-time",
        "damaged",
        "legal",
        "stray-file",
    )
    files = [sorted((FOLDER / "1.0.0" / name).glob("*.json")) for name in names]
    cases = [next(case for case in map(read, paths) if case.level == "archive") for paths in files]
    found = list(verdicts.compared([(case, case.containers[0]) for case in cases]))
    assert len(found) == len(names)
    assert [each for each in found if each.page != each.command] == []
    assert len({str(each.page) for each in found}) > 3


def test_tokens_are_beside_their_row_and_column(tmp_path: Path) -> None:
    words_given = ["one", HOSTILE, "a\u202eb", "\n", "five"]
    arrays, attributes = gpt2(words_given, layers=1, heads=2, hidden=8)
    vizschema.write(tmp_path / "run.zarr", arrays, attributes, profile="lm")
    weights = np.asarray(arrays["/attention/self/layer_00"].data)[0, 0]
    with viewed(tmp_path / "run.zarr") as (opened, _):
        chosen(opened, "attention/self/layer_00")
        until(opened, "document.querySelectorAll('.line').length === 2")
        tokens = "[...document.querySelectorAll('.line')[1].children]"
        signs = ["␣one", f"␣{HOSTILE}", "␣a\\u{202e}b", "␣↵", "␣five"]
        assert opened.evaluate(f"{tokens}.map(({{ textContent }}) => textContent)") == signs
        opened.evaluate("document.querySelectorAll('.line')[0].children[4].click()")
        opened.evaluate(f"{tokens}[0].click()")
        told = f"token:query 4 (␣five), token:key 0 (␣one): {weights[4, 0]:.6g}"
        assert told in str(opened.evaluate("document.querySelector('[aria-live]').textContent"))
        assert opened.evaluate("[...document.querySelectorAll('.side')].map(({ textContent }) => textContent)") == [
            "key (token)",
            "query (token)",
        ]
        assert opened.evaluate("document.querySelector('.mark').style.top") == "80%"
        assert opened.evaluate("window.hit") is None
        assert opened.complaints == []


def test_a_worker_that_reads_nothing_is_ended_and_another_one_answers(tmp_path: Path) -> None:
    write_example("vit", tmp_path / "run.zarr")
    end = threading.Event()

    def silent(handler: Handler) -> bool:
        return handler.path.startswith("/silent") and not end.wait(60)

    with hosted(tmp_path, misbehave=silent) as (opened, server):
        soon = "const wait = setTimeout; window.setTimeout = (run, ms) => wait(run, ms === 30000 ? 100 : ms)"
        opened.call("Page.addScriptToEvaluateOnNewDocument", source=soon)
        assert opened_by_url(opened, server, f"{server.url}/silent.zarr") == "nothing was read for 30 seconds"
        opened.evaluate("window.setTimeout = wait")
        address = json.dumps(f"{server.url}/run.zarr")
        opened.evaluate(
            f"{{ document.getElementById('url').value = {address}; document.getElementById('by-url').requestSubmit() }}"
        )
        until(opened, "document.getElementById('summary').textContent.startsWith('zarr v3 (directory), 9 arrays')")
        end.set()
