"""Libraries that formats need and that may not be installed: one place, one message.

needed("prov.model").ProvDocument()
"""

from __future__ import annotations

from importlib import import_module

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXTRA = "export"


def needed(name: str) -> Any:
    """The module `name`. Raises HpcprovError, which names the extra that brings it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] not in (name.partition(".")[0], "rdflib"):
            raise
        hint = f"pip install 'hpcprov[{EXTRA}]'"
        raise HpcprovError(f"this format needs the Python package {error.name}", hint=hint) from error
