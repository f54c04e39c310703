/* Programs that begin: what /proc tells of them, as records in the area. */
#define _GNU_SOURCE
#include "notify.h"

#include <string.h>
#include <unistd.h>

static const uint64_t FNV = 14695981039346656037u;
static const char AGENT[] = "\0-m\0hpcprov.agent\0--root"; /* as handover.c starts it */

static struct {
    struct events *events;
    uint32_t rank;
    char mounts[64]; /* our own mount namespace */
} telling;

void programs_begin(struct events *e, uint32_t rank) {
    telling.events = e;
    telling.rank = rank;
    if (!caller_link(getpid(), "ns/mnt", telling.mounts, sizeof telling.mounts)) *telling.mounts = 0;
}

static uint64_t add_text(uint64_t hash, const char *text) {
    for (const char *c = text; *c; c++) hash = (hash ^ (unsigned char)*c) * 1099511628211u; /* FNV-1a */
    return hash;
}

/* What changes with every execve: the file, and where its arguments lie. 0: the process has ended. */
uint64_t programs_image(pid_t tid) {
    static const int arguments[] = {48};
    char path[PATH_MAX];
    uint64_t where = 0;
    if (!caller_link(tid, "exe", path, sizeof path)) return 0;
    caller_numbers(tid, arguments, 1, &where);
    return (add_text(FNV, path) ^ where) | 1;
}

/* A container, or a chroot: names mean other files there. */
static uint64_t view_of(pid_t tid) {
    char mounts[64], root[PATH_MAX];
    if (!caller_link(tid, "ns/mnt", mounts, sizeof mounts) || !caller_link(tid, "root", root, sizeof root)) return 0;
    return !strcmp(mounts, telling.mounts) && !strcmp(root, "/") ? 0 : add_text(add_text(FNV, mounts), root) | 1;
}

/* Executable, working directory, arguments: each ended by NUL. */
static size_t text_of(pid_t pid, char *text, size_t room, uint32_t *argc, bool *cut) {
    static const char gone[] = " (deleted)";
    static const char *const links[] = {"exe", "cwd"};
    size_t len = 0;
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        char *at = text + len;
        if (!caller_link(pid, links[i], at, PATH_MAX)) *at = 0;
        size_t n = strlen(at), tail = sizeof gone - 1;
        if (n > tail && !memcmp(at + n - tail, gone, tail)) at[n -= tail] = 0;
        len += n + 1;
    }
    size_t words = caller_file(pid, "cmdline", text + len, room - len);
    *cut = words == room - len;
    if (*cut) text[len + words - 1] = 0;
    else if (words && text[len + words - 1]) text[len + words++] = 0; /* a program may overwrite its arguments */
    for (size_t i = 0; i < words; i++) *argc += text[len + i] == 0;
    return len + words;
}

/* By which its names can be mapped to ours. */
static void tell_mounts(pid_t pid, uint32_t instance) {
    char text[AREA_TEXT_MAX];
    size_t len = caller_file(pid, "mountinfo", text, sizeof text - 1), whole = len;
    if (len == sizeof text - 1)
        while (whole > 0 && text[whole - 1] != '\n') whole--;
    text[whole] = 0;
    struct event event = {.kind = AREA_MOUNTS, .flags = whole < len ? STRINGS_CUT : 0,
                          .instance = instance, .pid = pid, .strings = text, .len = whole + 1};
    events_write(telling.events, &event);
}

struct program programs_tell(pid_t pid, struct program before) {
    struct { uint32_t parent, rank, blind, argc; } numbers = {before.instance, telling.rank, SEEN, 0};
    char text[AREA_TEXT_MAX];
    bool cut;
    size_t len = text_of(pid, text, sizeof text - 1, &numbers.argc, &cut);
    struct program now = {.ours = before.ours || memmem(text, len, AGENT, sizeof AGENT), .view = view_of(pid), .instance = before.instance};
    if (now.ours) return now;
    now.instance = events_instance(telling.events);
    struct event event = {.kind = AREA_PROGRAM, .flags = cut ? STRINGS_CUT : 0, .instance = now.instance, .pid = pid, .strings = text, .len = len};
    memcpy(event.is, &numbers, sizeof numbers);
    events_write(telling.events, &event);
    if (now.view && now.view != before.view) tell_mounts(pid, now.instance);
    return now;
}
