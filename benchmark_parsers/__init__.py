"""Text to metrics: what a benchmark printed becomes the numbers its spec asks for."""
