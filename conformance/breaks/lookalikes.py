"""Nodes whose paths are nearly those of a profile's table: a name that goes on, letters where there are numbers, a level more.

What stands there is odd in every way that the table could complain of. The name alone is at fault, and is found once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from vizschema.conformance.breaks.edits import Break, add, array, broken
from vizschema.conformance.breaks.guards import ARRAYS
from vizschema.conformance.breaks.openfold import slug_of

# A table reads better with a case a line.
# fmt: off

NUMBER = re.compile(r"_00(?=/|$)")


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for profile, arrays in ARRAYS.items():
        for path in arrays:
            for slug, near in _near(path):
                if not _taken(profile, near):
                    node = array("odd:b odd:a", "int8", {"pattern": "listed", "values": [0, 1, 1]}, source="unknown")
                    yield broken(f"{profile}-known-nodes", profile, f"{slug_of(path)}-{slug}", f"{near} is nearly {path}.", add(near, node), also=_also(path, slug))


def _near(path: str) -> Iterator[tuple[str, str]]:
    yield "longer", f"{path}x"
    for number, match in enumerate(NUMBER.finditer(path)):
        name = "letters" if not number else f"letters-{number}"
        yield name, f"{path[: match.start()]}_xx{path[match.end() :]}"
        yield f"{name}-after-a-digit", f"{path[: match.start()]}_0x{path[match.end() :]}"


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
