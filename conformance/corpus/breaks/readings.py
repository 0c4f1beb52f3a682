"""Breaks of the rule that every reader reads an archive of one file alike: bytes and records beside those of its format."""

from __future__ import annotations

from collections.abc import Iterator

from vizschema.conformance.corpus.breaks.edits import Break, broken, damage, on_description, put, valid

# A table reads better with a case a line.
# fmt: off


def _read_otherwise(parts: dict) -> None:  # type: ignore[type-arg]
    parts["container"]["readings"] = ["4 bytes follow the end of the zip file, from byte 99"]


def breaks() -> Iterator[Break]:
    """Every break of this table."""
    for profile in ("trace", "mnist", "vit", "openfold"):
        yield broken("container-readings", profile, f"described-{profile}", "A description of an archive that other readers read otherwise.", on_description(_read_otherwise))
    yield broken("container-readings", "trace", "bytes-behind", "Bytes behind the end of the file of the archive.", damage("bytes-behind", "/"))
    yield broken("container-readings", "trace", "second-reading", "A member, an index or a user block that leads readers elsewhere.", damage("second-reading", "/activations/layer_01"))
    yield valid("container-readings", "trace", "zeros-behind", "Zeros behind the end of the file are padding.", damage("zeros-behind", "/"))
    yield valid("container-readings", "trace", "plain", "An archive as its writer left it.", put("/activations", "attributes", {"num_layers": 2}))
