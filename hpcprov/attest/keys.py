"""Which key signs: the one that was named, else the one that is set for all runs, else the user's own, as ssh finds it.

HPCPROV_ATTEST=~/.ssh/id_ed25519        or, in the site's file (record/site.py),        attest = ~/.ssh/id_ed25519

with chosen(None, os.environ) as key:   # "/home/ada/.ssh/id_ed25519"
    ...
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from hpcprov.attest.ssh import CannotSign
from hpcprov.record import site

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VARIABLE, SETTING = "HPCPROV_ATTEST", "attest"
OFF = ("", "0", "off", "no", "false")
NAMES = ("id_ed25519", "id_ed25519_sk", "id_ecdsa", "id_ecdsa_sk", "id_rsa")
PATIENCE = 5.0  # s for the agent


def configured(environ: Mapping[str, str]) -> str | None:
    """The file of the key that attests every run; None when runs are not attested by themselves."""
    told = environ.get(VARIABLE)
    told = site.value(SETTING, environ) if told is None else told
    return None if told is None or told.strip().lower() in OFF else expanded(told.strip(), environ)


def expanded(path: str, environ: Mapping[str, str]) -> str:
    """`path` with a leading `~/` taken from HOME."""
    return os.path.join(environ["HOME"], path[2:]) if path.startswith("~/") and "HOME" in environ else path


@contextmanager
def chosen(given: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    """The file of the key to sign with; one that only an agent has is in a file for the moment. Raises CannotSign."""
    known = expanded(given, environ) if given is not None else configured(environ) or _of_user(environ)
    if known is not None:
        yield known
        return
    import tempfile

    with tempfile.TemporaryDirectory(prefix="hpcprov-") as folder:
        path = os.path.join(folder, "key.pub")
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{_of_agent()}\n")
        yield path


def _of_user(environ: Mapping[str, str]) -> str | None:
    folder = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".ssh")
    return next((path for name in NAMES if os.path.isfile(path := os.path.join(folder, name))), None)


def _of_agent() -> str:
    """The only key that the agent has, as a line. Raises CannotSign."""
    import subprocess

    hint = "ssh-keygen -t ed25519 makes a key; --key names one"
    try:
        done = subprocess.run(["ssh-add", "-L"], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotSign("there is no key in ~/.ssh, and no agent answers", hint=hint) from error
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines() if done.returncode == 0 else []
    if len(lines) == 1:
        return lines[0]
    if not lines:
        raise CannotSign("there is no key in ~/.ssh, and none in an agent", hint=hint)
    several = "\n".join(["--key takes the file of one's public half:", *(line.split(" ", 2)[-1] for line in lines[:8])])
    raise CannotSign(f"the agent has {len(lines)} keys, and there is none in ~/.ssh", hint=several)
