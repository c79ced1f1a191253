"""The data loader: whole host calls, read by real worker processes."""

import enum
from collections.abc import Iterator

import torch

from .machine import record
from .options import Options, combined_factor


class DataLoaderMode(enum.Enum):
    Sync = 0
    Async = 1
    AsyncRebatched = 2


class DataLoader:
    def __init__(
        self,
        options: Options,
        dataset: torch.utils.data.Dataset,
        batch_size: int = 1,
        shuffle: bool | None = None,
        num_workers: int = 0,
        drop_last: bool = True,
        persistent_workers: bool | None = None,
        auto_distributed_partitioning: bool = True,
        mode: DataLoaderMode = DataLoaderMode.Sync,
        async_options: dict[str, object] | None = None,
        rebatched_worker_size: int | None = None,
        batch_sampler: object = None,
        **kwargs: object,
    ) -> None:
        assert isinstance(options, Options)
        assert isinstance(mode, DataLoaderMode)
        assert batch_sampler is None, "not in use here"
        assert set(async_options or {}) <= {"load_indefinitely"}, async_options
        assert not async_options or mode is not DataLoaderMode.Sync, "async_options with mode Sync"
        options._used()
        if auto_distributed_partitioning and options.Distributed.numProcesses > 1:
            raise NotImplementedError("the double does not partition data sets")
        self._options = options
        self._combined = batch_size * combined_factor(options)
        assert drop_last
        assert len(dataset) >= self._combined, "not one whole host call in the data set: all of it is dropped"
        if rebatched_worker_size is not None:
            assert mode is DataLoaderMode.AsyncRebatched, "rebatched_worker_size with another mode"
            assert 1 <= rebatched_worker_size <= self._combined, rebatched_worker_size
        self._loader = torch.utils.data.DataLoader(
            dataset,
            batch_size=rebatched_worker_size or self._combined,
            shuffle=bool(shuffle),
            num_workers=num_workers,
            drop_last=rebatched_worker_size is None,
            persistent_workers=bool(persistent_workers),
            **kwargs,
        )
        self._terminated = False
        record(
            "loader",
            mode=mode.name,
            async_options=async_options,
            num_workers=num_workers,
            batch_size=batch_size,
            combined_batch_size=self._combined,
            rebatched_worker_size=rebatched_worker_size,
            auto_distributed_partitioning=auto_distributed_partitioning,
            dataset=len(dataset),
        )

    @property
    def options(self) -> Options:
        return self._options

    @property
    def combinedBatchSize(self) -> int:
        return self._combined

    def __len__(self) -> int:
        return len(self._loader.dataset) // self._combined

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        """One epoch; what does not fill a host call is dropped."""
        assert not self._terminated
        waiting: list[list[torch.Tensor]] = []
        for part in self._loader:
            waiting.append(part)
            while sum(len(chunk[0]) for chunk in waiting) >= self._combined:
                whole = [torch.cat(column) for column in zip(*waiting, strict=True)]
                yield [column[: self._combined] for column in whole]
                rest = [column[self._combined :] for column in whole]
                waiting = [rest] if len(rest[0]) else []

    def terminate(self) -> None:
        self._terminated = True
        self._loader = None
        record("terminate")
