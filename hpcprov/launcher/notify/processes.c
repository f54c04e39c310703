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
static const uint64_t FNV = 14695981039346656037u;
static const int64_t TRUSTED = 1000000000; /* ns */

struct entry {
    pid_t tid, pid;      /* 0: free; the process's first thread, which has the rest */
    uint64_t birth;      /* clock ticks since boot */
    int64_t checked;     /* CLOCK_MONOTONIC, ns */
    uint32_t instance;
    uint64_t view;       /* which root and mounts it has; 0: ours */
    pid_t executing;     /* the thread that has called execve; 0: none */
    uint64_t image;      /* before that */
};

static struct {
    pthread_mutex_t lock;
    struct entry *entries;
    struct events *events;
    uint32_t rank, root; /* the first program: its orphans are taken for its own */
    pid_t launcher;
    char mounts[64];     /* our own mount namespace */
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t monotonic(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- what /proc tells */

/* Numbers of /proc/<tid>/stat, counted as in proc(5). The name in parentheses may hold anything. */
static bool read_stat(pid_t tid, const int *fields, size_t count, uint64_t *values) {
    char text[1024], *at, *rest;
    size_t len = caller_file(tid, "stat", text, sizeof text - 1);
    text[len] = 0;
    if (!len || !(at = strrchr(text, ')'))) return false;
    rest = at + 1;
    size_t found = 0;
    for (int field = 3; found < count && (at = strsep(&rest, " ")); ) {
        if (!*at) continue;
        if (field++ == fields[found]) values[found++] = strtoull(at, NULL, 10);
    }
    return found == count;
}

static pid_t leader_of(pid_t tid) {
    char text[2048];
    size_t len = caller_file(tid, "status", text, sizeof text - 1);
    text[len] = 0;
    char *at = strstr(text, "\nTgid:");
    return at ? (pid_t)strtol(at + 6, NULL, 10) : 0;
}

static uint64_t add_text(uint64_t hash, const char *text) {
    for (const char *c = text; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* What changes with every execve: the file, and where its arguments lie. 0: the process has ended. */
static uint64_t image_of(pid_t tid) {
    static const int arguments[] = {48};
    char path[PATH_MAX];
    uint64_t where = 0;
    if (!caller_link(tid, "exe", path, sizeof path)) return 0;
    read_stat(tid, arguments, 1, &where);
    return (add_text(FNV, path) ^ where) | 1;
}

/* A container, or a chroot: names mean other files there. */
static uint64_t view_of(pid_t tid) {
    char mounts[64], root[PATH_MAX];
    if (!caller_link(tid, "ns/mnt", mounts, sizeof mounts) || !caller_link(tid, "root", root, sizeof root)) return 0;
    return !strcmp(mounts, table.mounts) && !strcmp(root, "/") ? 0 : add_text(add_text(FNV, mounts), root) | 1;
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
    struct entry e = {.tid = tid, .pid = leader_of(tid), .birth = birth, .checked = monotonic(), .instance = table.root};
    if (e.pid != tid || parent == table.launcher || parent <= 1 || depth >= DEEPEST) {
        if (parent == table.launcher) e.instance = 0;
        return e;
    }
    struct entry *from = entry_of(parent, depth + 1);
    if (from->executing) settle(from, 0);
    e.instance = from->instance;
    e.view = from->view;
    return e;
}

static struct entry *entry_of(pid_t tid, int depth) {
    static const int fields[] = {4, 22}; /* parent, birth */
    struct entry *e = slot_of(tid);
    int64_t now = monotonic();
    uint64_t values[2] = {0, 0};
    if (e->tid == tid && now - e->checked < TRUSTED) return e;
    read_stat(tid, fields, 2, values);
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

/* ---- programs */

static size_t text_of(pid_t pid, char *text, size_t room, uint32_t *argc, bool *cut) {
    static const char gone[] = " (deleted)";
    static const char *const links[] = {"exe", "cwd"};
    size_t len = 0;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        char *at = text + len;
        if (!caller_link(pid, links[i], at, PATH_MAX)) *at = 0;
        size_t n = strlen(at), tail = sizeof gone - 1;
        if (n > tail && !memcmp(at + n - tail, gone, tail)) at[n -= tail] = 0;
        len += n + 1;
    }
    size_t words = caller_file(pid, "cmdline", text + len, room - len);
    *cut = words == room - len;
    if (*cut) text[len + words - 1] = 0;
    else if (words && text[len + words - 1]) text[len + words++] = 0; /* a program may overwrite its arguments */
    for (size_t i = 0; i < words; i++) *argc += text[len + i] == 0;
    return len + words;
}

/* By which its names can be mapped to ours. */
static void tell_mounts(const struct entry *e) {
    char text[AREA_TEXT_MAX];
    size_t len = caller_file(e->pid, "mountinfo", text, sizeof text - 1), whole = len;
    if (len == sizeof text - 1)
        while (whole > 0 && text[whole - 1] != '\n') whole--;
    text[whole] = 0;
    struct event event = {.kind = AREA_MOUNTS, .flags = whole < len ? STRINGS_CUT : 0, .instance = e->instance, .pid = e->pid, .strings = text, .len = whole + 1};
    events_write(table.events, &event);
}

static void became(struct entry *e) {
    struct { uint32_t parent, rank, blind, argc; } program = {e->instance, table.rank, SEEN, 0};
    char text[AREA_TEXT_MAX];
    bool cut;
    size_t len = text_of(e->pid, text, sizeof text - 1, &program.argc, &cut);
    e->instance = events_instance(table.events);
    if (!table.root) table.root = e->instance;
    struct event event = {.kind = AREA_PROGRAM, .instance = e->instance, .pid = e->pid, .strings = text, .len = len, .flags = cut ? STRINGS_CUT : 0};
    memcpy(event.is, &program, sizeof program);
    events_write(table.events, &event);
    uint64_t before = e->view;
    e->view = view_of(e->pid);
    if (e->view && e->view != before) tell_mounts(e);
}

/* `caller` is about to do something else: its execve has failed if nothing has changed. */
static void settle(struct entry *leader, pid_t caller) {
    uint64_t image = image_of(leader->pid);
    bool changed = image && image != leader->image;
    if (changed) became(leader);
    if (changed || caller == leader->executing) leader->executing = 0;
}

/* ---- */

bool processes_begin(struct events *e, uint32_t rank) {
    void *room = mmap(NULL, SLOTS * sizeof *table.entries, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return false;
    table.entries = room;
    table.events = e;
    table.rank = rank;
    table.launcher = getpid();
    if (!caller_link(table.launcher, "ns/mnt", table.mounts, sizeof table.mounts)) *table.mounts = 0;
    return true;
}

struct process processes_find(pid_t tid) {
    pthread_mutex_lock(&table.lock);
    struct entry *e = leader_entry(tid);
    if (e->executing) settle(e, tid);
    struct process found = {e->pid, e->instance, e->view != 0};
    pthread_mutex_unlock(&table.lock);
    return found;
}

void processes_executes(pid_t tid) {
    pthread_mutex_lock(&table.lock);
    struct entry *e = leader_entry(tid);
    e->image = image_of(e->pid);
    e->executing = tid;
    pthread_mutex_unlock(&table.lock);
}

void processes_ended(pid_t tid, int code) {
    struct { int32_t status; uint32_t child; } end = {(code & 0xFF) << 8, 0};
    struct process p = processes_find(tid);
    struct event event = {.kind = AREA_END, .instance = p.instance, .pid = p.pid};
    end.child = (uint32_t)p.pid;
    memcpy(event.is, &end, sizeof end);
    events_write(table.events, &event);
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
