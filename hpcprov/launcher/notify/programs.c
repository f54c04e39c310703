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

static bool is_jailed(pid_t tid) {
    char root[PATH_MAX];
    return caller_link(tid, "root", root, sizeof root) && strcmp(root, "/");
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

/* In a container names mean other files: its mounts, by which they can be mapped to ours, whenever they are not its parent's. */
static uint64_t tell_mounts(pid_t pid, const struct program *program, uint64_t before) {
    char text[AREA_TEXT_MAX];
    if (!caller_link(pid, "ns/mnt", text, sizeof text) || !strcmp(text, telling.mounts)) return 0;
    size_t len = caller_file(pid, "mountinfo", text, sizeof text - 1), whole = len;
    if (len == sizeof text - 1)
        while (whole > 0 && text[whole - 1] != '\n') whole--;
    text[whole] = 0;
    uint64_t view = add_text(FNV, text) | 1;
    struct event event = {.kind = AREA_MOUNTS, .flags = whole < len ? STRINGS_CUT : 0, .instance = program->instance, .pid = pid,
                          .strings = text, .len = whole + 1};
    if (view != before) events_write(telling.events, &event);
    return view;
}

struct program programs_tell(pid_t pid, struct program before) {
    struct { uint32_t parent, rank, blind, argc; } numbers = {before.instance, telling.rank, SEEN, 0};
    char text[AREA_TEXT_MAX];
    bool cut;
    size_t len = text_of(pid, text, sizeof text - 1, &numbers.argc, &cut);
    struct program now = {.ours = before.ours || memmem(text, len, AGENT, sizeof AGENT), .view = before.view, .instance = before.instance};
    if (now.ours) return now;
    now.instance = events_instance(telling.events);
    struct event event = {.kind = AREA_PROGRAM, .flags = cut ? STRINGS_CUT : 0, .instance = now.instance, .pid = pid, .strings = text, .len = len};
    memcpy(event.is, &numbers, sizeof numbers);
    events_write(telling.events, &event);
    now.view = tell_mounts(pid, &now, before.view);
    now.jailed = !now.view && is_jailed(pid);
    return now;
}
