"""The hashing child: `python -P -m hpcprov.agent.hashing --root DIR --run ID --log FILE --node NAME --seconds S`.

Describes every declared artifact and appends it to the log as soon as it is done.
"""

from __future__ import annotations

import sys
import time

from hpcprov.agent import declared, finish
from hpcprov.agent.journal import Journal
from hpcprov.record.layout import Store
from hpcprov.signature import artifact


def main(words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=True))
    store, run_id = Store(options["--root"]), options["--run"]
    deadline = time.monotonic() + float(options["--seconds"])
    journal = Journal(options["--log"], options["--node"])
    for wanted in declared.resolve(finish.starts_of(store.run(run_id))):
        found = artifact.describe(wanted["path"], deadline=deadline, cache_dir=store.cache)
        journal.write("artifact", **wanted, **found)
    return 1 if journal.lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
