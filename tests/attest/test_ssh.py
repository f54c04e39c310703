"""Signatures of SSH keys, made and checked by ssh-keygen itself."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.conftest import Key
from hpcprov.attest import keys as chosen_keys
from hpcprov.attest import ssh
from hpcprov.record.errors import HpcprovError

MESSAGE = b"DSSEv1 28 application/vnd.in-toto+json 2 {}"


@pytest.fixture
def signature(keys: dict[str, Key]) -> str:
    return ssh.sign(MESSAGE, str(keys["ada"].path))


def test_who_signed_is_known(signature: str, keys: dict[str, Key], signers: Path) -> None:
    assert ssh.identities(MESSAGE, signature, str(signers)) == ["ada@example.org"]
    listed = subprocess.run(["ssh-keygen", "-l", "-f", f"{keys['ada'].path}.pub"], capture_output=True, text=True)
    assert ssh.fingerprint(signature) in listed.stdout and ssh.key_type(signature) == "ssh-ed25519"


def test_other_messages_keys_and_namespaces_are_not_taken(signature: str, keys: dict[str, Key], signers: Path) -> None:
    with pytest.raises(ssh.BadSignature, match="does not fit"):
        ssh.identities(MESSAGE + b" ", signature, str(signers))
    with pytest.raises(ssh.UnknownKey, match="is not among the signers"):
        ssh.identities(MESSAGE, ssh.sign(MESSAGE, str(keys["ben"].path)), str(signers))
    with pytest.raises(FileNotFoundError):
        ssh.identities(MESSAGE, signature, "/nowhere")


def test_a_signature_of_a_file_is_none_of_a_record(keys: dict[str, Key], tmp_path: Path, signers: Path) -> None:
    signers.write_text(f"ada@example.org {keys['ada'].public}\n")
    (tmp_path / "message").write_bytes(MESSAGE)
    words = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(keys["ada"].path), str(tmp_path / "message")]
    subprocess.run(words, check=True, capture_output=True)
    text = ssh.armoured(ssh.blob((tmp_path / "message.sig").read_text()))
    with pytest.raises(ssh.BadSignature):
        ssh.identities(MESSAGE, text, str(signers))


def test_several_names_and_patterns_of_one_key(signature: str, keys: dict[str, Key], signers: Path) -> None:
    signers.write_text(f"*@example.org,ada@alps {keys['ada'].public}\n")
    assert ssh.identities(MESSAGE, signature, str(signers)) == ["*@example.org", "ada@alps"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("BEGIN", "BEGUN"),
        lambda text: text[:60] + text[70:],
        lambda text: text.replace("\n", " "),
        lambda text: text + "\n",
        lambda text: "",
        lambda text: ssh.armoured(ssh.MAGIC + b"\0\0\0\1" + b"\xff\xff\xff\xff"),
        lambda text: ssh.armoured(ssh.MAGIC + b"\0\0\0\2" + ssh.blob(text)[10:]),
        lambda text: ssh.armoured(ssh.blob(text)[:-1]),
        lambda text: ssh.armoured(ssh.blob(text) + b"x"),
    ],
)
def test_damaged_signatures(signature: str, signers: Path, damage: object) -> None:
    with pytest.raises((ssh.BadSignature, ssh.UnknownKey)):
        ssh.identities(MESSAGE, damage(signature), str(signers))  # type: ignore[operator]


def test_a_key_with_a_passphrase_is_not_asked_for(keys: dict[str, Key]) -> None:
    with pytest.raises(ssh.CannotSign, match="did not sign"):
        ssh.sign(MESSAGE, str(keys["locked"].path), ask=False, patience=10)


def test_a_passphrase_is_asked_for_on_the_terminal(keys: dict[str, Key], tmp_path: Path) -> None:
    import pty
    import sys

    out = tmp_path / "text"
    code = (
        f"from hpcprov.attest import ssh; open({str(out)!r}, 'w').write(ssh.sign(b'x', {str(keys['locked'].path)!r}))"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])
    seen = b""
    while b"passphrase" not in seen:
        seen += os.read(terminal, 1024)
    os.write(terminal, b"a secret\n")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert status == 0 and ssh.key_type(out.read_text()) == "ssh-ed25519"


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An ssh-agent without keys."""
    socket = Path(os.environ["HOME"]) / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()  # it listens now
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield socket
    process.terminate()
    process.wait()
    process.stdout.close()


def test_a_key_that_only_an_agent_has(agent: Path, keys: dict[str, Key], signers: Path) -> None:
    with (
        pytest.raises(ssh.CannotSign, match="none in an agent"),
        chosen_keys.chosen(None, os.environ),
    ):
        pass
    subprocess.run(["ssh-add", "-q", str(keys["ada"].path)], check=True, capture_output=True)
    with chosen_keys.chosen(None, os.environ) as key:
        text = ssh.sign(MESSAGE, key, ask=False, patience=10)
    assert ssh.identities(MESSAGE, text, str(signers)) == ["ada@example.org"] and not os.path.exists(key)
    subprocess.run(["ssh-add", "-q", str(keys["ben"].path)], check=True, capture_output=True)
    with pytest.raises(ssh.CannotSign, match="has 2 keys") as error, chosen_keys.chosen(None, os.environ):
        pass
    assert "ben@example.org" in (error.value.hint or "")


def test_which_key_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(os.environ["HOME"])
    (home / ".ssh").mkdir()
    (home / ".ssh/id_rsa").touch()
    settings = tmp_path / "hpcprov.conf"
    settings.write_text("observe = off\nattest = ~/.ssh/cluster\n")

    def key(given: str | None = None) -> str:
        with chosen_keys.chosen(given, os.environ) as path:
            return path

    assert chosen_keys.configured(os.environ) is None and key() == str(home / ".ssh/id_rsa")
    (home / ".ssh/id_ed25519").touch()
    assert key() == str(home / ".ssh/id_ed25519")
    monkeypatch.setenv("HPCPROV_CONFIG", str(settings))
    assert key() == str(home / ".ssh/cluster") and key("/x") == "/x"
    monkeypatch.setenv("HPCPROV_ATTEST", "/keys/mine")
    assert key() == "/keys/mine"
    monkeypatch.setenv("HPCPROV_ATTEST", "off")
    assert chosen_keys.configured(os.environ) is None and key() == str(home / ".ssh/id_ed25519")


def test_no_program(monkeypatch: pytest.MonkeyPatch, signature: str, keys: dict[str, Key], signers: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for attempt in (
        lambda: ssh.sign(MESSAGE, str(keys["ada"].path)),
        lambda: ssh.identities(MESSAGE, signature, str(signers)),
    ):
        with pytest.raises(HpcprovError, match="there is no ssh-keygen") as error:
            attempt()
        assert re.search("OpenSSH", error.value.hint or "")
