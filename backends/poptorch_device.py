"""Whether PopTorch is usable, and the IPU that it computes or compiles for."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from backends.base import Availability, BackendError

if TYPE_CHECKING:
    from measurement.settings import Settings

DEFAULT_OFFLINE_VERSION = 2
"""`useOfflineIpuTarget`'s own default."""


def poptorch_availability() -> Availability:
    """Whether PopTorch imports (and if not, why), and whether there is an IPU."""
    if find_spec("poptorch") is None:
        return Availability(
            False,
            "the package poptorch is not installed",
            "it comes with the Poplar SDK, not from PyPI: pip install <poplar-sdk>/poptorch-*.whl, "
            "then source <poplar-sdk>/enable",
        )
    try:
        import poptorch
    except ImportError as error:
        return Availability(
            False, f"the Poplar SDK is not enabled ({_message(error)})", "source <poplar-sdk>/enable"
        )
    except AssertionError as error:
        return Availability(
            False,
            f"poptorch was built for another version of torch than {_version('torch')} ({_message(error)})",
            "install that version (PopTorch 3.4: pip install torch==2.0.1)",
        )
    # Whatever else a half-installed SDK raises: `available` never raises.
    except Exception as error:
        reason = f"{type(error).__name__}: {_message(error)}"
        return Availability(
            False, f"poptorch cannot be imported ({reason})", "reinstall the wheel of the Poplar SDK"
        )
    if poptorch.ipuHardwareIsAvailable():
        return Availability(True)
    return Availability(True, "no IPU was found", "check gc-info -l", device_absent=True)


def refuse_absent_ipus(settings: Settings) -> None:
    """Raises `BackendError` if a run needs more IPUs than there are; compiling needs none."""
    import poptorch

    needed = settings.replicas * settings.stages
    if settings.compile_only or on_ipu_model() or poptorch.ipuHardwareIsAvailable(needed):
        return
    raise BackendError(
        f"--replicas {settings.replicas} with {settings.stages} stage{'s' * (settings.stages > 1)}: needs {needed} "
        f"IPU{'s' * (needed > 1)}, and there are fewer (gc-info -l lists them); --compile-only compiles without an "
        "IPU, POPTORCH_IPU_MODEL=1 runs on Poplar's simulator, --device cpu on the CPU"
    )


def on_ipu_model() -> bool:
    """Whether the environment selects Poplar's simulator."""
    return os.environ.get("POPTORCH_IPU_MODEL") == "1"


def offline_version(settings: Settings) -> int:
    """The version that `--compile-only` compiles for: as requested, else this machine's IPU, else the default."""
    import poptorch

    if settings.offline_target_ipu_version:
        return int(settings.offline_target_ipu_version)
    return poptorch.ipuHardwareVersion() if poptorch.ipuHardwareIsAvailable() else DEFAULT_OFFLINE_VERSION


def ipu_name(settings: Settings) -> str:
    """The device's name for the report."""
    import poptorch

    if settings.compile_only:
        return f"IPU version {offline_version(settings)} (offline target)"
    return "IPU model (simulator)" if on_ipu_model() else f"IPU version {poptorch.ipuHardwareVersion()}"


def poptorch_version() -> str:
    return _version("poptorch")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"


def _message(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
