"""Who runs it: numeric identities, and the names that the user database gives for them.

A look-up may ask a server over the network and hang with it, so it happens in a thread that is left alone after 5 s.

    {"uid": 1000, "name": "ada", "gid": 1000, "group": "ada", "groups": ["ada", "climate"], "login": "ada"}
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

PATIENCE = 5.0
MOST_GROUPS = 256
LOGIN_VARIABLES = ("LOGNAME", "USER", "SUDO_USER")


def collect(environ: Mapping[str, str], *, patience: float = PATIENCE) -> dict[str, Any]:
    """Identity of the calling process. `patience`: seconds to wait for names."""
    facts = identity(environ)
    return facts | within(patience, lambda found: look_up(facts["uid"], facts["gid"], os.getgroups(), found))


def identity(environ: Mapping[str, str]) -> dict[str, Any]:
    """What needs no look-up: numbers, and the login name that the environment claims."""
    facts: dict[str, Any] = {"uid": os.getuid(), "gid": os.getgid()}
    claimed = next((environ[name] for name in LOGIN_VARIABLES if environ.get(name)), None)
    return facts | ({"login": claimed} if claimed else {})


def within(patience: float, fill: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """What `fill` has put into its dictionary, with a reason when it had not finished after `patience` seconds."""
    import threading

    found: dict[str, Any] = {}
    thread = threading.Thread(target=fill, args=(found,), daemon=True)
    thread.start()
    thread.join(patience)
    late = {"reason": f"the user database did not answer within {patience:g} s"} if thread.is_alive() else {}
    return found.copy() | late


def look_up(uid: int, gid: int, groups: list[int], found: dict[str, Any]) -> None:
    """Put the names of a user and its groups into `found`; a number without a name stays a number, as text."""
    found["name"] = user_name(uid)
    found["group"] = group_name(gid)
    found["groups"] = [group_name(number) for number in sorted({gid, *groups})[:MOST_GROUPS]]


def user_name(uid: int) -> str:
    """The name of a user, else its number."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return str(uid)


def group_name(gid: int) -> str:
    """The name of a group, else its number."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return str(gid)
