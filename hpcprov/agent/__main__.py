"""The agent: one Python process per node, started by the first launcher there (`python -P -m hpcprov.agent`, see
docs/agent.md).

Its listening socket is descriptor 3, or the one that `--socket` names; it is given no other. It reads what to do from
the start events in its node's log.
"""

from __future__ import annotations

import sys

from hpcprov.agent import session


def main(words: list[str]) -> int:
    """`--root DIR --run ID --log FILE --node NAME [--socket N]`; every other call is a mistake, since only launchers
    and Python programs that make a run of themselves start agents."""
    options = dict(zip(words[::2], words[1::2], strict=False))
    try:
        root, run, log, node = (options[name] for name in ("--root", "--run", "--log", "--node"))
    except KeyError as missing:
        print(f"hpcprov.agent: {missing} is not given: agents are started by `hpcprov exec`", file=sys.stderr)
        return 2
    session.run(root=root, run_id=run, log=log, node=node, listening=int(options.get("--socket", "3")))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
