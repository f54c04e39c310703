/* Names that are moved, added and removed. Two names are told as they were before the call: its success makes them mean something else, but an
 * absolute path needs no looking up.
 *
 *     rename("out.tmp", "out.nc")   ->   RENAME /home/u/run/out.tmp /home/u/run/out.nc
 */
#define _GNU_SOURCE
#include "observe.h"

#include <stdio.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static bool is_directory(int dirfd, const char *path) {
    struct stat file;
    return raw_statat(dirfd, path, &file) == 0 && S_ISDIR(file.st_mode);
}

struct pair {
    int olddir;
    const char *old;
    int newdir;
    const char *new;
};

static void tell_two(enum area_kind kind, unsigned flags, const struct pair *p, char *room, char *room2) {
    struct name from, to;
    if (!name_at(&from, p->olddir, p->old, room) || !name_at(&to, p->newdir, p->new, room2)) return;
    if (kind == AREA_RENAME) {
        seen_forget(&from);
        seen_forget(&to);
        writer_changed(is_directory(p->newdir, p->new) || (flags & RENAME_EXCHANGED && is_directory(p->olddir, p->old)));
    }
    tell_names(kind, flags, &from, &to);
}

static __attribute__((noinline)) void tell_two_with_room(enum area_kind kind, unsigned flags, const struct pair *p) {
    char room[2][PATH_ROOM];
    tell_two(kind, flags, p, room[0], room[1]);
}

static void told_two(enum area_kind kind, unsigned flags, const struct pair *p) {
    if (name_needs_room(p->olddir, p->old) || name_needs_room(p->newdir, p->new)) tell_two_with_room(kind, flags, p);
    else tell_two(kind, flags, p, NULL, NULL);
}

/* The target of a symbolic link is told as it is written: relative to the link's directory. */
static __attribute__((noinline)) void told_symbolic(const char *target, int newdir, const char *new) {
    char room[PATH_ROOM];
    struct name written = {{NULL, 0}, {target, words_length(target)}}, name;
    if (name_at(&name, newdir, new, room)) tell_names(AREA_LINK, LINK_SYMBOLIC, &written, &name);
}

static void tell_one(unsigned flags, int dirfd, const char *path, char *room) {
    struct name name;
    if (!name_at(&name, dirfd, path, room)) return;
    seen_forget(&name);
    writer_changed(false);
    tell_names(AREA_UNLINK, flags, &name, NULL);
}

static __attribute__((noinline)) void tell_one_with_room(unsigned flags, int dirfd, const char *path) {
    char room[PATH_ROOM];
    tell_one(flags, dirfd, path, room);
}

static void told_one(unsigned flags, int dirfd, const char *path) {
    if (name_needs_room(dirfd, path)) tell_one_with_room(flags, dirfd, path);
    else tell_one(flags, dirfd, path, NULL);
}

static void renamed(int result, unsigned how, int olddir, const char *old, int newdir, const char *new) {
    if (result == 0 && observing()) told_two(AREA_RENAME, how & RENAME_EXCHANGE ? RENAME_EXCHANGED : 0, &(struct pair){olddir, old, newdir, new});
}

static void linked(int result, int olddir, const char *old, int newdir, const char *new) {
    if (result == 0 && observing()) told_two(AREA_LINK, 0, &(struct pair){olddir, old, newdir, new});
}

static void symlinked(int result, const char *target, int newdir, const char *new) {
    if (result == 0 && observing()) told_symbolic(target, newdir, new);
}

static void unlinked(int result, unsigned flags, int dirfd, const char *path) {
    if (result == 0 && observing()) told_one(flags, dirfd, path);
}

HOOK(rename, (const char *old, const char *new), (old, new), renamed(result, 0, AT_FDCWD, old, AT_FDCWD, new))
HOOK(renameat, (int a, const char *old, int b, const char *new), (a, old, b, new), renamed(result, 0, a, old, b, new))
HOOK(renameat2, (int a, const char *old, int b, const char *new, unsigned how), (a, old, b, new, how), renamed(result, how, a, old, b, new))
HOOK(link, (const char *old, const char *new), (old, new), linked(result, AT_FDCWD, old, AT_FDCWD, new))
HOOK(linkat, (int a, const char *old, int b, const char *new, int how), (a, old, b, new, how), linked(result, a, old, b, new))
HOOK(symlink, (const char *target, const char *new), (target, new), symlinked(result, target, AT_FDCWD, new))
HOOK(symlinkat, (const char *target, int b, const char *new), (target, b, new), symlinked(result, target, b, new))
HOOK(unlink, (const char *path), (path), unlinked(result, 0, AT_FDCWD, path))
HOOK(rmdir, (const char *path), (path), unlinked(result, UNLINK_DIRECTORY, AT_FDCWD, path))
HOOK(remove, (const char *path), (path), unlinked(result, 0, AT_FDCWD, path))
HOOK(unlinkat, (int dirfd, const char *path, int how), (dirfd, path, how), unlinked(result, how & AT_REMOVEDIR ? UNLINK_DIRECTORY : 0, dirfd, path))
