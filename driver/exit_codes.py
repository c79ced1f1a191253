"""Maps errors to exit codes."""

from __future__ import annotations

from backends.base import BackendError, EngineError
from datasets.errors import DataError, MemoryShortage
from driver.instances.errors import InstanceLost, LaunchError
from measurement.configs import ConfigError
from measurement.errors import ReplicaError, SettingsError
from models import ModelError

FAILED = (EngineError, ReplicaError, MemoryShortage, InstanceLost)
REFUSED = (SettingsError, ConfigError, BackendError, ModelError, DataError, LaunchError)


def exit_code(error: BaseException) -> int:
    """1 if the run failed, 2 if the request was wrong, 130 after Ctrl-C."""
    if isinstance(error, KeyboardInterrupt):
        return 130
    return 2 if isinstance(error, REFUSED) and not isinstance(error, FAILED) else 1
