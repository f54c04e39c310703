"""Hashing shared between MPI ranks: the single process's answer from any number of them, whatever goes wrong.

Real MPI: `mpiexec` of the mpich wheel and mpi4py, both beside the running Python.
"""

from __future__ import annotations

import json
import os
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcprov.signature.deal import deal
from hpcprov.signature.pieces import survey
from tests.require import require

pytestmark = pytest.mark.mpi
MPIEXEC = Path(sys.executable).with_name("mpiexec")
ROOT = Path(__file__).parents[2]
#: Enough for artifacts to be shared out in pieces.
SHAPE = (160, 256, 256)


@pytest.fixture(autouse=True)
def mpi() -> None:
    require("mpi", os.access(MPIEXEC, os.X_OK))


def ranks(number: int, *words: str, where: Path, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    """`mpiexec -n NUMBER python WORDS`: status and what it wrote."""
    before = [str(MPIEXEC), "-n", str(number)] if number else []
    done = subprocess.run(
        [*before, sys.executable, *words],
        cwd=where,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | (env or {}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout, done.stderr


def hashed(number: int, *words: str, where: Path) -> tuple[int, str, str]:
    return ranks(number, "-m", "hpcprov", "hash", *words, where=where)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large artifacts of every kind that ranks share, small ones, and one with a damaged chunk."""
    place = tmp_path_factory.mktemp("shared")
    values = np.random.default_rng(1).integers(0, 9, SHAPE, dtype="i4")
    with h5py.File(place / "a.h5", "w") as file:
        file.create_dataset("g/x", data=values, chunks=(40, 64, 64), compression="gzip", compression_opts=1)
        file.create_dataset("plain", data=values)
        file["n"], file["none"] = 5, h5py.Empty("f4")
        file["link"] = h5py.SoftLink("/g/x")
    np.save(place / "a.npy", values)
    np.save(place / "small.npy", values[:2])
    (place / "many").mkdir()
    for at in range(2500):
        (place / "many" / f"{at}").write_bytes(bytes([at % 256]) * (at % 700))
    damaged = place / "damaged.h5"
    with h5py.File(damaged, "w") as file:
        kept = file.create_dataset("x", data=values, chunks=(40, 64, 64), compression="gzip", fletcher32=True)
        file["y"] = values[0]
        at = kept.id.get_chunk_info(kept.id.get_num_chunks() - 1)
    with open(damaged, "r+b") as raw:
        raw.seek(at.byte_offset + at.size // 2)
        raw.write(b"\xa5" * 16)
    return place


PATHS = ("a.h5", "a.npy", "small.npy", "many", "damaged.h5", "nothing", "small.npy")


@pytest.fixture(scope="module")
def alone(place: Path) -> tuple[int, str, str]:
    """What one process says of the paths."""
    said = hashed(0, *PATHS, where=place)
    assert said[0] == 2 and "damaged.h5  unreadable" in said[1] and said[1].count("hpcprov1:") == 11
    return said


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_any_number_of_ranks_says_the_same(place: Path, alone: tuple[int, str, str], number: int) -> None:
    assert hashed(number, *PATHS, where=place) == alone


def test_json_of_zarr_by_ranks(place: Path, tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(64, 512, 512), chunks=(16, 128, 128), dtype="f4")
    array[:] = np.random.default_rng(2).random((64, 512, 512), "f4")
    assert survey(str(tmp_path / "a.zarr"), ranks=3)["fingerprint"] is not None
    alone, together = (hashed(number, "--json", "a.zarr", where=tmp_path) for number in (0, 3))
    assert together == alone and alone[0] == 0
    assert json.loads(alone[1])[0]["signature"]["digest"].startswith("hpcprov1:")


def test_a_skewed_store_balances(tmp_path: Path) -> None:
    """All data in one corner of an array that is otherwise not stored, beside small fields."""
    with h5py.File(tmp_path / "skewed.h5", "w") as file:
        sparse = file.create_dataset("x", (4096, 4096, 64), "f4", chunks=(64, 64, 64))
        sparse[:1024, :512] = np.random.default_rng(3).random((1024, 512, 64), "f4")
        for at in range(20):
            file[f"f{at}"] = np.arange(1000.0)
    pieces = survey(str(tmp_path / "skewed.h5"), ranks=4)["pieces"]
    costs = [piece["cost"] for piece in pieces]
    loads = [sum(costs[at] for at in share) for share in deal(costs, 4)]
    assert max(loads) < 1.3 * sum(loads) / 4
    dear = [piece for piece in pieces if piece["kind"] == "leaves" and piece["cost"] > max(costs) / 2]
    stored = [piece["box"] for piece in dear if piece["field"] == "x"]
    assert stored and all(box[0][0] < 1024 and box[1][0] < 512 for box in stored)
    assert hashed(4, "skewed.h5", where=tmp_path) == hashed(0, "skewed.h5", where=tmp_path)


def test_a_rank_that_cannot_go_on_ends_all_with_one_message(tmp_path: Path) -> None:
    program = """
import sys, time
from mpi4py import MPI
from hpcprov.record.errors import HpcprovError
from hpcprov.signature import mpi
comm = MPI.COMM_WORLD
pieces = [{"kind": "leaves", "at": 0, "cost": 1.0, "octets": 1} for _ in range(400)]
def do(piece):
    if comm.rank == 1:
        raise ZeroDivisionError("of rank 1")
    time.sleep(0.1)
def failure_of(error):
    raise HpcprovError(str(error))
began = time.monotonic()
shared = mpi.share_out(comm, pieces if comm.rank == 0 else None, do, failure_of=failure_of)
assert time.monotonic() - began < 15
if comm.rank == 0:
    print([(one.at, one.reason) for one in shared.failures])
"""
    assert ranks(3, "-c", program, where=tmp_path) == (0, "[(-1, 'of rank 1')]\n", "")


SLURM = {"SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}


@pytest.mark.parametrize("rank", [0, 1])
def test_worlds_of_one_are_told_once(place: Path, rank: int) -> None:
    """What srun without a plugin for this MPI does: each rank is alone in its world."""
    environ = {**SLURM, "SLURM_PROCID": str(rank)}
    status, out, err = ranks(0, "-m", "hpcprov", "hash", "small.npy", where=place, env=environ)
    assert (status, out) == (2, "")
    if rank == 0:
        assert "2 ranks were launched, but each is alone in its MPI world: mpi4py here uses MPICH" in err
        assert "srun --mpi=pmi2" in err
    else:
        assert err == ""


@pytest.mark.parametrize("rank", [0, 1])
def test_mpi4py_missing_is_told_once(place: Path, rank: int) -> None:
    program = "import sys; sys.modules['mpi4py'] = None; from hpcprov.cli import main; sys.exit(main(sys.argv[1:]))"
    environ = {**SLURM, "SLURM_PROCID": str(rank)}
    status, out, err = ranks(0, "-c", program, "hash", "small.npy", where=place, env=environ)
    assert (status, out) == (2, "")
    assert ("mpi4py cannot be used" in err and "hpcprov[mpi]" in err) if rank == 0 else err == ""


@pytest.fixture
def views(tmp_path: Path) -> Path:
    """Directories `0` and `1` with different files of the same names and sizes, as of two nodes."""
    for rank in range(2):
        (tmp_path / f"{rank}").mkdir()
        np.save(tmp_path / f"{rank}" / "big.npy", np.random.default_rng(rank).integers(0, 9, SHAPE, dtype="i4"))
        (tmp_path / f"{rank}" / "alike").write_bytes(b"alike")
        os.utime(tmp_path / f"{rank}" / "alike", (5, 5))
        (tmp_path / f"{rank}" / f"only{rank}").write_bytes(b"x")
    return tmp_path


def test_ranks_that_see_other_files_say_so(views: Path) -> None:
    program = """
import os, sys
os.chdir(os.environ["PMI_RANK"])
from hpcprov.cli import main
sys.exit(main(sys.argv[1:]))
"""
    status, out, _ = ranks(2, "-c", program, "hash", "--json", "big.npy", "only1", "alike", "only0", where=views)
    assert status == 2
    big, missing, alike, _ = json.loads(out)
    assert big["signature"] is None and "not the same on all nodes" in big["reason"]
    assert missing["signature"] is None and missing["state"] in ("missing", "unreadable")
    assert alike["state"] == "ok"


def test_ranks_that_see_other_files_raise(views: Path) -> None:
    program = """
import os
from mpi4py import MPI
import hpcprov
os.chdir(str(MPI.COMM_WORLD.rank))
try:
    hpcprov.signature("big.npy", comm=MPI.COMM_WORLD)
except hpcprov.record.errors.UnreadableData as error:
    assert "not the same on all nodes" in str(error)
    print("refused")
"""
    status, out, _ = ranks(2, "-c", program, where=views)
    assert (status, out.count("refused")) == (0, 2)  # what several ranks print may come mixed


def test_ranks_of_a_node_share_its_memory(tmp_path: Path) -> None:
    """Together they have what one process would have alone."""
    program = """
import resource
from mpi4py import MPI
from hpcprov.commands import ranks
from hpcprov.commands.bar import Bar
from hpcprov.signature.isolated import Isolated
from hpcprov.signature.launch import Place
comm = MPI.COMM_WORLD
with Isolated({}, memory=12 << 30) as reader:
    ranks.describe_all(Place("mpich", comm.rank, comm.size), reader, ["nothing"], threads=1, bar=Bar())
    reader.describe("nothing")
    said = comm.gather((reader.memory, resource.prlimit(reader.child.pid, resource.RLIMIT_AS)[0]))
if comm.rank == 0:  # what several ranks print may come mixed
    print(said)
"""
    status, out, err = ranks(3, "-c", program, where=tmp_path)
    assert (status, out.strip(), err) == (0, str([(4 << 30, 4 << 30)] * 3), "")


def test_killing_one_rank_ends_all_and_leaves_nothing(tmp_path: Path) -> None:
    with open(tmp_path / "big.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1 << 37,)})
        file.truncate((1 << 40) + 128)
    mark = f"HPCPROV_TEST={os.getpid()}"
    command = [str(MPIEXEC), "-n", "2", sys.executable, "-m", "hpcprov", "hash", "big.npy"]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "HPCPROV_TEST": str(os.getpid())}
    process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 100
        while len(workers := marked(mark, "hpcprov.signature.worker")) < 2 or time.monotonic() < until - 98:
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
        os.kill(marked(mark, "hpcprov\0hash")[0], signal.SIGKILL)
        process.communicate(timeout=100)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode != 0
    until = time.monotonic() + 60
    while set(workers) & set(marked(mark, "hpcprov.signature.worker")):
        assert time.monotonic() < until
        time.sleep(0.05)


def marked(mark: str, word: str) -> list[int]:
    """The processes with a word in their command line and a mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (
                word.encode() in (folder / "cmdline").read_bytes()
                and mark.encode() in (folder / "environ").read_bytes()
            ):
                found.append(int(folder.name))
        except OSError:
            pass
    return [pid for pid in found if "mpiexec" not in Path(f"/proc/{pid}/comm").read_text()]


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), number=st.sampled_from([2, 4]))
def test_blocks_in_memory_have_the_signature_of_the_whole(seed: int, number: int) -> None:
    status, out, err = ranks(number, "-m", "tests.signature.decompositions", str(seed), "15", where=ROOT)
    assert status == 0, err
    assert int(out.split()[1]) > 15


PROGRAM = """
import sys, numpy as np, h5py
import hpcprov
from mpi4py import MPI
from hpcprov.record.errors import HpcprovError
comm = MPI.COMM_WORLD
rank = comm.rank
"""


def told(number: int, program: str, where: Path) -> list[Any]:
    """What each rank's `say` is given, by rank."""
    tail = "\nfound = comm.gather(said)\nif rank == 0:\n    import json; print(json.dumps(found))\n"
    status, out, err = ranks(number, "-c", PROGRAM + program + tail, where=where)
    assert status == 0, err
    found: list[Any] = json.loads(out)
    return found


def test_paths_and_open_files_by_ranks(place: Path) -> None:
    program = """
said = [hpcprov.signature(thing, comm=comm).digest for thing in ("a.h5", "a.npy")]
with h5py.File("a.h5") as file:
    said += [hpcprov.signature(thing, comm=comm).digest for thing in (file, file["g/x"])]
alone = [hpcprov.signature(thing).digest for thing in ("a.h5", "a.npy")]
assert said[:2] == alone and said[2] == said[0]
assert said[3] == hpcprov.signature("a.npy").fields[0].digest
"""
    found = told(3, program, place)
    assert found[0] == found[1] == found[2]


MASKED = """
values = np.ma.masked_array(np.arange(3000000.0).reshape(3000, 1000), False)
values[::7, ::3] = np.ma.masked
low, high = 3000 * rank // comm.size, 3000 * (rank + 1) // comm.size
said = hpcprov.signature(values[low:high], comm=comm, offset=(low, 0), shape=values.shape).digest
assert said == hpcprov.signature(values).digest != hpcprov.signature(values.data).digest
texts = np.array([["abc", "de"], ["f", ""]] * 300000)
low, high = 600000 * rank // comm.size, 600000 * (rank + 1) // comm.size
own = texts[low:high].astype("U3" if rank else "U7")
assert hpcprov.signature(own, comm=comm, offset=(low, 0), shape=texts.shape).digest == hpcprov.signature(texts).digest
"""


def test_masked_values_and_text_of_several_widths(tmp_path: Path) -> None:
    found = told(3, MASKED, tmp_path)
    assert found[0] == found[1] == found[2]


BAD: list[tuple[str, str]] = [
    ("np.zeros(10), (10 * rank,), (31,)", "no rank holds [30:31]"),
    ("np.zeros(10), (9 * rank,), (28,)", "the ranks 0 and 1 both hold [9:10]"),
    ("np.zeros(10), (10 * rank,), (30 + rank,)", "rank 0 says that the array's shape is (30,), rank 1 (31,)"),
    ("np.zeros(10, 'f4' if rank == 2 else 'f8'), (10 * rank,), (30,)",
     "rank 0 holds dtype('float64'), rank 2 holds dtype('float32')"),
    ("np.zeros(10), (10 * rank,), (25,)", "the block [20:30] lies outside of the array of the shape (25,)"),
    ("np.zeros((10, 2)), (10 * rank,), (30,)", "a block of 2 axes at (0,) does not fit an array of the shape (30,)"),
    ("np.array([None]), (rank,), (3,)", "Python objects have no signature"),
    ("np.zeros(()), (), ()", "the ranks 0 and 1 both hold the scalar"),
]  # fmt: skip


def test_bad_blocks_are_told_alike_on_all_ranks(tmp_path: Path) -> None:
    """In one launch: a refusal leaves the ranks able to ask again."""
    program = f"""
said = []
for given in {[given for given, _ in BAD]!r}:
    block, offset, shape = eval(given)
    try:
        said.append(hpcprov.signature(block, comm=comm, offset=offset, shape=shape).digest)
    except HpcprovError as error:
        said.append(error.message)
"""
    assert told(3, program, tmp_path) == [[message for _, message in BAD]] * 3


def test_a_damaged_chunk_is_told_alike_on_all_ranks(place: Path) -> None:
    program = """
try:
    said = hpcprov.signature("damaged.h5", comm=comm).digest
except HpcprovError as error:
    said = [type(error).__name__, error.message]
"""
    found = told(3, program, place)
    assert found[0] == found[1] == found[2] and found[0][0] == "UnreadableData"
