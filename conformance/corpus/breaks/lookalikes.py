"""Nodes whose paths are nearly those of a table: a name that goes on, letters where there are numbers, another place.

What stands there is odd in every way that the table could complain of. Where the name is at fault, it alone is found; what
has a right name in another place is held to the rules of that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    add,
    array,
    attribute,
    broken,
    fact,
    found_at,
    group,
    on_description,
    put,
    unmeasured,
    valid,
    without,
)
from vizschema.conformance.corpus.breaks.guards import ARRAYS
from vizschema.conformance.corpus.breaks.openfold import slug_of

# A table reads better with a case a line.
# fmt: off

NUMBER = re.compile(r"_00(?=/|$)")


ODD = {"pattern": "listed", "values": [-9, 0, 1, 99]}
ODD_AXES = "odd:key odd:query odd:a"
NO_AXES = {**array("", "int8", ODD), "axes": None, "shape": [2, 3]}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _nearly_named()
    yield from _copied()
    yield from _deeper()
    yield from _elsewhere()
    yield from _texts()


def _nearly_named() -> Iterator[Break]:
    for profile, arrays in ARRAYS.items():
        for path in arrays:
            for slug, near in _near(path):
                if not _taken(profile, near):
                    node = group(num_parts=0) if slug.endswith("-after-a-digit") else array(ODD_AXES, "int8", ODD, normalization="none", source="unknown")
                    yield broken(f"{profile}-known-nodes", profile, f"{slug_of(path)}-{slug}", f"{near} is nearly {path}.", add(near, node), also=_also(path, slug), values=True)
        yield from _of_each_kind(profile, list(arrays))


def _of_each_kind(profile: str, arrays: list[str]) -> Iterator[Break]:
    """Near the last array of each group at the root: a group, what is neither, and an array near the group above it."""
    rule = f"{profile}-known-nodes"
    for path in {path.split("/")[1]: path for path in arrays}.values():
        near = {"longer": f"{path}x", "no-letters": NUMBER.sub("_", path)}
        for slug, name in near.items():
            if name != path and not _taken(profile, name):
                yield broken(rule, profile, f"{slug_of(path)}-{slug}-group", f"{name} is nearly {path}, and a group.", add(name, group(num_parts=0)), also=_also(path, slug) if slug == "longer" else ())
        for match in NUMBER.finditer(path):
            stem, above = path[: match.start()], path[: match.end()]
            yield broken(rule, profile, f"{slug_of(path)}-ten-digits", f"A number has nine digits at most: {stem}_0000000000 is not a member.", found_at(f"{stem}_0000000000", "damaged"), also=("damaged",))
            if above != path:
                yield broken(rule, profile, f"{slug_of(above)}-no-letters", f"{stem}_ is nearly {above}, and an array.", add(f"{stem}_", array(ODD_AXES, "int8", ODD, normalization="none", source="unknown")))


def _near(path: str) -> Iterator[tuple[str, str]]:
    yield "longer", f"{path}x"
    for number, match in enumerate(NUMBER.finditer(path)):
        name = "letters" if not number else f"letters-{number}"
        yield name, f"{path[: match.start()]}_xx{path[match.end() :]}"
        yield f"{name}-after-a-digit", f"{path[: match.start()]}_0x{path[match.end() :]}"
        yield f"no-{name}", f"{path[: match.start()]}_{path[match.end() :]}"


def _taken(profile: str, path: str) -> bool:
    """Whether the profile has a name for it: any activation of mnist."""
    return profile == "mnist" and path.startswith("/activations/")


def _also(path: str, slug: str) -> tuple[str, ...]:
    """What else is wrong with it, whatever it is called: a group unlike its neighbours, coordinates in integers."""
    if slug.endswith("-after-a-digit"):
        return ()
    if slug != "longer":
        return ("coordinate-dtype",) if path.endswith("/coordinates") else ()
    if path.startswith("/recycle/"):
        return ("series-alike",)
    if path.startswith("/attention_topk/") and not path.startswith("/attention_topk/ipa/"):
        return ("series-declared", "top-k-pair")  # the base has the pair of ipa alone
    return ()


def _copied() -> Iterator[Break]:
    """Below /extra the same names are free."""
    for profile, arrays in ARRAYS.items():
        nodes = (add(f"/extra{path}", array(ODD_AXES, "int8", ODD)) for path in arrays)
        yield valid(f"{profile}-known-nodes", profile, "lookalikes-in-extra", "Every array of the table again, below /extra, with other axes and dtype.", *nodes, values=True)
    weights = array("token:query token:key", contents={"pattern": "softmax", "seed": 3}, normalization="softmax", source="captured")
    yield valid("facts-measured", "trace", "attention-in-extra", "Below /extra no sums of rows are asked for.", add("/extra/attention/x", weights), values=True)
    yield valid("attention-source", "trace", "none-in-extra", "Below /extra a source is not asked for.", add("/extra/attention/x", array("head token:query token:key")))
    yield valid("coordinate-dtype", "trace", "in-extra-outputs", "Below /extra coordinates may be integers.", add("/extra/outputs/coordinates", array("residue xyz", "int8", ODD)))
    yield valid("coordinate-dtype", "trace", "longer", "Another name.", add("/outputs/coordinates_mean", array("xyz", "int8", ODD)))


def _deeper() -> Iterator[Break]:
    """`extra` and `metadata` below another group are groups like any other."""
    for name in ("extra", "metadata"):
        place = f"/activations/{name}"
        yield broken("axes-named", "trace", f"below-{name}-of-a-group", f"{place} is not the {name} of the archive.", add(f"{place}/x", NO_AXES))
        yield broken("empty-group", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", group()))
        yield broken("recommended-facts-measured", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("token")), unmeasured(f"{place}/x", "facts", "absent_chunks"), values=True)
        yield broken("series-declared", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", *(add(f"{place}/step_0{number}", array("token")) for number in range(2)))
        yield broken("axis-term", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("tokens")))
        yield broken("values-vary", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("token", contents={"pattern": "zeros"})), values=True)
        yield broken("portable-dtype", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("token", "bytes", {"pattern": "zeros"})))
        series = (put("/activations", "attributes", {"num_layers": 2}), add(place, group(num_items=2)))
        yield broken("index-width", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", *series, *(add(f"{place}/item_{number}", array("token")) for number in range(2)))
    yield broken("node-name", "trace", "extra-of-a-group", "A capital, and a name that differs in it alone: one fault.", add("/activations/extra/loss", array("token")), add("/activations/extra/Loss", array("token")))
    yield broken("node-name", "trace", "metadata-of-a-group", "Below /metadata of a group names are not free.", add("/activations/metadata/Loss", array("token")))


def _elsewhere() -> Iterator[Break]:
    """What a rule asks for, or about, in another place, or under nearly its name."""
    for profile in ("mnist", "vit"):
        yield broken(f"{profile}-known-nodes", profile, f"extra-of-a-group-{profile}", "/extra is at the root only.", add("/inputs/extra", array("sample")))
    yield broken("mnist-known-nodes", "mnist", "empty-step", "A step of a path that is empty is not a name of an activation.", found_at("/activations//x", "damaged"), also=("damaged",))
    members = (add("/activations/block", group()), add("/activations/block/inner", group(num_heads=0)), add("/activations/block/x", array(ODD_AXES)))
    yield broken("array-node", "mnist", "activations-with-members", "A group instead of an array of activations: what is in it is not judged.", *members)
    yield broken("activations-present", "mnist", "in-extra", "Activations below /extra alone.", without("/activations"), add("/extra/activations/x", array("sample")))
    weights = array("residue:query residue:key", normalization="none", source="unknown")
    attention = (without("/attention"), add("/extra/attention/ipa/layer_00", weights), found_at("/extra/attention/msa_row", "damaged"))
    yield broken("attention-present", "openfold", "in-extra", "Attention below /extra alone, and some there that cannot be read.", *attention, also=("damaged",))
    for slug, near in _near("/attention/ipa/layer_00"):
        yield broken("attention-present", "openfold", f"ipa-{slug}", f"{near} is nearly attention.", without("/attention"), add(near, weights), also=("openfold-known-nodes",))
    yield broken("attention-present", "openfold", "kind-longer", "What cannot be read is not a kind of attention.", without("/attention"), add("/attention/ipax", weights), found_at("/attention/ipax", "damaged"), also=("damaged", "openfold-known-nodes"))
    yield valid("top-k-pair", "openfold", "in-extra", "Below /extra indices may be alone.", add("/extra/attention_topk/ipa/layer_00/indices", array("entry")))
    floats = array("odd", "float32", ODD)
    yield valid("openfold-pairs-measured", "openfold", "in-extra", "Coordinates below /extra have no mask.", add("/extra/outputs/coordinates", floats), values=True)
    yield broken("openfold-known-nodes", "openfold", "coordinates-longer-floats", "Nearly coordinates, which have no mask.", add("/outputs/coordinatesx", floats), values=True)
    unknown = (add("/extra/outputs", group()), add("/inputs/outputs", group()), found_at("/extra/outputs", "damaged"), found_at("/inputs/outputs", "external-link"))
    yield broken("data-present", "trace", "unknown-elsewhere", "What cannot be read lies in other places than data.", without("/activations", "/attention"), *unknown, also=("damaged", "external-link"))
    yield valid("heads-differ", "trace", "attention-of-a-group", "/attention is at the root only.", add("/activations/attention/x", array("head token")), fact("/activations/attention/x", duplicate_slices=1), values=True)
    yield valid("series-elsewhere", "trace", "in-extra", "Below /extra a group may declare what it does not hold.", add("/extra/activations", group(num_layers=2)), add("/extra/activations/x", array("token")))
    for name in ("num_s", "num_Heads"):
        also = () if name == "num_s" else ("attribute-name",)
        yield broken("empty-group", "trace", f"declares-{name.lower().replace('_', '-')}", f"{name} is not a count of members.", add("/activations/more", group(**{name: 0})), also=also)
    heads = {**array("Sub_head frame:query frame:key", normalization="none", source="unknown"), "shape": [6, 64, 64], "chunks": [2, 64, 64]}
    yield broken("axis-name", "trace", "no-head", "Sub_head is not a name of an axis, and not an axis of heads.", add("/attention/other", heads), also=("chunk-minimum",))
    node = on_description(lambda parts: parts["nodes"].update({"/activations/a\\u001bb": {**group(), "members": 1, "escaped": ["name"]}, "/activations/a\\u001bb/0x": parts["nodes"]["/activations/layer_00"]}))
    yield broken("node-name", "trace", "below-an-escaped-name", "A name that begins with a digit, in a group whose name has an escape sequence.", node, also=("printable-text",))


def _texts() -> Iterator[Break]:
    """Texts and names that go on where a pattern ends, or begin before it."""
    yield broken("creation-time", "trace", "goes-on", "Something after the offset.", attribute("/", "created_at", "2026-11-21T09:00:00Z[UTC]"))
    yield broken("creation-time", "trace", "two-fractions", "Two fractions of a second.", attribute("/", "created_at", "2026-11-21T09:00:00.5.5Z"))
    for axis in ("forehead", "subheads", "head_size", "heads_kept"):
        node = {**array(f"{axis} token:query token:key", normalization="none", source="unknown"), "shape": [2, 5, 5], "chunks": [2, 5, 5]}
        yield valid("chunk-one-head", "trace", f"no-head-{axis.replace('_', '-')}", f"{axis} is not a head axis.", add("/attention/other", node))
