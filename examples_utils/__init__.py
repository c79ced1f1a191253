"""The runner: declarative benchmark specs become commands, and what they print becomes comparable results."""

from benchmark_parsers.custom import register_custom_metric

__all__ = ["register_custom_metric"]
