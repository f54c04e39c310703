#!/bin/sh
# TaskProlog of slurm.conf: what it prints as `export NAME=VALUE` is in the environment of the task, and that is all that
# a task prolog can do: it cannot change the command. So this puts the srun of bin/ beside it first on the PATH of batch
# scripts: the steps that they start by `srun` are then recorded, without anybody having changed a script.
# It runs once for every task: in steps, where it has nothing to do, it leaves at once. The batch script has no step id, or
# the number that Slurm keeps for it.
case $SLURM_STEP_ID in '' | 4294967291) ;; *) exit 0 ;; esac
folder=${HPCPROV_SLURM:-/opt/hpcprov/slurm}
[ ! -x "$folder/bin/srun" ] || [ -z "$PATH" ] || echo "export PATH=$folder/bin:$PATH"
