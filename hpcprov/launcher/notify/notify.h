/* Watching by the kernel: `--observe notify`, for programs that a preloaded library does not reach (static, Go, raw system calls).
 *
 * A seccomp filter in the application holds back the calls that open, make, rename or remove files and those that start or end programs, and
 * asks here; what is asked is written into the event area (area.h), and the call goes on as it was. See docs/launcher.md.
 *
 *   notify.c    whether it can be done here, set up, handed over
 *   kernel.h    what the kernel's headers may lack
 *   refusal.c   programs for which it must not be done: no_new_privs takes set-user-id away
 *   filter.c    which calls: a table, and the filter made of it
 *   rehearsal.c a child of our own is watched first: what the kernel lacks shows there, and not in the application
 *   serve.c     threads of the launcher that are asked
 *   calls.c     what a call means for which file
 *   caller.c    names in another process's memory, made absolute
 *   processes.c which program a process runs
 *   programs.c  what is told of a program
 *   seen.c      what has been written already
 *   events.c    records in the area
 *   keeper.c    a process that answers whenever the launcher does not: stopped, killed, ended, or stuck in a file system
 */
#ifndef HPCPROV_NOTIFY_H
#define HPCPROV_NOTIFY_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../area.h"
#include "kernel.h"

enum { WORKERS = 4, REQUEST_ROOM = 256, PATH_ROOM = 2 * PATH_MAX + 64 };

/* ---- filter.c */
enum what { OPEN, OPENAT, OPENAT2, CREAT, RENAME, RENAMEAT, RENAMEAT2, LINK, LINKAT, SYMLINK, SYMLINKAT, UNLINK, RMDIR, UNLINKAT, TRUNCATE, EXECVE, EXECVEAT, EXIT_GROUP, OTHER };
int filter_install(void);                            /* in the process to be watched: the listener; -1: errno */
enum what filter_call(const struct seccomp_data *d); /* which row of the table */

/* ---- events.c */
struct events {
    struct area_header *header; /* mapped: the header, then the ring */
    int fd;
    size_t size; /* bytes mapped */
    uint64_t capacity; /* of the ring */
};
struct event {
    enum area_kind kind;
    uint16_t flags;
    uint32_t instance;
    pid_t pid;
    uint64_t is[2]; /* the union of area_record */
    const char *strings;
    size_t len; /* bytes of strings, each ended by NUL */
};
bool events_map(struct events *e, int fd);
bool events_wanted(const struct events *e);
uint32_t events_instance(struct events *e);
void events_write(struct events *e, const struct event *event);
void events_lost(struct events *e, uint64_t count);

/* ---- caller.c: a process, by the number of one of its threads */
bool caller_string(pid_t tid, uint64_t at, char into[PATH_MAX]);
bool caller_words(pid_t tid, uint64_t at, void *into, size_t len);
bool caller_link(pid_t tid, const char *name, char *into, size_t room);                  /* of /proc/<tid>/<name> */
size_t caller_file(pid_t tid, const char *name, char *into, size_t room);                /* bytes read; 0: none */
bool caller_path(pid_t tid, int directory, const char *name, char into[PATH_ROOM]);      /* absolute, as the caller sees it */

bool caller_numbers(pid_t tid, const int *fields, size_t count, uint64_t *values); /* of /proc/<tid>/stat, counted as in proc(5) */

/* ---- programs.c */
struct program {
    uint32_t instance;
    bool ours;     /* the agent of a run within this one, and what it starts: nothing is told of it */
    bool jailed;   /* in a chroot among our mounts */
    uint64_t view; /* which mounts it has; 0: ours */
};
void programs_begin(struct events *e, uint32_t rank);
uint64_t programs_image(pid_t tid); /* another one after every execve; 0: the process has ended */
struct program programs_tell(pid_t pid, struct program before);

/* ---- processes.c */
struct process { /* a copy; the table stays behind its lock */
    pid_t pid;
    struct program program;
};
bool processes_begin(struct events *e, uint32_t rank); /* false: too little memory */
struct process processes_find(pid_t tid);
void processes_executes(pid_t tid);                     /* is about to: whether it did shows at its next call */
void processes_ended(pid_t tid, int code);
void processes_settle(bool all);                        /* programs that have not called since they were started */

/* ---- seen.c */
bool seen_begin(void);
bool seen_before(uint32_t instance, const char *path, unsigned access);
void seen_forget(const char *path);

/* ---- calls.c */
void calls_record(struct events *e, int listener, const struct seccomp_notif *request, enum what what);

/* ---- keeper.c, serve.c */
struct desk { /* shared by the launcher and its keeper */
    _Atomic uint64_t served, missed; /* by the launcher; by the keeper, which writes no records */
    _Alignas(16) struct { unsigned char bytes[REQUEST_ROOM]; } requests[WORKERS]; /* struct seccomp_notif, zero: nothing asked */
};
bool answer(int listener, uint64_t id); /* go on as you were */
int receive_listener(int socket);       /* -1: nobody will send one */
bool send_listener(int socket, int listener);
bool keeper_start(int socket, struct desk *desk, const struct events *e);
bool serve_start(int socket, struct desk *desk, struct events *e);
bool serve_began(void); /* the application is watched */

/* ---- rehearsal.c, refusal.c */
const char *rehearse(void);                     /* NULL: it works here */
const char *refusal(const char *command);       /* NULL: nothing known against it */

#endif
