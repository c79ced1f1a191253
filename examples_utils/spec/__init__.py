"""Benchmark specs: YAML files as checked values."""
