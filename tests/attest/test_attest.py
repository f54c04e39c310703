"""`hpcprov attest` and `hpcprov verify --attested-by`: through the command line."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from merge.build import BEGAN, DEAD_PID, SECOND, encoded
from require import require

from attest.conftest import Call, Key, edit, made
from hpcprov.attest import beside
from hpcprov.merge.publish import revise
from hpcprov.record import model
from hpcprov.record.layout import Store

DOCUMENT = Path(__file__).parents[2] / "docs/attest.md"


def test_attested_and_verified(call: Call, place: str, keys: dict[str, Key], signers: Path) -> None:
    status, out, err = call("attest", "r1", "--key", str(keys["ada"].path))
    assert (status, err) == (0, "") and out.startswith("attested r1 by ssh-ed25519 SHA256:")
    status, out, err = call("verify", "r1", "--attested-by", str(signers), "--refold")
    assert (status, err) == (0, "")
    assert "record of r1  (sealed, 4 logs, folded again; attested by ada@example.org)" in out
    assert "2 artifacts: 2 OK" in out
    status, out, _ = call("verify", "out.npy", "--attested-by", str(signers), "--json")
    record, output = json.loads(out)
    assert (status, record["role"], record["status"], output["status"]) == (0, "record", "OK", "OK")
    assert record["attested_by"] == ["ada@example.org"] and record.keys() >= output.keys()
    assert "attested   by SHA256:" in call("show", "r1")[1]


def test_nobody_vouches(call: Call, place: str, signers: Path) -> None:
    status, out, _ = call("verify", "r1", "--attested-by", str(signers))
    assert status == 1 and "NOT ATTESTED  record of r1" in out and "there is no" in out and "record.sig" in out
    assert call("verify", "r1")[0] == 0 and "attested" not in call("show", "r1")[1]


def test_somebody_else_vouches(call: Call, place: str, keys: dict[str, Key], signers: Path) -> None:
    call("attest", "r1", "--key", str(keys["ben"].path))
    status, out, _ = call("verify", "r1", "--attested-by", str(signers))
    assert status == 1 and "NOT ATTESTED" in out and "is not among the signers" in out


def test_two_people_vouch(call: Call, place: str, keys: dict[str, Key], signers: Path) -> None:
    for name in ("ada", "ben", "ada"):
        status, out, _ = call("attest", "r1", "--key", str(keys[name].path))
        assert status == 0
    assert "with 1 more" in out
    status, out, _ = call("verify", "r1", "--attested-by", str(signers))
    assert status == 0 and "attested by ada@example.org)" in out and "is not among the signers" in out
    with signers.open("a") as file:
        file.write(f"ben@example.org {keys['ben'].public}\n")
    assert "attested by ben@example.org, ada@example.org)" in call("verify", "r1", "--attested-by", str(signers))[1]


def test_people_who_sign_at_once(store: Store, place: str, keys: dict[str, Key], tmp_path: Path) -> None:
    many = [Key(tmp_path / f"key{k}", f"{k}@example.org") for k in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda key: beside.vouch(store, place, str(key.path)), many))
    found = beside.load(os.path.join(place, "record.sig"))
    assert len({keyid for keyid, _ in found.signatures}) == 6 and not os.listdir(store.runs)


def test_a_later_revision_is_not_attested(
    call: Call, store: Store, place: str, keys: dict[str, Key], signers: Path
) -> None:
    call("attest", "r1", "--key", str(keys["ada"].path))
    moment = BEGAN + 20 * SECOND
    late = {"v": 1, "event": "problem", "time": moment, "boot": moment, "node": "n2", "rank": 2, "pid": DEAD_PID}
    with open(os.path.join(place, "n2.101-4999001.0.log"), "ab") as file:
        file.write(encoded([late | {"text": "the disk is full"}]))
    revise(store, place, old=model.load(os.path.join(place, "record.json")))
    status, out, _ = call("verify", "r1", "--attested-by", str(signers))
    assert status == 1 and "the attestation is of revision 1, and the record is revision 2 by now" in out
    assert "of revision 1, and the record is revision 2 by now: `hpcprov attest r1`" in call("show", "r1")[1]
    assert call("attest", "r1", "--key", str(keys["ada"].path))[0] == 0
    assert call("verify", "r1", "--attested-by", str(signers))[0] == 0
    assert os.path.exists(os.path.join(place, "record.1.sig"))
    edit(os.path.join(place, "record.1.json"), b'"revision":1', b'"revision":3')
    status, out, _ = call("verify", "r1", "--attested-by", str(signers))
    assert status == 1 and "record.1.json is not the revision that this one took the place of" in out


def test_elsewhere(call: Call, place: str, keys: dict[str, Key], signers: Path, tmp_path: Path) -> None:
    ada = str(keys["ada"].path)
    assert call("attest", "r1", "--key", ada, "-o", "r1.sig")[0] == 0
    assert not os.path.exists(os.path.join(place, "record.sig"))
    words = ("verify", "r1", "--attested-by", str(signers), "--attestation", "r1.sig")
    assert call(*words)[0] == 0
    status, out, _ = call("attest", "r1", "--key", ada, "-o", "-")
    assert status == 0 and out == (tmp_path / "r1.sig").read_text()
    (told,) = json.loads(call("attest", "r1", "--key", ada, "-o", "again.sig", "--json")[1])
    assert told["seal"] == model.load(os.path.join(place, "record.json"))["seal"]["record"], "to be kept elsewhere"
    made(Store(str(tmp_path / ".hpcprov")), tmp_path, "r2")
    status, out, _ = call("verify", "r2", "--attested-by", str(signers), "--attestation", "r1.sig")
    assert status == 1 and "the attestation is not of this record" in out


def test_what_is_there_already_stays(call: Call, place: str, keys: dict[str, Key], tmp_path: Path) -> None:
    words = ("attest", "r1", "--key", str(keys["ada"].path), "-o")
    (tmp_path / "thesis.tex").write_text("years of work")
    status, _, err = call(*words, "thesis.tex")
    assert status == 2 and "is there already" in err and (tmp_path / "thesis.tex").read_text() == "years of work"
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert call(*words, "pipe")[0] == 0
    assert stat.S_ISFIFO(os.stat("pipe").st_mode), "a pipe or device was written to, not replaced"
    assert os.read(reader, 1 << 20).startswith(b'{"payload"')
    os.close(reader)
    assert call(*words, "thesis.tex", "--force")[0] == 0
    assert Path("thesis.tex").read_text().startswith('{"payload"')


def test_nobody_vouches_for_what_was_changed(call: Call, place: str, keys: dict[str, Key]) -> None:
    with open(os.path.join(place, "n2.101-4999001.0.out"), "r+b") as file:
        file.seek(40)
        file.write(b"x")
    status, _, err = call("attest", "r1", "--key", str(keys["ada"].path))
    assert status == 2 and "r1 is not what was sealed: log n2.101-4999001.0.out has changed" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["attest", "nothing"], "no run and no job is called 'nothing'"),
        (["attest", "r1", "--key", "nokey"], "there is no key 'nokey'"),
        (["attest", "r1", "--key", "allowed_signers"], "did not sign"),
        (["attest", "r1"], "there is no key in ~/.ssh"),
        (["attest", "running", "--key", "x"], "running has no record yet that could be signed"),
        (["verify", "r1", "--attested-by", "nofile"], "nofile: No such file"),
        (["verify", "r1", "--attestation", "r1.sig"], "--attestation goes with --attested-by"),
        (["verify", "out.npy", "--against", "blake3:" + "0" * 64, "--refold"], "--against compares data"),
    ],
    ids=" ".join,
)
def test_refusals(call: Call, store: Store, place: str, signers: Path, words: list[str], message: str) -> None:
    from merge.build import HERE, Launch

    alive = {"boot_id": HERE, "pid": os.getpid(), "pid_ns": os.stat("/proc/self/ns/pid").st_ino}
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    Launch(launch="9-9").start(ticks=ticks, **alive).write(store.run("running"))
    status, out, err = call(*words)
    assert (status, out) == (2, "") and message in err


def test_the_parts_of_a_workflow(call: Call, place: str, keys: dict[str, Key]) -> None:
    status, out, _ = call("attest", "r1", "r1", "--parts", "--key", str(keys["ada"].path), "--json")
    assert status == 0 and [one["run"] for one in json.loads(out)] == ["r1"]


def test_ssh_keygen_alone_is_enough(
    call: Call, place: str, keys: dict[str, Key], signers: Path, tmp_path: Path
) -> None:
    """What docs/attest.md tells a reviewer without hpcprov to type."""
    require("jq", shutil.which("jq"))
    call("attest", "r1", "--key", str(keys["ada"].path))
    script = DOCUMENT.read_text(encoding="utf-8").partition("```sh\n")[2].partition("```")[0]
    assert "ssh-keygen -Y verify" in script and "hpcprov " not in script.replace("attestation@hpcprov ", "")
    shutil.copy(signers, place)

    def review() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh", "-e", "-c", script], cwd=place, capture_output=True, text=True)

    done = review()
    assert done.returncode == 0, done.stderr
    assert (
        'Good "attestation@hpcprov" signature for ada@example.org' in done.stdout and "record.json: OK" in done.stdout
    )
    edit(os.path.join(place, "record.json"), b'"why not"', b'"why now"')
    assert review().returncode != 0
