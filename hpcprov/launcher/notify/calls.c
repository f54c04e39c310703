/* What a call means for which file. The result is never told: what would fail is found out beforehand as well as can be, and records
 * say that they are unconfirmed. Written before the call goes on, so that records come in order. */
#define _GNU_SOURCE
#include "notify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

struct call {
    struct events *events;
    struct process process;
    pid_t tid;
    int listener;
    uint64_t id; /* of the question */
};
struct name {
    char path[PATH_ROOM];  /* absolute, as the caller sees it */
    char here[PATH_ROOM + 32]; /* the same file, as we see it */
};

static const char GONE[] = " (deleted)/";

/* Whether the caller still waits: if not, its number may be another's by now, and so what was read. */
static bool still_asked(const struct call *c) {
    uint64_t id = c->id;
    return !ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
}

/* A string of the caller's. One that may not be looked into (executable and not readable, or it said so itself) is not seen: that counts. */
static bool read_string(const struct call *c, uint64_t at, char into[PATH_MAX]) {
    if (caller_string(c->tid, at, into)) return true;
    if (errno == EPERM && still_asked(c)) events_lost(c->events, 1);
    return false;
}

/* Puts the caller's root in front of an absolute name. */
static bool put_root(const struct call *c, char path[PATH_ROOM]) {
    char root[PATH_MAX];
    if (!caller_link(c->tid, "root", root, sizeof root)) return false;
    size_t len = strcmp(root, "/") ? strlen(root) : 0, size = strlen(path) + 1;
    if (len + size > PATH_ROOM) return false;
    memmove(path + len, path, size);
    memcpy(path, root, len);
    return true;
}

static bool find_name(const struct call *c, int directory, uint64_t at, struct name *n) {
    char given[PATH_MAX], from[32] = "cwd";
    if (!read_string(c, at, given) || !caller_path(c->tid, directory, given, n->path)) return false;
    if (c->process.program.jailed && !strcmp(n->path, given) && !put_root(c, n->path)) return false;
    char *gone = strstr(n->path, GONE);
    bool odd = c->process.program.view || gone || strlen(n->path) >= PATH_MAX;
    if (directory != AT_FDCWD) snprintf(from, sizeof from, "fd/%d", directory);
    if (!odd) strcpy(n->here, n->path);
    else if (*given == '/') snprintf(n->here, sizeof n->here, "/proc/%d/root%s", (int)c->tid, n->path);
    else snprintf(n->here, sizeof n->here, "/proc/%d/%s/%s", (int)c->tid, from, given);
    if (odd && gone && *given && *given != '/') memmove(gone, gone + sizeof GONE - 2, strlen(gone + sizeof GONE - 2) + 1); /* a directory that was removed */
    return true;
}

static void write_names(const struct call *c, enum area_kind kind, unsigned flags, const char *first, const char *second) {
    char text[2 * PATH_ROOM];
    size_t len = strlen(first) + 1;
    memcpy(text, first, len);
    if (second) {
        memcpy(text + len, second, strlen(second) + 1);
        len += strlen(second) + 1;
    }
    struct event event = {.kind = kind, .flags = (uint16_t)(flags | ACCESS_UNCONFIRMED), .instance = c->process.program.instance, .pid = c->process.pid,
                          .strings = text, .len = len};
    if (still_asked(c)) events_write(c->events, &event);
}

static void write_access(const struct call *c, unsigned flags, const char *path, const struct stat *st) {
    struct event event = {.kind = AREA_ACCESS, .flags = (uint16_t)(flags | ACCESS_UNCONFIRMED), .instance = c->process.program.instance, .pid = c->process.pid,
                          .strings = path, .len = strlen(path) + 1};
    if (st) {
        event.is[0] = (uint64_t)st->st_size;
        event.is[1] = (uint64_t)(st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec);
    }
    if (still_asked(c)) events_write(c->events, &event);
}

/* ---- what would fail */

/* The directory of a name: it must be there, and be writable, before a name in it can be made or removed. */
static bool parent_of(const struct name *n, struct stat *st) {
    char path[sizeof n->here];
    strcpy(path, n->here);
    for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--) path[len - 1] = 0;
    char *slash = strrchr(path, '/');
    if (slash) slash[slash == path] = 0;
    return !stat(path, st) && st->st_nlink > 0 && !faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS);
}

static bool exists(const struct name *n) {
    struct stat st;
    return !lstat(n->here, &st);
}

static bool same_device(const struct name *one, const struct name *other) {
    struct stat first, second;
    return parent_of(one, &first) && parent_of(other, &second) && first.st_dev == second.st_dev;
}

static bool may(const struct name *n, unsigned access) {
    int mode = (access & ACCESS_READ ? R_OK : 0) | (access & ACCESS_WRITE ? W_OK : 0);
    return !faccessat(AT_FDCWD, n->here, mode, AT_EACCESS);
}

/* ---- calls */

static unsigned access_of(uint64_t flags) {
    static const unsigned modes[4] = {ACCESS_READ, ACCESS_WRITE, ACCESS_READ | ACCESS_WRITE, 0};
    unsigned access = modes[flags & O_ACCMODE];
    if (flags & O_CREAT) access |= ACCESS_CREATE;
    if (access & ACCESS_WRITE && flags & O_TRUNC) access |= ACCESS_TRUNCATE;
    return access;
}

static void open_file(const struct call *c, int directory, uint64_t at, uint64_t flags) {
    struct name n;
    struct stat st;
    unsigned access = access_of(flags), kind = access & (ACCESS_READ | ACCESS_WRITE | ACCESS_TRUNCATE);
    if (!kind || flags & (O_DIRECTORY | O_PATH) || !find_name(c, directory, at, &n)) return;
    if (stat(n.here, &st)) {
        if (errno != ENOENT || !(flags & O_CREAT) || !parent_of(&n, &st) || seen_before(c->process.program.instance, n.path, kind | ACCESS_CREATE)) return;
        write_access(c, access, n.path, NULL);
        return;
    }
    if (!S_ISREG(st.st_mode) || (flags & O_CREAT && flags & O_EXCL) || seen_before(c->process.program.instance, n.path, kind)) return;
    if (may(&n, access)) write_access(c, access, n.path, &st);
    else seen_forget(n.path);
}

static void open_how(const struct call *c, int directory, uint64_t at, uint64_t how, uint64_t size) {
    uint64_t flags; /* struct open_how begins with them */
    if (size >= sizeof flags && caller_words(c->tid, how, &flags, sizeof flags)) open_file(c, directory, at, flags);
}

static void truncate_file(const struct call *c, uint64_t at) { open_file(c, AT_FDCWD, at, O_WRONLY); }

static void rename_file(const struct call *c, int from, uint64_t old_at, int to, uint64_t new_at, uint64_t flags) {
    struct name old, new;
    if (!find_name(c, from, old_at, &old) || !find_name(c, to, new_at, &new) || !exists(&old) || !same_device(&old, &new)) return;
    if (flags & RENAME_NOREPLACE ? exists(&new) : flags & RENAME_EXCHANGE ? !exists(&new) : false) return;
    seen_forget(old.path);
    seen_forget(new.path);
    write_names(c, AREA_RENAME, flags & RENAME_EXCHANGE ? RENAME_EXCHANGED : 0, old.path, new.path);
}

static void link_file(const struct call *c, int from, uint64_t old_at, int to, uint64_t new_at) {
    struct name old, new;
    struct stat st;
    if (!find_name(c, from, old_at, &old) || !find_name(c, to, new_at, &new) || exists(&new) || !parent_of(&new, &st)) return;
    bool named = exists(&old);
    if (!named && strstr(old.path, " (deleted)")) snprintf(old.path, sizeof old.path, "/proc/%d/fd", (int)c->tid); /* a file of O_TMPFILE gets its name */
    else if (!named) return;
    write_names(c, AREA_LINK, 0, old.path, new.path);
}

static void link_symbolic(const struct call *c, uint64_t target_at, int to, uint64_t new_at) {
    char target[PATH_MAX];
    struct name new;
    struct stat st;
    if (!read_string(c, target_at, target) || !find_name(c, to, new_at, &new) || exists(&new) || !parent_of(&new, &st)) return;
    write_names(c, AREA_LINK, LINK_SYMBOLIC, target, new.path);
}

static bool is_empty(const struct name *directory) {
    char entries[4096];
    long len = 0, size, count = 0;
    int fd = open(directory->here, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) len = syscall(SYS_getdents64, fd, entries, sizeof entries);
    for (long at = 0; at < len; at += size, count++) size = ((const struct dirent64 *)(const void *)(entries + at))->d_reclen;
    if (fd >= 0) close(fd);
    return fd >= 0 && count <= 2; /* itself and the one above */
}

static void unlink_file(const struct call *c, int directory, uint64_t at, uint64_t flags) {
    struct name n;
    struct stat st, parent;
    if (!find_name(c, directory, at, &n) || lstat(n.here, &st) || !parent_of(&n, &parent)) return;
    if (!(flags & AT_REMOVEDIR) != !S_ISDIR(st.st_mode) || (S_ISDIR(st.st_mode) && !is_empty(&n))) return;
    seen_forget(n.path);
    write_names(c, AREA_UNLINK, S_ISDIR(st.st_mode) ? UNLINK_DIRECTORY : 0, n.path, NULL);
}

void calls_record(struct events *e, int listener, const struct seccomp_notif *request, enum what what) {
    const uint64_t *a = request->data.args;
    struct call c = {.events = e, .tid = (pid_t)request->pid, .listener = listener, .id = request->id};
    if (c.tid <= 0) return; /* of a process that we do not see */
    if (what == EXIT_GROUP) {
        processes_ended(c.tid, (int)a[0]);
        return;
    }
    c.process = processes_find(c.tid);
    if (c.process.program.ours && what != EXECVE && what != EXECVEAT) return;
    switch (what) {
    case OPEN: open_file(&c, AT_FDCWD, a[0], a[1]); break;
    case OPENAT: open_file(&c, (int)a[0], a[1], a[2]); break;
    case OPENAT2: open_how(&c, (int)a[0], a[1], a[2], a[3]); break;
    case CREAT: open_file(&c, AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC); break;
    case TRUNCATE: truncate_file(&c, a[0]); break;
    case RENAME: rename_file(&c, AT_FDCWD, a[0], AT_FDCWD, a[1], 0); break;
    case RENAMEAT: rename_file(&c, (int)a[0], a[1], (int)a[2], a[3], 0); break;
    case RENAMEAT2: rename_file(&c, (int)a[0], a[1], (int)a[2], a[3], a[4]); break;
    case LINK: link_file(&c, AT_FDCWD, a[0], AT_FDCWD, a[1]); break;
    case LINKAT: link_file(&c, (int)a[0], a[1], (int)a[2], a[3]); break;
    case SYMLINK: link_symbolic(&c, a[0], AT_FDCWD, a[1]); break;
    case SYMLINKAT: link_symbolic(&c, a[0], (int)a[1], a[2]); break;
    case UNLINK: unlink_file(&c, AT_FDCWD, a[0], 0); break;
    case RMDIR: unlink_file(&c, AT_FDCWD, a[0], AT_REMOVEDIR); break;
    case UNLINKAT: unlink_file(&c, (int)a[0], a[1], a[2]); break;
    case EXECVE:
    case EXECVEAT: processes_executes(c.tid); break;
    case EXIT_GROUP:
    case OTHER: break;
    }
}
