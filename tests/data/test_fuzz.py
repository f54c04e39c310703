"""Damaged files of every format: signed, unsigned or unreadable with a reason, in bounded time and memory.

`make test` looks at a few hundred copies, the slow test at thousands; HPCPROV_FUZZ_SEED chooses others than the usual.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from signature import damage

from hpcprov.signature.isolated import Isolated

from . import test_conformance
from .conformance import CHUNKS, SHAPES, Conformance, Format, values_of

TESTS = Path(__file__).parent.parent
MEMORY = 1 << 30
SEED = int(os.environ.get("HPCPROV_FUZZ_SEED", "0"))
#: Signals of crashes (abort, bus error, bad arithmetic, segmentation fault), and of copies that took too long: libhdf5
#: goes round and round in a damaged heap of text, and nothing but the end of its process ends that.
CRASHES, TOO_LONG = (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGSEGV), signal.SIGALRM
LIBHDF5 = ("Hdf5", "Netcdf4")
#: A reason is one line for people.
LONGEST = 1000


def formats() -> dict[str, Format]:
    """Every format of the conformance suite."""
    found = {}
    for name, one in vars(test_conformance).items():
        if isinstance(one, type) and issubclass(one, Conformance) and one is not Conformance:
            found[name.removeprefix("Test")] = one.format
    return found


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sound file or store of each format, with a number and a text where the format has both."""
    folder = tmp_path_factory.mktemp("sound")
    for name, form in formats().items():
        rank = min(2, form.ranks[-1])
        kinds = [form.types[0], form.types[-1]] if form.named else [form.types[0]]
        make = form.values or values_of
        arrays = {f"x{at}": make(kind, SHAPES[rank - 1]) for at, kind in enumerate(kinds)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            form.write(folder / name, arrays, CHUNKS[rank])
    return folder


@dataclass
class Outcome:
    """What the copies came to: the lines of those that were read, and (number, format, signal) of the crashes."""

    said: list[list[Any]] = field(default_factory=list)
    crashed: list[tuple[int, str, int]] = field(default_factory=list)


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))  # not AS: libraries reserve far more than they use
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read_copies(folder: Path, first: int, count: int, seconds: float) -> Outcome:
    """Read copies from `first` on; a crash ends one process, and the next goes on behind it."""
    found, at, ends = Outcome(), first, time.monotonic() + seconds
    while at < first + count and (left := ends - time.monotonic()) > 0:
        words = ["-m", "signature.damage", str(folder), str(at), str(first + count - at), str(left)]
        env = {"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "PATH": "", "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run([sys.executable, *words], cwd=TESTS, capture_output=True, text=True, env=env,
                              timeout=left + 60, preexec_fn=limited)  # fmt: skip
        assert "Traceback" not in done.stderr, (done.stdout.splitlines()[-1:], done.stderr)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found.said += [line for line in lines if len(line) > 2]
        if done.returncode == 0:
            break
        assert done.returncode < 0 and len(lines[-1]) == 2, (done.returncode, done.stderr)
        found.crashed.append((*lines[-1], -done.returncode))
        at = lines[-1][0] + 1
    return found


def check(found: Outcome) -> None:
    """Every outcome is a sound one."""
    for number, name, state, reason, unsigned, stored in found.said:
        assert state in ("ok", "unreadable"), (number, name, state)
        assert stored, (number, name, reason)
        for text in (reason, unsigned):
            assert text is None or (text and "\n" not in text and len(text) < LONGEST), (number, name, text)
        assert state == "ok" or reason, (number, name)
    for number, name, ended in found.crashed:
        known = ended in CRASHES or (ended == TOO_LONG and name.startswith(LIBHDF5))
        assert known, f"copy {number} of {name} was ended by signal {ended}"
    # The library's endless loops are rare: one copy in a few hundred.
    assert len(found.crashed) <= 2 + len(found.said) // 200, found.crashed


def check_crashes(folder: Path, place: Path, found: Outcome) -> None:
    """A copy that ends its reader is a result of the command all the same."""
    with Isolated({"threads": 1}, memory=MEMORY, patience=1.0) as reader:
        for number, _, ended in found.crashed[:2]:
            damage.copy(folder, number, place)
            result = reader.describe(str(place)).result
            assert result["state"] == "unreadable" and result["storage"] is not None
            said = "got nowhere" if ended == TOO_LONG else f"signal {ended}"
            assert said in result["reason"]


def test_damaged_copies(sound: Path, tmp_path: Path) -> None:
    found = read_copies(sound, SEED, 500, 20)
    assert len(found.said) > 100
    check(found)
    check_crashes(sound, tmp_path / "x", found)


@pytest.mark.slow
def test_many_damaged_copies(sound: Path, tmp_path: Path) -> None:
    found = read_copies(sound, 10**6 + SEED, 10**6, 75)
    assert len(found.said) > 2000
    check(found)
    check_crashes(sound, tmp_path / "x", found)
