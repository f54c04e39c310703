"""Containers of a run: the one it is in (`inside`), and the one its command starts (`argv`).

{"containers": [{"runtime": "apptainer", "how": "argv", "action": "exec", "image": "step.sif",
 "path": "/home/ada/step.sif", "exists": True, "type": "file", "size": 2293760, "mtime": 1763596800000000000,
 "device": 65024, "inode": 131, "digest": None, "reason": "..."}]}
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def collect(environ: Mapping[str, str], argv: Sequence[str], cwd: str, *, root: str = "/") -> dict[str, Any]:
    """The containers of a run with this command, outermost first; a reason when there is none. Raises OSError."""
    from hpcprov.capture.container.inside import inside
    from hpcprov.capture.container.outside import from_argv

    found = [fact for fact in (inside(environ, root), from_argv(argv, cwd)) if fact]
    return {"containers": found} | ({} if found else {"reason": "not in a container, and the command starts none"})
