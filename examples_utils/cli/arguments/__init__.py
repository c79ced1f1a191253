"""The arguments of each command. Light: all of it is loaded by ``--help``."""
