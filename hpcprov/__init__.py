"""Provenance for high-performance computing.

Importing this package pulls in nothing else; what it offers is loaded when it is used (docs/python.md):

    import hpcprov
    hpcprov.signature("out.h5").digest
    with hpcprov.run("calibrate", outputs=["model.npz"]): ...
    hpcprov.open_record("last").status
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog import open_catalog as open_catalog
    from hpcprov.quality.dictionary.api import dictionary as dictionary
    from hpcprov.signature.api import signature as signature
    from hpcprov.tracking import ProvenanceWarning as ProvenanceWarning
    from hpcprov.tracking import Record as Record
    from hpcprov.tracking import define as define
    from hpcprov.tracking import open_record as open_record
    from hpcprov.tracking import run as run
    from hpcprov.tracking import track as track

_TRACKING = ("ProvenanceWarning", "Record", "define", "open_record", "run", "track")


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "signature":
        return import_module("hpcprov.signature")  # a package that can be called
    if name in _TRACKING:
        return getattr(import_module("hpcprov.tracking"), name)
    if name == "dictionary":
        return import_module("hpcprov.quality.dictionary.api").dictionary
    if name == "open_catalog":
        return import_module("hpcprov.catalog").open_catalog
    raise AttributeError(f"module 'hpcprov' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_TRACKING, "dictionary", "open_catalog", "signature"})
