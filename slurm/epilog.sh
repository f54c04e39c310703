#!/bin/bash
# Epilog of slurm.conf: finish the records of what a job left unfinished because it was killed. It runs as root on every
# node of a job; one node is enough. What it does it does as the job's user, in the job's directory, and for at most 20 s;
# and it never fails, because Slurm would take the node out of service.
# Slurm does not tell yet how the job itself ended: its final word is asked for by the next command that meets the record.
# Slurm gives an epilog no search path: here are scontrol and sacct looked for. Add where yours are.
PATH=${PATH:+$PATH:}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/slurm/bin
hpcprov=${HPCPROV_LAUNCHER:-/opt/hpcprov/bin/hpcprov}
[ -x "$hpcprov" ] && [ -n "$SLURM_JOB_USER" ] && [ -n "$SLURM_JOB_WORK_DIR" ] || exit 0
nodes=${SLURM_JOB_NODELIST:-$SLURM_NODELIST}
first=$(timeout 5 scontrol show hostnames "$nodes" 2>/dev/null | head -n 1)
[ "${first:-$SLURMD_NODENAME}" = "$SLURMD_NODENAME" ] || exit 0
# An environment of its own: the epilog's is root's.
timeout --kill-after=5 20 runuser -u "$SLURM_JOB_USER" -- env -i PATH="$PATH" LC_ALL=C.UTF-8 \
  ${SLURM_CONF:+SLURM_CONF="$SLURM_CONF"} \
  sh -c 'cd -- "$1" && exec "$2" settle --job "$3"' settle "$SLURM_JOB_WORK_DIR" "$hpcprov" "$SLURM_JOB_ID" \
  </dev/null >/dev/null 2>&1
exit 0
