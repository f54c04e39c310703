"""Runs as PROV-N (https://www.w3.org/TR/prov-n/), the notation of W3C PROV that is meant for people.

render([run])  ->  "document\\n  prefix run <urn:hpcprov:run:>\\n ..."
"""

from __future__ import annotations

from hpcprov.export.prov_document import document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.formats import Run


def render(runs: list[Run]) -> str:
    """The text of the document. Raises HpcprovError when the library is missing."""
    return document(runs).get_provn() + "\n"
