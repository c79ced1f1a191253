"""Entry point of `python3 -m examples_utils`."""

import gc
import sys

if __name__ == "__main__":
    # Commands load many modules and rows that stay alive: scanning them at every 700th new object takes a tenth of
    # the time.
    gc.set_threshold(100_000)
    try:
        from examples_utils.cli import main

        sys.exit(main())
    except KeyboardInterrupt:  # also while modules are being loaded
        sys.exit(130)
