/* Which program a process runs. The kernel tells the number of a thread and no more: whose thread it is and whose child comes from /proc, and
 * is kept. Whether an execve succeeded shows at the process's next call: then it has another image.
 *
 * The table is bounded; a process that was forgotten is taken for one of its parent's. Numbers are reused: an entry is compared with the
 * process's birth once a second.
 */
#define _GNU_SOURCE
#include "notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { SLOTS = 16384, WAYS = 8, DEEPEST = 64 };
static const int64_t TRUSTED = 1000000000; /* ns */

struct entry {
    pid_t tid, pid;      /* 0: free; the process's first thread, which has the rest */
    uint64_t birth;      /* clock ticks since boot */
    int64_t checked;     /* CLOCK_MONOTONIC, ns */
    struct program program;
    pid_t executing;     /* the thread that has called execve; 0: none */
    uint64_t image;      /* before that */
};

static struct {
    pthread_mutex_t lock;
    struct entry *entries;
    struct events *events;
    uint32_t root;       /* the first program: orphans are taken for its own */
    pid_t launcher;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- what /proc tells */

static pid_t leader_of(pid_t tid) {
    char text[2048];
    size_t len = caller_file(tid, "status", text, sizeof text - 1);
    text[len] = 0;
    char *at = strstr(text, "\nTgid:");
    return at ? (pid_t)strtol(at + 6, NULL, 10) : 0;
}

/* ---- the table; its lock is held */

static struct entry *slot_of(pid_t tid) {
    struct entry *set = &table.entries[(uint32_t)tid * 2654435761u % (SLOTS / WAYS) * WAYS], *oldest = set;
    for (int i = 0; i < WAYS; i++)
        if (set[i].tid == tid) return &set[i];
    for (int i = 0; i < WAYS; i++) {
        if (!set[i].tid) return &set[i];
        if (set[i].checked < oldest->checked) oldest = &set[i];
    }
    return oldest;
}

static struct entry *entry_of(pid_t tid, int depth);
static void settle(struct entry *leader, pid_t caller);

/* A process that is met for the first time: a thread of a known one, else a child. */
static struct entry learn(pid_t tid, uint64_t birth, pid_t parent, int depth) {
    struct entry e = {.tid = tid, .pid = leader_of(tid), .birth = birth, .checked = monotonic(), .program.instance = table.root};
    if (e.pid != tid || parent == table.launcher || parent <= 1 || depth >= DEEPEST) {
        if (parent == table.launcher) e.program.instance = 0;
        return e;
    }
    struct entry *from = entry_of(parent, depth + 1);
    if (from->executing) settle(from, 0);
    e.program = from->program;
    return e;
}

static struct entry *entry_of(pid_t tid, int depth) {
    static const int fields[] = {4, 22}; /* parent, birth */
    struct entry *e = slot_of(tid);
    int64_t now = monotonic();
    uint64_t values[2] = {0, 0};
    if (e->tid == tid && now - e->checked < TRUSTED) return e;
    caller_numbers(tid, fields, 2, values);
    if (e->tid != tid || e->birth != values[1]) {
        struct entry known = learn(tid, values[1], (pid_t)values[0], depth);
        e = slot_of(tid); /* what was learned on the way may have moved things */
        *e = known;
    }
    e->checked = now;
    return e;
}

static struct entry *leader_entry(pid_t tid) {
    struct entry *e = entry_of(tid, 0);
    return e->pid == tid || e->pid == 0 ? e : entry_of(e->pid, 0);
}

/* `caller` is about to do something else: its execve has failed if nothing has changed. */
static void settle(struct entry *leader, pid_t caller) {
    uint64_t image = programs_image(leader->pid);
    bool changed = image && image != leader->image;
    if (changed) leader->program = programs_tell(leader->pid, leader->program);
    if (!table.root) table.root = leader->program.instance;
    if (changed || caller == leader->executing) leader->executing = 0;
}

/* ---- */

bool processes_begin(struct events *e, uint32_t rank) {
    void *room = mmap(NULL, SLOTS * sizeof *table.entries, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    table.entries = room;
    table.events = e;
    table.launcher = getpid();
    programs_begin(e, rank);
    return true;
}

struct process processes_find(pid_t tid) {
    pthread_mutex_lock(&table.lock);
    struct entry *e = leader_entry(tid);
    if (e->executing) settle(e, tid);
    struct process found = {e->pid, e->program};
    pthread_mutex_unlock(&table.lock);
    return found;
}

void processes_executes(pid_t tid) {
    pthread_mutex_lock(&table.lock);
    struct entry *e = leader_entry(tid);
    e->image = programs_image(e->pid);
    e->executing = tid;
    pthread_mutex_unlock(&table.lock);
}

void processes_ended(pid_t tid, int code) {
    struct { int32_t status; uint32_t child; } end = {(code & 0xFF) << 8, 0};
    struct process p = processes_find(tid);
    struct event event = {.kind = AREA_END, .instance = p.program.instance, .pid = p.pid};
    end.child = (uint32_t)p.pid;
    memcpy(event.is, &end, sizeof end);
    if (!p.program.ours) events_write(table.events, &event);
    pthread_mutex_lock(&table.lock);
    struct entry *e = slot_of(p.pid);
    if (e->tid == p.pid) e->tid = 0;
    pthread_mutex_unlock(&table.lock);
}

void processes_settle(bool all) {
    int64_t now = monotonic();
    pthread_mutex_lock(&table.lock);
    for (struct entry *e = table.entries; e < table.entries + SLOTS; e++)
        if (e->tid && e->executing && (all || now - e->checked > TRUSTED / 50)) settle(e, 0);
    pthread_mutex_unlock(&table.lock);
}
