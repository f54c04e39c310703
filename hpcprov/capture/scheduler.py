"""The batch job around a run, from the variables that the scheduler sets: tables, one per scheduler, no commands.

Keys mean the same under each scheduler; one that a scheduler does not tell is absent. Example:

    {"name": "slurm", "cluster": "alps", "job_id": "4711", "step_id": "0", "partition": "debug", "nodes": 2,
     "node_list": "nid[001-002]", "tasks": 8, "end_time": 1795219200}

Sources: sbatch(1) "OUTPUT ENVIRONMENT VARIABLES", srun(1), PBS Professional and TORQUE qsub(1B), LSF "Environment
variables set for job execution", flux-environment(7), SGE qsub(1).
"""

from __future__ import annotations

from hpcprov.capture.reading import is_integer
from hpcprov.capture.redact import scrub_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# A scheduler is the one whose variable is set; of a job inside another (Flux in a Slurm job) the inner one counts.
SIGNS = (
    ("flux", "FLUX_JOB_ID"), ("slurm", "SLURM_JOB_ID"), ("slurm", "SLURM_JOBID"), ("pbs", "PBS_JOBID"),
    ("lsf", "LSB_JOBID"), ("sge", "SGE_TASK_ID"),
)  # fmt: skip

NUMBERS = frozenset(
    (
        "nodes", "tasks", "cpus_per_task", "cpus_per_node", "restart_count", "start_time", "end_time", "gpus",
        "gpus_on_node", "memory_per_node", "memory_per_cpu", "memory_per_gpu", "het_size", "array_count", "array_min",
        "array_max", "array_step", "time_limit", "step_nodes", "step_tasks", "threads_per_core", "cpus_per_gpu",
    )
)  # fmt: skip
# Values with which a scheduler says that there is none.
NOTHING = frozenset(("", "undefined", "(null)", "N/A"))

# Variables of a component, to which its number is added; salloc and srun set them for jobs of one component, too.
COMPONENT = (
    ("job_id", "SLURM_JOB_ID_HET_GROUP"), ("partition", "SLURM_JOB_PARTITION_HET_GROUP"),
    ("account", "SLURM_JOB_ACCOUNT_HET_GROUP"), ("qos", "SLURM_JOB_QOS_HET_GROUP"),
    ("nodes", "SLURM_JOB_NUM_NODES_HET_GROUP"), ("node_list", "SLURM_JOB_NODELIST_HET_GROUP"),
    ("tasks", "SLURM_NTASKS_HET_GROUP"), ("tasks_per_node", "SLURM_TASKS_PER_NODE_HET_GROUP"),
    ("cpus_per_node", "SLURM_JOB_CPUS_PER_NODE_HET_GROUP"), ("memory_per_cpu", "SLURM_MEM_PER_CPU_HET_GROUP"),
    ("memory_per_node", "SLURM_MEM_PER_NODE_HET_GROUP"),
)  # fmt: skip
MOST_COMPONENTS = 128  # MAX_HET_JOB_COMPS of Slurm

TABLES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "slurm": (
        ("cluster", ("SLURM_CLUSTER_NAME",)),
        ("job_id", ("SLURM_JOB_ID", "SLURM_JOBID")),
        ("array_job_id", ("SLURM_ARRAY_JOB_ID",)),
        ("array_task_id", ("SLURM_ARRAY_TASK_ID",)),
        ("array_count", ("SLURM_ARRAY_TASK_COUNT",)),
        ("array_min", ("SLURM_ARRAY_TASK_MIN",)),
        ("array_max", ("SLURM_ARRAY_TASK_MAX",)),
        ("array_step", ("SLURM_ARRAY_TASK_STEP",)),
        ("het_size", ("SLURM_HET_SIZE", "SLURM_PACK_SIZE")),
        ("het_job_id", ("SLURM_HET_JOB_ID", "SLURM_PACK_JOB_ID")),
        ("step_id", ("SLURM_STEP_ID", "SLURM_STEPID")),
        ("step_nodes", ("SLURM_STEP_NUM_NODES",)),
        ("step_tasks", ("SLURM_STEP_NUM_TASKS",)),
        ("step_node_list", ("SLURM_STEP_NODELIST",)),
        ("step_tasks_per_node", ("SLURM_STEP_TASKS_PER_NODE",)),
        ("dependency", ("SLURM_JOB_DEPENDENCY",)),
        ("restart_count", ("SLURM_RESTART_COUNT",)),
        ("job_name", ("SLURM_JOB_NAME",)),
        ("partition", ("SLURM_JOB_PARTITION",)),
        ("account", ("SLURM_JOB_ACCOUNT",)),
        ("qos", ("SLURM_JOB_QOS",)),
        ("reservation", ("SLURM_JOB_RESERVATION",)),
        ("constraints", ("SLURM_JOB_CONSTRAINTS",)),
        ("licenses", ("SLURM_JOB_LICENSES",)),
        ("user", ("SLURM_JOB_USER",)),
        ("nodes", ("SLURM_JOB_NUM_NODES", "SLURM_NNODES")),
        ("node_list", ("SLURM_JOB_NODELIST", "SLURM_NODELIST")),
        ("tasks", ("SLURM_NTASKS", "SLURM_NPROCS")),
        ("tasks_per_node", ("SLURM_TASKS_PER_NODE",)),
        ("cpus_per_task", ("SLURM_CPUS_PER_TASK",)),
        ("cpus_per_node", ("SLURM_JOB_CPUS_PER_NODE",)),
        ("memory_per_node", ("SLURM_MEM_PER_NODE",)),
        ("memory_per_cpu", ("SLURM_MEM_PER_CPU",)),
        ("memory_per_gpu", ("SLURM_MEM_PER_GPU",)),
        ("threads_per_core", ("SLURM_THREADS_PER_CORE",)),
        ("gpus", ("SLURM_GPUS",)),
        ("gpus_on_node", ("SLURM_GPUS_ON_NODE",)),
        ("gpus_per_node", ("SLURM_GPUS_PER_NODE",)),
        ("gpus_per_task", ("SLURM_GPUS_PER_TASK",)),
        ("gpus_per_socket", ("SLURM_GPUS_PER_SOCKET",)),
        ("cpus_per_gpu", ("SLURM_CPUS_PER_GPU",)),
        ("job_gpus", ("SLURM_JOB_GPUS",)),
        ("step_gpus", ("SLURM_STEP_GPUS",)),
        ("tres_per_task", ("SLURM_TRES_PER_TASK",)),
        ("profile", ("SLURM_PROFILE",)),
        ("overcommit", ("SLURM_OVERCOMMIT",)),
        ("distribution", ("SLURM_DISTRIBUTION",)),
        ("mpi", ("SLURM_MPI_TYPE",)),
        ("submit_dir", ("SLURM_SUBMIT_DIR",)),
        ("submit_host", ("SLURM_SUBMIT_HOST",)),
        ("start_time", ("SLURM_JOB_START_TIME",)),
        ("end_time", ("SLURM_JOB_END_TIME",)),
    ),
    "pbs": (
        ("cluster", ("PBS_SERVER", "PBS_DEFAULT")),
        ("job_id", ("PBS_JOBID",)),
        ("array_job_id", ("PBS_ARRAY_ID",)),
        ("array_task_id", ("PBS_ARRAY_INDEX", "PBS_ARRAYID")),
        ("job_name", ("PBS_JOBNAME",)),
        ("partition", ("PBS_QUEUE",)),
        ("account", ("PBS_ACCOUNT",)),
        ("user", ("PBS_O_LOGNAME",)),
        ("nodes", ("PBS_NUM_NODES",)),
        ("node_file", ("PBS_NODEFILE",)),
        ("tasks", ("PBS_NP",)),
        ("cpus_per_node", ("NCPUS", "PBS_NUM_PPN")),
        ("time_limit", ("PBS_WALLTIME",)),
        ("submit_dir", ("PBS_O_WORKDIR",)),
        ("submit_host", ("PBS_O_HOST",)),
    ),
    "lsf": (
        ("cluster", ("LSB_CLUSTER_NAME", "LSF_CLUSTER_NAME")),
        ("job_id", ("LSB_JOBID",)),
        ("array_task_id", ("LSB_JOBINDEX",)),
        ("job_name", ("LSB_JOBNAME",)),
        ("partition", ("LSB_QUEUE",)),
        ("account", ("LSB_PROJECT_NAME",)),
        ("user", ("LSB_SUB_USER", "LSFUSER")),
        ("node_list", ("LSB_MCPU_HOSTS", "LSB_HOSTS")),
        ("node_file", ("LSB_DJOB_HOSTFILE",)),
        ("tasks", ("LSB_DJOB_NUMPROC",)),
        ("submit_dir", ("LS_SUBCWD",)),
        ("submit_host", ("LSB_SUB_HOST",)),
    ),
    "flux": (
        ("job_id", ("FLUX_JOB_ID",)),
        ("nodes", ("FLUX_JOB_NNODES",)),
        ("tasks", ("FLUX_JOB_SIZE",)),
        ("submit_host", ("FLUX_SUBMIT_HOST",)),
    ),
    "sge": (
        ("cluster", ("SGE_CLUSTER_NAME", "SGE_CELL")),
        ("job_id", ("JOB_ID",)),
        ("array_task_id", ("SGE_TASK_ID",)),
        ("job_name", ("JOB_NAME",)),
        ("partition", ("QUEUE",)),
        ("account", ("SGE_ACCOUNT",)),
        ("user", ("SGE_O_LOGNAME",)),
        ("nodes", ("NHOSTS",)),
        ("node_file", ("PE_HOSTFILE",)),
        ("tasks", ("NSLOTS",)),
        ("restart_count", ("RESTARTED",)),
        ("submit_dir", ("SGE_O_WORKDIR",)),
        ("submit_host", ("SGE_O_HOST",)),
    ),
}  # fmt: skip


def collect(environ: Mapping[str, str]) -> dict[str, Any]:
    """The job that this environment belongs to; name `none` with a reason outside of any."""
    name = next((name for name, sign in SIGNS if environ.get(sign)), None)
    if name is None:
        return {"name": "none", "reason": "no variable of a known batch scheduler is set"}
    return {"name": name} | read_table(TABLES[name], environ) | components(environ)


def components(environ: Mapping[str, str]) -> dict[str, Any]:
    """Of a heterogeneous job of Slurm's each component: they have an id, nodes and tasks of their own."""
    table = [
        {
            key: scrub_word(environ[f"{name}_{n}"])
            for key, name in COMPONENT
            if environ.get(f"{name}_{n}", "") not in NOTHING
        }
        for n in range(MOST_COMPONENTS)
    ]
    found = [component for component in table if component]
    return {"components": found} if found and environ.get("SLURM_HET_SIZE", "") not in NOTHING else {}


def read_table(table: tuple[tuple[str, tuple[str, ...]], ...], environ: Mapping[str, str]) -> dict[str, Any]:
    """Values of a table's variables: the first that is set, without secrets. A count that is no number stays text."""
    facts: dict[str, Any] = {}
    for key, names in table:
        text = next((environ[name] for name in names if environ.get(name, "") not in NOTHING), None)
        if text is not None:
            facts[key] = int(text) if key in NUMBERS and is_integer(text) else scrub_word(text)
    return facts
