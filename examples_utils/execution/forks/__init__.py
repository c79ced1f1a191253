"""Work in processes forked from the runner, which it survives."""
