"""Benchmarks of the suite itself, as ratios (`make bench`)."""

from driver.telemetry import switch_off

switch_off()  # for every command in this folder, before an engine is imported
