"""The srun of slurm/bin finds where the command begins, or leaves the line as it is. A program that prints its
arguments stands for Slurm's here; tests/cluster/test_examples.py runs it in front of the real one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

WRAPPER = Path(__file__).parents[2] / "slurm/bin/srun"


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH with the wrapper, then a srun that prints its arguments one by one, then a hpcprov."""
    program = tmp_path / "real" / "srun"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done\nexit 7\n")
    launcher = tmp_path / "bin" / "hpcprov"
    launcher.parent.mkdir()
    launcher.write_text("")
    for file in (program, launcher):
        file.chmod(0o755)
    return f"{WRAPPER.parent}:{program.parent}:{launcher.parent}:/usr/bin:/bin"


def call(path: str, *words: str, **env: str) -> tuple[list[str], str]:
    environ = {"PATH": path, **env}
    done = subprocess.run(["srun", *words], env=environ, capture_output=True, text=True, timeout=100)
    assert done.returncode == 7
    return done.stdout.splitlines(), done.stderr


WRAPPED = [
    "| ./model config.nml",
    "-n 4 | ./model -n 5 --pty",
    "-n4 -lu | ./model",
    "-N2 -n 8 --mpi=pmi2 --cpu-bind=cores | python solve.py",
    "--ntasks 8 --label --mem 5G -w n1,n2 | m",
    "-K1 -I5 -vvv | m",
    "-lK | m",
    "-Jname -t 1:00 | m",
    "--kill-on-bad-exit --exclusive | m",
    "-n1 -- | -odd",
    "--export=ALL,A=b --exact --overlap | env",
    "-S 2 -p main -r 1 | m hpcprov",
]


@pytest.mark.parametrize("line", WRAPPED)
def test_hpcprov_stands_before_the_command(path: str, line: str) -> None:
    options, _, command = line.partition("| ")
    words, said = call(path, *options.split(), *command.split())
    launcher = str(Path(path.split(":")[2], "hpcprov"))
    assert (words, said) == ([*options.split(), launcher, "exec", "--", *command.split()], "")


@pytest.mark.parametrize("option", ["", "-D {}", "-n1 -lD{}", "--chdir {}", "--chdir={}"])
def test_a_command_of_the_step_s_directory_is_found_there(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Slurm looks for it there when it is not on PATH."""
    (tmp_path / "step").mkdir()
    for name in ("model", "ls"):
        (tmp_path / "step" / name).touch()
    monkeypatch.chdir(tmp_path if option else tmp_path / "step")
    options = option.format(tmp_path / "step").split()

    def command(word: str) -> list[str]:
        return call(path, *options, word)[0][len(options) + 1 :]

    assert command("model") == ["exec", "--", "./model"] and command("ls") == ["exec", "--", "ls"]
    assert command("other") == ["exec", "--", "other"] and command("step/model") == ["exec", "--", "step/model"]


def test_a_directory_is_no_srun(path: str, tmp_path: Path) -> None:
    (tmp_path / "first/srun").mkdir(parents=True)
    first, _, others = path.partition(":")
    assert call(f"{first}:{tmp_path / 'first'}:{others}", "-n1", "m")[0][2:] == ["exec", "--", "m"]


LEFT = {
    "-n2 --multi-prog file": "stand in a file",
    "--bcast=/tmp/m ./m": "copies the first word",
    "--new-option 3 m": "--new-option is not known",
    "--nta 4 m": "--nta is not known",
    "-n1 -Y m": "-Y is not known",
    "-n1 a : -n2 b": "separated by :",
}


@pytest.mark.parametrize("line", LEFT)
def test_what_it_does_not_understand_stays_as_it_is_and_it_says_so(path: str, line: str) -> None:
    words, said = call(path, *line.split())
    assert words == line.split() and said.count("\n") == 1
    assert said.startswith("srun: not recorded by hpcprov: ") and LEFT[line] in said
    assert call(path, *line.split(), HPCPROV_QUIET="1") == (line.split(), "")


# As MPICH 4 and Open MPI 4 and 5 call srun.
DAEMONS = (
    "-N 2 -n 2 --input none /opt/mpich/bin/hydra_pmi_proxy --control-port n1:40001 --rmk slurm",
    "--ntasks-per-node=1 --kill-on-bad-exit --nodes=2 --ntasks=2 orted -mca ess slurm",
    "--ntasks-per-node=1 --kill-on-bad-exit --mpi=none --nodes=2 --ntasks=2 prted --prtemca ess slurm",
)


@pytest.mark.parametrize(
    "line", ["", "--help", "-n1 --pty bash", "-n1 hpcprov exec -- m", "/opt/bin/hpcprov hash x", *DAEMONS]
)
def test_what_needs_no_wrapping_stays_without_a_word(path: str, line: str) -> None:
    assert call(path, *line.split()) == (line.split(), "")


@pytest.mark.parametrize("off", ["off", "0", "no", "false"])
def test_switched_off(path: str, off: str) -> None:
    assert call(path, "-n1", "m", HPCPROV=off) == (["-n1", "m"], "")


def test_without_hpcprov_the_job_runs(path: str) -> None:
    wrapper, real, _, *system = path.split(":")
    words, said = call(":".join([wrapper, real, *system]), "-n1", "m")
    assert words == ["-n1", "m"] and "there is no hpcprov on PATH" in said


def test_words_arrive_as_they_are(path: str) -> None:
    odd = ["a  b", "*", "$HOME", "", "'", "ä"]
    words, _ = call(path, "-n1", "m", *odd)
    assert words[5:] == odd


def test_without_another_srun_it_says_so_and_does_not_call_itself(tmp_path: Path) -> None:
    link = tmp_path / "srun"
    link.symlink_to(WRAPPER)
    environ = {"PATH": f"{WRAPPER.parent}:{tmp_path}"}
    done = subprocess.run([WRAPPER, "m"], env=environ, capture_output=True, text=True, timeout=100)
    assert done.returncode == 127 and "no other srun on PATH" in done.stderr
    assert os.access(WRAPPER, os.X_OK)
