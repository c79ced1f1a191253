"""What many instances refuse together, and how objects travel where Horovod carries them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from driver.instances.group import Alone, line_prefix, refuse_unsupported
from driver.instances.poprun import _gathered
from measurement.errors import SettingsError
from measurement.settings import resolve


@dataclass(frozen=True)
class Two(Alone):
    """A group whose other instance gathers `others`, or else the same as this one."""

    count: int = 2
    others: Any = None

    def gather(self, value: Any) -> list[Any]:
        return [value, value if self.others is None else self.others]


def chosen(device: str = "cpu", **flags: object) -> Any:
    return resolve({"data": "generated", **flags}, None, device, "torch")[0]


@pytest.mark.parametrize(
    ("device", "flags", "words"),
    [
        ("cuda", {}, "--device cuda in 2 instances.*give --device cpu"),
        ("cpu", {"profile": True}, "--profile in 2 instances"),
    ],
)
def test_what_cannot_be_shared_is_refused_with_its_remedy(
    device: str, flags: dict[str, object], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        refuse_unsupported(chosen(device, **flags), Two())
    refuse_unsupported(chosen(device, **flags), Alone())


def test_instances_that_do_not_do_the_same_are_refused() -> None:
    others = chosen(micro_batch_size=4)
    with pytest.raises(SettingsError, match="micro_batch_size: 2 and 4"):
        refuse_unsupported(chosen(micro_batch_size=2), Two(others=others))


def test_lines_name_their_instance_only_if_there_are_several() -> None:
    assert line_prefix(Two(index=1)) == "[instance2/2] "
    assert line_prefix(Alone()) == ""


@dataclass
class Horovod:
    """`allgather` of threads that stand for instances: joins along the first dimension, by rank."""

    size: int
    parts: dict[int, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.meeting = threading.Barrier(self.size)

    def of(self, rank: int) -> "Rank":
        return Rank(self, rank)


@dataclass
class Rank:
    all: Horovod
    rank: int

    def allgather(self, tensor: torch.Tensor) -> torch.Tensor:
        self.all.parts[self.rank] = tensor
        self.all.meeting.wait()
        joined = torch.cat([self.all.parts[n] for n in range(self.all.size)])
        self.all.meeting.wait()
        return joined


@settings(max_examples=25)
@given(st.lists(st.text() | st.lists(st.integers()) | st.none(), min_size=1, max_size=4), st.randoms())
def test_objects_of_any_length_come_in_the_order_of_the_instances(values: Sequence[Any], random: Any) -> None:
    horovod, found = Horovod(len(values)), {}
    ranks = list(range(len(values)))
    random.shuffle(ranks)  # Horovod's ranks need not be popdist's indices

    def instance(index: int) -> None:
        found[index] = _gathered(horovod.of(ranks[index]), index, values[index])

    threads = [threading.Thread(target=instance, args=(index,)) for index in range(len(values))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[index] == list(values) for index in range(len(values)))
