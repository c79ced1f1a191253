"""The driver's models behind a Triton Inference Server: repository, server, clients, load and report lines."""
