"""A strict double of Horovod, as it comes with the Poplar SDK."""
