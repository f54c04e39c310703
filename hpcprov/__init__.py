"""Provenance for high-performance computing.

Importing this package pulls in no third-party package; `hpcprov.signature`, a package and the function of its name, is
loaded when it is used.

    import hpcprov
    hpcprov.signature("out.h5").digest
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.signature.api import signature as signature


def __getattr__(name: str) -> object:
    if name != "signature":
        raise AttributeError(f"module 'hpcprov' has no attribute {name!r}")
    from importlib import import_module

    return import_module("hpcprov.signature")
