"""Fuzzing of the runner: hostile specs, records, result files and tool outputs, and what must hold for each.

`source` makes cases from `corpus`, `grammar`, `structure` and `text`; `targets` names the commands that read a case;
`worker` executes them under `guard`; `judge` finds the faults, and `minimise` shortens the case that shows one.
"""
