"""WHERE a model runs: one file an engine, the contract in `base`, the choice in `registry`."""
