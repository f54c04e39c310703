"""What a run was seen to do, as an unsigned in-toto statement of the predicate "runtime trace" (attest/trace.py).

render(Run(record, directory))  ->  '{"_type":"https://in-toto.io/Statement/v1","predicate":{"metadata":…'
"""

from __future__ import annotations

from hpcprov.attest.trace import encoded
from hpcprov.export.intoto import bytes_of
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.formats import Run


def render(run: Run) -> str:
    """The statement, as one line of JSON. Raises HpcprovError for a run that has no record, or was not observed."""
    data = bytes_of(run)
    if not run.record.get("observation"):
        hint = "--to in-toto exports a statement that needs no observation"
        raise HpcprovError(f"{run.id} was not observed: there is no trace of it", hint=hint)
    return encoded(run.record, data).decode("utf-8") + "\n"
