"""What is kept about data written into its own attributes, so that it travels with the file; the values are signed
before and after, and never touched.

embed(seen, annotations, reading, bar)  ->  {"attributes": 3, "told": "3 attributes written into flood.nc; ..."}
"""

from __future__ import annotations

from hpcprov.quality.dictionary.attributes import changes
from hpcprov.record.errors import HpcprovError
from hpcprov.record.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.commands.bar import Bar
    from hpcprov.commands.dictionary_made import Seen
    from hpcprov.quality.dictionary.annotations import Annotations
    from hpcprov.quality.isolated import Comparing


def embed(seen: Seen, annotations: Annotations, reading: Comparing, bar: Bar) -> dict[str, Any]:
    """Set the attributes. Raises HpcprovError with the reason for which nothing was written."""
    known = [field["path"] for field in seen.layout["fields"]]
    of_dataset, of_fields = changes(annotations, seen.attributes, known)
    number = len(of_dataset) + sum(map(len, of_fields.values()))
    if not number:
        return {"attributes": 0, "told": "the file's attributes say all of it already"}
    if seen.signature is None:
        seen.read(reading, bar, counting=False)
    assert seen.signature is not None
    try:
        found = reading.embed(seen.path, of_dataset, of_fields, signature=seen.signature)
    except HpcprovError as error:
        hint = "what was written is kept beside the data all the same; without --embed nothing is said of this"
        raise HpcprovError(f"{seen.path!a} was left as it is: {error.message}", hint=error.hint or hint) from error
    signature = (found["signature"] or {}).get("digest")
    told = f"{count(number, 'attribute')} written into {seen.path}; its signature is what it was: {signature}"
    return {"attributes": number, "signature": signature, "told": told}
