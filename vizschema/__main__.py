"""`python -P -m vizschema`: the same as the command `vizschema`."""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the working directory: no module of a folder that is judged is imported

from vizschema.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
