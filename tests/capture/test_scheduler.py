"""Job facts from the variables that real schedulers set."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.capture import scheduler

SLURM = {
    "SLURM_CLUSTER_NAME": "alps", "SLURM_JOB_ID": "4712", "SLURM_JOBID": "4712", "SLURM_ARRAY_JOB_ID": "4711",
    "SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NODELIST": "nid[001-002]", "SLURM_RESTART_COUNT": "1",
    "SLURM_JOB_NAME": "solve", "SLURM_JOB_PARTITION": "debug", "SLURM_JOB_ACCOUNT": "csstaff",
    "SLURM_JOB_QOS": "normal", "SLURM_JOB_USER": "ada", "SLURM_JOB_NUM_NODES": "2",
    "SLURM_JOB_NODELIST": "nid[001-002]", "SLURM_NTASKS": "8",
    "SLURM_TASKS_PER_NODE": "4(x2)", "SLURM_CPUS_PER_TASK": "16", "SLURM_JOB_CPUS_PER_NODE": "64(x2)",
    "SLURM_MEM_PER_NODE": "16000", "SLURM_SUBMIT_DIR": "/users/ada/\udcff", "SLURM_SUBMIT_HOST": "login1",
    "SLURM_JOB_START_TIME": "1795212000", "SLURM_JOB_END_TIME": "1795219200", "SLURM_JWT": "secret",
}  # fmt: skip
SLURM_FACTS = {
    "name": "slurm", "cluster": "alps", "job_id": "4712", "array_job_id": "4711", "array_task_id": "3",
    "array_count": 8, "step_id": "0", "step_nodes": 2, "step_tasks": 8, "step_node_list": "nid[001-002]",
    "restart_count": 1, "job_name": "solve", "partition": "debug", "account": "csstaff", "qos": "normal",
    "user": "ada", "nodes": 2,
    "node_list": "nid[001-002]", "tasks": 8, "tasks_per_node": "4(x2)", "cpus_per_task": 16, "cpus_per_node": "64(x2)",
    "memory_per_node": 16000, "submit_dir": "/users/ada/\udcff", "submit_host": "login1", "start_time": 1795212000,
    "end_time": 1795219200,
}  # fmt: skip
PBS = {
    "PBS_JOBID": "123[4].pbs01", "PBS_ARRAY_ID": "123[].pbs01", "PBS_ARRAY_INDEX": "4", "PBS_JOBNAME": "solve",
    "PBS_QUEUE": "workq", "PBS_O_WORKDIR": "/home/ada", "PBS_O_HOST": "login1",
    "PBS_NODEFILE": "/var/spool/pbs/aux/123", "NCPUS": "4", "PBS_JOBCOOKIE": "0001",
}  # fmt: skip
LSF = {
    "LSB_JOBID": "99", "LSB_JOBINDEX": "0", "LSB_JOBNAME": "solve", "LSB_QUEUE": "batch", "LSB_DJOB_NUMPROC": "84",
    "LSB_MCPU_HOSTS": "batch1 1 h10n01 42 h10n02 42", "LS_SUBCWD": "/gpfs/ada", "LSB_SUB_HOST": "login1",
    "LSB_PROJECT_NAME": "GEN123",
}  # fmt: skip
FLUX = {"FLUX_JOB_ID": "ƒ2oLkTLb", "FLUX_JOB_NNODES": "2", "FLUX_JOB_SIZE": "8", "SLURM_JOB_ID": "1"}
HET = {
    "SLURM_JOB_ID": "15", "SLURM_HET_SIZE": "2", "SLURM_JOB_ID_HET_GROUP_0": "15", "SLURM_JOB_ID_HET_GROUP_1": "16",
    "SLURM_JOB_NODELIST_HET_GROUP_0": "n1", "SLURM_JOB_NODELIST_HET_GROUP_1": "n2", "SLURM_NTASKS_HET_GROUP_1": "4",
    "SLURM_JOB_DEPENDENCY": "afterok:3", "SLURM_GPUS_PER_TASK": "1",
}  # fmt: skip
SGE = {"JOB_ID": "77", "SGE_TASK_ID": "undefined", "QUEUE": "all.q", "NSLOTS": "16", "NHOSTS": "2", "JOB_NAME": "solve"}


NONE = {"name": "none", "reason": "no variable of a known batch scheduler is set"}


@pytest.mark.parametrize(
    ("environ", "facts"),
    [
        ({}, NONE),
        ({"SLURM_JOB_ID": ""}, NONE),
        ({"SLURM_CONF": "/etc/slurm.conf"}, NONE),
        (SLURM, SLURM_FACTS),
        ({"SLURM_JOBID": "5", "SLURM_NNODES": "1"}, {"name": "slurm", "job_id": "5", "nodes": 1}),
        ({"SLURM_JOB_ID": "5", "SLURM_NTASKS": "many"}, {"name": "slurm", "job_id": "5", "tasks": "many"}),
        ({"SLURM_JOB_ID": "5", "SLURM_JOB_RESERVATION": "(null)"}, {"name": "slurm", "job_id": "5"}),
        (
            PBS,
            {
                "name": "pbs", "job_id": "123[4].pbs01", "array_job_id": "123[].pbs01", "array_task_id": "4",
                "job_name": "solve", "partition": "workq", "node_file": "/var/spool/pbs/aux/123", "cpus_per_node": 4,
                "submit_dir": "/home/ada", "submit_host": "login1",
            },
        ),
        (
            LSF,
            {
                "name": "lsf", "job_id": "99", "array_task_id": "0", "job_name": "solve", "partition": "batch",
                "account": "GEN123", "node_list": "batch1 1 h10n01 42 h10n02 42", "tasks": 84,
                "submit_dir": "/gpfs/ada", "submit_host": "login1",
            },
        ),
        (FLUX, {"name": "flux", "job_id": "ƒ2oLkTLb", "nodes": 2, "tasks": 8}),
        (
            HET,
            {
                "name": "slurm", "job_id": "15", "het_size": 2, "dependency": "afterok:3", "gpus_per_task": "1",
                "components": [
                    {"job_id": "15", "node_list": "n1"}, {"job_id": "16", "node_list": "n2", "tasks": "4"},
                ],
            },
        ),
        ({"SLURM_JOB_ID": "5", "SLURM_JOB_ID_HET_GROUP_0": "5"}, {"name": "slurm", "job_id": "5"}),
        (SGE, {"name": "sge", "job_id": "77", "job_name": "solve", "partition": "all.q", "nodes": 2, "tasks": 16}),
    ],
)  # fmt: skip
def test_schedulers(environ: dict[str, str], facts: dict[str, Any]) -> None:
    assert scheduler.collect(environ) == facts


def test_no_secret_gets_through() -> None:
    assert "secret" not in json.dumps(scheduler.collect(SLURM)) and "0001" not in json.dumps(scheduler.collect(PBS))


def test_values_are_scrubbed() -> None:
    """Users name their jobs; the same variables are scrubbed where the environment is recorded."""
    environ = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "db_password=hunter2", "SLURM_HET_SIZE": "2"}
    facts = scheduler.collect(environ | {"SLURM_JOB_ACCOUNT_HET_GROUP_1": "https://ada:hunter2@h/"})
    assert facts["job_name"] == "db_password=***" and facts["components"] == [{"account": "https://***@h/"}]


@pytest.mark.parametrize("name", sorted(scheduler.TABLES))
def test_tables_name_each_key_once(name: str) -> None:
    keys = [key for key, _ in scheduler.TABLES[name]]
    assert len(keys) == len(set(keys)) and "job_id" in keys


def test_every_scheduler_with_a_sign_has_a_table() -> None:
    assert {name for name, _ in scheduler.SIGNS} == set(scheduler.TABLES)


@given(st.dictionaries(st.sampled_from(sorted(SLURM | PBS | LSF | FLUX | SGE)), st.text(max_size=30)))
def test_any_values_make_json(environ: dict[str, str]) -> None:
    json.dumps(scheduler.collect(environ))
