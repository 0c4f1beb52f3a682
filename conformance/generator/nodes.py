"""One node of a drawn archive: dtype, axes, attributes, chunks, contents, each from what the schemas ask of it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from vizschema.conformance.generator.broad import LARGE, SIZES
from vizschema.conformance.generator.constraints import NAMES, UNKNOWN, Partial, asked, asked_of_node, holds
from vizschema.conformance.generator.contents import Ask, contents, fillable
from vizschema.conformance.generator.languages import Language
from vizschema.conformance.generator.tree import Need
from vizschema.conformance.generator.values import Wanted, merged, values
from vizschema.description import ITEM_BYTES
from vizschema.rules.versions import Profile, Schema

DTYPES = ("float32", *(dtype for dtype in ITEM_BYTES if dtype != "float32"))
FACTS = (
    *("non_finite", "minimum", "maximum", "constant"),
    *("row_sum_minimum", "row_sum_maximum", "nonzero_row_sum_minimum"),
    *("duplicate_slices", "beyond_axis", "argmax_differs", "decode_differs", "masked_nonzero", "left_out_nonzero"),
    "starts_differ",
)
RESERVED = Language(
    (),
    (
        "^(num|size|scope)_",
        "^(stored_dtype|json_attributes|class|name|reference_list|indices|present|not_captured|host|hostname)$",
        "^(mask|scale|sink|starts|all_equal)$",
    ),
)
"""Attributes about the tree, those that name another node, and those that containers keep for themselves."""
_PLAIN = Language((), (r"[\\@]",))
"""Names without escapes, and without what divides an axis from its scope."""

_WORD = Language(("^[a-z]",)) & _PLAIN


@dataclass
class Draft:
    """What is drawn before any node: the profile, its version, the sizes of axes; and the shapes of arrays so far."""

    draw: st.DrawFn
    profile: Profile
    sizes: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    wishes: Sequence[Need] = ()
    least: int = 1
    large: bool = False
    """Whether one axis may still be large."""

    def ask(self, path: str, node: Partial, *steps: str) -> list[Schema]:
        """What is asked of a part of the node at `path`."""
        return [each.schema for each in asked_of_node(self.profile, path, steps, node)]

    def wished(self, path: str, node: Partial) -> bool:
        """Whether nothing is against the wishes for the node at `path`."""
        return all(
            holds(wish.schema, node) is not False for wish in self.wishes if wish.language.holds(path) and wish.schema
        )

    def size(self, axis: str) -> int:
        """The size of an axis, drawn when it is first asked for."""
        root = axis.partition(":")[0]
        if root not in self.sizes:
            wanted = merged(each.schema for each in asked(self.profile, ("axes", root, NAMES), UNKNOWN))
            fixed = [int(each) for each in wanted.allowed] if wanted.allowed is not None else None
            self.sizes[root] = self._drawn(root, fixed)
        return self.sizes[root]

    def _drawn(self, root: str, fixed: list[int] | None) -> int:
        if self.large and fixed is None and self.draw(st.integers(0, 7), label=f"{root} is large") == 1:
            self.large = False
            return int(self.draw(st.sampled_from(LARGE), label=f"size of {root}"))
        small = SIZES if self.large else st.integers(self.least, 4)
        return int(self.draw(st.sampled_from(fixed) if fixed else small, label=f"size of {root}"))


def axes_of(draft: Draft, path: str) -> list[str]:
    """Names for the axes of the array at `path`, each once."""
    schemas = draft.ask(path, Partial(kind="array"), "axes")
    wanted = merged(schemas)
    if wanted.allowed is not None:
        wished = [each for each in wanted.allowed if draft.wished(path, _shaped(each))]
        return list(draft.draw(values([*schemas, {"enum": wished or wanted.allowed}]), label=f"axes of {path}"))
    roots = merged((each.schema for each in asked(draft.profile, ("axes", NAMES), UNKNOWN)), Language()).language
    names = merged(wanted.items, Language(("^[a-z]",))).language & _roots(roots) & _PLAIN
    drawn = [draft.draw(values(schemas)) for schemas in wanted.prefix]
    known = _vocabulary(draft, path, names)
    drawn += known if draft.least > 1 else []
    least = max(0, wanted.least - len(drawn), draft.least - 1)
    free = st.one_of(*([st.sampled_from(known)] if known else []), names.texts(3))
    fresh = st.lists(free, min_size=least, max_size=max(least, 3), unique=True)
    found = list(dict.fromkeys([*drawn, *draft.draw(fresh, label=f"axes of {path}")]))
    if found == [path.rpartition("/")[2]]:  # which would make a coordinate of it
        found = [f"{found[0]}:i"]
    short = range(max(wanted.least, draft.least) - len(found))
    return _with_roles(draft, path, [*found, *(f"axis_of_its_own_{number}" for number in short)])


def _with_roles(draft: Draft, path: str, names: list[str]) -> list[str]:
    """`names` with one axis of each role that the schemas ask for: the first that has it, else one more."""
    for role in roles_of(draft.ask(path, Partial(kind="array", axes=names), "roles")):
        having = [name for name in names if name.endswith(f":{role}")]
        kept = having[:1] or [f"{draft.draw(st.sampled_from(['token', 'unit']), label=f'axis of {role}')}:{role}"]
        names = [*(name for name in names if name not in having), *kept]
    return names


def roles_of(schemas: Sequence[Schema]) -> list[str]:
    """The roles that axes have to have."""
    branches = [branch for schema in schemas for branch in schema.get("anyOf", ())]
    return [role for branch in branches for role in branch.get("required", ())]


def _shaped(axes: Sequence[str]) -> Partial:
    return Partial(kind="array", axes=list(axes), shape=[UNKNOWN] * len(axes))


def _vocabulary(draft: Draft, path: str, names: Language) -> list[str]:
    """Names of axes that the schemas and the facts about the array at `path` speak of."""
    found: list[Language] = []
    for schema in draft.ask(path, Partial(kind="array"), "storage", "chunk_of"):
        found += [Language((f"^{re.escape(name)}$",)) for name in schema.get("properties", ())]
        found += [Language((pattern,)) for pattern in schema.get("patternProperties", ())]
    found += [
        Language((entry["along"],))
        for entry in draft.profile.facts
        if re.search(entry["at"], path) and "along" in entry
    ]
    fitting = [language & names for language in found]
    return list(dict.fromkeys(language.shortest() for language in fitting if not language.empty))


def _roots(names: Language) -> Language:
    """Names of axes, with or without a role, of which the root is one of `names`."""
    return Language((*names.within, "^[^:]*(:[a-z]+)?$"), (*names.without, *map(_before_role, names.without)))


def _before_role(pattern: str) -> str:
    return re.sub(r"\$$", "(:|$)", pattern)


def array_of(draft: Draft, path: str) -> dict[str, Any]:
    """The array at `path`, as an archive document has it, but for its contents."""
    axes = axes_of(draft, path)
    shape = tuple(draft.size(axis) for axis in axes)
    draft.shapes[path] = shape
    node = Partial(kind="array", axes=axes, shape=list(shape))
    wanted = merged(draft.ask(path, node, "dtype"))
    allowed = [dtype for dtype in DTYPES if wanted.allowed is None or dtype in wanted.allowed]
    allowed = [dtype for dtype in allowed if draft.wished(path, Partial({**node, "dtype": dtype}))] or allowed
    dtype = draft.draw(st.sampled_from(allowed), label=f"dtype of {path}")
    node["dtype"] = dtype
    attributes = attributes_of(draft, path, node)
    made: dict[str, Any] = {"kind": "array", "dtype": dtype, "axes": axes, "contents": {}, "attributes": attributes}
    most = [merged(draft.ask(path, node, "storage", "chunk_of", axis)).high for axis in axes]
    if any(each is not None for each in most) or draft.draw(st.booleans(), label=f"chunks of {path}"):
        large = math.prod(shape) * ITEM_BYTES[dtype] >= _LARGE
        lengths = [_length(draft, axis, high, whole=large) for axis, high in zip(axes, most, strict=True)]
        made["chunks"] = lengths
    return made


_LARGE = 1 << 16
"""Bytes of an array from which on small chunks are advised against."""


def _length(draft: Draft, axis: str, most: float | None, *, whole: bool) -> Any:
    """The length of chunks along an axis; the `whole` axis, unless the schemas want it shorter."""
    size = max(1, draft.size(axis))
    if whole:
        return size if most is None else min(size, int(most))
    return draft.draw(st.integers(1, size if most is None else min(size, int(most))), label=f"chunk along {axis}")


def facts_of(draft: Draft, path: str, node: Partial) -> dict[str, Wanted]:
    """What is wanted of each fact about the array at `path`."""
    found = {name: draft.ask(path, Partial({**node, "facts": Partial()}), "facts", name) for name in FACTS}
    return {name: merged(schemas) for name, schemas in found.items() if schemas}


def fill(draft: Draft, path: str, made: dict[str, Any]) -> None:
    """Give the array at `path` contents: once all arrays have their shapes, since some follow from others."""
    node = Partial(kind="array", axes=made["axes"], shape=list(draft.shapes[path]), dtype=made["dtype"])
    node["attributes"] = made["attributes"]
    entries: dict[str, Mapping[str, Any]] = {}
    followed: set[str] = set()
    for entry in draft.profile.facts:
        if re.search(entry["at"], path) and made["dtype"] in entry.get("dtypes", (made["dtype"],)):
            if entry["measure"] == ["row_sum"] and row_axis(entry, made["axes"]) is None:
                continue
            entries.update({name if name != "row_sum" else "row_sum_minimum": entry for name in entry["measure"]})
        if entry.get("with") == path:
            entries.update({name: entry for name in entry["measure"] if name != "argmax_differs"})
            followed.update(entry["measure"])
    facts = {name: wanted for name, wanted in facts_of(draft, path, node).items() if _measured(name, entries)}
    facts = {name: wanted for name, wanted in facts.items() if name not in followed}
    along = row_axis(entries.get("row_sum_minimum", {}), made["axes"])
    asks = Ask(path, made["dtype"], draft.shapes[path], facts, entries, draft.shapes, draft.sizes, along)
    made["contents"] = draft.draw(contents(asks), label=f"contents of {path}")


def _measured(name: str, entries: Mapping[str, Any]) -> bool:
    if name in ("non_finite", "minimum", "maximum", "constant"):
        return True
    return name in entries or (name in _SUMS and "row_sum_minimum" in entries)


_SUMS = ("row_sum_maximum", "nonzero_row_sum_minimum")


def row_axis(entry: Mapping[str, Any], axes: Sequence[str]) -> int | None:
    """The number of the axis along which an entry has rows: the last one, unless `along` names another."""
    if "along" not in entry:
        return len(axes) - 1
    return next((number for number, name in enumerate(axes) if re.search(entry["along"], name)), None)


def attributes_of(draft: Draft, path: str, node: Partial) -> dict[str, Any]:
    """Attributes of the node at `path`: those that it has to have, some that it may have, and some of its own."""
    schemas = draft.ask(path, node, "attributes")
    wanted = merged(schemas)
    optional = [name for schema in wanted.members for name in schema.get("properties", ())]
    optional = [name for name in dict.fromkeys(optional) if name not in wanted.required and RESERVED.holds(name)]
    names = list(dict.fromkeys(wanted.required))
    if optional and draft.least == 1:
        names += draft.draw(st.lists(st.sampled_from(optional), unique=True), label=f"optional attributes of {path}")
    own = merged(wanted.names, _WORD & RESERVED).language
    names += draft.draw(st.lists(own.texts(4), max_size=2, unique=True), label=f"attributes of {path}")
    made: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        made[name] = draft.draw(_attribute(draft, path, node, name), label=f"{name} of {path}")
    return made


def _attribute(draft: Draft, path: str, node: Partial, name: str) -> st.SearchStrategy[Any]:
    schemas = draft.ask(path, node, "attributes", name)
    allowed = merged(schemas).allowed
    if allowed is None or node["kind"] != "array":
        drawn: st.SearchStrategy[Any] = values(schemas)
        return drawn
    fits = [each for each in allowed if _fits(draft, path, node, {name: each})]
    fits = [each for each in fits if draft.wished(path, Partial({**node, "attributes": {name: each}}))] or fits
    return st.sampled_from(fits or allowed)


def _fits(draft: Draft, path: str, node: Partial, attributes: dict[str, Any]) -> bool:
    trial = Partial({**node, "attributes": attributes})
    rows = [entry for entry in draft.profile.facts if "row_sum" in entry["measure"] and re.search(entry["at"], path)]
    fits: bool = fillable(facts_of(draft, path, trial), node["shape"], row_axis(rows[-1], node["axes"]) if rows else -1)
    return fits
