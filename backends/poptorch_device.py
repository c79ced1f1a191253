"""Whether PopTorch is usable, and the IPU that it computes or compiles for."""

from __future__ import annotations

import os
import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from backends.base import Availability, BackendError

if TYPE_CHECKING:
    from measurement.settings import Settings

DEFAULT_OFFLINE_VERSION = 2
"""`useOfflineIpuTarget`'s own default."""

IPU_MODEL_VARIABLES = ("POPTORCH_IPU_MODEL", "POPTORCH_SMALL_IPU_MODEL")
"""A number other than 0 in one of them selects Poplar's simulator, even where there are IPUs."""

SDK_PACKAGES = {"poptorch", "popart", "poplar", "popdist", "pva"}
PIP_NAMES = {"pkg_resources": "'setuptools<81'"}  # later versions of setuptools come without it


def poptorch_availability() -> Availability:
    """Whether PopTorch imports (and if not, why), and whether there is an IPU."""
    if find_spec("poptorch") is None:
        return Availability(
            False,
            "the package poptorch is not installed",
            "it comes with the Poplar SDK, not from PyPI: pip install <poplar-sdk>/poptorch-*.whl, "
            "then source <poplar-sdk>/enable",
        )
    for name in IPU_MODEL_VARIABLES:
        if not _is_whole_number(os.environ.get(name, "0")):
            return Availability(
                False, f"{name}={os.environ[name]} is not a whole number", f"set {name}=1, or unset it"
            )
    try:
        import poptorch
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if isinstance(error, ModuleNotFoundError) and missing not in SDK_PACKAGES:
            return Availability(
                False,
                f"poptorch imports {missing}, which is not installed",
                f"pip install {PIP_NAMES.get(missing, missing)}",
            )
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
    if on_ipu_model() or poptorch.ipuHardwareIsAvailable():
        return Availability(True)
    return Availability(True, "no IPU was found", "check gc-info -l", device_absent=True)


def refuse_absent_ipus(settings: Settings) -> None:
    """Raises `BackendError` if a run needs more IPUs than there are; compiling needs none."""
    import poptorch

    if variable := _ipu_model_variable():
        _refuse_on_ipu_model(settings, variable)
        return
    needed, reserved = ipus_needed(settings), ipus_reserved(settings)
    if settings.compile_only or poptorch.ipuHardwareIsAvailable(reserved):
        return
    rounded = f", for which PopTorch reserves {reserved} (a power of two)" if reserved != needed else ""
    raise BackendError(
        f"--replicas {settings.replicas} with {settings.stages} stage{'s' * (settings.stages > 1)}: needs {needed} "
        f"IPU{'s' * (needed > 1)}{rounded}, and there are fewer (gc-info -l lists them); --compile-only compiles "
        "without an IPU, POPTORCH_IPU_MODEL=1 runs on Poplar's simulator, --device cpu on the CPU"
    )


def ipus_needed(settings: Settings) -> int:
    """The IPUs of this process that compute."""
    return settings.replicas * settings.stages


def ipus_reserved(settings: Settings) -> int:
    """The IPUs that a run of this process occupies: PopTorch rounds up to a power of two, which devices consist of.

    Offline targets and the simulator have any number.
    """
    needed = ipus_needed(settings)
    return needed if settings.compile_only or on_ipu_model() else 1 << (needed - 1).bit_length()


def on_ipu_model() -> bool:
    """Whether the environment selects Poplar's simulator."""
    return _ipu_model_variable() is not None


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


def _ipu_model_variable() -> str | None:
    """The variable that selects Poplar's simulator, with its value."""
    for name in IPU_MODEL_VARIABLES:
        value = os.environ.get(name, "0")
        if _is_whole_number(value) and int(value) != 0:
            return f"{name}={value}"
    return None


def _is_whole_number(text: str) -> bool:
    return re.fullmatch(r"\s*[+-]?\d+\s*", text, re.ASCII) is not None


def _refuse_on_ipu_model(settings: Settings, variable: str) -> None:
    name = variable.partition("=")[0]
    if settings.compile_only:
        raise BackendError(
            f"--compile-only with {variable}: Poplar's simulator has no offline target; unset {name}, or leave "
            "--compile-only out"
        )
    if settings.model_cache_path:
        raise BackendError(
            f"--model-cache-path {settings.model_cache_path} with {variable}: PopTorch caches no executables for "
            f"Poplar's simulator; leave --model-cache-path out, or unset {name}"
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"


def _message(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
