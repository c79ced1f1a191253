"""Benchmarks of the suite itself: ratios measured side by side (`make bench`)."""
