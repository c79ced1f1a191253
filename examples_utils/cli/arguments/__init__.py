"""The arguments of each command. Light, as `--help` loads all of it."""
