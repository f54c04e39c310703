"""`import hpcprov.polars` puts `.hpcprov` on the objects of polars (docs/python.md)."""

from hpcprov.adapters import polars as _registered  # noqa: F401
