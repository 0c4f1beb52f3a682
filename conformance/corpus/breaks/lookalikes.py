"""Nodes whose paths are nearly those of a table: a name that goes on, letters where there are numbers, another place.

What stands there is odd in every way that the table could complain of. Where the name is at fault, it alone is found; what
has a right name in another place is held to the rules of that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import Break, add, array, attribute, broken, group, put, valid
from vizschema.conformance.corpus.breaks.guards import ARRAYS
from vizschema.conformance.corpus.breaks.openfold import slug_of

# A table reads better with a case a line.
# fmt: off

NUMBER = re.compile(r"_00(?=/|$)")


ODD = {"pattern": "listed", "values": [0, 1, 1]}
NO_AXES = {**array("", "int8", ODD), "axes": None, "shape": [2, 3]}


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _nearly_named()
    yield from _copied()
    yield from _deeper()
    yield from _texts()


def _nearly_named() -> Iterator[Break]:
    for profile, arrays in ARRAYS.items():
        for path in arrays:
            for slug, near in _near(path):
                if not _taken(profile, near):
                    node = array("odd:b odd:a", "int8", ODD, source="unknown")
                    yield broken(f"{profile}-known-nodes", profile, f"{slug_of(path)}-{slug}", f"{near} is nearly {path}.", add(near, node), also=_also(path, slug), values=slug == "longer")


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
        nodes = (add(f"/extra{path}", array("odd:b odd:a", "int8", ODD)) for path in arrays)
        yield valid(f"{profile}-known-nodes", profile, "lookalikes-in-extra", "Every array of the table again, below /extra, with other axes and dtype.", *nodes, values=True)
    weights = array("token:query token:key", contents={"pattern": "softmax", "seed": 3}, source="softmax")
    yield valid("facts-measured", "trace", "attention-in-extra", "Below /extra no sums of rows are asked for.", add("/extra/attention/x", weights), values=True)
    yield valid("attention-source", "trace", "none-in-extra", "Below /extra a source is not asked for.", add("/extra/attention/x", array("head token:query token:key")))
    yield valid("coordinate-dtype", "trace", "in-extra-outputs", "Below /extra coordinates may be integers.", add("/extra/outputs/coordinates", array("residue xyz", "int8", ODD)))
    yield valid("coordinate-dtype", "trace", "longer", "Another name.", add("/outputs/coordinates_mean", array("xyz", "int8", ODD)))


def _deeper() -> Iterator[Break]:
    """`extra` and `metadata` below another group are groups like any other."""
    for name in ("extra", "metadata"):
        place = f"/activations/{name}"
        yield broken("axes-named", "trace", f"below-{name}-of-a-group", f"{place} is no {name} of the archive.", add(f"{place}/x", NO_AXES))
        yield broken("empty-group", "trace", f"{name}-of-a-group", f"{place} is a group like any other.", add(place, group()))
        yield broken("axis-term", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("tokens")))
        yield broken("values-vary", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("token", contents={"pattern": "zeros"})), values=True)
        yield broken("portable-dtype", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", add(f"{place}/x", array("token", "bytes", {"pattern": "zeros"})))
        series = (put("/activations", "attributes", {"num_layers": 2}), add(place, group(num_items=2)))
        yield broken("index-width", "trace", f"below-{name}-of-a-group", f"{place} is a group like any other.", *series, *(add(f"{place}/item_{number}", array("token")) for number in range(2)))
    yield broken("node-name", "trace", "extra-of-a-group", "A capital, and a name that differs in it alone: one fault.", add("/activations/extra/loss", array("token")), add("/activations/extra/Loss", array("token")))
    yield broken("node-name", "trace", "metadata-of-a-group", "Below /metadata of a group names are not free.", add("/activations/metadata/Loss", array("token")))


def _texts() -> Iterator[Break]:
    """Texts and names that go on where a pattern ends, or begin before it."""
    yield broken("creation-time", "trace", "goes-on", "Something after the offset.", attribute("/", "created_at", "2026-11-21T09:00:00Z[UTC]"))
    yield broken("creation-time", "trace", "two-fractions", "Two fractions of a second.", attribute("/", "created_at", "2026-11-21T09:00:00.5.5Z"))
    for axis in ("forehead", "subheads", "head_size", "heads_kept"):
        node = {**array(f"{axis} token:query token:key", source="unknown"), "shape": [2, 5, 5], "chunks": [2, 5, 5]}
        yield valid("chunk-one-head", "trace", f"no-head-{axis.replace('_', '-')}", f"{axis} is no axis of heads.", add("/attention/other", node))
