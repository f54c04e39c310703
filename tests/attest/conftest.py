"""Keys of two people, and a run of three ranks on two nodes with captured output and an array that it left."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from commands.conftest import Call as Call
from commands.conftest import call as call
from commands.conftest import publish
from commands.conftest import store as store
from merge.build import Launch
from require import require

from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe

NAMES = ("HPCPROV_ATTEST", "HPCPROV_CONFIG", "SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY")


class Key:
    """A key pair: the file of the private half."""

    def __init__(self, path: Path, who: str, secret: str = "") -> None:
        self.path, self.who = path, who
        done = ["ssh-keygen", "-q", "-t", "ed25519", "-N", secret, "-C", who, "-f", str(path)]
        subprocess.run(done, check=True, stdin=subprocess.DEVNULL)

    @property
    def public(self) -> str:
        return " ".join(Path(f"{self.path}.pub").read_text().split()[:2])


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """Of `ada` and `ben`, and one of ada's that needs a passphrase (`locked`)."""
    require("ssh-keygen", shutil.which("ssh-keygen"))
    folder = tmp_path_factory.mktemp("keys")
    found = {who: Key(folder / who, f"{who}@example.org") for who in ("ada", "ben")}
    return found | {"locked": Key(folder / "locked", "ada@example.org", secret="a secret")}


@pytest.fixture
def signers(keys: dict[str, Key], tmp_path: Path) -> Path:
    """The file of allowed signers: ada alone."""
    path = tmp_path / "allowed_signers"
    path.write_text(f'ada@example.org namespaces="attestation@hpcprov" {keys["ada"].public}\n')
    return path


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, agent or setting of whoever runs the tests."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HPCPROV_CONFIG", "/nowhere")


@pytest.fixture
def place(store: Store, tmp_path: Path) -> str:
    """The directory of the record of the run `r1`."""
    return made(store, tmp_path)


def made(store: Store, folder: Path, run_id: str = "r1") -> str:
    """Publish a run; its record's directory."""
    np.save(folder / "out.npy", np.arange(1.0, 1 + 344 * 403).reshape(344, 403))
    (folder / "in.txt").write_text("albedo = 0.3\n")
    first = Launch(launcher="slurm", size=3, nodes=2).start(0, cwd=str(folder)).start(1, cwd=str(folder))
    first.env(0, LANG="C").exit(0).exit(1, utime=92e-6).agent().fact("host", {"hostname": "n1", "load": 0.5})
    for path, role in (("out.npy", "generated"), ("in.txt", "used")):
        facts = describe(str(folder / path), tiles_dir=store.tiles, algorithms=["sha256"])
        first.add("artifact", 10.05, node="n1", role=role, path=str(folder / path), declared=[path], **facts)
    first.print(0, 1, "step 1\n").print(1, 1.5, "step 1\n").ended(2)
    other = Launch("n2", "101-4999001", launcher="slurm", size=3, nodes=2).start(2, cwd=str(folder)).exit(2)
    other.print(2, 1, "step 1\n").agent().ended(1)
    for event in other.events:
        if event["event"] == "start":
            event["run"] = run_id
    other.write(store.run(run_id))
    return publish(store, run_id, first)


def edit(path: str | os.PathLike[str], old: bytes, new: bytes) -> None:
    """Replace the one place in a file that reads `old`."""
    data = Path(path).read_bytes()
    assert data.count(old) == 1, data.count(old)
    Path(path).write_bytes(data.replace(old, new))
