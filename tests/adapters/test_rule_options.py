"""Options of `hpcprov exec` from what a rule says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hpcprov.adapters.rule_options import MOST_PATHS, MOST_TEXT, rule_options


def test_all_that_a_rule_says() -> None:
    words = rule_options(
        "map",
        input=["a.csv", "b.csv"],
        output=["c.csv"],
        log=["log/c.log"],
        threads=2,
        job=7,
        wildcards={"sample": "a"},
        params={"limit": 0.5, "names": ["x", "y"], "_hidden": 1},
        resources={"mem_mb": 100, "_cores": 2},
    )
    assert words == [
        "--name=map",
        "--tag=rule=map",
        "--tag=job=7",
        "--tag=threads=2",
        "--tag=log=log/c.log",
        "--tag=wildcards.sample=a",
        "--tag=params.limit=0.5",
        "--tag=params.names=x y",
        "--tag=resources.mem_mb=100",
        "--input=a.csv",
        "--input=b.csv",
        "--output=c.csv",
    ]


def test_long_lists_and_values_are_cut_and_say_so() -> None:
    words = rule_options("r", input=[f"{k}.csv" for k in range(100_000)], params={"text": "x" * 100_000})
    assert sum(word.startswith("--input=") for word in words) == MOST_PATHS
    assert f"--tag=inputs_left_out={100_000 - MOST_PATHS}" in words
    (text,) = (word for word in words if word.startswith("--tag=params.text="))
    assert text.endswith(f"{100_000 - MOST_TEXT} characters more]")
    assert sum(map(len, words)) < 128 << 10  # Linux takes 2 MiB of arguments


def test_long_paths_leave_room_on_the_command_line() -> None:
    words = rule_options("r", output=[f"{k:04}" + "\u00e9" * 500 for k in range(1000)])
    assert sum(len(word.encode()) for word in words) < 300_000
    kept = sum(word.startswith("--output=") for word in words)
    assert 200 < kept < 1000 and f"--tag=outputs_left_out={1000 - kept}" in words


def test_secrets_stay_off_the_command_line() -> None:
    assert rule_options("r", params={"password": "hunter2"})[-1] == "--tag=params.password=***"


def test_what_no_argument_can_hold_is_left_out() -> None:
    words = rule_options("r", input=["", "a\0b"], output=["ok"], params={"a=b": "x\0y", "": "z"})
    assert words == ["--name=r", "--tag=rule=r", "--tag=params.a_b=xy", "--tag=params.=z", "--output=ok"]


def test_it_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """The wrapper imports it in the Python of a rule, which may have no other package."""
    code = "import sys; from hpcprov.adapters.rule_options import rule_options; print(*sys.modules)"
    root = Path(__file__).parents[2]
    run = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"]
    loaded = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[0] for name in loaded} - {*sys.stdlib_module_names, "__main__"} == {"hpcprov"}


def test_a_resource_is_told_once() -> None:
    """Snakemake tells memory three times, in three units; what a rule says itself stays."""
    memory = {"mem": "1 GB", "mem_mb": 1000, "mem_mib": 954, "shell_exec": "/opt/bash", "runtime": 5}
    assert tags(rule_options("r", resources=memory)) == {"rule", "resources.mem_mb", "resources.runtime"}
    assert tags(rule_options("r", resources={"mem": "1 GB"})) == {"rule", "resources.mem"}


def tags(words: list[str]) -> set[str]:
    return {word.split("=")[1] for word in words if word.startswith("--tag=")}
