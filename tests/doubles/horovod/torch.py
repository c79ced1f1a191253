"""Collectives between the processes of a run, over gloo and a file that all of them can see.

HOROVOD_DOUBLE_STORE   that file; rank and size are popdist's
"""

import enum
import os

import torch
import torch.distributed


class _Op(enum.Enum):
    Sum = 1


Sum = _Op.Sum


def init() -> None:
    assert not torch.distributed.is_initialized(), "hvd.init() called twice"
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{os.environ['HOROVOD_DOUBLE_STORE']}",
        rank=int(os.environ["POPDIST_INSTANCE_INDEX"]),
        world_size=int(os.environ["POPDIST_NUM_INSTANCES"]),
    )


def rank() -> int:
    return torch.distributed.get_rank()


def size() -> int:
    return torch.distributed.get_world_size()


def allgather(tensor: torch.Tensor) -> torch.Tensor:
    """Concatenates along the first dimension, in which alone the tensors may differ."""
    parts: list[torch.Tensor | None] = [None] * size()
    torch.distributed.all_gather_object(parts, tensor)
    assert len({(part.shape[1:], part.dtype) for part in parts}) == 1
    return torch.cat(parts)


def allreduce(tensor: torch.Tensor, *, op: _Op) -> torch.Tensor:
    assert op is Sum
    total = tensor.clone()
    torch.distributed.all_reduce(total)
    return total
