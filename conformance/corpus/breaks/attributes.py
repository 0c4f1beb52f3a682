"""Breaks of the rules on attributes: metadata, counts, and what any attribute may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    add,
    array,
    attribute,
    broken,
    found_at,
    group,
    no_attribute,
    valid,
    without,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
SELF = "/attention/self/layer_00"


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _metadata()
    yield from _counts()
    yield from _references()
    yield from _scales()
    yield from _portable()
    yield from _names()


def _metadata() -> Iterator[Break]:
    for name in ("model_name", "model_version"):
        slug = name.replace("_", "-")
        yield broken("model-identity", "trace", f"{slug}-absent", f"/metadata has no {name}.", no_attribute("/metadata", name))
        yield broken("model-identity", "trace", f"{slug}-empty", f"{name} is empty.", attribute("/metadata", name, ""))
        yield broken("model-identity", "trace", f"{slug}-number", f"{name} is a number.", attribute("/metadata", name, 2))
        yield broken("model-identity", "trace", f"{slug}-boolean", f"{name} is a boolean.", attribute("/metadata", name, False))
        yield broken("model-identity", "trace", f"{slug}-list", f"{name} is a list.", attribute("/metadata", name, ["a", "b"]))
        yield valid("model-identity", "trace", f"{slug}-one-character", f"{name} of one character is a name.", attribute("/metadata", name, "x"))
    sizes = (("text", "5"), ("negative", -1), ("fraction", 5.5), ("boolean", True), ("list", [5]))
    for slug, value in sizes:
        yield broken("size-attribute", "trace", slug, f"A size of {value!r}.", attribute("/metadata", "size_window", value))
    yield valid("size-attribute", "trace", "zero", "An axis may have no entry.", attribute("/metadata", "size_window", 0))
    yield valid("size-attribute", "trace", "whole-float", "5.0 is a whole number.", attribute("/metadata", "size_token", 5.0))
    yield valid("size-attribute", "trace", "another-word", "An attribute that only holds the word is not a size.", attribute("/metadata", "window_size_", -1))
    yield valid("size-attribute", "trace", "elsewhere", "Only /metadata declares sizes.", attribute("/activations", "size_token", "five"))
    for name in ("framework", "task", "dataset", "license", "checkpoint_sha256", "git_commit", "seed", "dtype", "device"):
        yield broken("recommended-metadata", "trace", f"{name.replace('_', '-')}-absent", f"/metadata has no {name}.", no_attribute("/metadata", name))
    yield valid("recommended-metadata", "trace", "unknown", '"unknown" is an answer.', attribute("/metadata", "license", "unknown"))
    yield broken("metadata-group", "trace", "absent", "There is no /metadata.", without("/metadata"))
    yield broken("metadata-group", "trace", "array", "An array instead of /metadata.", add("/metadata", array("token")))
    yield valid("metadata-group", "trace", "more-attributes", "/metadata may say more.", attribute("/metadata", "temperature", 0.5))
    yield broken("metadata-attributes-only", "trace", "array", "A member of /metadata.", add("/metadata/sequence", array("token")))
    yield broken("metadata-attributes-only", "trace", "group", "A group of settings in /metadata.", add("/metadata/config", group(depth=3)))
    yield broken("metadata-attributes-only", "trace", "text-array", "A name in a 0-dimensional text array.", add("/metadata/model", array("", "bytes", {"pattern": "zeros"})))
    yield broken("metadata-attributes-only", "trace", "unnamed-axes", "A member of /metadata whose name and axes are not names.", add("/metadata/A b", {**array("Token Token"), "shape": [2, 2]}))
    yield valid("metadata-attributes-only", "trace", "similar-name", "A group whose name begins alike.", add("/metadata_of_inputs/x", array("token")))


def _counts() -> Iterator[Break]:
    for slug, value in (("negative", -1), ("boolean", True), ("text", "2"), ("fraction", 2.5), ("list", [2])):
        yield broken("count-attribute", "trace", slug, f"A count of {value!r}.", attribute("/activations", "num_blocks", value))
    yield broken("count-attribute", "trace", "at-root", "A count of the root that is a text.", attribute("/", "num_layers", "2"))
    yield valid("count-attribute", "trace", "zero", "A count of 0 says that there is nothing.", attribute("/activations", "num_heads", 0))
    yield valid("count-attribute", "trace", "of-array", "An array counts nothing.", attribute(LAYER, "num_heads", "two"))
    yield valid("count-attribute", "trace", "in-metadata", "/metadata may quote a model's own settings.", attribute("/metadata", "num_heads", "two"))
    yield valid("count-attribute", "trace", "another-word", "An attribute that only holds the word is not a count.", attribute("/activations", "max_num_layers", "two"))
    for slug, partial in (("text", "yes"), ("number", 1), ("list", [True])):
        yield broken("partial-attribute", "trace", slug, f"partial is {partial!r}.", attribute("/activations", "partial", partial))
    yield broken("partial-attribute", "trace", "at-root", "partial of the root is a text.", attribute("/", "partial", "no"))
    yield valid("partial-attribute", "trace", "false", "false is what leaving it out says.", attribute("/activations", "partial", False))
    yield valid("partial-attribute", "trace", "true", "A series without gaps may call itself partial.", attribute("/activations", "partial", True))
    yield valid("partial-attribute", "trace", "of-array", "Only a group is partial.", attribute(LAYER, "partial", "yes"))
    for slug, indices in (("repeated", [0, 2, 2]), ("negative", [-1, 0]), ("fraction", [0.5]), ("text", "0,1"), ("number", 3), ("texts", ["0"]), ("boolean", True), ("booleans", [True]), ("beyond-doubles", [1 << 53]), ("two-beyond-doubles", [1 << 53, (1 << 53) + 1])):
        yield broken("indices-attribute", "trace", slug, f"indices is {indices!r}.", attribute(LAYER, "indices", indices))
    yield valid("indices-attribute", "trace", "from-zero", "Indices count from 0, in any order.", attribute(LAYER, "indices", [4, 0, 2]))
    yield valid("indices-attribute", "trace", "largest", "The largest number that every reader has exactly.", attribute(LAYER, "indices", [(1 << 53) - 1, (1 << 53) - 2]))
    yield valid("indices-attribute", "trace", "of-group", "Only an array was filtered.", attribute("/activations", "indices", "all"))


WEIGHTS = "sample head token:query token:key"
REFERENCES = {"mask": ("bool", "sample token"), "scale": ("float32", "head"), "sink": ("float16", "sample head token:query")}
"""Attributes that name an array: a dtype that it may have, and axes that fit attention."""


def _references() -> Iterator[Break]:
    ones = {"pattern": "listed", "values": [1, 0, 1]}
    for slug, value in (("number", -1e9), ("nan", "nan"), ("infinity", "-Infinity"), ("empty", ""), ("list", ["-inf"]), ("boolean", True)):
        yield broken("masked-value", "trace", slug, f"masked_value is {value!r}.", attribute(LAYER, "masked_value", value))
    yield broken("masked-value", "trace", "in-extra", "masked_value of an array below /extra is 0.", attribute("/extra/Anything, even Größe", "masked_value", 0))
    yield valid("masked-value", "trace", "minus-infinity", "masked_value may be declared where nothing is masked.", attribute(LAYER, "masked_value", "-inf"))
    yield valid("masked-value", "trace", "of-group", "A group may have an attribute of that name.", attribute("/activations", "masked_value", 0))
    for name, (dtype, axes) in REFERENCES.items():
        at = f"/inputs/{name}"
        there, named = add(at, array(axes, dtype, ones)), attribute(SELF, name, at)
        any_rows = attribute(SELF, "normalization", "none")  # a mask and a sink change what rows sum to
        for slug, value in (("number", 1), ("name", f"inputs/{name}"), ("empty", ""), ("list", [at]), ("boolean", True)):
            make = valid if (name, slug) == ("scale", "number") else broken
            yield make("reference-path", "trace", f"{name}-{slug}", f"{name} is {value!r}.", there, attribute(SELF, name, value))
        yield valid("reference-path", "trace", f"{name}-of-group", "A group may have an attribute of that name.", attribute("/activations", name, 3))
        yield valid("reference-fits", "trace", name, f"{name} names an array that fits.", there, named, any_rows)
        yield valid("reference-fits", "trace", f"{name}-whole", f"{name} over all axes.", add(at, array(WEIGHTS, dtype, ones)), named, any_rows)
        yield valid("reference-fits", "trace", f"{name}-of-group", "A group may have an attribute of that name.", attribute("/activations", name, "/nowhere"))
        yield broken("reference-fits", "trace", f"{name}-absent", f"{name} names a path without a node.", named)
        yield broken("reference-fits", "trace", f"{name}-group", f"{name} leads to a group.", attribute(SELF, name, "/activations"))
        yield broken("reference-fits", "trace", f"{name}-in-extra", f"{name} of an array below /extra names a path without a node.", attribute("/extra/Anything, even Größe", name, at))
        for wrong in ("window", "token:other", f"{axes} window"):
            yield broken("reference-fits", "trace", f"{name}-over-{wrong.replace(' ', '-').replace(':', '-')}", f"{name} over {wrong}.", add(at, array(wrong, dtype, ones)), named)
        for wrong in {"bool", "uint8", "int8", "float32", "float64", "complex64"} - ({"bool"} if name == "mask" else {"float32", "float64"}):
            yield broken("reference-fits", "trace", f"{name}-{wrong}", f"{name} of {wrong}.", add(at, array(axes, wrong, ones)), named)
        yield broken("damaged", "trace", f"{name}-unreadable", f"What {name} names cannot be read: one fault.", named, there, found_at(at, "damaged"))


def _scales() -> Iterator[Break]:
    """Scales of arrays of few bits: one number, or one for each block of an axis."""
    few = array("row column", "float8_e4m3fn", {"pattern": "listed", "values": [1.5, -0.875, 448]})
    for slug, value in (("zero", 0), ("negative", -0.5)):
        yield broken("reference-path", "trace", f"scale-{slug}", f"scale is {value!r}.", add("/extra/x", few), attribute("/extra/x", "scale", value))
    scale = {"pattern": "listed", "values": [0.5, 0.25]}
    for blocks, sizes in ((2, 3), (4, 2), (5, 2), (6, 1)):
        name = {3: "three", 2: "two", 1: "one"}[sizes]
        for slug, axis in (("", "column_block"), ("-of-other-axis", "row_block")):
            at = {**array(f"row {axis}", "float32", scale), "shape": [6, sizes]}
            make = valid if not slug else broken
            yield make("reference-fits", "trace", f"blocks-of-{blocks}-{name}{slug}", f"A scale for each {blocks} of 6 entries.", add("/extra/x", few), attribute("/extra/x", "scale", "/extra/scale"), attribute("/extra/x", "block_column", blocks), add("/extra/scale", at))
    yield broken("reference-fits", "trace", "blocks-unknown", "Blocks of unknown length.", add("/extra/x", few), attribute("/extra/x", "scale", "/extra/scale"), add("/extra/scale", {**array("row column_block", "float32", scale), "shape": [6, 3]}))


def _portable() -> Iterator[Break]:
    for place, slug in (("/metadata", "metadata"), (LAYER, "array"), ("/extra", "extra"), ("/", "root"), ("/activations", "group")):
        yield broken("portable-attribute", "trace", f"deep-in-{slug}", "A list nested 17 levels deep.", attribute(place, "config", nested(17)))
        yield valid("portable-attribute", "trace", f"valid-object-in-{slug}", "A nested object.", attribute(place, "config", {"a": {"b": [1, None, {"c": []}]}}))
        yield valid("portable-attribute", "trace", f"valid-null-in-{slug}", "A null says that there is no value.", attribute(place, "config", None))
    yield broken("portable-attribute", "trace", "deep-object", "An object nested 17 levels deep.", attribute("/metadata", "config", {"a": nested(16)}))
    yield valid("portable-attribute", "trace", "valid-16-levels", "A list nested 16 levels deep.", attribute("/metadata", "config", nested(16)))
    lists: tuple[tuple[str, Any], ...] = (("mixed-list", [1, "a"]), ("nested-list", [[1], [2]]), ("booleans-and-numbers", [True, 2]), ("list-of-nulls", [None]), ("list-of-objects", [{"a": 1}]), ("empty-object", {}), ("conventions", [{"uuid": "b77365e5-2b0c-4141-b917-c03b7c68e935", "name": "license"}]), ("odd-keys", {"": 1, "1": "1e3", "a/b": "~", "on": "yes"}), ("large-integers", [1 << 63, 1, -3]), ("exact-mixture", [(1 << 60) + 1, 0.5]))
    for slug, value in lists:
        yield valid("portable-attribute", "trace", f"valid-{slug}", "A JSON value that not every container has a type for.", attribute("/metadata", "config", value))
    for rule, place, name in (
        ("spec-version", "/", "spec_version"),
        ("profile-declared", "/", "profile"),
        ("creation-time", "/", "created_at"),
        ("generator", "/", "generator"),
        ("capture-complete", "/", "complete"),
        ("model-identity", "/metadata", "model_name"),
        ("model-identity", "/metadata", "model_version"),
        ("size-attribute", "/metadata", "size_window"),
        ("count-attribute", "/activations", "num_blocks"),
        ("partial-attribute", "/activations", "partial"),
        ("present-attribute", "/activations", "present"),
        ("module-attribute", LAYER, "module"),
        ("indices-attribute", LAYER, "indices"),
        ("attention-source", SELF, "source"),
        ("attention-normalization", SELF, "normalization"),
        ("masked-value", LAYER, "masked_value"),
        ("reference-path", LAYER, "mask"),
        ("reference-path", LAYER, "scale"),
        ("reference-path", SELF, "sink"),
    ):
        slug = name.replace("_", "-")
        yield broken(rule, "trace", f"{slug}-object", f"{name} is an object.", attribute(place, name, {"a": 1}))
        yield broken(rule, "trace", f"{slug}-null", f"{name} is null.", attribute(place, name, None))
    portable: tuple[tuple[str, Any], ...] = (("numbers", [1, 2.5]), ("texts", ["a", "b"]), ("booleans", [True, False]), ("empty-list", []), ("empty-text", ""), ("negative", -7), ("boolean", False))
    for slug, value in portable:
        yield valid("portable-attribute", "trace", f"valid-{slug}", f"{value!r} is an attribute of any container.", attribute("/metadata", "config", value))
    for slug, text in (("line-break", "two\nlines"), ("control", "a\x1b[31mb"), ("override", "a\u202eb")):
        yield broken("printable-text", "trace", slug, "A text with characters that are not printed.", attribute("/metadata", "note", text))
    yield broken("printable-text", "trace", "of-array", "An attribute of an array with a line break.", attribute(LAYER, "note", "two\nlines"))
    yield valid("printable-text", "trace", "letters", "Letters of any language are printable.", attribute("/metadata", "note", "Größe, 寸法"))


def nested(levels: int) -> Any:
    """A list within lists, `levels` of them."""
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


PATHS = (
    "home",
    "Users",
    "root",
    "tmp",
    "var",
    "etc",
    "mnt",
    "media",
    "data",
    "datasets",
    "scratch",
    "work",
    "workspace",
    "gpfs",
    "lustre",
    "lus",
    "beegfs",
    "opt",
    "usr",
    "srv",
    "nfs",
    "private",
    "Volumes",
    "project",
    "projects",
    "cluster",
    "storage",
    "shared",
    "global",
    "content",
    "kaggle",
    "efs",
    "fsx",
)
HOSTS = ("local", "lan", "internal", "localdomain", "cluster", "intranet", "corp", "home")


def _names() -> Iterator[Break]:
    for slug, name in (("capital", "Depth"), ("hyphen", "model-depth"), ("digit-first", "2nd"), ("space", "a b"), ("underscore-first", "_x"), ("letter-with-accent", "größe")):
        yield broken("attribute-name", "trace", slug, f"{name!r} is not lower_snake_case.", attribute("/metadata", name, 3))
    yield broken("attribute-name", "trace", "of-array", "An attribute of an array with capitals.", attribute(LAYER, "Unit", "m"))
    yield valid("attribute-name", "trace", "digits", "Digits and underscores after a letter.", attribute("/metadata", "a2_x_", 3))
    texts = {
        **{f"folder-{name.lower()}": f"/{name}/model.pt" for name in PATHS},
        **{f"host-{name}": f"gpu7.{name}" for name in HOSTS},
        "folder-alone": "/home",
        "file-address": "file://x/y",
        "file-address-of-folder": "file:///home/ada",
        "drive-backslash": "C:\\models\\model.pt",
        "drive-slash": "d:/models",
        "home": "~/model.pt",
        "home-of-user": "~ada_1/model.pt",
        "share": "\\\\server\\share",
        "deep-host": "gpu-7.a1.lan",
    }
    for slug, text in texts.items():
        yield broken("no-machine-names", "trace", slug, f"{text!r} is a name of one machine.", attribute("/metadata", "checkpoint", text))
    for slug, text in texts.items():
        yield broken("no-machine-names", "trace", f"list-{slug}", f"{text!r} in a list.", attribute("/metadata", "files", ["a.pt", text]))
    yield broken("no-machine-names", "trace", "host-attribute", "The name of a host.", attribute("/metadata", "host", "gpu7"))
    yield broken("no-machine-names", "trace", "hostname-attribute", "The name of a host.", attribute("/metadata", "hostname", "gpu7"))
    yield broken("no-machine-names", "trace", "of-array", "A path on an array.", attribute(LAYER, "origin", "/scratch/x"))
    for slug, text in (
        ("relative", "home/model.pt"),
        ("address", "https://example.org/home/x"),
        ("other-root", "/outputs/logits"),
        ("longer-name", "/homework/x"),
        ("public-host", "example.org"),
        ("tilde", "~5 nm"),
        ("drive-less", "C: the carbon"),
        ("inside", "see /home/x"),
        ("host-inside", "a.local.example.org"),
        ("backslash", "a\\b"),
        ("bare-host", "local"),
        ("sentence", "run on gpu7.lan, twice"),
    ):
        yield valid("no-machine-names", "trace", f"valid-{slug}", f"{text!r} is not a place on a machine.", attribute("/metadata", "note", text))
        yield valid("no-machine-names", "trace", f"valid-list-{slug}", f"{text!r} is not a place on a machine.", attribute("/metadata", "notes", [text]))
    near = ("1:/x", "~Ada/model.pt", "\\a", "gpu_7.lan", "gpulan", ".lan")
    notes = (attribute("/metadata", f"note_{number}", text) for number, text in enumerate(near))
    yield valid("no-machine-names", "trace", "nearly", "A drive that is not a letter, a name in capitals, one backslash, no host.", attribute("/metadata", "notes", list(near)), *notes)
    yield valid("no-machine-names", "trace", "host-number", "A number names no host.", attribute("/metadata", "host", 7))
