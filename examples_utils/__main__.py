"""``python3 -m examples_utils``."""

import sys

if __name__ == "__main__":
    try:
        from examples_utils.cli import main

        sys.exit(main())
    except KeyboardInterrupt:  # also while modules are being loaded
        sys.exit(130)
