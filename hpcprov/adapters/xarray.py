"""`ds.hpcprov` and `da.hpcprov` on the Datasets and DataArrays of xarray.

import hpcprov.xarray
xarray.open_dataset("flood.nc").hpcprov.signature()
"""

from __future__ import annotations

import xarray

from hpcprov.adapters.accessor import OfArray, OfDataset

xarray.register_dataset_accessor("hpcprov")(OfDataset)
xarray.register_dataarray_accessor("hpcprov")(OfArray)
