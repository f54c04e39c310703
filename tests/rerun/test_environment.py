"""Which variables a rerun has: the recorded ones, and of this environment's those that a record does not tell."""

from __future__ import annotations

from hpcprov.rerun.environment import settings


def test_recorded_variables_are_set_and_those_that_were_not_set_are_taken_away() -> None:
    common = {"OMP_NUM_THREADS": "4", "PATH": "/opt/bin", "PMI_SIZE": "4", "SLURM_JOB_ID": "7", "HPCPROV_WORKFLOW": "w"}
    here = {"OMP_NUM_THREADS": "64", "OMP_PROC_BIND": "true", "PATH": "/bin", "SECRET_TOKEN": "x", "SLURM_JOB_ID": "8"}
    assert settings(common, here) == {
        "OMP_NUM_THREADS": "4",
        "PATH": "/opt/bin",
        "SECRET_TOKEN": "x",
        "SLURM_JOB_ID": "8",
    }


def test_whoever_runs_it_stays_who_he_is() -> None:
    common = {"HOME": "/home/ada", "USER": "ada", "TMPDIR": "/tmp/job7", "LANG": "C"}
    here = {"HOME": "/home/bob", "USER": "bob", "TMPDIR": "/tmp"}
    assert settings(common, here) == here | {"LANG": "C"}


def test_names_that_no_shell_takes_are_left_out() -> None:
    assert settings({"A B": "x", "OMP_X": "1"}, {}) == {"OMP_X": "1"}
