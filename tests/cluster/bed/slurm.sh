#!/usr/bin/env bash
# A real Slurm of four nodes on one machine, as root and without systemd: munged, MariaDB, slurmdbd, slurmctld, one
# slurmd per node. It lives in a directory of its own, with ports and node names of its own, and reads nothing of
# /etc/slurm: a Slurm that was there before is not touched, and any number of beds run side by side.
#
#     BED=/tmp/bed PORT=21000 tests/cluster/bed/slurm.sh up >up.log 2>&1      PATH=/tmp/bed/bin:$PATH sinfo
#     ... slurm.sh hold <pipe     up, "ready" on standard output; when standard input closes down, and BED is removed
#     ... slurm.sh down           end all it started, by process id, and remove its control groups
#     ... slurm.sh fail NODE      kill a node with all that runs on it        ... slurm.sh restart NODE
#     ... slurm.sh reconfigure    read the settings again
#
# BED             its directory; the path must be short (at most 60 characters), for its sockets
# PORT            the first of NODES + 2 ports: slurmctld, slurmdbd, one slurmd each
# NODES, CPUS     4 nodes with 8 CPUs each; PREFIX: their names' beginning, `n<PORT>-`
# PROCTRACK       proctrack/cgroup where the machine has control groups of version 1, else proctrack/linuxproc
# EXTRA           a file with more lines for slurm.conf; a setting in it stands instead of the same one here
# The commands in BED/bin (sbatch, srun, ...) find this Slurm by themselves, in jobs too. Debian's slurmd can be started
# several times on one host. Daemons keep open what they inherit: give them a file, not a pipe.
set -euo pipefail
BED=${BED:?the directory of this Slurm} PORT=${PORT:-21000} NODES=${NODES:-4} CPUS=${CPUS:-8}
PREFIX=${PREFIX:-n$PORT-} EXTRA=${EXTRA:-/dev/null}
export SLURM_CONF=$BED/slurm.conf
SOCKET=$BED/run/munge.socket DATABASE=$BED/run/db/mysql.sock FREEZER=/sys/fs/cgroup/freezer

main() {
  case ${1:-} in
    up) up ;;
    hold) hold ;;
    down) down ;;
    fail) fail_node "$2" ;;
    restart) start_node "$2" ;;
    reconfigure) write_slurm_conf && scontrol reconfigure ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && return 2 ;;
  esac
}

up() {
  make_directories
  write_slurm_conf
  write_slurmdbd_conf
  write_commands
  stage start_munge
  stage start_database
  stage start_accounting
  stage start_controller
  for node in $(nodes); do stage start_node "$node"; done
  stage until_true "all nodes idle" all_idle
}

# With the time, for the log.
stage() {
  echo "$(date +%T) $*"
  "$@"
}

# The bed lives as long as whoever holds the other end of standard input, however that ends. Until then a loop in this
# shell, which a signal ends at once; its children never see the pipe.
hold() {
  trap down EXIT
  trap 'exit 143' TERM INT HUP
  up </dev/null >>"$BED/log.txt" 2>&1
  trap 'down; rm -rf -- "$BED"' EXIT
  echo ready
  while read -r _; do :; done
}

down() {
  trap '' TERM INT HUP
  set +e
  cancel_all
  for node in $(nodes); do end_tasks "$node"; done
  for node in $(nodes); do end_pid_file "$BED/run/slurmd.$node.pid"; done
  for node in $(nodes); do end_tasks "$node"; done
  for name in run/slurmctld.pid run/slurmdbd.pid run/db/mysql.pid munge/munged.pid; do end_pid_file "$BED/$name"; done
  for node in $(nodes); do remove_groups "$node"; done
  return 0
}

nodes() { for i in $(seq "$NODES"); do echo "$PREFIX$i"; done; }

# WHAT COMMAND...: until the command succeeds, at most two minutes.
until_true() {
  local what=$1 end=$((SECONDS + 120))
  shift
  while [ $SECONDS -lt $end ]; do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "slurm.sh: not within two minutes: $what" >&2
  return 1
}

# --- settings

make_directories() {
  mkdir -p "$BED"/{bin,run/db,log,munge,state,db}
  chmod 755 "$BED" "$BED/run"
  chmod 700 "$BED/munge"
  for node in $(nodes); do mkdir -p "$BED/spool/$node" "$BED/tmp/$node"; done
}

has_groups() { mountpoint -q $FREEZER && mountpoint -q /sys/fs/cgroup/memory; }

write_cgroup_conf() {
  : >"$BED/cgroup.conf"
  has_groups || return 0
  printf '%s\n' CgroupPlugin=cgroup/v1 CgroupMountpoint=/sys/fs/cgroup CgroupAutomount=no ConstrainRAMSpace=yes \
    ConstrainCores=no ConstrainDevices=no >"$BED/cgroup.conf"
}

# FirstJobId: MPICH names the memory that ranks share by the job, and another bed may be up on this machine.
# cred_expire: else a requeue waits two minutes. TmpFS: else the pmix plugins of two nodes collide.
# config_overrides: more CPUs than the machine has.
settings() {
  local proctrack=proctrack/linuxproc task=task/none resources=CR_CPU
  if has_groups; then proctrack=proctrack/cgroup task=task/cgroup resources=CR_CPU_Memory; fi
  cat <<CONF
ClusterName=bed
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$PORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$SOCKET,cred_expire=5
MpiDefault=none
ProctrackType=${PROCTRACK:-$proctrack}
TaskPlugin=$task
SelectType=select/cons_tres
SelectTypeParameters=$resources
DefMemPerCPU=200
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=5,bf_interval=5,batch_sched_delay=1
SlurmdParameters=config_overrides
ReturnToService=2
SlurmctldTimeout=30
SlurmdTimeout=10
KillWait=5
MinJobAge=300
FirstJobId=$((PORT * 100))
JobRequeue=1
UnkillableStepTimeout=30
StateSaveLocation=$BED/state
SlurmdSpoolDir=$BED/spool/%n
TmpFS=$BED/tmp/%n
SlurmctldPidFile=$BED/run/slurmctld.pid
SlurmdPidFile=$BED/run/slurmd.%n.pid
SlurmctldLogFile=$BED/log/slurmctld.log
SlurmdLogFile=$BED/log/slurmd.%n.log
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$((PORT + 1))
AccountingStoragePass=$SOCKET
AccountingStoreFlags=job_comment,job_env,job_script
CONF
}

# A setting of EXTRA replaces the bed's own; lines like `PartitionName=` are only added.
write_slurm_conf() {
  write_cgroup_conf
  {
    settings | grep -vxEf <(sed -nE 's/^([A-Za-z]+)=.*/\1=.*/p' "$EXTRA") || true
    echo "NodeName=$PREFIX[1-$NODES] NodeHostname=localhost NodeAddr=127.0.0.1" \
      "Port=[$((PORT + 2))-$((PORT + 1 + NODES))] CPUs=$CPUS RealMemory=4000 State=UNKNOWN"
    echo "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
    cat "$EXTRA"
  } >"$SLURM_CONF.new"
  mv "$SLURM_CONF.new" "$SLURM_CONF"
}

write_slurmdbd_conf() {
  (umask 077 && cat >"$BED/slurmdbd.conf") <<CONF
AuthType=auth/munge
AuthInfo=$SOCKET
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$((PORT + 1))
SlurmUser=root
LogFile=$BED/log/slurmdbd.log
PidFile=$BED/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct
CONF
}

# Programs that remove SLURM_CONF from the environment (Snakemake's plugin does) reach this Slurm through these.
write_commands() {
  local name path
  for name in sbatch srun salloc sattach sbcast squeue sacct sacctmgr sstat scontrol scancel sinfo sprio; do
    path=$(PATH=/usr/bin:/usr/local/bin:/opt/slurm/bin type -P "$name") || continue
    printf '#!/bin/sh\nSLURM_CONF=%q\nexport SLURM_CONF\nexec %q "$@"\n' "$SLURM_CONF" "$path" >"$BED/bin/$name"
    chmod 755 "$BED/bin/$name"
  done
}

# --- daemons

start_munge() {
  (umask 077 && head -c 1024 /dev/urandom >"$BED/munge/munge.key")
  munged --socket="$SOCKET" --key-file="$BED/munge/munge.key" --log-file="$BED/munge/munged.log" \
    --pid-file="$BED/munge/munged.pid" --seed-file="$BED/munge/munged.seed"
}

sql() { mariadb --no-defaults --socket="$DATABASE" --user=root --execute="$1"; }

start_database() {
  chown mysql "$BED/db" "$BED/run/db"
  local TMPDIR=$BED/run/db # two that are installed at once meet in each other's temporary tables
  export TMPDIR
  mariadb-install-db --no-defaults --user=mysql --datadir="$BED/db" --auth-root-authentication-method=normal \
    --skip-test-db >"$BED/log/database.log" 2>&1
  setsid mariadbd --no-defaults --user=mysql --datadir="$BED/db" --socket="$DATABASE" --skip-networking \
    --innodb-log-file-size=16M --innodb-flush-log-at-trx-commit=0 --pid-file="$BED/run/db/mysql.pid" \
    --log-error="$BED/db/error.log" </dev/null >/dev/null 2>&1 &
  until_true "MariaDB answers" sql "select 1"
  sql "create user 'slurm'@'localhost' identified by 'slurm'; grant all on *.* to 'slurm'@'localhost'"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

start_accounting() {
  MYSQL_UNIX_PORT=$DATABASE slurmdbd
  until_true "slurmdbd listens" listens $((PORT + 1))
  sacctmgr -iQ add cluster bed >/dev/null
  sacctmgr -iQ add account default Cluster=bed >/dev/null
  sacctmgr -iQ add user root account=default >/dev/null
}

start_controller() {
  slurmctld -f "$SLURM_CONF"
  until_true "slurmctld answers" scontrol ping
}

start_node() { slurmd -f "$SLURM_CONF" -N "$1"; }

all_idle() { [ "$(sinfo -h -N -p main -o %t | sort | uniq -c | tr -s ' ')" = " $NODES idle" ]; }

# --- the end

# A process that its parent has not yet waited for is dead as well.
dead() { ! grep -qs '^State:[[:space:]][^Z]' "/proc/$1/status"; }

end_pid_file() {
  [ -s "$1" ] || return 0
  local pid
  pid=$(cat "$1")
  rm -f "$1"
  end_pid "$pid"
}

# TERM, and after ten seconds KILL.
end_pid() {
  local try
  kill "$1" 2>/dev/null || return 0
  for try in $(seq 100); do
    dead "$1" && return 0
    sleep 0.1
  done
  kill -9 "$1" 2>/dev/null || return 0
}

cancel_all() {
  [ -s "$BED/run/slurmctld.pid" ] && timeout 20 scancel --full --user=root 2>/dev/null
  for _ in $(seq 20); do
    timeout 10 squeue -h -o %i 2>/dev/null | grep -q . || return 0
    sleep 0.1
  done
}

# A node's tasks, by its control group and by the environment that Slurm gives them. Processes that end meanwhile are no
# failure.
tasks() {
  {
    if [ -d "$FREEZER/slurm_$1" ]; then find "$FREEZER/slurm_$1" -name cgroup.procs -exec cat {} + 2>/dev/null; fi
    grep -lzxs "SLURMD_NODENAME=$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true
  } | sort -un
}

# The slurmstepds of a node: parents of its tasks.
stepds() {
  local task parent
  for task in $(tasks "$1"); do
    parent=$(awk '$1 == "PPid:" {print $2}' "/proc/$task/status" 2>/dev/null) || continue
    grep -qs '^slurmstepd$' "/proc/$parent/comm" && echo "$parent"
  done | sort -un
}

end_tasks() {
  local found
  found="$(stepds "$1") $(tasks "$1")"
  for _ in 1 2 3; do
    kill -9 $found 2>/dev/null || true
    found=$(tasks "$1")
    [ -n "$found" ] || return 0
    sleep 0.1
  done
}

fail_node() {
  kill -9 "$(cat "$BED/run/slurmd.$1.pid")"
  rm -f "$BED/run/slurmd.$1.pid"
  end_tasks "$1"
}

remove_groups() {
  local group
  for group in /sys/fs/cgroup/*/slurm_"$1"; do
    for _ in $(seq 20); do
      [ -d "$group" ] || break
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.1
    done
  done
}

main "$@"
