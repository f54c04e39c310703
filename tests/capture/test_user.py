"""Who runs it, and what happens when the user database does not answer."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import threading
from typing import Any

from hpcprov.capture import user


def test_this_user() -> None:
    facts = user.collect({"LOGNAME": "ada"})
    assert facts["uid"] == os.getuid() and facts["gid"] == os.getgid()
    assert facts["name"] == pwd.getpwuid(os.getuid()).pw_name == getpass.getuser()
    assert facts["group"] == grp.getgrgid(os.getgid()).gr_name and facts["group"] in facts["groups"]
    assert facts["login"] == "ada" and "reason" not in facts


def test_no_login_variable() -> None:
    assert "login" not in user.identity({})


def test_numbers_without_a_name_stay_numbers() -> None:
    assert user.user_name(3999999999) == "3999999999" == user.group_name(3999999999)


def test_many_groups_are_bounded() -> None:
    found: dict[str, Any] = {}
    user.look_up(0, 0, list(range(10_000_000, 10_001_000)), found)
    assert len(found["groups"]) == user.MOST_GROUPS


def test_a_database_that_hangs_does_not_hold_us() -> None:
    release = threading.Event()

    def hang(found: dict[str, Any]) -> None:
        found["name"] = "ada"
        release.wait(60)

    for seconds in (0.05, 0.5, 5):  # on a busy machine the thread may begin late
        facts = user.within(seconds, hang)
        if facts.get("name"):
            break
    assert facts == {"name": "ada", "reason": f"the user database did not answer within {seconds} s"}
    release.set()
