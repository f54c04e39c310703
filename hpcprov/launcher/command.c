/* Which file a command is, found as execvp(3) finds it, so that it can be looked at before it runs. */
#define _GNU_SOURCE
#include "launcher.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path) {
    struct stat st;
    return !access(path, X_OK) && !stat(path, &st) && S_ISREG(st.st_mode);
}

bool command_find(const char *word, char *into, size_t room) {
    const char *path = getenv("PATH");
    if (strchr(word, '/')) return (size_t)snprintf(into, room, "%s", word) < room && is_program(into);
    for (const char *at = path ? path : "/bin:/usr/bin"; *word; at++) {
        size_t len = strcspn(at, ":");
        if (!len) return false; /* the working directory, by a name without a slash: execvp is to find it */
        if ((size_t)snprintf(into, room, "%.*s/%s", (int)len, at, word) < room && is_program(into)) return true;
        at += len;
        if (!*at) break;
    }
    return false;
}

/* Returns only on failure, with errno as execvp(3) sets it. */
void command_execute(char *const *command, const char *found) {
    if (found) execvp(found, command); /* with a slash in it: nothing is searched again */
    execvp(command[0], command);
}
