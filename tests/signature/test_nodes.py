"""Sharing between nodes: any number of processes, any of them killed, one result."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe
from hpcprov.signature.manifest import load
from hpcprov.signature.nodes import combine, share
from hpcprov.signature.share import CLAIMS, Note, append, claim, pack, read_all, share_path, unpack

#: Small parts, so that small files are shared out as large ones are.
PARTS: dict[str, Any] = {"large": 100_000, "group": 2 << 20}

Artifacts = list[tuple[str, str]]


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """Artifacts of every kind and state."""
    top = tmp_path_factory.mktemp("artifacts")
    chance = np.random.default_rng(1)
    with h5py.File(top / "a.h5", "w") as file:
        file.create_dataset("big", data=chance.random((200, 300, 40)), chunks=(50, 60, 7))
        file["small"], file["null"] = np.arange(5), h5py.Empty("f4")
        file.create_dataset("text", (3,), h5py.string_dtype())[0] = "hé"
    zarr.create_array(top / "b.zarr", data=chance.random((1000, 700)), chunks=(100, 100), zarr_format=2)
    np.save(top / "c.npy", np.arange(10))
    (top / "plain").write_bytes(b"abc" * 100_000)
    (top / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200_000))
    names = ["a.h5", "b.zarr", "c.npy", "plain", "broken.h5", "missing", "a.h5"]
    return [(str(top / name), "generated" if at else "used") for at, name in enumerate(names)]


@pytest.fixture(scope="module")
def expected(artifacts: Artifacts) -> list[dict[str, Any]]:
    return [describe(path) for path, _ in artifacts]


def node(shared: Path, name: str, artifacts: Artifacts, *, pause: float = 0) -> subprocess.Popen[bytes]:
    """A process that does a node's share; `pause` seconds before each entry make it slow."""
    program = """
import json, sys, time
from hpcprov.signature import nodes
given = json.loads(sys.argv[1])
keep = nodes.append
def slow(path, note):
    time.sleep(given["pause"])
    keep(path, note)
nodes.append = slow
nodes.share([tuple(pair) for pair in given["artifacts"]], shared_dir=given["shared"], node=given["node"], threads=1,
**given["parts"])
"""
    given = {"artifacts": artifacts, "shared": str(shared), "node": name, "pause": pause, "parts": PARTS}
    return subprocess.Popen([sys.executable, "-c", program, json.dumps(given)])


def test_without_any_share(artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    assert combine(artifacts, shared_dir=str(tmp_path / "not there")) == expected


def test_tile_digests_are_kept_whoever_has_computed_them(
    artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    parts = {**PARTS, "tiles_dir": str(tmp_path / "tiles")}
    share(artifacts, shared_dir=str(tmp_path), node="n0", **parts)
    combine(artifacts, shared_dir=str(tmp_path), tiles_dir=str(tmp_path / "tiles"))
    fields = [field for facts in expected if facts["signature"] for field in facts["signature"]["fields"]]
    roots = {field["signature"].removeprefix("hpcprov1:") for field in fields if field["bytes"] > 2 << 20}
    assert len(roots) == 2
    assert {place.name for place in (tmp_path / "tiles").glob("*/*")} == roots
    assert all(load(str(tmp_path / "tiles"), root, most=100) is not None for root in roots)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_nodes(count: int, artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    running = [node(tmp_path, f"n{at}", artifacts) for at in range(count)]
    assert [process.wait() for process in running] == [0] * count
    assert combine(artifacts, shared_dir=str(tmp_path), group=PARTS["group"]) == expected


def test_what_was_shared_is_not_read_again(
    artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(artifacts, shared_dir=str(tmp_path), node="n", **PARTS)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("hpcprov.signature.threads.Signer.sign", never)
    monkeypatch.setattr("hpcprov.signature.combine.storage_digest", never)
    assert combine(artifacts[:4], shared_dir=str(tmp_path), group=PARTS["group"]) == expected[:4]


def test_every_part_is_done_by_one_node(artifacts: Artifacts, tmp_path: Path) -> None:
    running = [node(tmp_path, f"n{at}", artifacts, pause=0.02) for at in range(3)]
    assert [process.wait() for process in running] == [0] * 3
    notes = [
        (note.head.get("artifact"), note.head.get("field"), str(note.head.get("box")))
        for note in read_all(str(tmp_path))
    ]
    parts = [
        json.dumps([*note, kind])
        for note, kind in zip(notes, [n.head["kind"] for n in read_all(str(tmp_path))], strict=True)
    ]
    assert len(parts) == len(set(parts)) > 10


@pytest.mark.parametrize("seed", range(4))
def test_a_node_killed_in_the_middle(
    seed: int, artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    victim = node(tmp_path, "victim", artifacts, pause=20)
    while not (tmp_path / CLAIMS).exists():
        time.sleep(0.01)
    other = node(tmp_path, "other", artifacts)
    time.sleep(random.Random(seed).random() * 0.4)
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert other.wait() == 0
    assert combine(artifacts, shared_dir=str(tmp_path), group=PARTS["group"]) == expected


def test_a_share_of_a_file_that_has_changed_since_is_not_used(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(10))
    artifacts = [(str(tmp_path / "x.npy"), "generated")]
    share(artifacts, shared_dir=str(tmp_path), node="n")
    np.save(tmp_path / "x.npy", np.ones(10))
    assert combine(artifacts, shared_dir=str(tmp_path)) == [describe(artifacts[0][0])]


def test_damaged_shares_are_computed_again(
    artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    share(artifacts, shared_dir=str(tmp_path), node="n", **PARTS)
    place = Path(share_path(str(tmp_path), "n"))
    content = bytearray(place.read_bytes())
    for at in range(0, len(content), 3001):
        content[at] ^= 0x40
    place.write_bytes(content[:-7])
    assert combine(artifacts, shared_dir=str(tmp_path), group=PARTS["group"]) == expected


def test_another_group_size_only_costs_time(
    artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    share(artifacts, shared_dir=str(tmp_path), node="n", **PARTS)
    assert combine(artifacts, shared_dir=str(tmp_path), group=PARTS["group"] * 3) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"box": [[0, 1]]},
        {"box": "x"},
        {"box": [[1, 2], [0, 1], [0, 1]]},
        {"box": [[0, 10**9]] * 3},
        {"shape": [1]},
        {"token": "ff"},
    ],
)
def test_leaves_that_do_not_fit_are_left_out(
    change: dict[str, Any], artifacts: Artifacts, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    share(artifacts[:1], shared_dir=str(tmp_path), node="n", **PARTS)
    notes = read_all(str(tmp_path))
    Path(share_path(str(tmp_path), "n")).unlink()
    for note in notes:
        append(share_path(str(tmp_path), "m"), Note({**note.head, **change}, note.body))
    assert combine(artifacts[:1], shared_dir=str(tmp_path), group=PARTS["group"]) == expected[:1]


def test_the_deadline(artifacts: Artifacts, tmp_path: Path) -> None:
    share(artifacts, shared_dir=str(tmp_path), node="n", deadline=time.monotonic())
    assert read_all(str(tmp_path)) == []
    found = combine(artifacts, shared_dir=str(tmp_path), deadline=time.monotonic())
    assert {(item["state"], item["reason"]) for item in found[:4]} == {("not hashed", "time")}


def test_names_are_those_of_the_store(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    assert share_path(store.run("r"), "n01") == store.share("r", "n01")
    assert os.path.join(store.run("r"), CLAIMS) == store.claims("r")


@pytest.mark.parametrize("name", ["", "a/b", "..\n", "n 1", "\0"])
def test_a_node_with_a_bad_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a node's name"):
        share_path(str(tmp_path), name)


def test_claims_say_nothing_of_paths(artifacts: Artifacts, tmp_path: Path) -> None:
    share([("/a\n/../b" + "x" * 5000, "used"), *artifacts], shared_dir=str(tmp_path), node="n", **PARTS)
    names = os.listdir(tmp_path / CLAIMS)
    assert len(names) > 10
    assert all(
        name.replace("-", "").replace(".", "").replace("storage", "").isalnum() and len(name) < 50 for name in names
    )


def test_a_claim_is_made_once(tmp_path: Path) -> None:
    assert [claim(str(tmp_path), "x"), claim(str(tmp_path), "x"), claim(str(tmp_path), "y")] == [True, False, True]


def test_where_claims_cannot_be_made_work_is_done_anyway(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert claim(str(tmp_path / "file"), "x")


NOTES = st.lists(
    st.builds(
        Note,
        st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
        st.binary(max_size=60),
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(NOTES)
def test_entries_come_back(notes: list[Note]) -> None:
    assert list(unpack(b"".join(map(pack, notes)))) == notes


@settings(deadline=None)
@given(NOTES, st.data())
def test_a_cut_or_a_flipped_bit_loses_one_entry_at_most(notes: list[Note], data: st.DataObject) -> None:
    packed = [pack(note) for note in notes]
    whole = b"".join(packed)
    at = data.draw(st.integers(0, len(whole) - 1))
    starts = [sum(map(len, packed[:n])) for n in range(len(packed))]
    hit = max(n for n, start in enumerate(starts) if start <= at)
    flipped = whole[:at] + bytes([whole[at] ^ 1 << data.draw(st.integers(0, 7))]) + whole[at + 1 :]
    assert list(unpack(flipped)) == notes[:hit] + notes[hit + 1 :]
    assert list(unpack(whole[:at])) == notes[:hit]
    assert list(unpack(whole[:at] + whole)) == notes[:hit] + notes
