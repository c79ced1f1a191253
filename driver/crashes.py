"""Crashes of engines: their error message, and the record by which `--backend auto` avoids them."""

from __future__ import annotations

import hashlib
import json
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from backends.breadcrumbs import read_breadcrumb
from backends.registry import alternative, engine_version
from driver.cache_folder import cache_folder
from measurement.machine import cpu_features, cpu_model
from measurement.settings import Settings

REMEMBERED_PHASES = ("importing", "converting", "compiling", "running")
"""Phases in which a crash is the engine's fault, and prevents the results."""

AFTER_THE_RESULTS = ("closing", "ending")

_OF_THE_MODEL = (
    "model",
    "norm_type",
    "norm_eps",
    "norm_num_groups",
    "batchnorm_momentum",
    "efficientnet_expand_ratio",
    "efficientnet_group_dim",
    "input_image_padding",
    "eight_bit_io",
    "normalization_location",
    "precision",
    "device",
)
"""Settings that determine the engine's graph and its precision."""


@dataclass(frozen=True)
class Crash:
    """A process that a signal ended; the other fields are empty without a breadcrumb."""

    signal: int
    engine: str = ""
    version: str = ""
    phase: str = ""
    device: str = ""
    subject: str = ""
    at: str = ""

    @property
    def message(self) -> str:
        """What happened and what to do, for the end of an error line."""
        if not self.engine:
            return f"the driver ended with signal {self.signal} while {self.phase or 'starting'}; report it"
        happened = f"{self.engine} {self.version} ended with signal {self.signal} while {self.phase}"
        if self.signal == signal.SIGKILL:
            return (
                f"{happened}; the kernel does so if memory runs out: lower --replicas or --micro-batch-size"
            )
        if self.phase in AFTER_THE_RESULTS:
            return f"{happened}, after the results were printed; report it"
        other = alternative(self.engine, self.device)
        return f"{happened}; {f'try --backend {other}, and ' if other else ''}report it"


def phase_of_running(settings: Settings) -> str:
    """The phase of the timed loop; if images are decoded in it, a crash is not certain to be the engine's."""
    decodes = settings.data == "real" and not settings.cache_images
    return "running and decoding images" if decodes else "running"


def crash_of(pid: int, number: int) -> Crash:
    """The crash of the process `pid`, ended by signal `number`, according to its breadcrumbs."""
    left = read_breadcrumb(pid)
    return Crash(
        number,
        left.engine,
        engine_version(left.engine) if left.engine else "",
        left.phase,
        left.device,
        left.subject,
        datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def subject_of(settings: Settings) -> str:
    """A key of the model, its precision and this CPU: an engine that crashed on it once will crash again."""
    known = {name: str(getattr(settings, name)) for name in _OF_THE_MODEL}
    known["cpu"] = f"{cpu_model()} {sorted(cpu_features())}"
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def remember(crash: Crash) -> None:
    """Records an engine's crash for later runs with `--backend auto`, if the cache folder is writable."""
    if crash.signal == signal.SIGKILL or crash.phase not in REMEMBERED_PHASES or not crash.subject:
        return
    with suppress(OSError):
        path = _path(crash.subject, crash.engine)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(crash)), "utf-8")


def remembered(settings: Settings) -> Crash | None:
    """The recorded crash of the installed version of `settings.backend` on this model and CPU, or None."""
    try:
        path = _path(subject_of(settings), settings.backend)
        crash = Crash(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # no record, or a damaged one
        return None
    return crash if crash.version == engine_version(settings.backend) else None


def forget(settings: Settings) -> None:
    """Removes the record: the engine has just completed a run of this model."""
    with suppress(OSError):
        _path(subject_of(settings), settings.backend).unlink(missing_ok=True)


def avoided(settings: Settings, crash: Crash) -> str:
    """The warning that `--backend auto` passes over an engine."""
    return (
        f"--backend auto: passing over {crash.engine} {crash.version}, which ended with signal {crash.signal} while "
        f"{crash.phase} this model on {crash.at[:10]}; --backend {crash.engine} retries it"
    )


def _path(subject: str, engine: str) -> Path:
    return cache_folder() / "crashes" / f"{subject}-{engine}.json"
