"""`python -m vizschema`: the same as the command `vizschema`."""

import sys

from vizschema.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
