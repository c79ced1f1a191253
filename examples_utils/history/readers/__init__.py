"""Runs from where they were left: log folders, result files, the output of tools."""
