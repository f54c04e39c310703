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

/* A child of fork has memory of its own. */
NEXT(fork)
EXPORT pid_t fork(void) {
    __typeof__(&fork) next = get_fork();
    pid_t child = next ? next() : next_missing(38);
    if (child == 0 && observing()) {
        cwd_owned((uint32_t)raw_getpid());
        shells_forked();
    }
    return child;
}
