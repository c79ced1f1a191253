"""The data loader: whole host calls, read by real worker processes."""

import enum
import pickle
from collections.abc import Generator, Iterator

import torch

from .machine import record
from .options import Options, combined_factor


class DataLoaderMode(enum.IntEnum):
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
        rebatched = mode is DataLoaderMode.AsyncRebatched
        assert not rebatched or self._combined > 1, "rebatched_size must be None or greater than 1"
        if rebatched_worker_size is not None:
            assert rebatched, "rebatched_worker_size with another mode"
            assert 1 <= rebatched_worker_size <= self._combined, rebatched_worker_size
        # A worker loads one batch of this loader at a time; the real one sends its data set to another process first.
        self._loader = torch.utils.data.DataLoader(
            _Recorded(pickle.loads(pickle.dumps(dataset, protocol=4))),
            batch_size=rebatched_worker_size or self._combined,
            shuffle=bool(shuffle),
            num_workers=num_workers,
            drop_last=not rebatched,
            persistent_workers=num_workers > 0 if persistent_workers is None else persistent_workers,
            **kwargs,
        )
        self._host_calls: Generator[list[torch.Tensor]] | None = None
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
        """One epoch, and the only iterator: another one starts it again."""
        assert not self._terminated
        self._host_calls = self._epoch()
        return self._host_calls

    def terminate(self) -> None:
        self._terminated = True
        self._loader = None
        if self._host_calls:
            self._host_calls.close()
        record("terminate")

    def _epoch(self) -> Generator[list[torch.Tensor]]:
        """Host calls in memory that the next one overwrites; what does not fill one is dropped."""
        memory: list[torch.Tensor] = []
        filled = 0
        for part in self._parts():
            if not memory:
                memory = [column.new_empty((self._combined, *column.shape[1:])) for column in part]
            while len(part[0]):
                fits = min(len(part[0]), self._combined - filled)
                for place, column in zip(memory, part, strict=True):
                    place[filled : filled + fits] = column[:fits]
                part = [column[fits:] for column in part]
                filled = (filled + fits) % self._combined
                if not filled:
                    yield memory

    def _parts(self) -> Iterator[list[torch.Tensor]]:
        """What the workers load, in order. Their errors do not reach the caller."""
        try:
            for part in self._loader:
                assert all(isinstance(column, torch.Tensor) for column in part), "a flat list of tensors"
                yield part
        except Exception:
            raise AssertionError("An error occurred in the data fetcher") from None


class _Recorded(torch.utils.data.Dataset):
    """A data set, with a record of which worker loaded what."""

    def __init__(self, dataset: torch.utils.data.Dataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> object:
        record("loaded", index=index)
        return self._dataset[index]
