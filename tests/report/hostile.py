"""Records and rows in which every text wants to be executed: for pages, terminals and files made of them.

bad = hostile(record)      # still one that `model.parse` takes, with a payload in every other text and name
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hpcprov.record.model import parse
from hpcprov.record.shape import misfit

PAYLOADS = (
    '"\'><script>window.__pwned=1</script><img src=x onerror="window.__pwned=1">',
    "javascript:window.__pwned=1//",
    "</script></style></title></textarea><svg onload=window.__pwned=1>",
    "\x1b]0;pwned\x07\x1b[31mred\x1b[2J\u202egnp.exe\x00\udcff\u2028",
    '=HYPERLINK("http://127.0.0.1:9/","x")',
    "{{7*7}}{% raw %}${7*7}`$(touch /tmp/pwned)` ]]> --> *_[x](javascript:window.__pwned=1)|",
    "w" * 3000,
)
# Maps whose keys are anybody's.
OPEN = ("tags", "common", "environment", "variables")


def hostile(record: dict[str, Any], *, keep: tuple[str, ...] = ("id",)) -> dict[str, Any]:
    """A copy with a payload in every text, but for members named in `keep`, and where no record could have one."""
    bad = copy.deepcopy(record)
    for k, (_, text, put) in enumerate(list(leaves(bad, keep))):
        put(PAYLOADS[k % len(PAYLOADS)])
        if misfit(bad) is not None:
            put(text)
    for table in [table for name, table in tables(bad) if name in OPEN]:
        table[PAYLOADS[0]] = PAYLOADS[1]
    bad["format"] = record["format"]
    return parse(json.dumps(bad).encode(), name="a hostile record")


def leaves(value: Any, keep: tuple[str, ...] = ()) -> Iterator[tuple[str, str, Callable[[str], None]]]:
    """Of each text in a document the name of its member, the text, and how to put another one there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(pairs):
        if isinstance(item, str):
            if key not in keep:
                yield str(key), item, lambda text, key=key: value.__setitem__(key, text)
        else:
            yield from leaves(item, keep)


def tables(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each map in a document, with the name of its member."""
    if isinstance(value, dict):
        yield name, value
        for key, item in list(value.items()):
            yield from tables(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from tables(item, name)
