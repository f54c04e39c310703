"""An in-toto statement of a run, unsigned: what `hpcprov attest` would sign (attest/statement.py, docs/attest.md).

render(Run(record, directory))  ->  '{"_type":"https://in-toto.io/Statement/v1","predicate":{…},…}'
"""

from __future__ import annotations

import os

from hpcprov.attest.statement import encoded
from hpcprov.merge.seal import in_its_form
from hpcprov.record import layout, model
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.formats import Run


def render(run: Run) -> str:
    """The statement, as one line of JSON. Raises HpcprovError for a run that has no record yet."""
    return encoded(run.record, bytes_of(run)).decode("utf-8") + "\n"


def bytes_of(run: Run) -> bytes:
    """The bytes of record.json; of a record that lies in no file those that it would have. Raises HpcprovError for a
    run that has no record yet."""
    if "seal" not in run.record:
        hint = "hpcprov settle makes the record of a run that is over"
        raise HpcprovError(f"{run.id} has no record yet that a statement could be about", hint=hint)
    path = os.path.join(run.directory, layout.RECORD)
    try:
        return model.content(path)
    except OSError:
        return (in_its_form(run.record) or b"") + b"\n"
