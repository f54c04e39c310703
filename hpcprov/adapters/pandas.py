"""`df.hpcprov` and `series.hpcprov` on the tables and columns of pandas.

import hpcprov.pandas
pandas.read_parquet("trans.parquet").hpcprov.signature()
"""

from __future__ import annotations

import pandas

from hpcprov.adapters.accessor import OfArray, OfDataset

pandas.api.extensions.register_dataframe_accessor("hpcprov")(OfDataset)
pandas.api.extensions.register_series_accessor("hpcprov")(OfArray)
