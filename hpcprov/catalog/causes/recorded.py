"""Whether a record tells of what is compared: of what one of two does not tell, nobody knows that it is the same.

tells(record, "modules")  ->  False: there was no agent that looked
"""

from __future__ import annotations

from hpcprov.catalog.causes.code import scripts
from hpcprov.catalog.causes.software import digests
from hpcprov.catalog.causes.told import values
from hpcprov.record.inside import objects, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcprov.record.model import Record


def tells(record: Record, name: str) -> bool:
    return TELLS[name](record)


def _image(record: Record) -> bool:
    """Whether it ran in no container, or in one whose image has a name: from inside, some runtimes do not tell it."""
    facts = list(values(record, "container"))
    names = {text(one, "image") for fact in facts for one in objects(fact, "containers")}
    return bool(facts) and (not names or bool(names - {None, "unknown"}))


def _has(kind: str) -> Callable[[Record], bool]:
    return lambda record: any(True for _ in values(record, kind))


#: By what it is called when it is the same in both.
TELLS: dict[str, Callable[[Record], bool]] = {
    "code": lambda record: _has("code")(record) or bool(scripts(record)),
    "arguments": lambda record: bool(record["run"]["argv"]),
    "environment": lambda record: bool(record["environment"]["common"]),
    "modules": _has("modules"),
    "image": _image,
    "programs": lambda record: bool(digests(record)),
    "libraries": _has("software"),
    "Python packages": _has("software"),
    "node types": _has("host"),
    "ranks": lambda record: record["ranks"]["count"] is not None,
    "inputs": lambda record: bool(record.get("observation") or record["artifacts"]["used"]),
}
