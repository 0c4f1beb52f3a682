"""Makes the vectors of "How to judge", `spec/<version>/judging_vectors.json`.

The command is `python -m vizschema.conformance.strength.vectors 1.0.0 > spec/1.0.0/judging_vectors.json`. Those of 1.1.0
are about what it adds, by the same chapter.

Each is a base of the corpus with a few edits, and what the chapter says of it, written by hand: a wrong reading of a
sentence fails at least one of the vectors about it (`tests/rules/test_judging_vectors.py`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from vizschema.conformance.corpus.breaks import edits
from vizschema.conformance.corpus.breaks.edits import Edit
from vizschema.conformance.corpus.cases import base
from vizschema.conformance.corpus.documents import describe_document
from vizschema.description import Description, Node, array, complete, fault, group

FIRST, SECOND = "1.0.0", "1.1.0"
_LAYER, _NEXT = "/activations/layer_00", "/activations/layer_01"
_CONTAINER = {"format": "npz", "version": None, "store": "file", "consolidated": False}


class Vector(NamedTuple):
    """A base after edits, and `severity rule pointer path` of each finding; `after` changes what was derived."""

    about: str
    why: str
    findings: Sequence[str]
    edits: Sequence[Edit] = ()
    after: Sequence[Edit] = ()
    profile: str = "trace"
    spec: str = FIRST

    def description(self) -> Description:
        """The description that is judged."""
        document = json.loads(json.dumps(base(self.spec, self.profile)))
        for edit in self.edits:
            edit.apply(document)
        parts = describe_document(document, "npz")
        description: Description = complete(parts["container"], parts["nodes"], parts["values"])
        for edit in self.after:
            edit.apply(description)
        return description


def _set(*keys: str, value: Any) -> Edit:
    """Set a value of a description, at these keys."""

    def apply(target: dict[str, Any]) -> None:
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value

    return edits.on_description(apply)


def _array(axes: str, **attributes: Any) -> Node:
    node: Node = edits.array(axes, "float32", **attributes)
    return node


def _measured(shape: Sequence[int], axes: Sequence[str | None], dtype: str = "float32", **attributes: Any) -> Node:
    return array(dtype, shape, axes, attributes, None)


_BAD_NAMES = (
    edits.add("/Layers", edits.group()),
    edits.add("/Layers/A", _array("token")),
    edits.add("/LayersB", _array("token")),
)

VECTORS = (
    Vector("failures", "nothing is wrong; some assertions within `if`, `anyOf` and `not` do not hold", []),
    Vector("failures", "nothing is wrong, by a profile that builds on others", [], profile="vit"),
    Vector(
        "failures",
        "`required`: each missing name",
        [
            "error model-identity /nodes/~1metadata/attributes/model_name /metadata",
            "error model-identity /nodes/~1metadata/attributes/model_version /metadata",
        ],
        [edits.no_attribute("/metadata", "model_name"), edits.no_attribute("/metadata", "model_version")],
    ),
    Vector(
        "failures",
        "`anyOf`: one failure",
        ["error reference-fits /nodes/~1activations~1layer_01/references/mask /activations/layer_01"],
        [edits.attribute(_NEXT, "mask", _LAYER)],
    ),
    Vector(
        "failures",
        "`not`: one failure, at the list",
        ["error axes-named /nodes/~1activations~1layer_00/axes /activations/layer_00"],
        [edits.no_axes(_LAYER)],
    ),
    Vector(
        "failures",
        "`propertyNames`: at the name",
        ["warning attribute-name /nodes/~1metadata/attributes/Depth /metadata"],
        [edits.attribute("/metadata", "Depth", 3)],
    ),
    Vector(
        "failures",
        "`items`: at the entry",
        ["warning no-machine-names /nodes/~1metadata/attributes/files/1 /metadata"],
        [edits.attribute("/metadata", "files", ["a.pt", "/tmp/b.pt"])],
    ),
    Vector(
        "failures",
        "`enum`: at the value",
        ["error attention-source /nodes/~1attention~1self~1layer_00/attributes/source /attention/self/layer_00"],
        [edits.attribute("/attention/self/layer_00", "source", "measured")],
    ),
    Vector(
        "failures",
        "`anyOf` within a rule with another assertion: starts that are no integers",
        ["error text-starts /nodes/~1outputs~1bytes/references/starts /outputs/bytes"],
        [
            edits.add("/outputs/bytes", _array("byte", starts="/outputs/start")),
            edits.add("/outputs/start", _array("edge")),
        ],
    ),
    Vector(
        "failures",
        "`maximum`: starts that do not fit, and of which it is not known",
        ["error text-starts /nodes/~1outputs~1bytes/facts/starts_differ /outputs/bytes"],
        [
            edits.add("/outputs/bytes", edits.array("byte", "uint8", starts="/outputs/start")),
            edits.add("/outputs/more", edits.array("byte", "uint8", starts="/outputs/start")),
            edits.add("/outputs/start", edits.array("edge", "int64")),
        ],
        [
            _set("nodes", "/outputs/bytes", "facts", value={"starts_differ": 2}),
            _set("nodes", "/outputs/more", "facts", value={"starts_differ": None}),
        ],
    ),
    Vector(
        "failures",
        "`if` with `then`, and `prefixItems`: at the entry",
        ["error activation-axes /nodes/~1activations~1conv1/axes/0 /activations/conv1"],
        [edits.axes("/activations/conv1", "conv1_channel sample conv1_height conv1_width")],
        profile="mnist",
    ),
    Vector(
        "rules",
        "a rule of another profile, by `$ref`",
        [
            "error float-dtype /nodes/~1activations~1layer_00/dtype /activations/layer_00",
            "warning series-dtype /series/~1activations~1layer/dtypes /activations/layer_*",
        ],
        [edits.put(_LAYER, "dtype", "int32")],
        profile="vit",
    ),
    Vector(
        "rules",
        "a rule within another one",
        ["error integer-dtype /nodes/~1outputs~1predictions/dtype /outputs/predictions"],
        [edits.put("/outputs/predictions", "dtype", "float32")],
        profile="vit",
    ),
    Vector(
        "rules",
        "a SHOULD of a part of the profile",
        ["warning labels-recommended /nodes/~1inputs~1labels /inputs/labels"],
        [edits.without("/inputs/labels")],
        profile="vit",
    ),
    Vector(
        "places",
        "`~` and `/` are escaped, nothing else is",
        [
            "warning attribute-name /nodes/~1extra~150% a~0b/attributes/c~1d /extra/50% a~b",
        ],
        [edits.add("/extra/50% a~b", _array("token", **{"c/d": 1}))],
    ),
    Vector(
        "places",
        "the root, whose path is `/`",
        ["error profile-declared /nodes/~1/attributes/profile /"],
        [edits.attribute("/", "profile", "")],
    ),
    Vector(
        "misnamed",
        "a misnamed group, a member, and a name that only begins alike",
        ["error node-name /nodes/~1Layers /Layers", "error node-name /nodes/~1LayersB /LayersB"],
        _BAD_NAMES,
    ),
    Vector(
        "misnamed",
        "a member that breaks another rule",
        ["error node-name /nodes/~1weights~1W /weights/W", "error vit-known-nodes /nodes/~1weights /weights"],
        [edits.add("/weights", edits.group()), edits.add("/weights/W", _array("token"))],
        profile="vit",
    ),
    Vector(
        "misnamed",
        "names that are not those of nodes",
        [
            "warning attribute-name /nodes/~1metadata/attributes/A /metadata",
            "warning attribute-name /nodes/~1metadata/attributes/A~1B /metadata",
        ],
        [edits.attribute("/metadata", "A", 1), edits.attribute("/metadata", "A/B", 2)],
    ),
    Vector(
        "paths",
        "of a series",
        ["error series-gap /series/~1activations~1layer/missing /activations/layer_*"],
        [edits.without(_LAYER)],
    ),
    Vector(
        "paths",
        "of an axis: the size that was seen least often",
        ["error axis-one-size /axes/token /inputs/token"],
        [edits.add("/inputs", edits.group()), edits.add("/inputs/token", {**_array("token"), "shape": [6]})],
    ),
    Vector(
        "paths",
        "of an axis: equal counts, the smaller number",
        ["error axis-one-size /axes/place /inputs/b"],
        [
            edits.add("/inputs", edits.group()),
            edits.add("/inputs/a", {**_array("place"), "shape": [10]}),
            edits.add("/inputs/b", {**_array("place"), "shape": [9]}),
        ],
    ),
    Vector(
        "paths",
        "of what is not captured",
        [
            "error not-captured-absent /not_captured/~1activations~1layer_00/present /activations/layer_00",
            "warning declared-absence /not_captured/~1inputs~1images/present /inputs/images",
        ],
        [edits.attribute("/", "not_captured", ["/inputs/images: private", f"{_LAYER}: too large"])],
    ),
    Vector(
        "paths",
        "of anything else",
        ["error container-readings /container/readings /"],
        after=[_set("container", "readings", value=["two directories"])],
    ),
    Vector(
        "paths",
        "of the map of all nodes",
        ["error data-present /nodes /"],
        [edits.without("/attention", "/activations")],
    ),
    Vector(
        "numbers",
        "3.0 is the integer 3",
        [],
        [edits.attribute("/metadata", "size_token", 5.0), edits.attribute("/activations", "num_layers", 2.0)],
    ),
    Vector(
        "numbers",
        "a number with a fraction is none",
        ["error count-attribute /nodes/~1activations/attributes/num_layers /activations"],
        [edits.attribute("/activations", "num_layers", 2.5)],
    ),
)

_DERIVED: Sequence[tuple[str, dict[str, Node]]] = (
    (
        "a scope with a declared size, an axis twice in one array, and the same axis outside",
        {
            "/inputs": group({}),
            "/inputs/token": _measured([9], ["token"]),
            "/prompts": group({}),
            "/prompts/p0": group({"scope_token": "p0", "size_token": 5}),
            "/prompts/p0/attention": _measured([5, 5], ["token:query", "token:key"]),
        },
    ),
    (
        "the nearest label, one of an array itself, one that is no text, labels that nothing takes, and those of the root",
        {
            "/": group({"scope_token": "root", "size_token": 1}),
            "/metadata": group({"scope_token": "metadata", "size_token": 7, "size_hidden": 8.0, "size_odd": -1}),
            "/a": group({"scope_token": "a", "scope_window": "a", "size_window": 3, "size_hidden": 2}),
            "/a/b": group({"scope_token": 4}),
            "/a/b/x": _measured([5, 8], ["token", "hidden"]),
            "/a/c": _measured([6, 8], ["token:query", "hidden"], scope_token="c", size_token=6),
            "/a/d": _measured([2, 3], [None, ":key"]),
            "/a/e": _measured([7], ["token@a"]),
        },
    ),
    (
        "roles, a coordinate, and what attributes refer to, blocks too",
        {
            "/mask": _measured([2, 5], ["sample", "token"], dtype="bool"),
            "/scores": _measured(
                [2, 3, 5, 5],
                ["sample", "head", "token:query", "token:key"],
                mask="/mask",
                scale="/token",
                sink="/none",
                of="mask",
            ),
            "/token": _measured([5], ["token"]),
            "/other": _measured([4], ["place"], mask="/mask", scale="/broken"),
            "/weights": _measured([9, 70], ["token", "hidden"], scale="/scale", sink="/scales", block_hidden=32),
            "/scale": _measured([9, 3], ["token", "hidden_block"]),
            "/scales": _measured([9, 2], ["token", "hidden_block"]),
            "/broken": fault("damaged", "cannot be opened"),
        },
    ),
    (
        "series: a gap, an index past the declared count, ten digits, a count without members, and one of `/metadata`",
        {
            "/metadata": group({"num_heads": 4, "num_steps": 2}),
            "/activations": group({"num_layers": 3, "num_blocks": 20}),
            "/activations/layer_00": _measured([4], ["token"]),
            "/activations/layer_003": _measured([4], ["token"], dtype="float16"),
            "/activations/layer_0000000004": _measured([4], ["token"]),
            "/heads": group({"partial": True}),
            "/heads/head_1": _measured([4], ["token"]),
            "/heads/step_00": group({}),
            "/heads/step_01": fault("damaged", "cannot be opened"),
        },
    ),
    (
        "series: `present`, members of groups, their kinds, and what one of them lacks",
        {
            "/layers": group({"num_layers": 16, "present": [3, 0, 11]}),
            "/layers/layer_00": group({"kind": "dense"}),
            "/layers/layer_00/attention": _measured([4], ["token"]),
            "/layers/layer_00/mlp": _measured([4], ["token"]),
            "/layers/layer_03": group({"kind": "dense"}),
            "/layers/layer_03/attention": _measured([4], ["token"]),
            "/layers/layer_07": group({}),
            "/layers/layer_07/attention": _measured([5], ["place"], dtype="float16"),
            "/layers/layer_07/moe": group({}),
        },
    ),
    (
        "what is not captured: a reason with a colon, no reason, a path twice, and a node that is there",
        {
            "/": group(
                {"not_captured": ["/a: too: large", "/b", "/c: one", "/c: another", "d: no path", "/inputs: none"]}
            ),
            "/inputs": group({}),
        },
    ),
)

_TOKENS = "/inputs/token"
_OF_LM: tuple[Vector, ...] = (
    Vector("rules", "the base of lm", [], profile="lm", spec=SECOND),
    Vector(
        "rules",
        "a rule of lm, and one of trace in 1.0.0, by `$ref` over two versions",
        [
            "error integer-dtype /nodes/~1inputs~1token/dtype /inputs/token",
            "error lm-axes /nodes/~1inputs~1token/axes /inputs/token",
        ],
        [edits.add(_TOKENS, edits.array("token sample", "float32"))],
        profile="lm",
        spec=SECOND,
    ),
    Vector(
        "failures",
        "`propertyNames`: at the name; a coordinate may stand beside it",
        ["error lm-known-nodes /nodes/~1inputs~1tokens /inputs/tokens"],
        [
            edits.add("/inputs/tokens", edits.array("sample token", "int32")),
            edits.add("/inputs/hidden", edits.array("hidden", "int32")),
        ],
        profile="lm",
        spec=SECOND,
    ),
    Vector(
        "failures",
        "`maximum` and `minimum` of facts: two places, two findings of one rule",
        [
            "error lm-values /nodes/~1inputs~1token/facts/beyond_axis /inputs/token",
            "error lm-values /nodes/~1inputs~1token/facts/minimum /inputs/token",
        ],
        after=[_set("nodes", _TOKENS, "facts", value={"beyond_axis": 3, "minimum": -1, "damaged_chunks": []})],
        profile="lm",
        spec=SECOND,
    ),
    Vector(
        "paths",
        "an axis that has no scope there",
        ["error lm-scopes /nodes/~1sae~1one/attributes/scope_token /sae/one"],
        [edits.attribute("/sae/one", "scope_token", "a"), edits.attribute("/sae/one", "size_token", 6)],
        profile="lm",
        spec=SECOND,
    ),
    Vector(
        "rules",
        "a version that 1.1.0 does not accept",
        ["error spec-version /nodes/~1/attributes/spec_version /"],
        [edits.attribute("/", "spec_version", "1.2.0")],
        profile="lm",
        spec=SECOND,
    ),
)


def _json(version: str) -> dict[str, list[Any]]:
    judged = [
        {
            "about": each.about,
            "why": each.why,
            "profile": each.profile,
            "findings": [dict(zip(_FIELDS, _fields(found), strict=True)) for found in each.findings],
            "description": each.description(),
        }
        for each in BY_VERSION[version]
    ]
    derived = []
    for why, nodes in _DERIVED if version == FIRST else ():
        whole = complete(_CONTAINER, {"/": group({}), "/metadata": group({}), **nodes})
        derived.append({"why": why, "description": whole})
    return {"judged": judged, "derived": derived}


BY_VERSION = {FIRST: VECTORS, SECOND: _OF_LM}
_FIELDS = ("severity", "rule", "instance", "path")


def _fields(found: str) -> list[str]:
    """The parts of `severity rule pointer path`, of which the path begins at the last ` /`."""
    severity, rule, rest = found.split(" ", 2)
    instance, _, path = rest.rpartition(" /")
    return [severity, rule, instance, f"/{path}"]


def main(version: str = FIRST) -> None:
    """Print the vectors of a version, one per line."""
    lists = [
        f'"{name}": [\n' + ",\n".join(json.dumps(each, ensure_ascii=False) for each in vectors) + "\n]"
        for name, vectors in _json(version).items()
    ]
    print("{\n" + ",\n".join(lists) + "\n}")


if __name__ == "__main__":
    main(*sys.argv[1:])
