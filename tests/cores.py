"""What tests need of the machine's cores."""

import pytest

from measurement.machine import available_cores

two_cores = pytest.mark.skipif(available_cores() < 2, reason="needs two cores")
