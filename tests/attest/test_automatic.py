"""Runs that are attested by themselves, by whoever merges them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from merge.build import Launch

from attest.conftest import Call, Key
from hpcprov.attest import automatic
from hpcprov.merge.find import find_record
from hpcprov.record.layout import Store
from tests.agent.conftest import Site, until
from tests.agent.conftest import site as site


def test_by_who_settles(
    call: Call, store: Store, keys: dict[str, Key], signers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPCPROV_ATTEST", str(keys["ada"].path))
    Launch().start(inputs=[], outputs=[]).exit().write(store.run("r1"))
    assert call("settle", "r1", "--no-hash")[0] == 0
    said = "OK           record of r1  (sealed, 1 log; attested by ada@example.org)\n"
    assert call("verify", "r1", "--attested-by", str(signers)) == (0, said, "")


@pytest.mark.parametrize(
    ("key", "reason"), [("locked", "did not sign"), ("nowhere", "there is no key"), ("folder", "there is no key")]
)
def test_a_failure_is_told_and_made_good(
    call: Call,
    store: Store,
    keys: dict[str, Key],
    tmp_path: Path,
    key: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("HPCPROV_ATTEST", str(keys[key].path if key in keys else tmp_path / key))
    Launch().start().exit().write(store.run("r1"))
    status, _, err = call("settle", "r1")
    assert (status, err) == (0, "")
    assert "attested   not by itself: " in (page := call("show", "r1")[1]) and reason in page
    monkeypatch.setenv("HPCPROV_ATTEST", str(keys["ada"].path))
    assert call("settle", "r1")[0] == 0
    assert "not by itself" not in (page := call("show", "r1")[1]) and "attested   by SHA256:" in page


def test_it_is_off_unless_it_is_wanted(call: Call, store: Store) -> None:
    Launch().start().exit().write(store.run("r1"))
    call("settle", "r1", "--no-hash")
    place = find_record(store, "r1")
    assert place is not None and sorted(os.listdir(place)) == ["n1.100-4999000.0.log", "record.json"]


def test_nothing_stops_it(store: Store, keys: dict[str, Key], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPCPROV_ATTEST", str(keys["ada"].path))
    automatic.attest_new(store, ["/nowhere", store.root], os.environ)
    assert not os.path.exists(os.path.join(store.root, "record.sig"))


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent that does not answer."""
    path = os.path.join(os.environ["HOME"], "agent")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(os.environ["HOME"])
        listening.bind("agent")  # a path of this length may be too long for a socket's name
        listening.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", "agent" if len(path) > 100 else path)
        yield


def test_an_ssh_agent_that_does_not_answer(
    store: Store, place: str, keys: dict[str, Key], silent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPCPROV_ATTEST", str(keys["locked"].path))
    monkeypatch.setattr(automatic, "PATIENCE", 0.3)
    automatic.attest_new(store, [place], os.environ)
    assert automatic.why_not(place) == "no signature within 0.3 s" and not os.path.exists(
        os.path.join(place, "record.sig")
    )


def test_a_key_that_opens_by_itself_needs_no_agent(
    store: Store, place: str, keys: dict[str, Key], silent: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPCPROV_ATTEST", str(keys["ada"].path))
    monkeypatch.setattr(automatic, "PATIENCE", 60)
    automatic.attest_new(store, [place], os.environ)
    assert automatic.why_not(place) is None and os.path.exists(os.path.join(place, "record.sig"))


def test_a_key_that_only_an_agent_opens(
    store: Store, place: str, keys: dict[str, Key], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HPCPROV_ATTEST", f"{tmp_path / 'only'}.pub")
    monkeypatch.setattr(automatic, "PATIENCE", 60)
    monkeypatch.chdir(tmp_path)
    shutil.copy(f"{keys['ben'].path}.pub", "only.pub")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", "answers"], stdout=subprocess.DEVNULL)
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", "answers")
        until(lambda: os.path.exists("answers"), "no agent")
        subprocess.run(["ssh-add", "-q", str(keys["ben"].path)], check=True)
        automatic.attest_new(store, [place], os.environ)
    finally:
        agent.terminate()
        agent.wait()
    assert automatic.why_not(place) is None and os.path.exists(os.path.join(place, "record.sig"))


def test_by_the_agent(site: Site, keys: dict[str, Key], signers: Path) -> None:
    done = site.call(site.launcher, "exec", "--", "true", HPCPROV_ATTEST=str(keys["ada"].path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = site.call(site.launcher, "verify", "last", "--attested-by", str(signers), check=None)
    assert done.returncode == 0 and "attested by ada@example.org" in done.stdout
