"""What git says of two commits, as long as a repository with both is still there.

difference({"before": "3f1c...", "after": "9b0e...", "roots": ["/home/ada/model"]})
->  {"lines": ["diff --git a/solve.py b/solve.py", ...], "command": "git -C /home/ada/model diff 3f1c... 9b0e..."}
"""

from __future__ import annotations

import os
import re
import shlex

from hpcprov.capture.git import Git
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# As `capture.git.DIFF`, without the contents of binary files.
DIFF = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--unified=1", "--submodule=short")
SECONDS = 10.0
MOST_LINES = 400


def difference(cause: dict[str, Any]) -> dict[str, Any] | None:
    """The first lines of what changed between two commits; None when no repository knows both."""
    before, after = cause["before"], cause["after"]
    if not all(type(one) is str and COMMIT.fullmatch(one) for one in (before, after)):
        return None
    for root in dict.fromkeys(cause["roots"]):
        if os.path.isdir(root):
            try:
                text = Git(root, os.environ, SECONDS).text(*DIFF, before, after, "--", *_below(root, cause["files"]))
            except (HpcprovError, OSError):
                continue
            command = f"git -C {shlex.quote(root)} diff {before[:12]} {after[:12]}"
            return {"lines": text.splitlines()[:MOST_LINES], "command": command}
    return None


def _below(root: str, files: list[str]) -> list[str]:
    """The files that lie in the working tree, as git's own words: the others' changes were not read by the run."""
    return [f":(top,literal){os.path.relpath(path, root)}" for path in files if path.startswith(f"{root}/")]
