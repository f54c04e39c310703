"""`import hpcprov.pandas` puts `.hpcprov` on the objects of pandas (docs/python.md)."""

from hpcprov.adapters import pandas as _registered  # noqa: F401
