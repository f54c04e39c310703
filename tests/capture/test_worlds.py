"""When tasks of a step can not have found each other by MPI, and when nothing is said."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.capture.worlds import apart

STEP: dict[str, Any] = {"launcher": "slurm", "size": 4}
SEEN: dict[str, list[str]] = {
    "executables": ["/opt/model"],
    "libraries": ["/lib/libc.so.6", "/opt/lib/libmpi.so.40.30"],
}


def test_tasks_of_a_step_with_mpi_and_without_its_launcher() -> None:
    text = apart(STEP, {"SLURM_PROCID": "0"}, **SEEN)
    assert text is not None and "its 4 tasks, and libmpi.so.40.30 was loaded" in text


@pytest.mark.parametrize(
    ("start", "environ", "seen"),
    [
        ({"launcher": "mpich", "size": 4}, {}, {}),
        ({"launcher": "slurm", "size": 1}, {}, {}),
        ({"launcher": "slurm", "size": None}, {}, {}),
        ({}, {}, {}),
        (STEP, {"PMIX_RANK": "0"}, {}),
        (STEP, {"PMI_FD": "9"}, {}),
        (STEP, {}, {"libraries": ["/lib/libc.so.6", "/lib/libmpifoo.so"]}),
        (STEP, {}, {"libraries": []}),
        (STEP, {}, {"executables": ["/bin/sh", "/usr/bin/mpiexec.hydra", "/opt/model"]}),
    ],
)
def test_nothing_is_said_of_others(start: dict[str, Any], environ: dict[str, str], seen: dict[str, list[str]]) -> None:
    assert apart(start, environ, **(SEEN | seen)) is None
