/* What another process means by the names in its memory. Read while it waits for our answer; whether it still does is checked afterwards. */
#define _GNU_SOURCE
#include "notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096 }; /* the smallest there is: a read that stays within one succeeds or fails as a whole */

bool caller_words(pid_t tid, uint64_t at, void *into, size_t len) {
    struct iovec here = {into, len}, there = {(void *)(uintptr_t)at, len}; /* NOLINT: an address of the other process */
    return process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

/* A string of at most PATH_MAX bytes with its end: the kernel takes no longer name. */
bool caller_string(pid_t tid, uint64_t at, char into[PATH_MAX]) {
    for (size_t have = 0; have < PATH_MAX;) {
        size_t rest = PAGE - (size_t)((at + have) % PAGE), room = PATH_MAX - have, part = rest < room ? rest : room;
        if (have == 0 && part > 256) part = 256; /* most are short */
        if (!caller_words(tid, at + have, into + have, part)) return false;
        if (memchr(into + have, 0, part)) return true;
        have += part;
    }
    return false;
}

bool caller_link(pid_t tid, const char *name, char *into, size_t room) {
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    ssize_t n = readlink(path, into, room - 1);
    if (n < 0 || (size_t)n == room - 1) return false;
    into[n] = 0;
    return true;
}

size_t caller_file(pid_t tid, const char *name, char *into, size_t room) {
    char path[96];
    size_t have = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && have < room && (n = read(fd, into + have, room - have)) > 0;) have += (size_t)n;
    if (fd >= 0) close(fd);
    return have;
}

/* `/proc/self` is another directory here, and what is open there is a file by another name. */
static bool own_name(pid_t tid, const char *name, char into[PATH_ROOM]) {
    static const char *const descriptors[] = {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};
    static const char *const streams[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    char link[32];
    for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
        size_t len = strlen(descriptors[i]), digits = strspn(name + (strncmp(name, descriptors[i], len) ? 0 : len), "0123456789");
        if (!digits || digits > 9 || name[len + digits]) continue;
        snprintf(link, sizeof link, "fd/%.9s", name + len);
        return caller_link(tid, link, into, PATH_ROOM);
    }
    for (int fd = 0; fd < 3; fd++) {
        snprintf(link, sizeof link, "fd/%d", fd);
        if (!strcmp(name, streams[fd])) return caller_link(tid, link, into, PATH_ROOM);
    }
    if (!strncmp(name, "/proc/self/", 11)) snprintf(into, PATH_ROOM, "/proc/%d/%s", (int)tid, name + 11);
    else snprintf(into, PATH_ROOM, "%s", name);
    return true;
}

bool caller_path(pid_t tid, int directory, const char *name, char into[PATH_ROOM]) {
    char link[32] = "cwd";
    if (*name == '/') return own_name(tid, name, into);
    if (directory != AT_FDCWD) snprintf(link, sizeof link, "fd/%d", directory);
    if (!caller_link(tid, link, into, PATH_MAX)) return false;
    if (!*name) return true; /* AT_EMPTY_PATH: the descriptor itself */
    if (*into != '/') return false; /* neither a directory of ours nor a file */
    size_t len = strlen(into);
    while (!strncmp(name, "./", 2)) name += 2;
    snprintf(into + len, PATH_ROOM - len, "%s%s", len > 1 ? "/" : "", name);
    return true;
}

/* Numbers of /proc/<tid>/stat, counted as in proc(5). The name in parentheses may hold anything. */
bool caller_numbers(pid_t tid, const int *fields, size_t count, uint64_t *values) {
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
