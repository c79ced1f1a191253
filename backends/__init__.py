"""WHERE a model runs: one file per engine, the contract in `base`, the choice in `registry`."""
