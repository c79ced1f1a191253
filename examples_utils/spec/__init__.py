"""Benchmark specs: YAML files as validated values."""
