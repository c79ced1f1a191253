"""The driver's command: one run, from flags to report lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backends import registry
from backends.base import engine_errors
from backends.breadcrumbs import leave_breadcrumb
from backends.model_cache import open_cache
from backends.profiling.profile import profile_folder
from driver.choice import resolved
from driver.crashes import forget, phase_of_running
from driver.data import example_batch, image_folder, images_of, micro_batch_bytes, open_source
from driver.exit_codes import FAILED, REFUSED, exit_code
from driver.inputs import input_lines
from driver.instances.errors import InstanceLost
from driver.instances.group import Group, joined, line_prefix, refuse_unsupported
from driver.memory import memory_needed
from driver.model import backend_of, compiled_model, layers, weights_of, weights_warnings
from driver.output import abandon_output, announce, profiled, report, report_compiled, warn
from driver.process_result import BuildInfo, InstanceResult
from driver.replicated import measured_by_replicas
from driver.supervisor import INTERRUPTED
from driver.telemetry import switch_off
from measurement.configs import read_config
from measurement.loop import measure
from measurement.options import parse_flags
from measurement.progress import live_output
from measurement.settings import Settings, requested
from measurement.settle import settle
from models import InputSpec, Weights, input_spec, input_with

if TYPE_CHECKING:
    from datasets.images import ImageSet

ROOT = Path(__file__).resolve().parents[1]


def main(argv: Sequence[str] | None, program: str, description: str) -> int:
    """One run, from flags to report lines, in this process or as one of many that a launcher started.

    Exit code 0: success; 1: the engine failed; 2: the request was wrong; 130: Ctrl-C.
    """
    flags = parse_flags(argv, program, description)
    if sys.stdout is None:
        print("error: stdout is closed, so no results can be printed; redirect it to a file", file=sys.stderr)
        return 1
    switch_off()
    try:
        with joined(os.environ) as group:
            run(flags, group)
    except (*FAILED, *REFUSED) as error:
        print(f"error: {error}{memory_needed(error)}", file=sys.stderr)
        return exit_code(error)
    except (ImportError, MemoryError) as error:  # of packages, which are loaded on first use
        print(
            f"error: {type(error).__name__}: {error}: free memory, or repair the installation",
            file=sys.stderr,
        )
        return 1
    except BrokenPipeError:
        abandon_output()  # the reader has closed the pipe, as `head` does
        return 1
    except OSError as error:
        if error.filename:
            print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        else:
            print(f"error: the output cannot be written: {error.strerror or error}", file=sys.stderr)
            abandon_output()
        return 1
    except KeyboardInterrupt as interrupt:
        print(INTERRUPTED, file=sys.stderr)
        return exit_code(interrupt)
    return 0


def run(flags: Mapping[str, object], group: Group) -> None:
    """Settings, then images, model and engine, then the measurement, then the report."""
    config = read_config(ROOT / "configs.yml", str(flags["config"])) if "config" in flags else None
    settings, warnings = resolved(flags, config)
    backend_of(settings).check(settings)
    input_spec(settings.model)  # refuses an unknown model before anything else
    refuse_unsupported(settings, group)
    is_first = group.index == 0  # the instance that prints: all would print the same
    warn(*(*group.remarks, *warnings) if is_first else ())
    if settings.list_layers:
        if is_first:
            print(*layers(settings), sep="\n")
        return

    if settings.model_cache_path:
        open_cache(settings.model_cache_path)  # refuses a bad folder before anything costly is done
    if settings.profile:
        settings = replace(settings, profile_path=profile_folder(settings))
    # All instances use the first one's list of images: only then does each image belong to exactly one of them.
    images = group.gather(images_of(settings) if is_first and not settings.compile_only else None)[0]
    weights = weights_of(settings)
    inputs = input_lines(settings, images, image_folder(settings), weights) if is_first else {}
    pixels = input_with(settings.model, weights)
    warn(*weights_warnings(settings, weights) if is_first else ())
    if is_first and settings.backend_requested == "auto":
        order = registry.auto_order(requested("device", flags, config))
        print(f"--backend auto: the first usable of {order}", flush=True)
    if settings.replica_processes > 1 and not settings.compile_only:
        report(settings, weights, inputs, *measured_by_replicas(settings, images, weights, group), group)
        forget(settings)
        return
    measured_here(settings, pixels, images, weights, inputs, group)
    leave_breadcrumb(phase="ending")


def measured_here(
    settings: Settings,
    pixels: InputSpec,
    images: ImageSet | None,
    weights: Weights,
    inputs: Mapping[str, str],
    group: Group,
) -> None:
    """Compiles, measures and reports in this process; with `--compile-only`, without measuring."""
    compiled = compiled_model(settings, pixels, weights)
    build_info = BuildInfo.of(compiled, settle())
    announce(settings, weights, [build_info], group)
    with closing(compiled.executable) as executable:
        if settings.compile_only:
            report_compiled(settings, weights, inputs, build_info, group)
            leave_breadcrumb(phase="closing")
            return
        with (
            engine_errors(settings, micro_batch_bytes(settings, pixels), unwrapped=(OSError, InstanceLost)),
            open_source(settings, pixels, images, weights.kind, group.index, group.count) as source,
            live_output(settings, line_prefix(group)) as on_call,
        ):
            leave_breadcrumb(engine=settings.backend, phase=phase_of_running(settings))
            measurement = measure(executable, source, settings, on_call, peers=group)
        result = InstanceResult.of(measurement, source.decode_errors)
        build_info = BuildInfo.of(compiled)  # some engines report more of their settings after a run
        report(settings, weights, inputs, build_info, result, group)
        if settings.profile_path and settings.profile and settings.device != "ipu":
            print(profiled(executable, example_batch(settings, pixels), settings, settings.profile_path))
        leave_breadcrumb(phase="closing")
    forget(settings)
