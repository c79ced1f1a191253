"""A run of the driver prints who else took time of its cores."""

import os

import pytest

from measurement.cpu_time import STAT
from measurement.machine import cores_in_use
from tests.hog import hog
from tests.report_lines import figure

pytestmark = [pytest.mark.engine, pytest.mark.processes]


@pytest.mark.skipif(not STAT.exists() or not hasattr(os, "sched_setaffinity"), reason="needs /proc/stat")
def test_a_busy_process_on_the_drivers_core_is_reported_and_warned_of(driver) -> None:
    before, core = os.sched_getaffinity(0), cores_in_use()[-1]
    os.sched_setaffinity(0, {core})
    try:
        with hog(core):
            code, out, err = driver(
                *("--model", "timm/test_resnet.r160_in1k", "--random-weights", "--data", "generated"),
                *("--backend", "openvino", "--duration", "1"),
            )
    finally:
        os.sched_setaffinity(0, before)
    assert code == 0, err
    assert float(figure(out, "cpu_time_of_others").split()[0]) > 0
    assert "of 1 core)" in figure(out, "cpu_time_of_others")
    assert "warning: other processes took" in err
    assert float(figure(out, "cpu_time_own").split()[0]) > 0
    assert figure(out, "cpu_time_of_children") == "0.00 s"
