"""The errors of runs of many processes, which the driver maps to exit codes."""


class LaunchError(ValueError):
    """An environment in which a run of many processes cannot start; the message names the variable and the remedy."""


class InstanceLost(RuntimeError):
    """An instance that did not join, or that ended prematurely; the message names it."""
