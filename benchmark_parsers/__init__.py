"""Parsers: turn a benchmark's output into the metrics that its spec requests."""
