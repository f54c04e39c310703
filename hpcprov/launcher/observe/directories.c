/* Calls that change what a relative path means.
 *
 *     chdir("sub"); open("a", ...)   ->   ACCESS /home/u/run/sub/a
 */
#define _GNU_SOURCE
#include "observe.h"

#include <sched.h>
#include <unistd.h>

static void directory_changed(int result) {
    if (result == 0) cwd_changed();
}

static void directories_unshared(int result) {
    if (result == 0) cwd_of_each_thread();
}

HOOK(chdir, (const char *path), (path), directory_changed(result))
HOOK(fchdir, (int fd), (fd), directory_changed(result))
HOOK(unshare, (int what), (what), directories_unshared(result))
HOOK(setns, (int fd, int kind), (fd, kind), directories_unshared(result))

NEXT(chroot)
EXPORT int chroot(const char *path) {
    __typeof__(&chroot) next = get_chroot();
    char room[PATH_ROOM];
    struct name name;
    if (!next) return next_missing(38);
    if (!observing()) return next(path);
    long fd = raw_openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
    bool told = fd >= 0 && name_at(&name, (int)fd, "", room); /* by the descriptor: `path` may be no address at all, and relative */
    if (fd >= 0) raw_close((int)fd);
    int result = next(path);
    if (result == 0) root_changed(told ? &name : NULL);
    return result;
}

/* Walks that change directory inside the C library. Not as in <ftw.h> and <fts.h>: older ones lack the 64. */
enum { CHDIR = 4 /* FTW_CHDIR */, NO_CHDIR = 4 /* FTS_NOCHDIR */ };

static void walk_begins(bool moves) {
    if (moves && observing()) cwd_of_each_thread();
}

typedef int walk(const char *path, void *function, int descriptors, int how);
typedef void *open_walk(char *const *paths, int how, void *compare);
walk nftw, nftw64;
open_walk fts_open, fts64_open;

#define WALK(name) \
    NEXT(name) \
    EXPORT int name(const char *path, void *function, int descriptors, int how) { \
        __typeof__(&name) next = get_##name(); \
        if (!next) return next_missing(38); \
        walk_begins(how & CHDIR); \
        return next(path, function, descriptors, how); \
    }
#define OPEN_WALK(name) \
    NEXT(name) \
    EXPORT void *name(char *const *paths, int how, void *compare) { \
        __typeof__(&name) next = get_##name(); \
        if (!next) return next_missing(38), NULL; \
        walk_begins(!(how & NO_CHDIR)); \
        return next(paths, how, compare); \
    }
WALK(nftw)
WALK(nftw64)
OPEN_WALK(fts_open)
OPEN_WALK(fts64_open)

/* A child of fork has memory of its own. */
static void forked(void) {
    if (!observing()) return;
    cwd_owned((uint32_t)raw_getpid());
    shells_forked();
}

NEXT(fork)
EXPORT pid_t fork(void) {
    __typeof__(&fork) next = get_fork();
    pid_t child = next ? next() : next_missing(38);
    if (child == 0) forked();
    return child;
}

/* Forks and changes directory inside the C library. */
NEXT(daemon)
EXPORT int daemon(int stay, int keep_streams) {
    __typeof__(&daemon) next = get_daemon();
    int result = next ? next(stay, keep_streams) : next_missing(38);
    if (result == 0) forked();
    directory_changed(result);
    return result;
}
