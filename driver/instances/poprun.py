"""Instances started by poprun, connected by popdist and Horovod of the Poplar SDK."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any, TypeVar

from backends.poprun import poprun_instance
from driver.instances.errors import LaunchError

T = TypeVar("T")


@dataclass(frozen=True)
class PopdistGroup:
    """poprun itself binds the instances to cores, and ends all of them if one dies."""

    index: int
    count: int
    horovod: Any
    launcher: str = "poprun"
    remarks: tuple[str, ...] = ()

    @staticmethod
    def join() -> PopdistGroup | None:
        """The group of this process; None where poprun did not start it, according to popdist.

        Raises `LaunchError` if poprun started it, and popdist or Horovod cannot be imported.
        """
        try:
            instance = poprun_instance()
            if instance is None:
                return None
            import horovod.torch as hvd
        except (ImportError, AssertionError, OSError) as error:
            raise LaunchError(f"poprun started this process, but {_cannot_be_imported(error)}") from error
        hvd.init()
        return PopdistGroup(instance.index, instance.count, hvd)

    def gather(self, value: T) -> list[T]:
        return _gathered(self.horovod, self.index, value)

    def barrier(self) -> None:
        import torch

        self.horovod.allreduce(torch.zeros(1), op=self.horovod.Sum)

    def all_reached(self) -> bool:
        """Always: instances on separate IPUs do not speed up when another one ends."""
        return True

    def close(self, error: BaseException | None = None) -> None:
        """Nothing to do: with an `error` this process ends with its code, and poprun ends the others."""


def _cannot_be_imported(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "horovod":
        return (
            f"horovod, through which the instances share their results, cannot be imported ({error}): pip install "
            "horovod, with the Poplar SDK enabled"
        )
    return (
        f"popdist and horovod.torch cannot be imported ({error}): enable the Poplar SDK (source SDK/enable) and use "
        "its torch; on the CPU use torchrun, mpirun or srun"
    )


def _gathered(horovod: Any, index: int, value: T) -> list[T]:
    """Gathers pickled objects. Horovod joins tensors of different lengths along the first dimension."""
    import torch

    content = torch.frombuffer(bytearray(pickle.dumps((index, value))), dtype=torch.uint8)
    lengths = horovod.allgather(torch.tensor([len(content)])).tolist()
    joined = horovod.allgather(content).numpy().tobytes()
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    parts = [
        pickle.loads(joined[start : start + length]) for start, length in zip(starts, lengths, strict=True)
    ]
    return [part for _, part in sorted(parts, key=lambda part: part[0])]
