"""``python3 -m examples_utils``."""

from examples_utils.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
