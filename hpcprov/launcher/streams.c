/* Files that the application has as its standard streams when it starts. Nobody opens them while it runs, so they are told here, of the rank
 * and not of a program:
 *
 *     hpcprov exec -- ./model < in.nml > out.dat
 *
 * Output that our parent has in the same place is that process's own: the log of a batch job grows on when this run has ended.
 */
#define _GNU_SOURCE
#include "launcher.h"
#include "notify/notify.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool same(const struct stat *a, const struct stat *b) { return a->st_dev == b->st_dev && a->st_ino == b->st_ino; }

static bool is_parents(int fd, const struct stat *file) {
    char link[64];
    struct stat other;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)getppid(), fd);
    return !stat(link, &other) && same(&other, file);
}

/* The name of a regular file that this rank was started with. */
static bool find_file(int fd, struct stat *file, char path[PATH_MAX]) {
    char link[64];
    struct stat other;
    if (fstat(fd, file) || !S_ISREG(file->st_mode) || (fd != STDIN_FILENO && is_parents(fd, file))) return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = 0;
    return *path == '/' && !stat(path, &other) && same(&other, file); /* not removed, and seen from here */
}

static uint16_t access_of(int fd) {
    static const uint16_t flags[] = {[O_RDONLY] = ACCESS_READ, [O_WRONLY] = ACCESS_WRITE, [O_RDWR] = ACCESS_READ | ACCESS_WRITE};
    int mode = fcntl(fd, F_GETFL) & O_ACCMODE;
    return mode >= 0 && mode <= O_RDWR ? flags[mode] : 0;
}

void streams_tell(const struct area *a, const struct place *p) {
    struct events events = {0};
    struct stat file;
    char path[PATH_MAX];
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (!find_file(fd, &file, path) || (!events.header && !events_map(&events, a->fd))) continue;
        struct area_record as = {.is.access = {(uint64_t)file.st_size, file.st_mtim.tv_sec * INT64_C(1000000000) + file.st_mtim.tv_nsec}};
        struct event event = {.kind = AREA_ACCESS, .flags = access_of(fd), .pid = (pid_t)p->rank, .strings = path, .len = strlen(path) + 1};
        memcpy(event.is, &as.is, sizeof event.is);
        events_write(&events, &event);
    }
    if (events.header) munmap(events.header, events.size);
}
