"""Breaks of the rules on axes: their names, and one size of each in the whole archive."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import (
    Break,
    Edit,
    add,
    array,
    attribute,
    axis,
    broken,
    group,
    no_axes,
    put,
    resize,
    sized,
    valid,
)

# A table reads better with a case a line.
# fmt: off


LAYER = "/activations/layer_00"
SELF = "/attention/self/layer_00"


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    yield from _names()
    yield from _sizes()
    yield from _scopes()
    yield from _terms()


def _names() -> Iterator[Break]:
    yield broken("axes-named", "trace", "none", "No dimension has a name.", no_axes(LAYER))
    yield broken("axes-named", "trace", "first", "The first dimension has no name.", axis(LAYER, 0, None))
    yield broken("axes-named", "trace", "last", "The last dimension has no name.", axis(LAYER, 1, None))
    yield broken("axes-named", "trace", "two-of-four", "Two dimensions have no name, which is not a repetition.", axis(SELF, 2, None), axis(SELF, 3, None))
    yield broken("axes-named", "openfold", "of-known-array", "A dimension of a known array has no name: one fault, not two.", axis("/attention/ipa/layer_00", 2, None))
    yield broken("axes-named", "mnist", "none-of-known-array", "No dimension of a known array has a name: one fault, not two.", no_axes("/inputs/images"))
    yield broken("axes-named", "vit", "none-of-layer", "No dimension of a layer has a name: one fault, not two.", no_axes("/activations/layer_00"))
    yield broken("axes-named", "trace", "at-root", "An array at the root without names.", add("/values", {**array("token hidden"), "axes": None, "shape": [5, 8]}))
    yield broken("axes-named", "trace", "like-extra", "A name that only begins like /extra.", add("/extras/x", {**array(""), "axes": None, "shape": [5]}))
    yield broken("axes-named", "trace", "within-extra", "/extra is at the root only.", add("/activations/extra/x", {**array(""), "axes": None, "shape": [5]}))
    yield valid("axes-named", "trace", "in-extra", "Below /extra no name is needed.", add("/extra/x", {**array(""), "axes": None, "shape": [5]}))
    yield valid("axes-named", "trace", "scalar", "A single number has no dimensions.", add("/outputs/loss", array("")))
    yield broken("axes-unique", "trace", "role-repeated", "Two dimensions are queries.", axis(SELF, 3, "token:query"))
    yield broken("axes-unique", "trace", "no-roles", "One name twice.", axis(SELF, 2, "token"), axis(SELF, 3, "token"))
    yield broken("axes-unique", "vit", "of-known-array", "Two dimensions of a known array are queries: one fault, not two.", axis(SELF, 3, "token:query"))
    yield broken("axes-unique", "openfold", "of-pair", "Two dimensions of a pair representation of one name: one fault, not two.", axis("/pair/layer_00", 1, "residue:i"))
    yield valid("axes-unique", "trace", "roles", "Roles tell the uses of one axis apart.", add("/outputs/pairs", array("token:i token:j")))
    yield valid("axes-unique", "trace", "one-role", "One use with a role, one without.", add("/outputs/pairs", array("token token:key")))
    yield valid("axes-unique", "trace", "in-extra", "Below /extra names may repeat.", add("/extra/x", {**array("Token Token"), "shape": [2, 2]}))
    for slug, name in (
        ("capital", "Hidden"),
        ("space", "a b"),
        ("digit-first", "2hidden"),
        ("hyphen", "unit-unit"),
        ("two-roles", "unit:a:b"),
        ("empty-role", "unit:"),
        ("no-name", ":query"),
        ("capital-role", "unit:Query"),
        ("digit-role", "unit:2"),
        ("role-space", "unit:a b"),
        ("underscore-first", "_hidden"),
        ("role-hyphen", "unit:a-b"),
        ("accent", "größe"),
        ("slash", "unit/x"),
    ):
        yield broken("axis-name", "trace", slug, f"{name!r} is not a name of an axis.", add("/activations/gates", {**array(""), "axes": ["token", name], "shape": [5, 4]}))
    yield broken("axis-name", "vit", "of-known-array", "A known array with a capital: one fault, not two.", axis(LAYER, 1, "Token"))
    yield broken("axis-name", "mnist", "of-labels", "Labels with a capital: one fault, not two.", axis("/inputs/labels", 0, "Sample"))
    for name in ("h2", "x_", "hidden_unit", "gate:left_1", "n:x"):
        yield valid("axis-name", "trace", f"valid-{name.replace(':', '-').replace('_', '-').rstrip('-')}", f"{name!r} is a name of an axis.", add("/activations/gates", {**array(""), "axes": ["token", name], "shape": [5, 4]}))


def _sizes() -> Iterator[Break]:
    yield broken("axis-one-size", "trace", "layer", "One layer has more tokens than the rest.", resize(LAYER, 0, 9))
    yield broken("axis-one-size", "trace", "one-off", "One layer has one token less than the rest.", resize(LAYER, 0, 4))
    yield broken("axis-one-size", "trace", "queries-and-keys", "Queries and keys are both tokens.", resize(SELF, 2, 9))
    yield broken("axis-one-size", "trace", "declared", "/metadata declares another size.", attribute("/metadata", "size_token", 6))
    yield broken("axis-one-size", "trace", "declared-float", "/metadata declares another size, as 6.0.", attribute("/metadata", "size_token", 6.0))
    yield broken("axis-one-size", "openfold", "confidence", "Confidence of one residue less.", resize("/outputs/confidence", 0, 11))
    yield broken("axis-one-size", "openfold", "declared-residues", "/metadata declares another number of residues.", attribute("/metadata", "size_residue", 13))
    yield broken("axis-one-size", "trace", "in-extra", "An axis has one size below /extra too.", add("/extra/x", {**array("token"), "shape": [9]}))
    yield broken("axis-one-size", "trace", "three-sizes", "Three sizes of one axis.", resize(LAYER, 0, 9), attribute("/metadata", "size_token", 6))
    yield valid("axis-one-size", "trace", "other-axis", "Axes of other names have sizes of their own.", add("/outputs/x", array("window")))
    yield valid("axis-one-size", "trace", "declared-unused", "/metadata may declare an axis that no array has.", attribute("/metadata", "size_window", 99))
    yield valid("axis-one-size", "trace", "one", "An axis of size 1.", sized("sample", 1))
    yield broken("fixed-axis-size", "openfold", "xyz-four", "Four coordinates of a position.", sized("xyz", 4))
    yield broken("fixed-axis-size", "openfold", "xyz-two", "Two coordinates of a position.", sized("xyz", 2))
    yield broken("fixed-axis-size", "openfold", "end-three", "Three ends of an entry.", sized("end", 3))
    yield broken("fixed-axis-size", "openfold", "end-one", "One end of an entry.", sized("end", 1))
    yield broken("axis-one-size", "openfold", "xyz-of-two-sizes", "Two sizes of xyz: one fault, not two.", resize("/outputs/coordinates", 2, 4))
    yield broken("axis-one-size", "openfold", "end-of-two-sizes", "Two sizes of end: one fault, not two.", add("/extra/ends", {**array("end"), "shape": [3]}))
    yield valid("fixed-axis-size", "openfold", "other-atoms", "Any number of atoms is allowed.", sized("atom", 14))
    yield valid("fixed-axis-size", "trace", "other-profile", "xyz means something else in another model.", add("/outputs/x", {**array("xyz"), "shape": [4]}))


STEP = "/activations/step_00"


def _steps(label: object = "step_00", **more: object) -> tuple[Edit, ...]:
    """Two steps of generation, of 3 and of 4 tokens, whose groups have scopes."""
    edits: list[Edit] = [attribute("/activations", "num_steps", 2)]
    for number in range(2):
        path = f"/activations/step_{number:02}"
        attributes = {"num_layers": 2, "scope_token": label if not number else "step_01", **({} if number else more)}
        edits += [add(f"{path}/layer_{index:02}", {**array("token hidden"), "shape": [3 + number, 8]}) for index in range(2)]
        edits.append(add(path, group(**attributes)))
    return tuple(edits)


def _scopes() -> Iterator[Break]:
    yield valid("axis-one-size", "trace", "scopes", "Each step of generation has a number of tokens of its own.", *_steps())
    yield valid("axis-one-size", "trace", "scope-across-groups", "The same label in two groups is one scope.", *_steps(), add("/outputs/loss", {**array("token", scope_token="step_00"), "shape": [3]}))
    yield valid("axis-one-size", "trace", "scope-declared", "The group of a scope declares the size of the axis.", *_steps(size_token=3))
    yield valid("axis-one-size", "trace", "scope-nearest", "A label further in takes precedence.", *_steps(), add("/outputs/x", {**array("token token:key", scope_token="x"), "shape": [2, 2]}), add("/outputs/y", {**array("token"), "shape": [3]}), add("/outputs", group(scope_token="step_00")))
    yield valid("axis-one-size", "trace", "size-without-scope", "A size on a group without a scope declares nothing.", attribute("/activations", "size_token", 99))
    yield broken("axis-one-size", "trace", "within-scope", "Two layers of one step have different numbers of tokens.", *_steps(), resized(f"{STEP}/layer_01", 4, 8))
    yield broken("axis-one-size", "trace", "shared-label", "Two groups of one label have different numbers of tokens.", *_steps(), add("/outputs/loss", {**array("token", scope_token="step_00"), "shape": [4]}))
    yield broken("axis-one-size", "trace", "other-axis-of-scope", "A scope of tokens is not one of hidden units.", *_steps(), resized(f"{STEP}/layer_01", 3, 9))
    yield broken("axis-one-size", "trace", "scope-declares-other", "The group of a scope declares another size.", *_steps(size_token=9))
    yield broken("axis-one-size", "trace", "out-of-scope", "An array outside the scopes has the tokens of one of them.", *_steps(), add("/outputs/loss", {**array("token"), "shape": [3]}))
    for slug, label in (("capital", "Step"), ("empty", ""), ("space", "step 0"), ("number", 3), ("list", ["step_00"]), ("digit-first", "0_step"), ("at", "a@b"), ("boolean", True)):
        # A label that is not text is none: sizes are alike here, so that nothing else is broken.
        same = (resized(f"{STEP}/layer_00", 5, 8), resized(f"{STEP}/layer_01", 5, 8))
        yield broken("scope-attribute", "trace", slug, f"{label!r} is not a label of a scope.", *_steps(label), *same)
    yield broken("scope-attribute", "trace", "unused", "No array below has the axis.", attribute("/activations", "scope_window", "a"))
    yield broken("scope-attribute", "trace", "plural", "The arrays call the axis token.", attribute("/activations", "scope_tokens", "a"))
    yield broken("scope-attribute", "trace", "hidden-by-nearer", "Every array below has a nearer label.", add("/outputs/x", array("window window:key", scope_window="b")), add("/outputs", group(scope_window="a")))
    yield broken("scope-attribute", "trace", "of-array", "The array itself lacks the axis.", attribute(LAYER, "scope_window", "a"))
    yield broken("scope-attribute", "trace", "at-root", "The root has no scope: it is the whole archive.", attribute("/", "scope_token", "a"))
    yield broken("scope-attribute", "trace", "in-metadata", "Nothing lies below /metadata.", attribute("/metadata", "scope_token", "a"))
    yield broken("scope-attribute", "openfold", "in-extra", "A label holds below /extra too.", add("/extra/x", array("token token:key", scope_token="A b")))
    yield valid("scope-attribute", "trace", "on-array", "An array may have a scope of its own.", add("/outputs/pairs", {**array("token:i token:j", scope_token="pairs"), "shape": [3, 3]}))
    yield valid("scope-attribute", "trace", "in-extra", "A scope below /extra.", add("/extra/a/x", {**array("token"), "shape": [9]}), add("/extra/a/y", {**array("token"), "shape": [9]}), add("/extra/a", group(scope_token="a")))
    yield valid("scope-attribute", "trace", "like-scope", "Another attribute that only begins alike.", attribute("/activations", "scoped", "A b"))
    yield broken("size-attribute", "trace", "of-scope", "A size of a scope is text.", *_steps(size_token="3"))
    yield broken("size-attribute", "trace", "of-scope-negative", "A size of a scope is negative.", *_steps(size_token=-3))
    yield valid("size-attribute", "trace", "without-scope", "Without a scope, a size of a group is an attribute like any other.", attribute("/activations", "size_um", 0.5))
    yield broken("scope-shared", "trace", "array-alone", "An array alone in its scope is compared with nothing.", attribute(LAYER, "scope_hidden", "layer_00"))
    yield broken("scope-shared", "trace", "group-alone", "A group of one array has a scope.", add("/outputs/a/x", array("token")), add("/outputs/a", group(scope_token="a")))
    yield valid("scope-shared", "trace", "two-arrays", "Two arrays share the scope.", add("/outputs/a/x", array("token")), add("/outputs/a/y", array("token")), add("/outputs/a", group(scope_token="a")))
    yield valid("scope-shared", "trace", "declared", "An array alone in its scope agrees with the size that is declared.", add("/outputs/x", {**array("token", scope_token="a", size_token=9), "shape": [9]}))
    yield broken("axis-term", "trace", "in-scope", "An axis tokens in a scope.", add("/outputs/x", array("tokens tokens:key", scope_tokens="a")))
    inner, outer = {**array("token"), "shape": [9]}, {**array("token@p0"), "shape": [4]}
    yield valid("axis-one-size", "trace", "like-a-scope", "An axis of another size whose name is like that of an axis in a scope, below /extra.", add("/outputs/p0", group(scope_token="p0", size_token=9)), add("/outputs/p0/x", inner), add("/extra/x", outer), add("/extra/y", {**outer, "shape": [5]}))
    indices = "/attention_topk/ipa/layer_00/indices"
    yield broken("fixed-axis-size", "openfold", "end-in-scope", "Three ends of an entry, in a scope.", attribute(indices, "scope_end", "a"), attribute(indices, "size_end", 3), resize(indices, 2, 3))
    yield broken("fixed-axis-size", "openfold", "in-scope", "Four coordinates of a position, in a scope.", attribute("/outputs/coordinates", "scope_xyz", "a"), attribute("/outputs/coordinates", "size_xyz", 4), resize("/outputs/coordinates", 2, 4))


def resized(path: str, *shape: int) -> Edit:
    """Give an array another shape."""
    return put(path, "shape", list(shape))


def _terms() -> Iterator[Break]:
    for name in ("batch", "batches", "samples", "b", "heads", "num_heads", "n_heads", "h", "tokens", "seq_len", "residues", "n_res", "channels", "layers", "classes"):
        yield broken("axis-term", "trace", name.replace("_", "-"), f"An axis {name}.", add("/outputs/x", array(name)))
    yield broken("axis-term", "trace", "with-role", "An axis tokens with a role.", add("/outputs/x", array("tokens:query")))
    yield broken("axis-term", "trace", "declared", "A size of an axis heads.", attribute("/metadata", "size_heads", 2))
    for name in ("big_batch", "tokens_left", "bs", "hh", "class", "subclasses", "h1", "batch_"):
        yield valid("axis-term", "trace", f"valid-{name.replace('_', '-').rstrip('-')}", f"{name!r} is a name of its own.", add("/outputs/x", array(name)))
    yield valid("axis-term", "trace", "as-role", "A role is not an axis.", add("/outputs/x", array("token:b")))
    yield valid("axis-term", "trace", "no-array-of-terms", "Arrays may be called anything.", add("/outputs/tokens", array("token")))
