"""What all tests share: hypothesis looks at results and never at a clock, so that a busy machine fails no test; where
CI is set it tries the same examples each time, so that what lands is judged by its own change; HDF5's filters are those
of hdf5plugin, whatever else a test imports: netCDF4 brings some that h5py cannot write with; and no test makes the
tests' own process a run, in which everything that others start would be nested.

    python -m pytest -n 2 --dist loadfile -m 'not slow and not cluster'
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

with contextlib.suppress(ImportError):
    import hdf5plugin as hdf5plugin

settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("any machine")

AROUND = os.environ.get("HPCPROV_RUN")


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    yield
    assert os.environ.get("HPCPROV_RUN") == AROUND, "the tests' own process has become a run"
