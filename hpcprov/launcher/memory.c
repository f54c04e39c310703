/* The memory control group that the application is charged to: what it may use, and was it the out-of-memory killer? A rank that it killed died of SIGKILL like any other; the kernel counts such kills for each memory
 * control group: version 1 in memory.oom_control, version 2 in memory.events, both as a line `oom_kill N`. What was counted before the
 * application started is not its own.
 *
 * Sources: cgroups(7); Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst of the Linux kernel.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char V1[] = "/sys/fs/cgroup/memory", V2[] = "/sys/fs/cgroup", HYBRID[] = "/sys/fs/cgroup/unified";

static int64_t count_in(const char *path) {
    char text[1024];
    if (!read_small_file(path, text, sizeof text)) return -1;
    const char *line = !strncmp(text, "oom_kill ", 9) ? text : strstr(text, "\noom_kill ");
    return line ? strtoll(strchr(line, ' ') + 1, NULL, 10) : -1; /* kernels before 4.13 do not count */
}

static bool take(struct memory *m, const char *mount, const char *group, const char *file) {
    int n = snprintf(m->path, sizeof m->path, "%s%s%s/%s", mount, *group == '/' ? "" : "/", strcmp(group, "/") ? group : "", file);
    m->kills = n > 0 && (size_t)n < sizeof m->path ? count_in(m->path) : -1;
    return m->kills >= 0;
}

/* In version 2 a group without the memory controller is charged to the nearest one above that has it. */
static bool take_v2(struct memory *m, char *group) {
    for (;;) {
        if (take(m, V2, group, "memory.events") || take(m, HYBRID, group, "memory.events")) return true;
        char *slash = strrchr(group, '/');
        if (!slash || slash == group) return false; /* the root has no such file */
        *slash = 0;
    }
}

/* The path in a line `number:controllers:path` of /proc/self/cgroup that names the memory controller. */
static char *path_v1(char *line) {
    char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL, *name;
    if (!path) return NULL;
    *path = 0;
    for (names++; (name = strsep(&names, ","));)
        if (!strcmp(name, "memory")) return path + 1;
    return NULL;
}

void memory_watch(struct memory *m) {
    char text[4096], *rest = text, *line, *path, *unified = NULL;
    *m = (struct memory){.kills = -1};
    if (!read_small_file("/proc/self/cgroup", text, sizeof text)) return;
    while ((line = strsep(&rest, "\n"))) {
        if (!strncmp(line, "0::", 3)) unified = line + 3;
        else if ((path = path_v1(line)) && take(m, V1, path, "memory.oom_control")) return;
    }
    if (unified) take_v2(m, unified);
}

int64_t memory_kills(const struct memory *m) {
    int64_t now = m->kills >= 0 ? count_in(m->path) : -1;
    return now > m->kills ? now - m->kills : 0;
}

/* The bytes that a file of the group at `path` (its file's name starts at `name`) allows; the largest number where it says `max` or nothing. */
static uint64_t allowed_by(char path[sizeof(((struct memory *)0)->path)], char *name, const char *file, const char *word) {
    char text[4096];
    size_t room = sizeof(((struct memory *)0)->path) - (size_t)(name - path);
    if (snprintf(name, room, "%s", file) >= (int)room || !read_small_file(path, text, sizeof text)) return UINT64_MAX;
    const char *at = strstr(text, word);
    return at && at[strlen(word)] >= '0' && at[strlen(word)] <= '9' ? strtoull(at + strlen(word), NULL, 10) : UINT64_MAX;
}

/* Version 1 tells the least of a group's own limit and those above it; in version 2 each has to be asked. */
uint64_t memory_limit(const struct memory *m) {
    char path[sizeof m->path];
    uint64_t least = UINT64_MAX, one;
    memcpy(path, m->path, sizeof path);
    char *name = m->kills >= 0 ? strrchr(path, '/') : NULL;
    if (!name) return least;
    if (!strncmp(path, V1, sizeof V1 - 1)) return allowed_by(path, name + 1, "memory.stat", "hierarchical_memory_limit ");
    for (; name && (size_t)(name - path) >= sizeof V2 - 1; name = strrchr(path, '/')) {
        if ((one = allowed_by(path, name + 1, "memory.max", "")) < least) least = one;
        *name = 0;
    }
    return least;
}
