#!/bin/sh
# TaskProlog of slurm.conf: what it prints as `export NAME=VALUE` is in the environment of the task, and that is all that
# a task prolog can do: it cannot change the command. So this puts the srun of bin/ beside it first on the PATH of batch
# scripts: the steps that they start by `srun` are then recorded, without anybody having changed a script.
# It runs once for every task: in steps, where it has nothing to do, it leaves at once.
[ -z "$SLURM_STEP_ID" ] || exit 0
folder=${HPCPROV_SLURM:-/opt/hpcprov/slurm}
[ ! -x "$folder/bin/srun" ] || echo "export PATH=$folder/bin:$PATH"
