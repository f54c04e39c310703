/* Opens and creates. Only what succeeded and is a regular file is told; directories, devices and pipes are not.
 *
 *     open("a.npy", O_RDONLY)   ->   ACCESS read /home/u/run/a.npy
 */
#define _GNU_SOURCE
#include "observe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

unsigned access_of(int flags) {
    int mode = flags & O_ACCMODE;
    unsigned told = mode == O_RDONLY ? ACCESS_READ : mode == O_WRONLY ? ACCESS_WRITE : ACCESS_READ | ACCESS_WRITE;
    return told | (flags & O_CREAT ? ACCESS_CREATE : 0) | (flags & O_TRUNC ? ACCESS_TRUNCATE | ACCESS_WRITE : 0);
}

/* /dev/stdin, /proc/self/fd/7: what that is nobody can tell later. */
static bool is_alias(const char *path) { return words_after(path, "/proc/") || (words_after(path, "/dev/") && !words_after(path, "/dev/shm/")); }

/* A removed file's path in /proc is none. */
static bool is_file(int fd, struct stat *file, bool alias) {
    return raw_fstat(fd, file) == 0 && S_ISREG(file->st_mode) && (file->st_nlink || !alias);
}

static void told(const struct name *name, unsigned flags, int fd, bool alias) {
    struct stat file;
    if (seen_before(name, flags, writer_now()) || (fd >= 0 && !is_file(fd, &file, alias))) return;
    tell_access(name, flags, fd >= 0 ? &file : NULL);
}

static __attribute__((noinline)) void accessed_with_room(int dirfd, const char *path, unsigned flags, int fd, bool alias) {
    char room[PATH_ROOM];
    struct name name;
    if (alias ? name_at(&name, fd, "", room) : name_at(&name, dirfd, path, room)) told(&name, flags, fd, alias);
}

/* fd -1: there is none to ask what it is. */
static void accessed(int dirfd, const char *path, unsigned flags, int fd) {
    struct name name;
    bool alias = fd >= 0 && is_alias(path);
    if (alias || name_needs_room(dirfd, path)) accessed_with_room(dirfd, path, flags, fd, alias);
    else if (name_at(&name, dirfd, path, NULL)) told(&name, flags, fd, false);
}

static void opened(int dirfd, const char *path, int flags, int fd) {
    bool named = (flags & O_TMPFILE) != O_TMPFILE && !(flags & (O_PATH | O_DIRECTORY));
    if (fd >= 0 && observing() && named) accessed(dirfd, path, access_of(flags), fd);
}

static mode_t mode_of(int flags, va_list more) {
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0;
}

#define OPEN(name) \
    NEXT(name) \
    EXPORT int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = mode_of(flags, more); \
        va_end(more); \
        __typeof__(&name) next = get_##name(); \
        int fd = next ? next(path, flags, mode) : next_missing(38); \
        opened(AT_FDCWD, path, flags, fd); \
        return fd; \
    }
#define OPENAT(name) \
    NEXT(name) \
    EXPORT int name(int dirfd, const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = mode_of(flags, more); \
        va_end(more); \
        __typeof__(&name) next = get_##name(); \
        int fd = next ? next(dirfd, path, flags, mode) : next_missing(38); \
        opened(dirfd, path, flags, fd); \
        return fd; \
    }
int __open(const char *path, int flags, ...);
int __open64(const char *path, int flags, ...);
OPEN(open)
OPEN(open64)
OPEN(__open)
OPEN(__open64)
OPENAT(openat)
OPENAT(openat64)

/* Programs that were compiled with _FORTIFY_SOURCE call these where the flags are not constant. */
#define OPEN_2(name) \
    int name(const char *path, int flags); \
    NEXT(name) \
    EXPORT int name(const char *path, int flags) { \
        __typeof__(&name) next = get_##name(); \
        int fd = next ? next(path, flags) : open(path, flags); \
        opened(AT_FDCWD, path, flags, fd); \
        return fd; \
    }
#define OPENAT_2(name) \
    int name(int dirfd, const char *path, int flags); \
    NEXT(name) \
    EXPORT int name(int dirfd, const char *path, int flags) { \
        __typeof__(&name) next = get_##name(); \
        int fd = next ? next(dirfd, path, flags) : openat(dirfd, path, flags); \
        opened(dirfd, path, flags, fd); \
        return fd; \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)
OPENAT_2(__openat_2)
OPENAT_2(__openat64_2)

#define CREAT(name) \
    NEXT(name) \
    EXPORT int name(const char *path, mode_t mode) { \
        __typeof__(&name) next = get_##name(); \
        int fd = next ? next(path, mode) : next_missing(38); \
        opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, fd); \
        return fd; \
    }
CREAT(creat)
CREAT(creat64)

/* ---- streams */
static int flags_of(const char *mode) {
    int flags = mode[0] == 'r' ? O_RDONLY : mode[0] == 'w' ? O_WRONLY | O_CREAT | O_TRUNC : O_WRONLY | O_CREAT;
    for (; *mode && *mode != ','; mode++)
        if (*mode == '+') flags = (flags & ~O_ACCMODE) | O_RDWR;
    return flags;
}

NEXT(fileno)
static void stream_opened(const char *path, const char *mode, FILE *stream) {
    __typeof__(&fileno) number = stream && path && observing() ? get_fileno() : NULL;
    if (number) opened(AT_FDCWD, path, flags_of(mode), number(stream));
}

#define FOPEN(name) \
    NEXT(name) \
    EXPORT FILE *name(const char *path, const char *mode) { \
        __typeof__(&name) next = get_##name(); \
        FILE *stream = next ? next(path, mode) : (next_missing(38), NULL); \
        stream_opened(path, mode, stream); \
        return stream; \
    }
#define FREOPEN(name) \
    NEXT(name) \
    EXPORT FILE *name(const char *path, const char *mode, FILE *old) { \
        __typeof__(&name) next = get_##name(); \
        FILE *stream = next ? next(path, mode, old) : (next_missing(38), NULL); \
        stream_opened(path, mode, stream); \
        return stream; \
    }
FOPEN(fopen)
FOPEN(fopen64)
FREOPEN(freopen)
FREOPEN(freopen64)

/* ---- names that are made up: the template holds the name afterwards */
#define MADE O_CREAT | O_EXCL | O_RDWR
#define MKSTEMP(name, parameters, arguments) \
    NEXT(name) \
    EXPORT int name parameters { \
        __typeof__(&name) next = get_##name(); \
        int fd = next ? next arguments : next_missing(38); \
        opened(AT_FDCWD, template, MADE, fd); \
        return fd; \
    }
MKSTEMP(mkstemp, (char *template), (template))
MKSTEMP(mkstemp64, (char *template), (template))
MKSTEMP(mkostemp, (char *template, int flags), (template, flags))
MKSTEMP(mkostemp64, (char *template, int flags), (template, flags))
MKSTEMP(mkstemps, (char *template, int suffix), (template, suffix))
MKSTEMP(mkstemps64, (char *template, int suffix), (template, suffix))
MKSTEMP(mkostemps, (char *template, int suffix, int flags), (template, suffix, flags))
MKSTEMP(mkostemps64, (char *template, int suffix, int flags), (template, suffix, flags))

/* ---- truncation by name */
#define TRUNCATE(name, offset) \
    NEXT(name) \
    EXPORT int name(const char *path, offset size) { \
        __typeof__(&name) next = get_##name(); \
        int result = next ? next(path, size) : next_missing(38); \
        if (result == 0 && observing()) accessed(AT_FDCWD, path, ACCESS_WRITE | (size ? 0 : ACCESS_TRUNCATE), -1); \
        return result; \
    }
TRUNCATE(truncate, off_t)
TRUNCATE(truncate64, off64_t)
