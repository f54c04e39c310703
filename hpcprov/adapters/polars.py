"""`df.hpcprov` and `series.hpcprov` on the tables and columns of polars; a LazyFrame has none before it is collected.

import hpcprov.polars
polars.read_parquet("trans.parquet").hpcprov.signature()
"""

from __future__ import annotations

import polars

from hpcprov.adapters.accessor import OfArray, OfDataset

polars.api.register_dataframe_namespace("hpcprov")(OfDataset)
polars.api.register_series_namespace("hpcprov")(OfArray)
