"""The launcher scrubs what Python scrubs: the same table, and the same answer to anything."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcprov.capture import redact

from .log import events
from .observe import NOTHING, World

CASES = json.loads((Path(__file__).parents[1] / "capture" / "scrub_cases.json").read_text())
PIECES = [
    *sorted(redact.TABLES.options)[:6],
    "\t",
    *("token", "PASSWORD", "api_key", "tokenizer", "secretName", "x", "ab", "sig", "é", "\udcff", "\n"),
    *("=", ":", ": ", "&", "?", "://", "@", "'", '"', " ", ";", "/", "--", "-", ".", "http", "https", "ftp"),
    *("ghp_", "a" * 31, "AKIA", "A1B2" * 5, "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"),
]
WORDS = st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), max_size=12)


def recorded(world: World, argv: list[str], env: Mapping[str, str] = NOTHING) -> tuple[list[str], dict[str, str]]:
    """What the log says of a command with these arguments, and of its environment."""
    shutil.rmtree(world.cwd / ".hpcprov")
    (world.cwd / ".hpcprov").mkdir()
    world.run(world.argv("true", *argv, options=("--no-agent",)), env=env)
    start, told, _ = events(world)
    return start["argv"][1:], told["env"]


def test_the_table(world: World) -> None:
    wrong: list[Any] = []
    for case in CASES:
        found, _ = recorded(world, case["in"])
        if found != case["out"]:
            wrong.append((case["in"], found, case["out"]))
    assert wrong == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(argv=WORDS)
def test_any_words(world: World, argv: list[str]) -> None:
    assert recorded(world, argv)[0] == redact.scrub_argv(argv)


NAMES = ["PATH", "OMP_NUM_THREADS", "SLURM_JOB_ID", "SLURM_JWT", "PYTHON_TOKEN", "python", "CUDA_API_KEY", "LC_ALL"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_variables_are_allowed(world: World, name: str) -> None:
    value = "https://ada:pw@host/ 1"
    told = recorded(world, [], {name: value} if name != "PATH" else {})[1]
    assert (name in told) == redact.is_allowed(name)
    if name in told and name != "PATH":
        assert told[name] == redact.scrub_word(value) == "https://***@host/ 1"


def test_every_allowed_entry_is_in_the_launcher(world: World) -> None:
    """The build has turned the whole table into C, and the environment of this test is told by the same rule."""
    chosen = {name: "1" for name in redact.TABLES.names if name not in os.environ and name != "LD_PRELOAD"}
    chosen |= {f"{prefix}x": "1" for prefix in redact.TABLES.prefixes}
    kept = {name for name in chosen if not name.startswith(("HPCPROV", "SLURM", "PMI", "OMPI_COMM", "MV2", "PYTHON"))}
    told = recorded(world, [], dict.fromkeys(kept, "1"))[1]
    assert {name for name in kept if redact.is_allowed(name)} <= told.keys()
