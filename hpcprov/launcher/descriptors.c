/* The launcher's own descriptors stay out of the way, and what it was given does not stay open in it. */
#define _GNU_SOURCE
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436 /* on every architecture; C libraries before 2021 do not know it */
#endif

/* Our descriptors must not take the place of a closed stdin, stdout or stderr. */
int fd_above_stdio(int fd) {
    if (fd < 0 || fd > 2) return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;
    close(fd);
    errno = error;
    return moved;
}

/* Linux before 5.9 has no close_range: close what /proc lists. Without /proc as well, what there usually is. */
static void close_listed(unsigned first, unsigned last) {
    DIR *directory = opendir("/proc/self/fd");
    for (unsigned fd = first; !directory && fd <= last && fd < 1024; fd++) close((int)fd);
    if (!directory) return;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char *end;
        unsigned long fd = strtoul(entry->d_name, &end, 10);
        if (end != entry->d_name && !*end && fd >= first && fd <= last && (int)fd != dirfd(directory)) close((int)fd);
    }
    closedir(directory);
}

static void close_between(unsigned first, unsigned last) {
    if (first <= last && syscall(SYS_close_range, first, last, 0u) < 0) close_listed(first, last);
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

void close_all_but(int *kept, size_t count) {
    unsigned next = 0;
    if (count) qsort(kept, count, sizeof *kept, by_number);
    for (size_t i = 0; i < count; i++) {
        if (kept[i] < 0 || (unsigned)kept[i] < next) continue;
        if ((unsigned)kept[i] > next) close_between(next, (unsigned)kept[i] - 1);
        next = (unsigned)kept[i] + 1;
    }
    close_between(next, ~0u);
}
