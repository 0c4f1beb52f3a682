"""Three real models, traced: their archives conform in every container, and three wrong captures are caught by name."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import vizschema
from vizschema import Array, NotConforming
from vizschema.conformance.fixtures import digits, mnist, openfold, openfold_extract, pages, pictures, vit
from vizschema.conformance.fixtures.classifiers import DATA
from vizschema.findings import Report
from vizschema.writer.forms import FORMS

READERS = {"mnist": mnist.read, "vit": vit.read, "openfold": openfold_extract.read}
Capture = tuple[dict[str, Array], dict[str, dict[str, Any]]]


def rules(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}


@pytest.mark.parametrize("container", FORMS)
@pytest.mark.parametrize("profile", READERS)
def test_the_archive_of_a_real_model_conforms_and_holds_the_values_of_the_capture(
    profile: str, container: str, tmp_path: Path
) -> None:
    arrays, attributes = READERS[profile]()
    vizschema.write(tmp_path / "trace", arrays, attributes, profile=profile, container=container)
    report = vizschema.validate(tmp_path / "trace")
    assert (report.verdict, report.profile, report.findings) == ("conforms", profile, ())
    with vizschema.open(tmp_path / "trace") as archive:
        for path, item in arrays.items():
            assert np.array_equal(archive[path][...], item.data), path
            assert list(archive[path].axes) == list(item.axes)


def test_the_committed_captures_are_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 2_500_000


def test_reading_a_fixture_needs_no_torch() -> None:
    code = (
        "import sys; from vizschema.conformance.fixtures import mnist, openfold_extract, vit\n"
        "mnist.read(); vit.read(); openfold_extract.read()\n"
        "print(sorted({'torch', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_the_cnn_has_the_layers_of_the_first_prototype() -> None:
    arrays, _ = mnist.read()
    shapes = {name: np.shape(arrays[f"/activations/{name}"].data)[1] for name in mnist.MODULES}
    assert shapes == {"conv1": 16, "conv2": 32, "fc1": 128, "fc2": 10}


@pytest.mark.parametrize("profile", ["mnist", "vit"])
def test_the_classifiers_learned_to_read(profile: str) -> None:
    arrays, attributes = READERS[profile]()
    assert attributes["/metadata"]["test_accuracy"] > 0.9
    assert arrays["/activations/fc2" if profile == "mnist" else "/activations/embedding"].data.any()


def test_logits_are_the_output_of_the_last_layer() -> None:
    arrays, _ = mnist.read()
    logits, last = arrays["/outputs/logits"].data, arrays["/activations/fc2"].data
    assert np.array_equal(logits.astype(np.float16), last)


@pytest.mark.parametrize("profile", ["mnist", "vit"])
def test_the_classifiers_were_recorded(profile: str) -> None:
    arrays, attributes = READERS[profile]()
    assert attributes["/metadata"]["recorder"] == {"mnist": "cnn 1", "vit": "vit 1"}[profile]
    modules = {path: item.attributes["module"] for path, item in arrays.items() if path.startswith("/activations/")}
    if profile == "mnist":
        assert modules == {f"/activations/{name}": name for name in mnist.MODULES}
    else:
        assert modules["/activations/layer_11"].endswith(".11")
        depth = {"num_layers": vit.BLOCKS}
        assert attributes["/activations"] == attributes["/attention/self"] == depth


def test_the_extract_is_a_part_of_the_real_pass(real: Path) -> None:
    whole, _ = openfold.read(real / "openfold")
    part, attributes = openfold_extract.read()
    assert len(part) == len(whole) - 5
    for path, item in part.items():
        values = np.asarray(whole[path].data)
        for axis, numbers in openfold_extract.CHANNELS.items():
            if axis in item.axes:
                values = values.take(numbers, axis=list(item.axes).index(axis))
                assert item.attributes["indices"] == list(numbers)
        assert np.array_equal(item.data, values.astype(item.data.dtype)), path
    assert attributes["/metadata"]["size_pair_channel"] == 4
    assert attributes["/metadata"]["model_pair_channels"] == 128


def heads_last(capture: Capture) -> Capture:
    arrays, attributes = capture
    for block in range(12):
        path = f"/attention/self/layer_{block:02}"
        axes = ("sample", "token:query", "token:key", "head")
        arrays[path] = Array(
            np.moveaxis(arrays[path].data, 1, -1), axes, {"normalization": "softmax", "source": "captured"}
        )
    return arrays, attributes


def embedding_as_layer(capture: Capture) -> Capture:
    """What `for i, state in enumerate(hidden_states)` writes."""
    arrays, attributes = capture
    for block in reversed(range(12)):
        arrays[f"/activations/layer_{block + 1:02}"] = arrays[f"/activations/layer_{block:02}"]
    arrays["/activations/layer_00"] = arrays.pop("/activations/embedding")
    return arrays, attributes


def softmax_skipped(capture: Capture) -> Capture:
    """The scores that softmax is applied to, up to a constant of each row."""
    arrays, attributes = capture
    for block in range(12):
        path = f"/attention/self/layer_{block:02}"
        scores = np.log(np.maximum(arrays[path].data, 1e-4, dtype=np.float32))
        arrays[path] = Array(scores, vit.ATTENTION, {"normalization": "softmax", "source": "captured"})
    return arrays, attributes


@pytest.mark.parametrize("container", FORMS)
@pytest.mark.parametrize(
    ("spoil", "named"),
    [(heads_last, {"self-attention-axes"}), (embedding_as_layer, {"embedding-present", "series-undeclared"})],
)
def test_a_wrong_capture_is_refused_by_the_rule_that_names_it(
    spoil: Any, named: set[str], container: str, tmp_path: Path
) -> None:
    arrays, attributes = spoil(vit.read())
    with pytest.raises(NotConforming) as caught:
        vizschema.write(tmp_path / "trace", arrays, attributes, profile="vit", container=container)
    assert rules(caught.value.report) == named
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("container", FORMS)
def test_a_capture_before_softmax_is_caught_by_its_range(container: str, tmp_path: Path) -> None:
    arrays, attributes = softmax_skipped(vit.read())
    vizschema.write(tmp_path / "trace", arrays, attributes, profile="vit", container=container, values=False)
    report = vizschema.validate(tmp_path / "trace")
    assert report.verdict == "does not conform"
    assert rules(report) == {"attention-range"}
    assert len(report.findings) == 12


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (heads_last, {"self-attention-axes"}),
        (embedding_as_layer, {"embedding-present", "series-undeclared"}),
        (softmax_skipped, {"attention-range"}),
    ],
)
def test_a_wrong_capture_that_h5py_wrote_is_caught_too(spoil: Any, named: set[str], tmp_path: Path) -> None:
    arrays, attributes = spoil(vit.read())
    with h5py.File(tmp_path / "trace.h5", "w") as file:
        file.attrs.update(spec_version="1.0.0", profile="vit", created_at="2026-01-01T00:00:00Z", generator="a script")
        for path, item in arrays.items():
            dataset = file.create_dataset(path, data=item.data)
            dataset.attrs.update(item.attributes)
            for dimension, name in enumerate(item.axes):
                dataset.dims[dimension].label = name
        for path, marks in attributes.items():
            plain = {key: value for key, value in marks.items() if not isinstance(value, dict)}
            file.require_group(path).attrs.update(plain)
    assert rules(vizschema.validate(tmp_path / "trace.h5")) == named


def idx_bytes(values: np.ndarray[Any, Any]) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def test_the_original_files_are_read_compressed_or_not(tmp_path: Path) -> None:
    images, labels = np.arange(2 * 28 * 28).reshape(2, 28, 28) % 256, np.array([3, 9])
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(images)))
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    training, test = digits.original(tmp_path)
    assert np.array_equal(training.images, images)
    assert np.array_equal(test.labels, labels)


def test_a_file_that_is_no_idx_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train-labels-idx1-ubyte"
    path.write_bytes(idx_bytes(np.zeros(3))[:-1])
    with pytest.raises(ValueError, match=r"expected 3 bytes for \[3\], found 2"):
        digits.idx(path)
    path.write_bytes(b"PNG")
    with pytest.raises(ValueError, match="expected an IDX file"):
        digits.idx(path)
    with pytest.raises(FileNotFoundError, match="t10k-images-idx3-ubyte"):
        digits._file(tmp_path, "t10k-images-idx3-ubyte")


def test_scaling_keeps_a_flat_image_flat_and_a_slope_a_slope() -> None:
    flat = digits.scaled(np.full((1, 8, 8), 51.0), 28)
    assert flat.shape == (1, 28, 28)
    assert (flat == 51).all()
    slope = digits.scaled(np.broadcast_to(np.arange(8.0) * 20, (1, 8, 8)), 28)[0, 0].astype(int)
    assert (np.diff(slope) >= 0).all()
    assert (slope[0], slope[-1]) == (0, 140)


@pytest.mark.parametrize("profile", READERS)
def test_the_page_of_a_model_lists_what_is_in_its_archive(profile: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "models" / f"{profile}.md").read_text(encoding="utf-8")
    arrays, _ = READERS[profile]()
    assert pages.table(arrays) in page


def test_the_pictures_are_drawn_from_archives(tmp_path: Path) -> None:
    assert pictures.main([str(tmp_path / "out")]) == 0
    for profile in READERS:
        assert (tmp_path / "out" / f"{profile}.png").read_bytes().startswith(b"\x89PNG")
    assert pictures.main([]) == pages.main([]) == 2
