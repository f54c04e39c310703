"""Runs as PROV-JSON (https://www.w3.org/submissions/prov-json/).

render([run])  ->  '{"prefix": {"run": "urn:hpcprov:run:", ...}, "bundle": {"record:x": {...}}}'
"""

from __future__ import annotations

from hpcprov.export.prov_document import document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.formats import Run


def render(runs: list[Run]) -> str:
    """The text of the document. Raises HpcprovError when the library is missing."""
    return str(document(runs).serialize(format="json", indent=1)) + "\n"
