"""What is written beside a file, to take its place, is for the same readers.

take_mode(".out.md.draft-4711-1f", "out.md")    # 0600 stays 0600, from the first byte on
"""

from __future__ import annotations

import os
import stat


def take_mode(draft: str, path: str) -> None:
    """Give a draft the mode of what it is to replace; nothing where there is none. Raises OSError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    os.chmod(draft, stat.S_IMODE(mode) & 0o777)
