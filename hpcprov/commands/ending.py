"""Commands that are ended from outside and still tidy up: batch systems send SIGTERM, lost connections SIGHUP.

with tidy():
    ...    # a signal is a SystemExit here: files for the moment are removed, the terminal's line is cleared
"""

from __future__ import annotations

import signal
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

ENDS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def tidy() -> Iterator[None]:
    """Let these signals leave nothing behind, as Ctrl-C does."""

    def end(number: int, frame: object) -> NoReturn:
        raise SystemExit(128 + number)

    wanted = [number for number in ENDS if signal.getsignal(number) == signal.SIG_DFL]  # nohup ignores SIGHUP
    before = {number: signal.signal(number, end) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
