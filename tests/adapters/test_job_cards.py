"""Cards for a shell that looks for them."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from hpcprov.adapters.job_cards import JobCards

SHELL = str(Path(__file__).parents[2] / "workflows" / "shell" / "bash")


@pytest.fixture
def cards(tmp_path: Path) -> JobCards:
    return JobCards(str(tmp_path / "hpcprov" / "x"))


def names(cards: JobCards) -> list[str]:
    return sorted(os.listdir(cards.directory)) if os.path.isdir(cards.directory) else []


def test_a_card_holds_the_options(cards: JobCards) -> None:
    cards.put(1, (SHELL, "cp a b"), ["--name=copy", "--output=b\udcff\n"])
    name = sha256(b"cp a b").hexdigest()
    assert names(cards) == [name]
    assert Path(cards.directory, name).read_bytes() == b"--name=copy\0--output=b\xff\n\0"
    cards.drop(1)
    assert names(cards) == []


def test_two_jobs_with_one_command_have_none(cards: JobCards) -> None:
    cards.put(1, (SHELL, "true"), ["--name=a"])
    cards.put(2, (SHELL, "true"), ["--name=b"])
    assert names(cards) == []
    cards.drop(1)
    cards.drop(2)
    cards.put(3, (SHELL, "true"), ["--name=c"])
    assert len(names(cards)) == 1


def test_a_second_attempt_has_a_new_one(cards: JobCards) -> None:
    cards.put(1, (SHELL, "first"), ["--name=a"])
    cards.put(1, (SHELL, "second"), ["--name=a"])
    assert names(cards) == [sha256(b"second").hexdigest()]


def test_only_for_shells_that_look(cards: JobCards) -> None:
    for shell in ("/bin/bash", "/nonexistent/bash", None):
        cards.put(1, (shell, "true"), ["--name=a"])
    assert names(cards) == []


def test_nothing_is_left_behind(cards: JobCards) -> None:
    cards.put(1, (SHELL, "true"), ["--name=a"])
    cards.close()
    assert not os.path.exists(os.path.dirname(cards.directory))
