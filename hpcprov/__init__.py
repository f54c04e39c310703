"""Provenance for high-performance computing.

Importing this package pulls in no third-party package; `hpcprov.signature` and its like are loaded when they are used.
"""

__version__ = "0.1.0"
