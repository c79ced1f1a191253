"""The errors of measuring that the driver turns into exit codes."""


class SettingsError(ValueError):
    """A request that cannot be measured; the message names the flag, the value and the remedy."""


class ReplicaError(RuntimeError):
    """A replica that ended before its time; the message names it and tells why."""
