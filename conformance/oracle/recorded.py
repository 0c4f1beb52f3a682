"""What zarr-python 2.18 reads of fixed archives, recorded: its environment is not that of the tests."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vizschema.conformance.oracle.peers import Peer, Reply, ours, reader
from vizschema.conformance.oracle.run import container_of, request_of
from vizschema.conformance.oracle.sources import Named
from vizschema.errors import UsageError

FILE = Path(__file__).with_name("zarr2_hashes.json")
COMMAND = "vizschema conformance oracle --zarr2 PYTHON --write-zarr2"
_OF_THE_SYSTEM = frozenset({"zlib", "gzip", "deflate"})
"""Codecs of which each build of zlib writes other bytes: such archives are not the same ones elsewhere."""


class Recorded:
    """Answers as a child that reads with zarr-python 2.18, of the archives that are listed."""

    def __init__(self, file: Path = FILE) -> None:
        try:
            content = json.loads(file.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{file}: expected what `{COMMAND}` writes: {error}") from error
        self.version: str = content["version"]
        self.archives: Mapping[str, Any] = content["archives"]

    def ask(self, request: Mapping[str, Any]) -> Reply:
        """What was read of the archive of this name."""
        listed = self.archives.get(request["name"])
        if listed is None:
            return {"unrecorded": True}
        if listed["sha256"] != digest(Path(request["path"])):
            return {"refused": f"another archive than was read: run `{COMMAND}` again"}
        return {"nodes": listed["nodes"]} if "nodes" in listed else {"refused": listed["refused"]}

    def close(self) -> None:
        """There is nothing to end."""


def digest(archive: Path) -> str:
    """The SHA-256 of an archive's files, by name."""
    files = [archive] if archive.is_file() else sorted(path for path in archive.rglob("*") if path.is_file())
    whole = hashlib.sha256()
    for path in files:
        name = path.relative_to(archive).as_posix()
        content = path.read_bytes()
        whole.update(f"{name} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def record(archives: Iterable[Named], python: str, file: Path = FILE) -> int:
    """Write down what `python` reads of those that can be made again elsewhere; how many there are."""
    own, peer = Peer(ours()), Peer(reader(python, "zarr2"))
    found: dict[str, Any] = {}
    try:
        version = peer.start()
        for named in archives:
            with TemporaryDirectory(prefix="vizschema-oracle-") as folder:
                path = named.build(Path(folder))
                mine = own.ask({"path": str(path)})
                if "nodes" in mine and container_of(mine["container"]).startswith("zarr-v2") and _same(path, mine):
                    found[named.name] = {"sha256": digest(path), **peer.ask(request_of(named.name, path, mine))}
    finally:
        own.close()
        peer.close()
    content = {"command": COMMAND, "library": "zarr-python", "version": version, "archives": found}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(found)


def _same(path: Path, mine: Mapping[str, Any]) -> bool:
    """Whether the bytes are the same wherever the archive is made."""
    if any(not _OF_THE_SYSTEM.isdisjoint(codecs) for codecs in mine["codecs"].values()):
        return False
    if path.is_dir():
        return True
    with zipfile.ZipFile(path) as file:
        return all(member.compress_type == zipfile.ZIP_STORED for member in file.infolist())
