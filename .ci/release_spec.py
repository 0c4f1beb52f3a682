"""Release versions of the specification: enter the digests of their files in `spec/lock.json`, and of shared ones.

    python .ci/release_spec.py 1.0.0 1.1.0

Refuses a version that is there already: what was released never changes. The same commit sets the sentences that say
what is released, in README.md, spec/README.md and CHANGELOG.md (`tests/project/test_pins.py` compares them).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vizschema.rules import versions


def main(names: list[str]) -> int:
    """0 after all versions were locked, 1 where one was before, 2 where none is named; then nothing is written."""
    lock = Path(__file__).resolve().parents[1] / "spec" / "lock.json"
    document = json.loads(lock.read_bytes())
    if not names:
        print(f"expected versions, of {', '.join(versions.versions())}; found none", file=sys.stderr)
        return 2
    for name in names:
        if name in document["released"]:
            print(f"{name} is released already; a correction is a new version", file=sys.stderr)
            return 1
        document["released"][name] = dict(versions.load(name).files)
        document["shared"][name] = dict(versions.shared(lock.parent))
    lock.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    for name in names:
        print(f"{name} is locked: sha256 {versions.load(name).digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
