"""Pipelined execution: stages of a model run concurrently, each in its own thread, on its own cores."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import cycle
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from backends.base import Array, Availability, Backend, BackendError, Batch, Effective, HostCall, Stage
from measurement.machine import core_shares, cores_in_use, use_only
from measurement.settings import Settings

if TYPE_CHECKING:
    import torch

Values: TypeAlias = "list[Array]"
"""The values that cross a cut, in order."""

Inlet: TypeAlias = "_Entrance | _Cut"
"""From which a stage takes micro-batches, by `take`, `release` and `close`."""

Outlet: TypeAlias = "_Cut | _Exit"
"""To which a stage writes micro-batches, by `room`, `put` and `close`."""


class Pipelined:
    """`backend`, with the model split into stages that run on their own shares of the cores."""

    def __init__(
        self, backend: Backend, split: Callable[[torch.nn.Module], Sequence[torch.nn.Module]]
    ) -> None:
        self._backend, self._split = backend, split
        self.name, self.device_kind = backend.name, backend.device_kind

    def available(self) -> Availability:
        return self._backend.available()

    def check(self, settings: Settings) -> None:
        if settings.streams not in (None, 1):
            raise BackendError(
                f"--streams {settings.streams} with --pipeline-splits {' '.join(settings.pipeline_splits)}: a stage "
                "computes one micro-batch at a time; leave one of the two out"
            )
        self._backend.check(settings)

    def load(self) -> None:
        self._backend.load()

    def compile(self, model: torch.nn.Module, example: Batch, settings: Settings) -> PipelineExecutable:
        stages = self._split(model)
        return compile_pipeline(
            self._backend, stages, example, settings, core_shares(cores_in_use(), len(stages))
        )

    def compile_stage(self, stage: torch.nn.Module, examples: Sequence[Array], settings: Settings) -> Stage:
        return self._backend.compile_stage(stage, examples, settings)


def compile_pipeline(
    backend: Backend,
    stages: Sequence[torch.nn.Module],
    example: Batch,
    settings: Settings,
    cores: Sequence[Sequence[int]],
) -> PipelineExecutable:
    """The executable of `stages`, each compiled by `backend` in a thread that may use only its `cores`.

    Raises `BackendError` if a value that crosses a cut is not a tensor, and whatever the backend raises.
    """
    crossing = _values_at_each_cut(stages, example, settings)
    entrance, exit_ = _Entrance(settings.device_iterations), _Exit(crossing[-1][0].shape[-1], settings)
    cuts = [_Cut(values) for values in crossing[1:-1]]
    inlets: list[Inlet] = [entrance, *cuts]
    outlets: list[Outlet] = [*cuts, exit_]
    threads = [
        _StageThread(inlet, outlet, own, exit_.fail)
        for inlet, outlet, own in zip(inlets, outlets, cores, strict=True)
    ]
    pipeline = PipelineExecutable(entrance, exit_, threads, example, settings)
    try:
        for number, thread in enumerate(threads):
            thread.compile(backend, stages[number], crossing[number], crossing[number + 1], settings)
    except BaseException:
        pipeline.close()
        raise
    return pipeline


def _values_at_each_cut(
    stages: Sequence[torch.nn.Module], example: Batch, settings: Settings
) -> list[Values]:
    """The inputs of each stage for `example`, and last the outputs of the last stage."""
    import torch

    values: tuple[torch.Tensor, ...] = (torch.from_numpy(example),)
    crossing: list[Values] = [[example]]
    for number, stage in enumerate(stages):
        with torch.inference_mode():
            given = stage(*values)
        values = given if isinstance(given, tuple) else (given,)
        if not all(isinstance(value, torch.Tensor) for value in values):
            raise BackendError(
                f"--pipeline-splits {settings.pipeline_splits[number]}: a value that is not a tensor crosses this "
                "cut, and engines pass only tensors. Name another layer (--list-layers prints every name)."
            )
        crossing.append([np.ascontiguousarray(value.numpy()) for value in values])
    return crossing


class PipelineExecutable:
    """Feeds micro-batches into the first stage; the last one returns them in the same order."""

    def __init__(
        self,
        entrance: _Entrance,
        exit_: _Exit,
        threads: Sequence[_StageThread],
        example: Batch,
        settings: Settings,
    ) -> None:
        self._entrance, self._exit, self._threads, self._settings = entrance, exit_, threads, settings
        # The interpreter waits for threads before it exits, also after an interrupted run, which closed nothing.
        self._stop = finalize(self, _stop, threads)
        # Synthetic data is never handed over: the first stage computes on an array created here.
        self._device_data = (
            [example.copy()] * settings.device_iterations if settings.data == "synthetic" else None
        )

    @property
    def effective(self) -> Effective:
        return _effective(self._threads, self._settings)

    def run(self, batches: Sequence[Batch]) -> HostCall:
        for batch in self._device_data or batches:
            self._entrance.hand_over(batch)
        for _ in batches:
            self._exit.wait()
        call = self._exit.call
        np.subtract(self._exit.end_ns, self._entrance.start_ns, out=call.round_trip_ns)
        return call

    def close(self) -> None:
        self._stop()
        for thread in self._threads:
            thread.join()


def _stop(threads: Sequence[_StageThread]) -> None:
    for thread in threads:
        thread.stop()


def _effective(threads: Sequence[_StageThread], settings: Settings) -> Effective:
    first = threads[0].effective
    exported = [stage for thread in threads if (stage := thread.effective.details.get("exported_model"))]
    return replace(
        first,
        threads=sum(thread.effective.threads or 0 for thread in threads),
        in_flight=min(len(threads), settings.device_iterations),
        details={
            **first.details,
            **({"exported_model": ", ".join(exported)} if exported else {}),
            "pipeline_splits": " ".join(settings.pipeline_splits),
            "threads_per_stage": ", ".join(str(thread.effective.threads) for thread in threads),
            "stage_cores": "; ".join(thread.placement for thread in threads),
        },
    )


class _Cut:
    """Between two stages: a double buffer, of which one half is written while the other is read."""

    def __init__(self, like: Values) -> None:
        self._filled: SimpleQueue[Values | None] = SimpleQueue()
        self._free: SimpleQueue[Values | None] = SimpleQueue()
        for _ in range(2):
            self._free.put([np.zeros_like(value) for value in like])

    def room(self) -> Values | None:
        """Waits for arrays to write the next micro-batch into; None after `close`."""
        return self._free.get()

    def put(self, values: Values) -> None:
        """Marks the arrays as written."""
        self._filled.put(values)

    def take(self) -> Values | None:
        """Waits for the next micro-batch; None after `close`."""
        return self._filled.get()

    def release(self, values: Values) -> None:
        """Marks the arrays as read."""
        self._free.put(values)

    def close(self) -> None:
        """Unblocks the stages that wait here."""
        self._filled.put(None)
        self._free.put(None)


class _Entrance:
    """Before the first stage. A micro-batch's round trip begins when that stage takes it."""

    def __init__(self, device_iterations: int) -> None:
        self.start_ns: NDArray[np.int64] = np.zeros(device_iterations, np.int64)
        self._turn = cycle(range(device_iterations))
        self._waiting: SimpleQueue[Values | None] = SimpleQueue()

    def hand_over(self, batch: Batch) -> None:
        self._waiting.put([batch])

    def take(self) -> Values | None:
        values = self._waiting.get()
        self.start_ns[next(self._turn)] = time.perf_counter_ns()
        return values

    def release(self, values: Values) -> None:
        """The arrays are the host's."""

    def close(self) -> None:
        self._waiting.put(None)


class _Exit:
    """After the last stage, which writes directly into the host call's outputs, slot by slot."""

    def __init__(self, classes: int, settings: Settings) -> None:
        shape = (settings.device_iterations, settings.micro_batch_size, classes)
        self.call = HostCall(np.zeros(shape, np.float32), np.zeros(settings.device_iterations, np.int64))
        self.end_ns: NDArray[np.int64] = np.zeros(settings.device_iterations, np.int64)
        self._slots = cycle([[output] for output in self.call.outputs])
        self._turn = cycle(range(settings.device_iterations))
        self._arrived: SimpleQueue[None] = SimpleQueue()
        self._failure: BaseException | None = None

    def room(self) -> Values | None:
        return next(self._slots)

    def put(self, values: Values) -> None:
        self.end_ns[next(self._turn)] = time.perf_counter_ns()
        self._arrived.put(None)

    def fail(self, error: BaseException) -> None:
        """Records that `error` ended a stage: what was in flight will never arrive."""
        self._failure = error
        self._arrived.put(None)

    def wait(self) -> None:
        """Waits for the next micro-batch; raises the error that ended a stage, on each call from then on."""
        if self._failure is None:
            self._arrived.get()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """No stage waits here."""


class _StageThread:
    """Compiles and runs one stage in one pinned thread, so that the engine's own threads inherit its cores.

    Objects of the engine never leave this thread, which also frees them: nothing else holds a reference, not even the
    traceback of an error.
    """

    def __init__(
        self, inlet: Inlet, outlet: Outlet, cores: Sequence[int], fail: Callable[[BaseException], None]
    ) -> None:
        self._inlet, self._outlet, self._cores, self._fail = inlet, outlet, cores, fail
        self._thread = ThreadPoolExecutor(1, "pipeline-stage")

    def compile(
        self, backend: Backend, stage: torch.nn.Module, inputs: Values, outputs: Values, settings: Settings
    ) -> None:
        """Compiles the stage, runs it once, reads back where it ran, and starts to serve."""

        def first_run() -> Stage:
            engine = backend.compile_stage(stage, inputs, settings)
            try:
                engine.run(inputs, [np.zeros_like(value) for value in outputs])
            except BaseException:
                engine.close()
                raise
            return engine

        ready: Future[tuple[Effective, tuple[int, ...]]] = Future()
        # One task for the stage's whole life: an interruption between two would leave an engine to the calling thread.
        self._thread.submit(self._live, [first_run], ready)
        self.effective, cores = ready.result()
        pinned = set(cores) == set(self._cores)
        self.placement = " ".join(map(str, cores)) if pinned else "of the engine's choice"

    def stop(self) -> None:
        self._inlet.close()
        self._outlet.close()

    def join(self) -> None:
        self._thread.shutdown()

    def _live(
        self, first_run: list[Callable[[], Stage]], ready: Future[tuple[Effective, tuple[int, ...]]]
    ) -> None:
        try:
            use_only(self._cores)
            # Popped, as a task's arguments live as long as the task, and with this one the model before compilation.
            with closing(first_run.pop()()) as engine:
                ready.set_result((engine.effective, cores_in_use()))
                self._serve(engine)
        # Whatever it is: a stage that ended silently would leave the host waiting forever.
        except BaseException as error:
            _clear_frames(error)
            if ready.done():
                self._fail(error)
            else:
                ready.set_exception(error)

    def _serve(self, engine: Stage) -> None:
        while (outputs := self._outlet.room()) is not None:
            inputs = self._inlet.take()
            if inputs is None:
                return
            engine.run(inputs, outputs)
            self._inlet.release(inputs)
            self._outlet.put(outputs)


def _clear_frames(error: BaseException | None) -> None:
    """Releases the local variables that the tracebacks of `error` and of its causes keep alive."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
