"""Which corpus this is: the digest over all files that say what its archives are and what is expected of them.

A line for each file, `<SHA-256 of its bytes>  <path below conformance/>`, sorted by path, as `sha256sum` prints them;
the digest is the SHA-256 of these lines.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_MAKERS = (
    "corpus/damage/*.py",
    "corpus/encodings/*.py",
    "corpus/hostile/*.py",
    "corpus/raw/*.py",
    "corpus/documents.py",
    "corpus/materialise.py",
    "corpus/patch.py",
)
"""What makes archives of cases."""


def files(spec: str, root: Path = ROOT) -> Iterator[str]:
    """The paths below `root` of the cases of a version, bases and encodings, and of what makes archives of them."""
    patterns = (f"cases/{spec}/*/*.json", *_MAKERS)
    yield from sorted(path.relative_to(root).as_posix() for each in patterns for path in root.glob(each))


def digest(spec: str, root: Path = ROOT) -> str:
    """The digest of the corpus of a version, in 64 hexadecimal digits."""
    lines = (f"{hashlib.sha256((root / path).read_bytes()).hexdigest()}  {path}\n" for path in files(spec, root))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@functools.cache
def identity(spec: str) -> dict[str, str]:
    """What reports say of the corpus: `version`, that of the spec, and `digest`."""
    return {"version": spec, "digest": digest(spec)}


def short(corpus: Mapping[str, str]) -> str:
    """The corpus in a few characters: `1.0.0+a1b2c3`."""
    return f"{corpus['version']}+{corpus['digest'][:6]}"
