"""The errors of runs of many processes that the driver turns into exit codes."""


class LaunchError(ValueError):
    """An environment that a run of many processes cannot start from; the message names the variable and the remedy."""


class InstanceLost(RuntimeError):
    """An instance that did not join, or that ended before its time; the message names it."""
