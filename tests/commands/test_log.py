"""`hpcprov log`: a script that does it again, exactly; and the output as it came."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merge.build import Launch

from hpcprov.commands import output
from hpcprov.commands.script import quote
from hpcprov.record.layout import Store

from .conftest import Call, day, publish

WORDS = st.lists(st.binary(max_size=30).filter(lambda word: 0 not in word), max_size=6)


def through_a_shell(words: list[bytes]) -> list[bytes]:
    text = " ".join(quote(os.fsdecode(word)) for word in words)
    assert text.replace("\n", "").isprintable(), "the script may be looked at on a terminal"
    done = subprocess.run(["sh", "-c", f"printf '%s\\0' x {text}"], capture_output=True, check=True)
    return done.stdout.split(b"\0")[1:-1]


@pytest.mark.parametrize(
    "word",
    [
        b"",
        b"'",
        b"''",
        b'"',
        b"\\",
        b"a b",
        b"$HOME `x` $(y)",
        b"\n",
        b"a\n\n",
        b"\x1b[31m",
        b"\xff",
        b"-n",
        b"~",
        b"!x",
        "é\u202e".encode(),
        b"\r",
    ],
)
def test_a_word_comes_back(word: bytes) -> None:
    assert through_a_shell([word]) == [word]


@settings(max_examples=80)
@given(WORDS)
def test_any_words_come_back(words: list[bytes]) -> None:
    assert through_a_shell(words) == words


PROBE = (
    "import os, sys; words = [os.getcwdb(), os.environb.get(b'OMP', b'-'), *map(os.fsencode, sys.argv[1:])]; "
    "os.write(1, b'|'.join(words)); print(oct(os.umask(0)))"
)


def again(script: str, **environ: str) -> bytes:
    clean = {"PATH": os.environ["PATH"]} | environ
    return subprocess.run(["sh"], input=os.fsencode(script), capture_output=True, check=True, env=clean, cwd="/").stdout


def test_the_script_does_it_again(call: Call, store: Store, tmp_path: Path) -> None:
    place = tmp_path / "a 'dir'\u202e"
    place.mkdir()
    argv = [sys.executable, "-c", PROBE, "x y", "\udcff", ""]
    publish(
        store,
        "r1",
        Launch()
        .start(argv=argv, cwd=str(place), umask="0077")
        .env(OMP="4 $x", PATH=os.environ["PATH"], SLURM_X="1", PWD="/x")
        .exit(),
    )
    status, script, _ = call("log", "r1")
    assert status == 0 and "SLURM_X" not in script and "PWD" not in script
    assert again(script) == os.fsencode(place) + b"|4 $x|x y|\xff|0o77\n"


def test_several_runs_in_order_of_time(call: Call, store: Store) -> None:
    for name, at in (("b", 1), ("a", 2), ("c", 0)):
        publish(
            store, name, Launch(launch=f"{at}-1").start(at=day(at), argv=["echo", name], cwd="/").exit(at=day(at) + 1)
        )
    _, script, _ = call("log", "a", "b", "c", "b")
    assert again(script) == b"c\nb\na\n"


def test_one_that_fails_does_not_keep_the_next_from_running(call: Call, store: Store) -> None:
    publish(store, "a", Launch().start(argv=["echo", "never"], cwd="/no/where").exit())
    publish(store, "b", Launch().start(at=5, argv=["echo", "b"], cwd="/").exit())
    assert again(call("log", "a", "b")[1]) == b"b\n"


def test_a_parallel_run_is_launched_again(call: Call, store: Store) -> None:
    launch = Launch(launcher="mpich", size=3)
    for rank in range(3):
        launch.start(rank, argv=["echo", "hi"], cwd="/").env(rank, PMI_RANK=str(rank), OMP="1").exit(rank)
    publish(store, "r1", launch)
    _, script, _ = call("log", "r1")
    assert "exec ${LAUNCH-mpiexec -n 3} echo hi" in script and "3 ranks, launched by mpich" in script
    assert "export PMI_RANK" not in script and "export OMP=1" in script
    assert again(script, LAUNCH="echo with") == b"with echo hi\n"


def test_different_programs_are_launched_together(call: Call, store: Store) -> None:
    launch = (
        Launch(launcher="slurm", size=3).start(0, argv=["a"]).start(1, argv=["b", "x y"]).start(2, argv=["b", "x y"])
    )
    publish(store, "r1", launch)
    assert "srun -n 1 a : -n 2 b 'x y'" in call("log", "r1")[1]


@pytest.mark.parametrize("launch", [Launch().agent(), Launch().start(argv=[], cwd=None)])
def test_what_is_not_known_is_said(call: Call, store: Store, launch: Launch) -> None:
    publish(store, "r1", launch)
    _, script, _ = call("log", "r1")
    assert "# the command is not known" in script
    again(script)


def test_comments_cannot_be_left(call: Call, store: Store) -> None:
    publish(
        store,
        "r1",
        Launch()
        .start(argv=["true"], cwd="/", note="x\ntouch /tmp/hpcprov-was-here\r", name="\n")
        .env(**{"A;B": "x", "OK": "1"})
        .exit(),
    )
    _, script, _ = call("log", "r1")
    assert "\ntouch" not in script and "A;B" not in script


def test_secrets_that_were_left_out_are_said(call: Call, store: Store) -> None:
    publish(store, "r1", Launch().start(argv=["curl", "--token=***"], cwd="/").exit())
    assert "secrets were not recorded" in call("log", "r1")[1]


def test_output_line_by_line(call: Call, store: Store) -> None:
    launch = Launch(size=2).start(0).start(1).exit(0).exit(1)
    launch.print(0, 1.5, "begin ").print(1, 1.25, "one\ntwo\nthr").print(0, 3, "end\n").print(1, 2, "oops\n", 2).print(
        1, 2.5, "ee\n"
    ).print(0, 4, "no newline")
    publish(store, "r1", launch)
    status, out, _ = call("log", "r1", "--output")
    assert status == 0 and out.splitlines() == [
        "11:06:41.250    1 out | one",
        "11:06:41.250    1 out | two",
        "11:06:42.000    1 err | oops",
        "11:06:41.250    1 out | three",
        "11:06:41.500    0 out | begin end",
        "11:06:44.000    0 out | no newline",
    ]


def test_output_cannot_act_on_the_terminal(call: Call, store: Store) -> None:
    publish(store, "r1", Launch().start().exit().print(0, 1, "\x1b[2J\ttab\r\n\udcff\n"))
    out = call("log", "r1", "--output")[1]
    assert [line.partition("| ")[2] for line in out.splitlines()] == ["\\x1b[2J" + " " * 4 + "tab", "\\xff"]


def test_no_output_was_captured(call: Call, store: Store) -> None:
    publish(store, "r1", Launch().start().exit())
    status, _, err = call("log", "r1", "--output")
    assert status == 2 and "the output of r1 was not captured" in err and "--capture-output" in err


def test_a_line_without_end_is_shown_in_pieces() -> None:
    events = [{"time": k, "rank": 0, "stream": 1, "data": "x" * 40000} for k in range(4)]
    shown = list(output.assemble(events))
    assert sum(line.count("x") for line in shown) == 160000 and len(shown) == 2


@given(st.permutations(range(20)))
def test_what_is_nearly_in_order_comes_in_order(times: list[int]) -> None:
    assert [event["time"] for event in output.in_order({"time": time} for time in times)] == sorted(times)


def test_a_shell_takes_no_word_for_its_own(call: Call, store: Store, tmp_path: Path) -> None:
    program = tmp_path / "a=b"
    program.write_text("#!/bin/sh\necho program\n")
    program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "OMPI_MCA_btl": "self", "OMPI_COMM_WORLD_RANK": "0"}
    publish(store, "r1", Launch().start(argv=["a=b"], cwd="/").env(**environ).exit())
    _, script, err = call("log", "r1")
    assert again(script) == b"program\n" and err == ""
    assert "export OMPI_MCA_btl=self" in script and "OMPI_COMM" not in script


def test_a_changed_record_is_told_in_the_script(call: Call, store: Store) -> None:
    place = Path(publish(store, "r1", Launch().start(argv=["true"], cwd="/").exit()), "record.json")
    place.write_text(place.read_text().replace('"spin"', '"spun"'))
    _, script, err = call("log", "r1")
    assert "# WARNING: this record was CHANGED" in script and "was changed since it was sealed" in err


@pytest.mark.parametrize("umask", ["022; echo pwned", "022\necho pwned", "\x1b[2J", "0o22", "+2", ""])
def test_an_umask_that_is_a_command_is_no_umask(call: Call, store: Store, umask: str) -> None:
    place = Path(publish(store, "r1", Launch().start(argv=["true"], cwd="/", umask="0027").exit()), "record.json")
    record = json.loads(place.read_text())
    assert record["run"]["umask"] == "0027"
    record["run"]["umask"] = umask
    place.write_text(json.dumps(record))
    status, script, err = call("log", "r1")
    assert (status, script) == (2, "") and "run.umask is not what it must be" in err


def test_a_word_that_no_command_can_hold_is_written_all_the_same() -> None:
    assert quote("a\ud800") == "'a'\"$(printf '\\355\\240\\200')\""
