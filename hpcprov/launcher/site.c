/* What a site, or a user, sets for all runs: HPCPROV_CONFIG, else /etc/hpcprov.conf. Python's twin is hpcprov/record/site.py.
 *
 *   # a comment
 *   observe = off
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char BLANK[] = " \t\r";

static void trim(char **from) {
    *from += strspn(*from, BLANK);
    for (size_t n = strlen(*from); n > 0 && strchr(BLANK, (*from)[n - 1]); n--) (*from)[n - 1] = 0;
}

bool site_value(const char *key, char *into, size_t room) {
    static char whole[4096];
    static bool looked;
    const char *given = getenv("HPCPROV_CONFIG");
    char text[sizeof whole], *rest = text, *line;
    bool found = false;
    if (!looked && !read_small_file(given && *given ? given : "/etc/hpcprov.conf", whole, sizeof whole)) *whole = 0;
    looked = true;
    strcpy(text, whole);
    while ((line = strsep(&rest, "\n"))) {
        char *name = strsep(&line, "=");
        if (!line || *name == '#') continue;
        trim(&name);
        trim(&line);
        if (strcmp(name, key)) continue;
        snprintf(into, room, "%s", line); /* the last one counts */
        found = true;
    }
    return found;
}
