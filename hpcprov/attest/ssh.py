"""Signatures of SSH keys: made and checked by OpenSSH's `ssh-keygen -Y` (8.2 or later), in a namespace of our own.

    text = sign(message, "/home/ada/.ssh/id_ed25519")     # also a key in an agent or in hardware
    fingerprint(text)                                     ->  "SHA256:wq…"
    identities(message, text, "allowed_signers")          ->  ["ada@example.org"]; raises BadSignature, UnknownKey

The format of signatures: PROTOCOL.sshsig of OpenSSH. A signature made in another namespace (of a file, of a commit) is
never taken for one of ours, nor ours for one of those.
"""

from __future__ import annotations

import os
import re
import struct
from base64 import b64decode, b64encode
from hashlib import sha256

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import CompletedProcess

NAMESPACE = "attestation@hpcprov"
PROGRAM = "ssh-keygen"
MAGIC = b"SSHSIG"
BEGIN, END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
WIDTH = 70
LONGEST = 1 << 16  # bytes of a signature's text; the largest RSA keys make some 3,000
PATIENCE = 30.0  # s for checking
AGENT = "SSH_AUTH_SOCK"
NO_PROGRAM = "ssh-keygen of OpenSSH 8.2 or later makes and checks signatures"


class BadSignature(HpcprovError):
    """A signature that is damaged, or not of this message."""


class UnknownKey(HpcprovError):
    """A signature by a key that the list of allowed signers does not have."""


class CannotSign(HpcprovError):
    """No signature was made, for the reason that is said."""


def sign(message: bytes, key: str, *, ask: bool = True, patience: float | None = None) -> str:
    """The text of a signature over `message` by the key in the file `key`: private, or public with the private half in
    an agent. With `ask` a passphrase may be asked for on the terminal. Raises CannotSign."""
    import tempfile

    if not os.path.isfile(key):
        raise CannotSign(f"there is no key {key!a}", hint="ssh-keygen -t ed25519 makes one; --key names another")
    with tempfile.TemporaryDirectory(prefix="hpcprov-") as folder:
        path = os.path.join(folder, "message")
        _write(path, message)
        done = _sign(["-q", "-Y", "sign", "-f", key, "-n", NAMESPACE, path], ask=ask, patience=patience)
        if done.returncode != 0 or not os.path.exists(f"{path}.sig"):
            raise CannotSign(f"{key} did not sign: {_last_line(done.stderr) or 'ssh-keygen failed'}", hint=_hint(done))
        with open(f"{path}.sig", encoding="ascii") as file:
            return armoured(blob(file.read(LONGEST)))


def identities(message: bytes, text: str, signers: str) -> list[str]:
    """Who signed `message`, as the file `signers` (ALLOWED SIGNERS of ssh-keygen(1)) names them.

    Raises BadSignature, UnknownKey; HpcprovError when `signers` cannot be read.
    """
    import tempfile

    data = blob(text)
    if armoured(data) != text:
        raise BadSignature("its signature is not written as ssh-keygen writes it")
    with open(signers, "rb"):
        pass  # an error of ours, not of the program's
    with tempfile.TemporaryDirectory(prefix="hpcprov-") as folder:
        path = os.path.join(folder, "message.sig")
        _write(path, text.encode("ascii"))
        about = ["-f", os.path.abspath(signers), "-s", path]
        found = _run(["-Y", "find-principals", *about])
        names = [name for name in found.stdout.decode("utf-8", "replace").splitlines() if name]
        if found.returncode != 0 or not names:
            raise UnknownKey(f"{fingerprint(text)} is not among the signers in {signers}")
        for name in names:
            done = _run(["-Y", "verify", "-n", NAMESPACE, "-I", name, *about], message)
            if done.returncode == 0:
                return names
    raise BadSignature(f"the signature by {fingerprint(text)} does not fit: {_last_line(done.stderr or done.stdout)}")


def fingerprint(text: str) -> str:
    """The fingerprint of the key that a signature says it is by. Raises BadSignature."""
    key, _ = _string(blob(text), len(MAGIC) + 4)
    return of_key(key)


def of_key(key: bytes) -> str:
    """The fingerprint of a public key's bytes, as ssh-keygen -l prints it."""
    return f"SHA256:{b64encode(sha256(key).digest()).decode('ascii').rstrip('=')}"


def key_type(text: str) -> str:
    """The kind of that key: `ssh-ed25519`, ... Raises BadSignature."""
    key, _ = _string(blob(text), len(MAGIC) + 4)
    return _string(key, 0)[0].decode("ascii", "replace")


def blob(text: str) -> bytes:
    """The bytes of a signature's text. Raises BadSignature."""
    lines = text.strip().split("\n")
    if len(text) > LONGEST or lines[0] != BEGIN or lines[-1] != END:
        raise BadSignature("its signature is not one of SSH")
    try:
        data = b64decode("".join(lines[1:-1]), validate=True)
    except ValueError as error:
        raise BadSignature("its signature is not one of SSH") from error
    if not data.startswith(MAGIC + struct.pack(">I", 1)):
        raise BadSignature("its signature is not one of SSH")
    return data


def armoured(data: bytes) -> str:
    """A signature's bytes as text."""
    body = b64encode(data).decode("ascii")
    lines = [body[start : start + WIDTH] for start in range(0, len(body), WIDTH)]
    return "\n".join([BEGIN, *lines, END, ""])


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """A string of the SSH wire format, and where what follows it begins."""
    if len(data) < at + 4:
        raise BadSignature("its signature is cut short")
    (length,) = struct.unpack_from(">I", data, at)
    if len(data) < at + 4 + length:
        raise BadSignature("its signature is cut short")
    return data[at + 4 : at + 4 + length], at + 4 + length


def _write(path: str, data: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(data)


def _sign(words: list[str], *, ask: bool, patience: float | None) -> CompletedProcess[bytes]:
    """Run the program. ssh-keygen asks an agent first, which may hang: where nobody waits for a passphrase, a key that
    opens by itself is used without it."""
    if not ask:
        alone = _call(words, ask=False, patience=patience, agent=False)
        if alone.returncode == 0 or not os.environ.get(AGENT):
            return alone
    return _call(words, ask=ask, patience=patience, agent=True)


def _call(words: list[str], *, ask: bool, patience: float | None, agent: bool) -> CompletedProcess[bytes]:
    """Run the program so that it asks on the terminal; or never, wherever it could. Without `agent` it finds none."""
    import subprocess
    import sys

    environ = {key: value for key, value in os.environ.items() if agent or key != AGENT}
    if not ask:
        environ = {key: value for key, value in environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environ |= {"SSH_ASKPASS_REQUIRE": "never", "SSH_ASKPASS": "/bin/false"}
    # ssh-keygen looks whether standard input is a terminal, and asks for passphrases only if it is.
    terminal = _terminal() if ask else None
    seen = ask and sys.stderr is not None and sys.stderr.isatty()
    try:
        return subprocess.run(
            [PROGRAM, *words],
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.DEVNULL,
            stderr=None if seen else subprocess.PIPE,
            env=environ,
            timeout=patience,
            start_new_session=not ask,
        )
    except FileNotFoundError as error:
        raise CannotSign("there is no ssh-keygen", hint=NO_PROGRAM) from error
    except subprocess.TimeoutExpired as error:
        raise CannotSign(f"no signature within {patience:g} s") from error
    finally:
        if terminal is not None:
            os.close(terminal)


def _terminal() -> int | None:
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None


def _run(words: list[str], message: bytes = b"") -> CompletedProcess[bytes]:
    import subprocess

    try:
        return subprocess.run([PROGRAM, *words], input=message, capture_output=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise HpcprovError("there is no ssh-keygen", hint=NO_PROGRAM) from error
    except subprocess.TimeoutExpired as error:
        raise HpcprovError(f"ssh-keygen did not answer within {PATIENCE:.0f} s") from error


def _last_line(said: bytes | None) -> str:
    lines = (said or b"").decode("utf-8", "replace").strip().splitlines()
    return re.sub(r"^Enter passphrase[^:]*: ", "", lines[-1].removesuffix("\r")) if lines else ""


def _hint(done: CompletedProcess[bytes]) -> str:
    said = (done.stderr or b"").decode("utf-8", "replace")
    if "unknown option" in said or "illegal option" in said or "Too many arguments" in said:
        return NO_PROGRAM
    return "a key with a passphrase needs a terminal or an agent (ssh-add); --key names another key"
