"""What all tests share: hypothesis looks at results and never at a clock, so that a busy machine fails no test; and
HDF5's filters are those of hdf5plugin, whatever else a test imports: netCDF4 brings some that h5py cannot write with.

    python -m pytest -n 2 --dist loadfile -m 'not slow and not cluster'
"""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, settings

with contextlib.suppress(ImportError):
    import hdf5plugin as hdf5plugin

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
