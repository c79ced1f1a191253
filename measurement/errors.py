"""The errors of a measurement, which the driver maps to exit codes."""


class SettingsError(ValueError):
    """A request that cannot be measured; the message names the flag, the value and the remedy."""


class ReplicaError(RuntimeError):
    """A replica that ended prematurely; the message names it and the reason."""
