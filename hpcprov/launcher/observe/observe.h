/* The observer library: tells, from inside a program, which files it opens, creates, renames and removes and which programs it starts. The
 * launcher puts it into LD_PRELOAD; what it writes goes into the event area (../area.h), from which the node's agent reads it.
 *
 * It may be called from any thread, in a signal handler, between fork or vfork and exec, before any constructor and after any destructor.
 * So: no malloc, no lock (but shells.c, for the environment), no stdio, no getenv, no thread-local data; errno is left as the real call set it; nothing is imported that a C library
 * must have, so one file loads beside glibc since 2.17 and musl.
 *
 *   raw.h, words.h  system calls and strings of its own
 *   start.c         when a program starts: reads and hides the two variables, tells of the program
 *   writer.c        room in the area
 *   records.c       records of each kind
 *   paths.c         absolute paths
 *   seen.c          what was told a moment ago is not told again
 *   next.c          the definition that stands behind each of ours
 *   environment.c   puts the two variables back for a program that is started
 *   programs.c      programs that are started and can not be seen from inside (../target.c)
 *   actions.c       what posix_spawn shall do in the child
 *   limits.c, sandboxes.c    what the program says of its memory, and of its own system calls
 *   opens.c, names.c, directories.c, execs.c, spawns.c, shells.c, waits.c    the calls
 */
#ifndef HPCPROV_OBSERVE_H
#define HPCPROV_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <spawn.h>
#include <stdint.h>

#include "../area.h"
#include "../containers.h"
#include "../target.h"
#include "raw.h"
#include "words.h"

#define EXPORT __attribute__((visibility("default")))
#define PATH_ROOM 4096
#define VARIABLE_ROOM 1024 /* bytes of the area's path and of the library's */

/* ---- start.c */
struct observer {
    char area[VARIABLE_ROOM], library[VARIABLE_ROOM];
    uint32_t rank;
    uint32_t instance; /* this program's number; 0: nothing is told */
    uint32_t pid;      /* of the process in which it started */
    bool visible;      /* the variables stay in `environ` */
    uint64_t view;     /* whose mounts have been told (containers.h); 0: the launcher's own */
    char copy[VARIABLE_ROOM]; /* the library once more, beside the area: seen in containers too */
};
extern struct observer observer;
void start_hide(char **environment); /* takes both variables out of it */
static inline bool observing(void) { return observer.instance != 0; }

/* ---- writer.c */
bool writer_attach(const char *path);
void writer_unmap(void);
void writer_lost(void); /* one event more; no system call */
uint32_t writer_instance(void);                       /* a number for one more program */
bool writer_is_launcher(uint64_t dev, uint64_t ino);
uint64_t writer_view(void);                           /* the launcher's */
#define CHANGES_DIRECTORY (1ull << 32)
uint64_t writer_changes(void);                        /* how often a name was renamed or removed by any process so far; */
void writer_changed(bool directory);                  /* in the high half, how often a directory was moved */
struct area_record *writer_begin(enum area_kind kind, size_t text, uint64_t *position);
void writer_end(struct area_record *record, uint64_t position);
int64_t writer_now(void);                             /* ns since the epoch, a few ms coarse */

/* ---- paths.c */
struct piece {
    const char *at;
    size_t size;
};
struct name { /* an absolute path in two pieces with a slash between them, `base` has none at its end; without a base (NULL) `rest` alone */
    struct piece base, rest;
};
bool name_needs_room(int dirfd, const char *path);
bool name_at(struct name *name, int dirfd, const char *path, char *room);
void cwd_owned(uint32_t process); /* whose memory this is */
bool memory_is_own(void);         /* not shared with a process that vfork stopped */
void cwd_changed(void);
void root_changed(const struct name *name);
void cwd_of_each_thread(void);

/* ---- seen.c */
bool seen_before(const struct name *name, unsigned flags, int64_t now);
void seen_forget(const struct name *name);

/* ---- records.c */
size_t name_size(const struct name *name);                                /* bytes without the end of string */
char *name_put(char *to, const char *end, const struct name *name);       /* gives the place after */
void tell_access(const struct name *name, unsigned flags, const struct stat *file);
void tell_names(enum area_kind kind, unsigned flags, const struct name *old, const struct name *new);
void tell_end(uint32_t child, int status);
void tell_not_run(uint32_t instance);
void tell_view(void); /* the mounts, where the file system looks other than to the launcher and to who started this program */
void tell_program(uint32_t instance, uint32_t parent, enum area_blind blind, const char *path, const char *cwd, char *const *argv);

/* ---- programs.c */
struct program { /* one that is about to be started */
    uint32_t parent;       /* what HPCPROV_IO shall say */
    uint32_t unseen;       /* the number under which it was told already, because it will not tell itself; else 0 */
    bool off, visible, preload;
    const char *library;   /* which copy is preloaded */
    const char *path;      /* of a container runtime: its words go into its environment, and nothing else */
    char *const *argv;
};
struct program program_prepare(const char *path, char *const *argv, char *const *environment);
void program_failed(const struct program *program);
const char *program_search(const char *file, char room[PATH_ROOM]);

/* ---- environment.c */
size_t environment_room(char *const *environment, const struct program *program); /* bytes that environment_with needs */
struct environment_place {
    void *at; /* NULL: no memory */
    size_t mapped;
};
/* Defines `name`, a place for environment_with: on the caller's stack, which may be small, and where it is too large, mapped. */
#define ENVIRONMENT_ON_STACK 32768u
#define ENVIRONMENT(name, environment, program) \
    size_t name##_size = environment_room(environment, &program); \
    struct environment_place name = {NULL, 0}; \
    if (name##_size <= ENVIRONMENT_ON_STACK) name.at = __builtin_alloca(name##_size); \
    else environment_map(&name, name##_size)
void environment_map(struct environment_place *place, size_t size);
void environment_done(const struct environment_place *place);
char **environment_with(char *const *environment, const struct program *program, void *room);
bool environment_off(char *const *environment);
const char *environment_spool(char into[VARIABLE_ROOM]); /* the directory of the area */

/* ---- opens.c, actions.c */
unsigned access_of(int flags); /* of open(2) */
const char *actions_path(const posix_spawn_file_actions_t *actions, const char *path, char room[PATH_ROOM]);

/* ---- shells.c */
void shells_forked(void);

/* ---- next.c */
void *next_find(const char *name);
void next_own_path(char path[VARIABLE_ROOM]);
int next_missing(int number); /* sets errno to number and gives -1 */

/* get_open(): the next `open`, found at its first use. */
#define NEXT(name) \
    static inline __typeof__(&name) get_##name(void) { \
        static __typeof__(&name) known; \
        __typeof__(&name) found = __atomic_load_n(&known, __ATOMIC_RELAXED); \
        if (__builtin_expect(!found, 0)) { \
            found = (__typeof__(&name))next_find(#name); \
            __atomic_store_n(&known, found, __ATOMIC_RELAXED); \
        } \
        return found; \
    }

/* A call of `parameters` that passes `arguments` on and then does `after`, where `result` is what the next definition gave. Where there is none
 * (a C library older than the function; some programs look a function up by its name) it fails with ENOSYS. */
#define HOOK(name, parameters, arguments, after) \
    NEXT(name) \
    EXPORT int name parameters { \
        __typeof__(&name) next = get_##name(); \
        int result = next ? next arguments : next_missing(38); \
        after; \
        return result; \
    }

#endif
