/* What of the environment and of the command line may be told. The tables come from hpcprov/capture/allowlist.txt;
 * Python's twin is hpcprov/capture/redact.py, and both are held to tests/capture/scrub_cases.json. */
#define _GNU_SOURCE
#include "launcher.h"

#include <string.h>

#include "allowlist.h" /* made by the build: env_exact, env_prefix, env_never */

static bool holds_never(const char *name, size_t len) {
    for (size_t i = 0; env_never[i]; i++)
        for (size_t at = 0, n = strlen(env_never[i]); n && at + n <= len; at++)
            if (!strncasecmp(name + at, env_never[i], n)) return true;
    return false;
}

bool redact_env_allowed(const char *assignment) {
    const char *equals = strchr(assignment, '=');
    size_t len = equals ? (size_t)(equals - assignment) : 0;
    if (!len || holds_never(assignment, len)) return false;
    for (size_t i = 0; env_exact[i]; i++)
        if (strlen(env_exact[i]) == len && !memcmp(env_exact[i], assignment, len)) return true;
    for (size_t i = 0; env_prefix[i]; i++)
        if (strlen(env_prefix[i]) <= len && !memcmp(env_prefix[i], assignment, strlen(env_prefix[i]))) return true;
    return false;
}
