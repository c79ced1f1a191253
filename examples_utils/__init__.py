"""The runner: declarative benchmark specs become commands, and their output becomes comparable results."""

from benchmark_parsers.custom import register_custom_metric
from examples_utils.original import explain_imports

__all__ = ["register_custom_metric"]

explain_imports()
