"""The errors of runs of many processes that the driver turns into exit codes."""


class LaunchError(ValueError):
    """An environment that no run of many processes can start from; the message names the variable and the remedy."""


class InstanceLost(RuntimeError):
    """An instance that did not come, or that ended before its time; the message names it."""
