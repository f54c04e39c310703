"""Any edit, dropped rank, truncated log or swapped output is found: a thousand of them, by whoever has no key.

Every change is made to the files of one attested run, they are verified as `hpcprov verify --attested-by` does it (each
eighth time by that command), and put back. A signature that was checked once, of the same bytes, is not checked again.
"""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attest.conftest import Call, Key, made
from hpcprov.attest import beside, ssh
from hpcprov.commands import verify_record
from hpcprov.commands.choose import open_run
from hpcprov.merge.read import read_run
from hpcprov.merge.seal import seal
from hpcprov.record import frame
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe
from hpcprov.signature.isolated import Described
from hpcprov.signature.verify import compare

TIMES = 56  # of each of the 18 kinds: more than a thousand


class Scene:
    """An attested run `r1`, another one `r2`, and what an attacker does with their files."""

    def __init__(self, store: Store, place: str, other: str, folder: Path, keys: dict[str, Key]) -> None:
        self.store, self.place, self.other, self.folder, self.keys = store, Path(place), Path(other), folder, keys
        self.before = self.files()

    def files(self) -> dict[Path, bytes]:
        places = [self.place, self.other, Path(self.store.tiles), Path(self.store.runs)]
        found = [path for place in places for path in place.rglob("*") if path.is_file()]
        return {
            path: path.read_bytes()
            for path in [*found, self.folder / "out.npy", self.folder / "in.txt"]
            if path.exists()
        }

    def restore(self) -> None:
        now = self.files()
        for path in now.keys() - self.before.keys():
            path.unlink()
        for path, data in self.before.items():
            if now.get(path) != data:
                path.write_bytes(data)

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.before[self.place / "record.json"])
        return found

    def write(self, record: dict[str, Any]) -> None:
        (self.place / "record.json").write_bytes(canonical(record) + b"\n")

    def resealed(self, record: dict[str, Any]) -> dict[str, Any]:
        """Sealed as an attacker would, over the logs as they lie there now."""
        rest = {key: value for key, value in record.items() if key != "seal"}
        return seal(rest, read_run(str(self.place)), previous=None)

    def some(self, chance: random.Random, suffix: str) -> Path:
        return chance.choice(sorted(path for path in self.place.iterdir() if path.name.endswith(suffix)))


def flip(chance: random.Random, path: Path, start: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(start, len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all members of a record, at any depth."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*way, key)
        yield from leaves(value[key], (*way, key))


def edited(chance: random.Random, record: dict[str, Any]) -> dict[str, Any]:
    """A record of which one member somewhere is another, is gone, or is there twice."""
    changed = copy.deepcopy(record)
    way = chance.choice([way for way in leaves(changed) if way[0] != "seal"])
    holder = changed
    for key in way[:-1]:
        holder = holder[key]
    old = holder[way[-1]]
    if chance.random() < 0.3:
        del holder[way[-1]]
    elif isinstance(holder, list) and chance.random() < 0.3:
        holder.append(old)
    else:
        holder[way[-1]] = chance.choice([f"{old}x", 0 if old != 0 else 1, None if old is not None else 7, [], {"x": 1}])
    return changed


def without_rank(chance: random.Random, record: dict[str, Any]) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    table = changed["ranks"]
    k = chance.randrange(table["count"])
    for column in table["columns"].values():
        del column[k]
    table["count"] -= 1
    table["missing"] = chance.choice([[], [[k, k]]])
    changed["launcher"]["size"] = chance.choice([2, 3])
    return changed


def flip_record(scene: Scene, chance: random.Random) -> None:
    flip(chance, scene.place / "record.json")


def flip_log(scene: Scene, chance: random.Random) -> None:
    flip(chance, scene.some(chance, ".log"))


def flip_output(scene: Scene, chance: random.Random) -> None:
    flip(chance, scene.some(chance, ".out"))


def flip_signature(scene: Scene, chance: random.Random) -> None:
    flip(chance, scene.place / "record.sig")


def flip_tiles(scene: Scene, chance: random.Random) -> None:
    flip(chance, chance.choice(sorted(path for path in Path(scene.store.tiles).rglob("*") if path.is_file())))


def flip_data(scene: Scene, chance: random.Random) -> None:
    name, start = chance.choice([("out.npy", 128), ("in.txt", 0)])
    flip(chance, scene.folder / name, start)


def edit_record(scene: Scene, chance: random.Random) -> None:
    scene.write(edited(chance, scene.record))


def edit_record_and_seal(scene: Scene, chance: random.Random) -> None:
    changed = edited(chance, scene.record)
    scene.write(scene.resealed(changed) if canonical(changed) != canonical(scene.record) else {})


def drop_rank(scene: Scene, chance: random.Random) -> None:
    changed = without_rank(chance, scene.record)
    scene.write(chance.choice([changed, scene.resealed(changed)]))


def drop_rank_from_logs(scene: Scene, chance: random.Random) -> None:
    """Of a rank nothing is left in the logs, and the record is made and sealed anew by hpcprov itself."""
    rank = chance.randrange(3)
    for path in sorted(scene.place.glob("*.log")):
        kept = [event for event in frame.scan(path.read_bytes()) if event.get("rank") != rank]
        path.write_bytes(b"".join(part for event in kept for part in frame.encode(event)))
    if chance.random() < 0.7:
        (scene.place / "record.json").unlink()
    if chance.random() < 0.3:
        scene.write(scene.resealed(without_rank(chance, scene.record)))


def truncate(scene: Scene, chance: random.Random) -> None:
    path = scene.some(chance, chance.choice([".log", ".out"]))
    path.write_bytes(path.read_bytes()[: chance.randrange(path.stat().st_size)])
    if chance.random() < 0.3:
        scene.write(scene.resealed(scene.record))


def append(scene: Scene, chance: random.Random) -> None:
    """A frame that a late launcher could have written; or what no launcher writes."""
    path = scene.some(chance, chance.choice([".log", ".out"]))
    event = {"event": "beat", "time": chance.randrange(1 << 60), "boot": 1, "node": "n1"}
    path.write_bytes(path.read_bytes() + chance.choice([frame.encode(event)[0], b"\n", b"x" * chance.randrange(1, 99)]))


def add_log(scene: Scene, chance: random.Random) -> None:
    source = scene.some(chance, chance.choice([".log", ".out"]))
    node = f"n{chance.randrange(3, 99)}"
    (scene.place / source.name.replace("n1.", f"{node}.").replace("n2.", f"{node}.")).write_bytes(source.read_bytes())


def remove(scene: Scene, chance: random.Random) -> None:
    names = sorted(path for path in scene.place.iterdir() if path.name != "record.json")
    chance.choice([*names, scene.folder / "out.npy", scene.folder / "in.txt"]).unlink()


def swap_outputs(scene: Scene, chance: random.Random) -> None:
    first, second = scene.folder / "out.npy", scene.folder / "in.txt"
    values = np.load(first)
    how = chance.randrange(4)
    if how == 0:
        data = first.read_bytes(), second.read_bytes()
        first.write_bytes(data[1])
        second.write_bytes(data[0])
    elif how == 1:
        np.save(first, np.roll(values, chance.randrange(1, values.size)))
    elif how == 2:
        np.save(first, values.astype("f4"))
    else:
        np.save(first, chance.choice([values[1:], values.T, values + chance.random()]))


def transplant(scene: Scene, chance: random.Random) -> None:
    names = sorted(
        path.name for path in scene.place.iterdir() if path.name in {one.name for one in scene.other.iterdir()}
    )
    differing = [name for name in names if (scene.place / name).read_bytes() != (scene.other / name).read_bytes()]
    chosen = chance.sample(differing, chance.randrange(1, len(differing) + 1))
    for name in chosen:
        (scene.place / name).write_bytes((scene.other / name).read_bytes())


def sign_again(scene: Scene, chance: random.Random) -> None:
    """Edited, sealed, and signed with the attacker's own key; or with the old signature under the new statement."""
    scene.write(scene.resealed(edited(chance, scene.record)))
    if chance.random() < 0.1:  # one of these is as good as another, and each is a signature
        try:
            beside.vouch(scene.store, str(scene.place), str(scene.keys["ben"].path))
        except Exception:
            return  # edited so that it is no record any more
    else:
        whole = beside.load(str(scene.place / "record.sig"))
        payload = whole.payload.replace(b'"completed"', b'"failed"').replace(b"r1/record.json", b"r2/record.json")
        (scene.place / "record.sig").write_bytes(beside.Envelope(payload, whole.signatures).encoded())


def excuse(scene: Scene, chance: random.Random) -> None:
    """A log is taken away, and a list says that it was pruned: a log of events, or output of another digest."""
    is_log = chance.random() < 0.5
    path = scene.some(chance, ".log" if is_log else ".out")
    sealed = next(log for log in scene.record["seal"]["logs"] if log["name"] == path.name)
    wrong = {"bytes": chance.choice([0, sealed["bytes"] + 1])} if chance.random() < 0.5 else {"sha256": "0" * 64}
    entry = {key: sealed[key] for key in ("name", "bytes", "sha256")} | ({} if is_log else wrong)
    said = {"format": "hpcprov-pruned", "version": 1, "time": "2026-11-21T00:00:00Z", "by": {}, "logs": [entry]}
    (scene.place / "pruned.1.json").write_bytes(json.dumps(said).encode())
    path.unlink()


KINDS: list[Callable[[Scene, random.Random], None]] = [
    *(flip_record, flip_log, flip_output, flip_signature, flip_tiles, flip_data),
    *(edit_record, edit_record_and_seal, drop_rank, drop_rank_from_logs, truncate, append, add_log),
    *(remove, swap_outputs, transplant, sign_again, excuse),
]


class InProcess:
    """The reading process's own work, in this process."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}

    def configure(self, **settings: Any) -> None:
        self.settings = settings

    def describe(self, path: str) -> Described:
        return Described(describe(path, threads=1, **self.settings), 1.0, [])


@pytest.fixture
def scene(store: Store, tmp_path: Path, keys: dict[str, Key], monkeypatch: pytest.MonkeyPatch) -> Scene:
    @contextmanager
    def reader(settings: dict[str, Any], bar: object) -> Iterator[InProcess]:
        yield InProcess()

    place = made(store, tmp_path)
    other = made(store, tmp_path, "r2")
    for one in (place, other):
        beside.vouch(store, one, str(keys["ada"].path))
    monkeypatch.setattr("hpcprov.commands.verify.reader", reader)
    monkeypatch.setattr(ssh, "identities", cache(ssh.identities))
    return Scene(store, place, other, tmp_path, keys)


def failed(scene: Scene, allowed: str) -> list[str]:
    """What `hpcprov verify` does for a run, without the command line: the verdicts that are not OK."""
    try:
        run = open_run(scene.store, str(scene.place))
    except HpcprovError as error:
        return [error.message]
    verdicts = [verify_record.check(scene.store, run.directory, allowed=allowed)]
    for facts in (facts for role in ("generated", "used") for facts in run.record["artifacts"][role]):
        same_as = facts["storage"]["digest"] if facts["storage"] else None
        verdicts.append(compare(facts, describe(facts["path"], threads=1, same_as=same_as), lambda one, other: {}))
    return [verdict["status"] for verdict in verdicts if verdict["status"] != "OK"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_change_is_found(scene: Scene, call: Call, signers: Path, kind: Callable[..., None]) -> None:
    words = ("verify", "r1", "--attested-by", str(signers))
    for seed in range(TIMES):
        kind(scene, random.Random(f"{kind.__name__} {seed}"))
        assert scene.files() != scene.before, f"seed {seed} changes nothing"
        assert failed(scene, str(signers)), f"seed {seed}"
        if seed % 8 == 0:
            status, out, err = call(*words)
            assert status in (1, 2) and "internal error" not in err, f"seed {seed}: {out}{err}"
            assert any(word in out for word in ("CHANGED", "NOT ATTESTED", "MISSING", "UNREADABLE")) or err, seed
        scene.restore()
    assert failed(scene, str(signers)) == [] and call(*words)[0] == 0


def test_there_are_a_thousand() -> None:
    assert TIMES * len(KINDS) >= 1000 and os.path.basename(__file__) == "test_mutations.py"
