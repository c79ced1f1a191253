"""Serves the driver's models with a Triton Inference Server: repository, server, clients, load and report lines."""
