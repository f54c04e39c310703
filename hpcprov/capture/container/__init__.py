"""Containers of a run: the one it is in (`inside`), and the one its command starts (`argv`).

{"containers": [{"runtime": "apptainer", "how": "argv", "action": "exec", "image": "step.sif",
 "path": "/home/ada/step.sif", "exists": True, "type": "file", "size": 2293760, "mtime": 1763596800000000000,
 "device": 65024, "inode": 131}]}

Nothing is read of an image here; `seen` adds what shows while the run goes on, and the fact `image` what is in it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

NONE = "not in a container, and the command starts none"


def collect(environ: Mapping[str, str], argv: Sequence[str], cwd: str, *, root: str = "/") -> dict[str, Any]:
    """The containers of a run with this command, outermost first; a reason when there is none. Raises OSError."""
    from hpcprov.capture.container.inner import inner
    from hpcprov.capture.container.inside import inside, state
    from hpcprov.capture.container.outside import from_argv

    around = inside(environ, root)
    found = [state(around) | inner(around["runtime"], root)] if around else []
    started = from_argv(argv, cwd, environ)
    found += [started] if started else []
    return {"containers": found} | ({} if found else {"reason": NONE})
