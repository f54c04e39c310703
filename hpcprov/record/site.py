"""What a site, or a user, sets for all runs: the file HPCPROV_CONFIG, else /etc/hpcprov.conf. The launcher's twin is
hpcprov/launcher/site.c.

    # how many observed files of a run are signed without having been declared
    observe_files = 5000

    number("observe_files", os.environ, otherwise=1000)  ->  5000
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PLACE = "/etc/hpcprov.conf"
SIZE_LIMIT = 4095  # bytes that are looked at, as the launcher does
LARGEST = 1 << 30
#: Words that switch something off, as the launcher takes them.
OFF = ("off", "0", "no", "false")


def value(key: str, environ: Mapping[str, str]) -> str | None:
    """The last value of a key; None when there is none, or no file."""
    found = None
    for line in text(environ.get("HPCPROV_CONFIG") or PLACE).split("\n"):
        name, equals, rest = line.partition("=")
        if equals and name.strip() == key:
            found = rest.strip()
    return found


def number(key: str, environ: Mapping[str, str], *, otherwise: int) -> int:
    """A value that is a number, at most LARGEST."""
    told = value(key, environ) or ""
    return min(int(told), LARGEST) if told.isascii() and told.isdigit() and len(told) < 20 else otherwise


def is_on(variable: str, key: str, environ: Mapping[str, str]) -> bool:
    """Whether the environment, or else the site, switches something on: by any word but those of OFF."""
    told = environ.get(variable) or value(key, environ) or ""
    return bool(told) and told.lower() not in OFF


def text(path: str) -> str:
    # O_NONBLOCK: a FIFO must not hold up whoever asks.
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            return (file.read(SIZE_LIMIT) or b"").decode("utf-8", "surrogateescape")
    except OSError:
        return ""
