/* Programs that must not be watched so: the filter needs no_new_privs, and with it a set-user-id program runs without what it needs.
 * Known are the command itself, and what some commands start: Apptainer's starter-suid, Podman's newuidmap.
 */
#define _GNU_SOURCE
#include "../launcher.h"
#include "notify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct {
    const char *command, *starts; /* a path from the command's own directory; without a slash: on PATH */
} known[] = {
    {"apptainer", "../libexec/apptainer/bin/starter-suid"},     {"singularity", "../libexec/singularity/bin/starter-suid"},
    {"apptainer", "../libexec/singularity/bin/starter-suid"},   {"singularity", "../libexec/apptainer/bin/starter-suid"},
    {"podman", "newuidmap"},                                    {"buildah", "newuidmap"},
};

static bool gains_privileges(const char *path) {
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return false;
    return st.st_mode & (S_ISUID | S_ISGID) || getxattr(path, "security.capability", NULL, 0) > 0;
}

static bool find_program(const char *name, char into[PATH_MAX]) {
    char found[PATH_MAX];
    return command_find(name, found, sizeof found) && realpath(found, into);
}

static bool starts_privileged(const char *program, const char *other) {
    char path[PATH_MAX + 64];
    if (!strchr(other, '/')) return find_program(other, path) && gains_privileges(path);
    const char *slash = strrchr(program, '/');
    return slash && snprintf(path, sizeof path, "%.*s%s", (int)(slash - program + 1), program, other) < (int)sizeof path && gains_privileges(path);
}

const char *refusal(const char *command) {
    char program[PATH_MAX];
    const char *name = strrchr(command, '/');
    if (!find_program(command, program)) return NULL;
    if (gains_privileges(program)) return "the command is a set-user-id program, or has file capabilities";
    name = name ? name + 1 : command;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(name, known[i].command) && starts_privileged(program, known[i].starts)) return "the command starts a set-user-id program";
    return NULL;
}
