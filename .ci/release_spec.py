"""Release a version of the specification: enter the digests of its files in `spec/lock.json`, and of shared ones.

    python .ci/release_spec.py 1.0.0

Refuses a version that is there already: what was released never changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vizschema.rules import versions


def main(version: str) -> int:
    """0 after the version was locked, 1 where it was before."""
    lock = Path(__file__).resolve().parents[1] / "spec" / "lock.json"
    document = json.loads(lock.read_bytes())
    if version in document["released"]:
        print(f"{version} is released already; a correction is a new version", file=sys.stderr)
        return 1
    document["released"][version] = dict(versions.load(version).files)
    document["shared"][version] = dict(versions.shared(lock.parent))
    lock.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{version} is locked: sha256 {versions.load(version).digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
