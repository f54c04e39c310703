"""Which rank of which launch a program is: as the launcher finds it (its tests: tests/launcher/test_mpi.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hpcprov.record.errors import NoStore
from hpcprov.record.layout import is_run_id
from hpcprov.tracking import launch, place

RANKED: list[tuple[dict[str, str], tuple[str, int, int, int, int]]] = [
    ({}, ("none", 0, 1, 0, 1)),
    ({"PMI_RANK": "3"}, ("none", 0, 1, 0, 1)),
    ({"PMI_RANK": "3", "PMI_SIZE": "4", "MPI_LOCALRANKID": "1"}, ("mpich", 3, 4, 1, -1)),
    (
        {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"},
        ("openmpi", 1, 2, -1, -1),
    ),
    ({"SLURM_PROCID": "5", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "8"}, ("slurm", 5, 8, -1, -1)),
    ({"SLURM_PROCID": "5"}, ("none", 0, 1, 0, 1)),
    ({"PMIX_RANK": "7", "PMIX_NAMESPACE": "x"}, ("pmix", 7, -1, -1, -1)),
    ({"PMI_RANK": "-3", "PMI_SIZE": "4"}, ("none", 0, 1, 0, 1)),
    ({"PMI_RANK": "9" * 40, "PMI_SIZE": "4"}, ("none", 0, 1, 0, 1)),
]


@pytest.mark.parametrize(("environ", "expected"), RANKED)
def test_the_rank_is_what_the_launch_says(environ: dict[str, str], expected: tuple[Any, ...]) -> None:
    assert place.ranked(environ) == expected


STEP = {"SLURM_PROCID": "0", "SLURM_STEP_ID": "2", "SLURM_JOB_ID": "4711", "SLURM_CLUSTER_NAME": "alps"}
PROXY = (77, 12, "hydra_pmi_proxy")


@pytest.mark.parametrize(
    ("environ", "launcher", "by", "one_node", "name"),
    [
        (STEP, "slurm", (5, 6, "slurmstepd"), False, "slurm-alps-4711.2"),
        (STEP | {"SLURM_RESTART_COUNT": "1"}, "slurm", (5, 6, "slurmstepd"), True, "slurm-alps-4711.2-r1"),
        (STEP, "mpich", PROXY, True, "slurm-alps-4711.mpi-n1-77-12"),
        ({}, "mpich", PROXY, True, "mpi-n1-77-12"),
        ({"PMIX_NAMESPACE": "prterun-n1-9@1"}, "openmpi", (5, 6, "prted"), False, "mpi-prterun-n1-9@1"),
        ({"PMIX_NAMESPACE": "slurm.pmix.4711.0"} | STEP, "openmpi", PROXY, False, "slurm-alps-4711.2"),
        ({}, "mpich", (os.getpid(), 6, "hydra_pmi_proxy"), False, f"mpi-n1-{os.getpid()}-6"),
    ],
    ids=["step", "restarted", "mpich in a step", "mpich", "prrte", "pmix in a step", "many nodes"],
)
def test_what_ranks_of_a_launch_share(
    environ: dict[str, str], launcher: str, by: tuple[int, int, str], one_node: bool, name: str
) -> None:
    assert place.launch_name(environ, launcher, "n1", by, one_node=one_node) == name


def test_names_that_are_long_or_odd_stay_run_ids() -> None:
    for text in ("x" * 300, "..x/../y", "-a b@c:d", "a."):
        assert is_run_id(f"{place.shortened(place.plain(text))}.0")


def test_a_process_that_nobody_launched_has_an_id_of_its_own() -> None:
    one, other = place.find({}), place.find({}, again=1)
    assert one.run_id != other.run_id
    assert (one.launch, other.n) == (other.launch, 1)
    assert one.launch.endswith(f"-{os.getpid()}")


def test_names_of_nodes_are_those_of_launchers() -> None:
    for name, plain in (("n1", "n1"), ("a b/c", "a_b_c"), ("..x", "_.x"), ("-n.", "_n_"), ("a..b", "a_.b")):
        assert place.node_name({"SLURMD_NODENAME": name}) == plain


def test_parent_is_what_a_launcher_says() -> None:
    assert launch.parent({"HPCPROV_RUN": "slurm-a-1.0.0/3"}) == {"run": "slurm-a-1.0.0", "rank": 3}
    for text in ("", "x", "x/", "/1", "../1", "x/-1", "x/99999999999", "x/1x"):
        assert launch.parent({"HPCPROV_RUN": text}) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to somebody else")
def test_a_store_of_another_user_is_not_used(tmp_path: Path) -> None:
    store = tmp_path / ".hpcprov"
    store.mkdir()
    os.chown(store, 65534, 65534)
    with pytest.raises(NoStore, match="another user"):
        launch.store_of({}, str(tmp_path))
    assert launch.store_of({"HPCPROV_TRUST_STORE": "1"}, str(tmp_path)).root == str(store)
