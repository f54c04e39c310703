/* The Python audit (`--audit python`): a directory with a sitecustomize.py first on PYTHONPATH tells every Python of the application to write
 * down which script and which modules of the user's own it runs (python/sitecustomize.py; docs/observing.md). One file in the spool
 * takes the lines of all of them:
 *
 *     PYTHONPATH=/opt/hpcprov/lib/hpcprov/python:/home/ada/lib  HPCPROV_AUDIT=:/dev/shm/hpcprov-1000-2b4.../python.jsonl
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HOOK "/sitecustomize.py"
#ifndef HPCPROV_EDITABLE_SOURCE
#define HPCPROV_EDITABLE_SOURCE ""
#endif

bool audit_wanted(const char *option, const char *configured) {
    static const char *const on[] = {"python", "on", "1", "yes", "true"};
    const char *variable = getenv("HPCPROV_PYTHON_AUDIT");
    const char *word = option ? option : variable && *variable ? variable : configured;
    for (size_t i = 0; word && i < sizeof on / sizeof *on; i++)
        if (!strcasecmp(word, on[i])) return true;
    return false;
}

/* Beside the observer library: PREFIX/lib/hpcprov/python of the launcher's own PREFIX, or the source of an editable installation. */
static bool find_hook(char directory[PATH_MAX]) {
    char own[PATH_MAX], tried[PATH_MAX + sizeof HOOK];
    if (!own_prefix(own)) *own = 0;
    const char *const places[][2] = {{own, "/lib/hpcprov/python"}, {HPCPROV_EDITABLE_SOURCE, "/python"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int len = snprintf(directory, PATH_MAX, "%s%s", places[i][0], places[i][1]);
        if (!*places[i][0] || len >= PATH_MAX || strchr(directory, ':')) continue; /* PYTHONPATH cannot hold a colon */
        snprintf(tried, sizeof tried, "%s" HOOK, directory);
        if (!access(tried, R_OK)) return true;
    }
    return false;
}

bool audit_prepare(const char *spool) {
    char directory[PATH_MAX], log[PATH_MAX + 16], both[PATH_MAX + 20];
    const char *before = getenv("PYTHONPATH");
    if (!find_hook(directory) || snprintf(log, sizeof log, "%s/python.jsonl", spool) >= (int)sizeof log) return false;
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return false;
    close(fd);
    struct text places = {0};
    text_puts(&places, directory);
    if (before && *before) {
        text_puts(&places, ":");
        text_puts(&places, before);
    }
    text_add(&places, "", 1);
    /* An empty PYTHONPATH is none to Python, but a program may look whether it is there. */
    snprintf(both, sizeof both, "%s:%s", before && !*before ? "e" : "", log);
    bool done = !places.failed && !setenv("HPCPROV_AUDIT", both, 1) && !setenv("PYTHONPATH", places.at, 1);
    text_free(&places);
    return done;
}
