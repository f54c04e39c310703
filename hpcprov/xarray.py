"""`import hpcprov.xarray` puts `.hpcprov` on the objects of xarray (docs/python.md)."""

from hpcprov.adapters import xarray as _registered  # noqa: F401
