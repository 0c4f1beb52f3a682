"""Files of an archive by key: into a folder, into a zip file in several forms, and JSON in several spellings."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vizschema.conformance.corpus.encodings.table import Encoding

Files = dict[str, bytes]
"""The bytes of each file by its key, the path from the root."""


def write_folder(root: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` below the new folder `root`."""
    root.mkdir(parents=True)
    for key, content in files.items():
        target = root.joinpath(*key.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def spelled(document: Any, level: str = "plain") -> bytes:
    """A document as JSON; `odd`: keys in reverse, with space, and an escape for a plain letter of a key."""
    if level != "odd":
        return json.dumps(document, ensure_ascii=False).encode()
    text = json.dumps(_turned(document), indent=3)
    return b"\n\t" + text.replace('"zarr_format"', '"z\\u0061rr_format"').encode() + b"\r\n"


def _turned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _turned(value[key]) for key in reversed(value)}
    return value


class _Forward(io.BytesIO):
    """A file that cannot seek, so that sizes are written after the data."""

    def seekable(self) -> bool:
        """It cannot."""
        return False

    def tell(self) -> int:
        """Where it is is unknown."""
        raise OSError("cannot tell")

    def seek(self, *_: Any) -> int:
        """It cannot."""
        raise OSError("cannot seek")


def write_zip(path: Path, files: Mapping[str, bytes], encoding: Encoding, packing: str) -> None:
    """Write `files` into the new zip file `path`: `packing`, order of members, comment."""
    buffer: io.BytesIO = _Forward() if packing == "sizes-after" else io.BytesIO()
    files = {f"{'run.zarr/' * (encoding.get('root') == 'below')}{name}": data for name, data in files.items()}
    names = sorted(files, reverse=encoding.get("members") == "reversed") if "members" in encoding else list(files)
    folders = sorted({f"{name.rpartition('/')[0]}/" for name in names if "/" in name}) if packing == "folders" else []
    with zipfile.ZipFile(buffer, "w") as file:
        for name in [*folders, *names]:
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_STORED if packing in ("stored", "zip64") else zipfile.ZIP_DEFLATED
            if name.endswith("/"):
                entry.compress_type, entry.external_attr = zipfile.ZIP_STORED, 0o40755 << 16
            with file.open(entry, "w", force_zip64=packing == "zip64") as member:
                member.write(files.get(name, b""))
        if encoding.get("comment") == "some":
            file.comment = "a comment, größe".encode()
    path.write_bytes(buffer.getvalue())
