"""Benchmarks of the suite itself: ratios measured side by side (`make bench`)."""

from driver.telemetry import switch_off

switch_off()  # for every command of this folder, before an engine is imported
