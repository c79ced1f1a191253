"""Instances that mpirun started on IPUs: each compiles and runs a graph of its own."""

from pathlib import Path

import pytest

from tests.poptorch_double import Ipus
from tests.report_lines import figure
from tests.test_many_processes import ended, instances, like_mpirun

pytestmark = [pytest.mark.engine, pytest.mark.processes]


def test_instances_share_the_images_and_sum_up_their_ipus(photographs: Path, ipus: Ipus) -> None:
    argv = ["--backend", "poptorch", "--model", "mobilenet-v3-small", "--random-weights", "--warmup", "0"]
    argv += ["--images", str(photographs), "--micro-batch-size", "2", "--iterations", "2"]
    argv += ["--dataloader-worker", "1"]
    places = [{**place, **ipus.environment} for place in like_mpirun()]
    with instances(places, *argv) as (first, second):
        code, out, err = ended(first)
        assert code == 0, err
        assert ended(second)[0] == 0
    expected = {"launcher": "mpirun", "num_ipus": "2", "samples": "8"}
    assert {key: figure(out, key) for key in expected} == expected
    compiled = ipus.events("compile")
    assert len({event["process"] for event in compiled}) == 2
    assert {event["options"]["processes"] for event in compiled} == {1}
