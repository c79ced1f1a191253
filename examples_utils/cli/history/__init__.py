"""The `history` command: one file for each of its larger subcommands."""
