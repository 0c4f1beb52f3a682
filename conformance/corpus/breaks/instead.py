"""What stands in the place of something else: a root that is not a group, groups that cannot be read, series without members."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    broken,
    found_at,
    group,
    no_attribute,
    on_description,
    on_document,
    put,
    valid,
    without,
)
from vizschema.conformance.corpus.breaks.guards import ARRAYS
from vizschema.conformance.corpus.breaks.openfold import KINDS

# A table reads better with a case a line.
# fmt: off

LAYER = "/activations/layer_00"
TRACE = ("/activations", "/attention")


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _roots()
    yield from _unknown()
    yield from _below_metadata()
    yield from _layers()
    yield from _series_elsewhere()
    yield from _outside()
    yield from _others()


def _root(**changes: Any) -> Edit:
    def apply(parts: dict[str, Any]) -> None:
        parts["nodes"] = {"/": {**parts["nodes"][LAYER], **changes}}

    return on_description(apply)


def _empty(document: dict[str, Any]) -> None:
    document["nodes"] = {"/": document["nodes"]["/"]}


def _roots() -> Iterator[Break]:
    yield broken("root-group", "trace", "without-axes", "The archive is one array whose axes have no names: one fault.", _root(axes=None))
    yield broken("root-group", "trace", "with-profile", "The archive is one array that names a profile: one fault.", _root(attributes={"profile": "gpt2"}))
    yield broken("metadata-group", "trace", "nothing-at-all", "A root, and nothing below it: the root is not called empty.", on_document(_empty), also=("data-present",))


def _unknown() -> Iterator[Break]:
    for name in ("activations", "attention", "outputs"):
        for reason in ("damaged", "external-link", "pickle"):
            yield broken(reason, "trace", f"{name}-unknown", f"/{name} may hold the data of the trace: whether it does is unknown.", without(*TRACE), add(f"/{name}", group()), found_at(f"/{name}", reason))
        yield valid("data-present", "trace", f"{name}-itself", f"/{name} is an array itself.", without(*TRACE), add(f"/{name}", array("token:query token:key", normalization="none", source="unknown")))
        yield broken("data-present", "trace", f"{name}-groups", f"/{name} holds groups alone.", without(*TRACE), add(f"/{name}/x", group(num_layers=0)))
    for kind in KINDS:
        slug = kind.replace("_", "-")
        yield broken("damaged", "openfold", f"{slug}-unknown", f"Whether there is attention in /attention/{kind} is unknown.", without("/attention"), add(f"/attention/{kind}", group()), found_at(f"/attention/{kind}", "damaged"))
        yield broken("attention-present", "openfold", f"{slug}-array", f"/attention/{kind} is an array, and no layer.", without("/attention"), add(f"/attention/{kind}", array("residue:query residue:key", normalization="none", source="unknown")), also=("group-node",))


def _below_metadata() -> Iterator[Break]:
    """Members of /metadata are one fault, and are not judged."""
    settings = ("metadata-attributes-only", "trace")
    table = array("token", contents={"pattern": "zeros"})
    yield broken(*settings, "series", "A series in a group of /metadata.", add("/metadata/config/layer_0", table), add("/metadata/config/layer_2", table))
    yield broken(*settings, "series-unlike", "A series whose members differ, in a group of /metadata.", add("/metadata/config/layer_00/x", table), add("/metadata/config/layer_01/y", table))
    yield broken(*settings, "constant", "An array of one value in a group of /metadata.", add("/metadata/config/x", table), values=True)
    yield broken(*settings, "small-chunks", "Small chunks in a group of /metadata.", add("/metadata/config/x", {**array("row column"), "shape": [256, 256], "chunks": [1, 1 << 8]}))


def _layers() -> Iterator[Break]:
    yield from _series("vit", "/attention/self", "vit-layers-present")
    yield from _series("vit", "/activations", "vit-layers-present")
    for count in (1, 2):
        yield broken("vit-layers-present", "vit", f"activations-beside-{count}", "The embedding alone, where layers are declared.", without("/activations/layer_00", "/activations/layer_01"), attribute("/activations", "num_layers", count), also=("series-elsewhere",))
    only = (without("/attention/self/layer_01"), attribute("/attention/self", "num_layers", 1))
    yield valid("vit-layers-present", "vit", "one-of-attention", "One layer of attention is one.", *only)
    for name in ("single", "pair"):
        yield from _series("openfold", f"/{name}", "representations-present")


def _series(profile: str, path: str, rule: str) -> Iterator[Break]:
    """A group without its layers: meant or not, declared or not, alone or beside something else."""
    slug = path.strip("/").replace("/", "-")
    gone, base_also = on_document(lambda document: _emptied(document, path)), _alone(path)
    yield broken(rule, profile, f"{slug}-alone-partial", "A part, it says, and it is not a layer.", gone, attribute(path, "num_layers", 2), attribute(path, "partial", True), also=base_also)
    yield broken(rule, profile, f"{slug}-alone-declares-none", "It declares no layer, and has none.", gone, attribute(path, "num_layers", 0), also=base_also)
    for count in (1, 2):
        yield broken("series-gap", profile, f"{slug}-alone-declares-{count}", "It declares layers and has none: a gap, and one fault.", gone, attribute(path, "num_layers", count), also=base_also)
        if path != "/activations":
            yield broken(rule, profile, f"{slug}-beside-{count}", "Something else stands where the declared layers should.", gone, attribute(path, "num_layers", count), add(f"{path}/other", array(_AXES[path], **_SOURCE.get(path, {}))), also=_BESIDE[profile])


_AXES = {"/attention/self": "sample head token:query token:key", "/single": "residue single_channel", "/pair": "residue:i residue:j pair_channel"}
_SOURCE = {"/attention/self": {"normalization": "none", "source": "proxy"}}
_BESIDE = {"vit": ("series-elsewhere", "vit-known-nodes"), "openfold": ("openfold-known-nodes", "series-elsewhere")}


def _alone(path: str) -> tuple[str, ...]:
    return ("embedding-present",) if path == "/activations" else ()


def _emptied(document: dict[str, Any], path: str) -> None:
    below = [name for name in document["nodes"] if name.startswith(f"{path}/")]
    for name in below:
        del document["nodes"][name]
    document["nodes"].setdefault(path, group())


def _series_elsewhere() -> Iterator[Break]:
    for name in ("inputs", "activations", "attention", "attention_topk", "single", "pair", "msa", "recycle", "representations", "outputs"):
        more = (add(f"/{name}/more", group(num_blocks=2)), add(f"/{name}/more/x", array("token:query token:key", normalization="none", source="unknown")))
        yield broken("series-elsewhere", "trace", f"below-{name.replace('_', '-')}", f"A group of /{name} declares blocks, and holds something else.", *more)


def _outside() -> Iterator[Break]:
    """Below /extra, the names that a profile prescribes say nothing: any dtype, any axes, a group for an array."""
    for profile, arrays in ARRAYS.items():
        wrong = [add(f"/extra{path}", array("window window:more", "complex64")) for path in arrays]
        yield valid("input-axes" if profile == "openfold" else f"{profile}-known-nodes", profile, f"copied-to-extra-{profile}", "Copies below /extra are free in dtype and axes.", *wrong)
        groups = [add(f"/extra{path}", group()) for path in arrays]
        yield valid("array-node", profile, f"groups-in-extra-{profile}", "Groups below /extra may be called like arrays.", *groups)


def _others() -> Iterator[Break]:
    yield broken("array-node", "mnist", "activations", "A group instead of an array of activations.", add("/activations/block", group(num_heads=0)))
    for profile in ("mnist", "vit", "openfold"):
        yield broken("metadata-attributes-only", profile, f"member-{profile}", "A member of /metadata: one fault.", add("/metadata/x", array("window")))
        yield broken("recommended-metadata", profile, f"license-absent-{profile}", "/metadata has no license.", no_attribute("/metadata", "license"))
    yield valid("no-machine-names", "trace", "hostname-number", "A number is not a name of a machine.", attribute("/", "hostname", 3))
    for kind in ("triangle_start", "triangle_end"):
        node = array("residue:query residue:key", contents={"pattern": "softmax", "seed": 6}, normalization="softmax", source="captured")
        yield broken("triangle-attention-axes", "openfold", f"{kind.replace('_', '-')}-flat-without-anchor", "Without heads it is not a triangle attention: an anchor is not asked for.", add(f"/attention/{kind}/layer_00", {**node, "chunks": [12, 12]}))
    yield broken("index-width", "trace", "mixed-widths", "One digit and two: one fault.", put("/activations", "attributes", {"num_layers": 4}), add("/activations/layer_02", array("token hidden")), add("/activations/layer_3", array("token hidden")))
