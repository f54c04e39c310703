/* Which rank of which launch is this process, and what is the run called?
 *
 * The run id must be the same on every rank without communication. What all ranks of one launch share is, in order of preference: the
 * Slurm step, the PMIx namespace, hydra's control port (only in the command line of the process that started the rank). Ports and
 * process ids come round again: where all ranks are on one node, the launching process's own pid and start time name the launch exactly.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The first row whose rank variable is set wins: inside an allocation, mpiexec's ranks also carry the SLURM_PROCID of the daemon
 * that started them, the same for all ranks of a node. */
static const struct {
    const char *launcher, *rank, *size, *local_rank, *local_size, *only_with;
} launchers[] = {
    {"openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", NULL},
    {"mvapich", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE", NULL},
    {"mpich", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", "PMI_SIZE"},
    {"slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", NULL, "SLURM_STEP_ID"},
    {"pmix", "PMIX_RANK", NULL, NULL, NULL, "PMIX_NAMESPACE"},
};

/* Processes that start ranks: the nearest ancestor of this name is the launch's own on this node. */
static const char *const launching[] = {"hydra_pmi_proxy", "slurmstepd", "orted",  "prted",      "prterun",    "mpiexec",
                                        "mpirun",          "orterun",    "palsd",  "flux-shell", "mpispawn",   "pbs_demux",
                                        "mpiexec.hydra",   "pmi_proxy",  "jsrund", "hydra_bstrap_p"};

struct process {
    pid_t pid, parent;
    int64_t ticks;
    char name[32];
};

static int64_t number(const char *variable) {
    const char *value = variable ? getenv(variable) : NULL;
    char *end;
    if (!value || !isdigit((unsigned char)*value)) return -1;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    return *end || errno || n > INT32_MAX ? -1 : n;
}

bool read_small_file(const char *path, char *into, size_t room) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, into, room - 1); /* the kernel's small files come whole */
    close(fd);
    into[n > 0 ? n : 0] = 0;
    return n >= 0;
}

/* pid (comm) state ppid ... starttime is the 22nd field; comm may hold anything, so look from its last parenthesis. */
static bool process_stat(pid_t pid, struct process *p) {
    char path[32], stat[1024];
    snprintf(path, sizeof path, pid ? "/proc/%d/stat" : "/proc/self/stat", (int)pid);
    if (!read_small_file(path, stat, sizeof stat)) return false;
    char *open_at = strchr(stat, '('), *close_at = strrchr(stat, ')');
    if (!open_at || !close_at) return false;
    long long parent, ticks;
    if (sscanf(close_at + 1, " %*c %lld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld", &parent, &ticks) != 2) return false;
    *close_at = 0;
    p->pid = pid ? pid : getpid();
    p->parent = (pid_t)parent;
    p->ticks = ticks;
    snprintf(p->name, sizeof p->name, "%.31s", open_at + 1);
    return true;
}

static bool starts_ranks(const char *name) {
    for (size_t i = 0; i < sizeof launching / sizeof *launching; i++)
        if (!strncmp(name, launching[i], 15)) return true; /* the kernel keeps 15 bytes of a name */
    return false;
}

static bool find_launching(const struct process *self, struct process *found) {
    struct process at = *self;
    for (int depth = 0; depth < 32 && at.parent > 1; depth++) {
        pid_t parent = at.parent;
        if (!process_stat(parent, &at)) { /* /proc hides other users' processes (hidepid): most likely slurmstepd */
            *found = (struct process){.pid = parent};
            return kill(parent, 0) == 0 || errno == EPERM;
        }
        if (starts_ranks(at.name)) {
            *found = at;
            return true;
        }
    }
    return false;
}

/* HOST:PORT of hydra's mpiexec, from `--control-port HOST:PORT` in its proxy's command line. */
static bool control_port(pid_t proxy, char *into, size_t room) {
    char path[32], line[2048];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)proxy);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t len = read(fd, line, sizeof line - 1);
    close(fd);
    if (len <= 0) return false;
    line[len] = 0;
    for (char *word = line; word < line + len; word += strlen(word) + 1)
        if (!strcmp(word, "--control-port") && word + 15 < line + len) {
            snprintf(into, room, "%s", word + 15);
            return true;
        }
    return false;
}

/* Only these bytes go into names of files and runs; no `..`, no dot at the end, neither dot nor dash in front. */
static void plain(char *s) {
    if (*s == '.' || *s == '-') *s = '_';
    for (; *s; s++)
        if ((!isalnum((unsigned char)*s) && !strchr("._-", *s)) || (s[0] == '.' && (s[1] == '.' || !s[1]))) *s = '_';
}

/* A name that is too long keeps its beginning; a digest of the whole keeps it apart from others. */
static void shorten(char *name, size_t most) {
    char hex[65];
    if (strlen(name) <= most) return;
    sha256_hex(name, strlen(name), hex);
    snprintf(name + most - 17, 18, "-%.16s", hex);
}

static const char *first_of(const char *const *variables) {
    for (; *variables; variables++)
        if (getenv(*variables)) return getenv(*variables);
    return NULL;
}

/* slurm-<cluster>-<job>[.<step>][-r<restart>]; a requeued job keeps its id, so its restart count belongs to the name. */
static void slurm_name(char *into, size_t room, bool with_step) {
    static const char *const job_id[] = {"SLURM_HET_JOB_ID", "SLURM_JOB_ID", "SLURM_JOBID", NULL};
    const char *cluster = getenv("SLURM_CLUSTER_NAME"), *job = first_of(job_id);
    const char *step = with_step ? getenv("SLURM_STEP_ID") : NULL;
    int64_t restart = number("SLURM_RESTART_COUNT");
    int n = snprintf(into, room, "slurm-%.64s-%.40s%s%.40s", cluster ? cluster : "cluster", job ? job : "0", step ? "." : "", step ? step : "");
    if (restart > 0) snprintf(into + n, room - (size_t)n, "-r%lld", (long long)restart);
}

/* What the ranks of this launch share, as text. `launching` is NULL when no launching process was seen. */
static void launch_name(const struct place *p, const struct process *by, char *into, size_t room) {
    const char *namespace = getenv("PMIX_NAMESPACE");
    bool by_hydra = by && (!strncmp(by->name, "hydra", 5) || !strcmp(by->name, "pmi_proxy"));
    bool by_slurm = getenv("SLURM_STEP_ID") && !by_hydra && strcmp(p->launcher, "openmpi") != 0;
    if (namespace && !strncmp(namespace, "slurm.pmix.", 11)) by_slurm = true;
    if (by_slurm) {
        slurm_name(into, room, true);
        return;
    }
    int n = 0;
    if (getenv("SLURM_JOB_ID")) {
        slurm_name(into, room, false);
        n = (int)strlen(into);
        into[n++] = '.';
    }
    char port[300];
    if (by && p->size > 0 && p->local_size == p->size)
        snprintf(into + n, room - (size_t)n, "mpi-%.40s-%d-%lld", p->node, (int)by->pid, (long long)by->ticks);
    else if (namespace) snprintf(into + n, room - (size_t)n, "mpi-%s", namespace);
    else if (by && control_port(by->pid, port, sizeof port)) snprintf(into + n, room - (size_t)n, "mpi-%s", port);
    else if (by) snprintf(into + n, room - (size_t)n, "mpi-%.40s-%d-%lld", p->node, (int)by->pid, (long long)by->ticks);
    else snprintf(into + n, room - (size_t)n, "mpi-%.40s-session%d", p->node, (int)getsid(0)); /* not 0: see place_find */
}

/* A directory of our own for counters, which end with the boot: never a predictable name that somebody else could have made. */
static int counters_open(void) {
    static const char *const places[] = {"/dev/shm", "/tmp"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[64];
        struct stat st;
        snprintf(path, sizeof path, "%s/hpcprov-%u", places[i], (unsigned)geteuid());
        if (mkdir(path, 0700) && errno != EEXIST) continue;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && !fstat(fd, &st) && st.st_uid == geteuid() && (st.st_mode & 077) == 0) return fd;
        if (fd >= 0) close(fd);
    }
    return -1;
}

/* Counts this rank's earlier starts in the launch: each start appends itself to a file of the launch on this node and then looks
 * which entries of its rank stand before its own. One append is one write, so starts at the same moment get different numbers. */
static int count_starts(const struct place *p, const struct process *by) {
    struct entry {
        int32_t rank, pid;
        int64_t ticks;
    } own = {(int32_t)p->rank, getpid(), p->ticks}, seen[256];
    char name[128], space[64];
    ssize_t n;
    snprintf(space, sizeof space, "%s", p->pid_ns);
    plain(space);
    snprintf(name, sizeof name, "%s-%d-%lld", space, (int)by->pid, (long long)by->ticks);
    int directory = counters_open();
    if (directory < 0) return 0;
    int fd = openat(directory, name, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    close(directory);
    if (fd < 0) return 0;
    int before = 0;
    if (write(fd, &own, sizeof own) == (ssize_t)sizeof own) {
        off_t at = 0;
        bool found = false;
        while (!found && (n = pread(fd, seen, sizeof seen, at)) > 0) {
            for (size_t i = 0; i < (size_t)n / sizeof own && !found; i++) {
                found = !memcmp(&seen[i], &own, sizeof own);
                before += !found && seen[i].rank == own.rank;
            }
            at += n;
        }
    }
    close(fd);
    return before;
}

static void name_nodes(struct place *p) {
    struct utsname name;
    const char *slurm_node = getenv("SLURMD_NODENAME");
    if (uname(&name)) strcpy(name.nodename, "unknown");
    snprintf(p->host, sizeof p->host, "%.64s", name.nodename);
    snprintf(p->node, sizeof p->node, "%.200s", slurm_node && *slurm_node ? slurm_node : *p->host ? p->host : "unknown");
    plain(p->node);
    if (!read_small_file("/proc/sys/kernel/random/boot_id", p->boot_id, sizeof p->boot_id)) p->boot_id[0] = 0;
    p->boot_id[strcspn(p->boot_id, "\n")] = 0;
    ssize_t n = readlink("/proc/self/ns/pid", p->pid_ns, sizeof p->pid_ns - 1);
    p->pid_ns[n > 0 ? n : 0] = 0;
}

/* Tasks of this step on this node, from `2(x3),1` and the node's number within the step. */
static int64_t slurm_local_size(void) {
    const char *at = getenv("SLURM_STEP_TASKS_PER_NODE");
    int64_t node = number("SLURM_NODEID");
    while (at && isdigit((unsigned char)*at) && node >= 0) {
        char *end;
        long tasks = strtol(at, &end, 10), times = 1;
        if (!strncmp(end, "(x", 2)) {
            times = strtol(end + 2, &end, 10);
            end += *end == ')';
        }
        if (node < times) return tasks;
        node -= times;
        at = *end == ',' ? end + 1 : NULL;
    }
    return -1;
}

static void name_rank(struct place *p) {
    p->launcher = "none";
    p->rank = p->local_rank = 0;
    p->size = p->local_size = 1;
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        if (number(launchers[i].rank) < 0 || (launchers[i].only_with && !getenv(launchers[i].only_with))) continue;
        p->launcher = launchers[i].launcher;
        p->rank = number(launchers[i].rank);
        p->size = number(launchers[i].size);
        p->local_rank = number(launchers[i].local_rank);
        p->local_size = number(launchers[i].local_size);
        break;
    }
    if (!strcmp(p->launcher, "slurm") && p->size < 0) p->size = number("SLURM_NTASKS");
    if (p->local_rank < 0) p->local_rank = number("SLURM_LOCALID");
    if (p->local_size < 0 && getenv("SLURM_STEP_ID") && strcmp(p->launcher, "openmpi") != 0) p->local_size = slurm_local_size();
    p->nodes = p->size > 0 && p->local_size == p->size ? 1 : -1;
    if (p->nodes < 0 && getenv("SLURM_STEP_ID") && strcmp(p->launcher, "openmpi") != 0) p->nodes = number("SLURM_STEP_NUM_NODES");
}

/* YYYYMMDDTHHMMSSZ. gmtime reads the time zone's files, which a launcher on 10,000 ranks should not;
 * days to civil date as in Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
static void utc_text(int64_t seconds, char into[32]) {
    int64_t day = seconds / 86400, of_day = seconds % 86400, z = day + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9), year = (int)(yoe + era * 400 + (month <= 2)), dom = (int)(doy - (153 * mp + 2) / 5 + 1);
    snprintf(into, 32, "%04d%02d%02dT%02d%02d%02dZ", year % 10000, month, dom, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
}

void place_find(struct place *p, const char *given_run_id) {
    struct process self = {.pid = getpid()}, by;
    memset(p, 0, sizeof *p);
    name_nodes(p);
    name_rank(p);
    if (process_stat(0, &self)) p->ticks = self.ticks;
    bool launched = strcmp(p->launcher, "none") != 0 && find_launching(&self, &by);
    if (!launched) by = self;
    if (launched) p->n = count_starts(p, &by);
    snprintf(p->launch, sizeof p->launch, "%lld-%d", (long long)by.ticks, (int)by.pid);
    int64_t hz = sysconf(_SC_CLK_TCK);
    p->launch_time = clock_ns(CLOCK_REALTIME);
    if (by.ticks) p->launch_time += by.ticks * (1000000000 / (hz > 0 ? hz : 100)) - clock_ns(CLOCK_BOOTTIME);
    if (given_run_id) {
        snprintf(p->run_id, sizeof p->run_id, "%s", given_run_id);
        return;
    }
    p->alone = strcmp(p->launcher, "none") != 0 && !launched && !getenv("PMIX_NAMESPACE") && !getenv("SLURM_STEP_ID") && getsid(0) <= 0;
    if (strcmp(p->launcher, "none") != 0 && !p->alone) {
        char name[1024];
        launch_name(p, launched ? &by : NULL, name, sizeof name);
        plain(name);
        shorten(name, RUN_ID_MAX - 12);
        snprintf(p->run_id, sizeof p->run_id, "%.*s.%d", RUN_ID_MAX, name, p->n);
        return;
    }
    uint32_t dice;
    char when[32];
    utc_text(time(NULL), when);
    if (getentropy(&dice, sizeof dice)) dice = (uint32_t)clock_ns(CLOCK_MONOTONIC) ^ (uint32_t)getpid() << 16;
    snprintf(p->run_id, sizeof p->run_id, "%s-%08x", when, dice);
}
