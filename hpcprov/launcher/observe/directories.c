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
HOOK(chroot, (const char *path), (path), directory_changed(result))
HOOK(unshare, (int what), (what), directories_unshared(result))
HOOK(setns, (int fd, int kind), (fd, kind), directories_unshared(result))
