/* Every verb but exec, and the agent, is Python: find the interpreter that hpcprov is installed for.
 *
 * In this order: HPCPROV_PYTHON; the python beside the launcher's own file when that is a virtual or conda environment (it may have been
 * moved since); `hpcprov-py` beside it, whose first line the installer wrote (pip install --user, pipx, uv tool); any python beside it; a
 * compiled-in path. Symbolic links to the launcher do not matter: /proc/self/exe is the file itself.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef HPCPROV_PYTHON_PATH
#define HPCPROV_PYTHON_PATH ""
#endif

static bool leave_last(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) *slash = 0;
    return slash != NULL;
}

static bool own_directory(char *into) {
    ssize_t n = readlink("/proc/self/exe", into, PATH_MAX - 1);
    if (n <= 0) return false;
    into[n] = 0;
    return leave_last(into);
}

bool own_prefix(char *into) { return own_directory(into) && leave_last(into); }

static bool exists_in(const char *directory, const char *name, char into[PATH_MAX]) {
    struct stat st;
    int n = snprintf(into, PATH_MAX, "%s/%s", directory, name);
    return n > 0 && n < PATH_MAX && !stat(into, &st);
}

static size_t count(char *const *words) {
    size_t n = 0;
    while (words[n]) n++;
    return n;
}

/* PROGRAM LEAD... TAIL...; returns only when it could not be executed. */
static void try_program(const char *program, char *const *lead, char *const *tail) {
    size_t n_lead = count(lead), n_tail = count(tail);
    char **argv = calloc(n_lead + n_tail + 2, sizeof *argv);
    if (!argv) return;
    argv[0] = (char *)program;
    memcpy(argv + 1, lead, n_lead * sizeof *argv);
    memcpy(argv + 1 + n_lead, tail, n_tail * sizeof *argv);
    execv(program, argv);
    free(argv);
}

/* -P: the working directory is not a place to import from. */
static void try_python(const char *python, const char *module, char *const *tail) {
    char *const lead[] = {"-P", "-m", (char *)module, NULL};
    try_program(python, lead, tail);
}

static void try_beside(const char *module, char *const *tail) {
    static const char *const pythons[] = {"python", "python3"};
    char here[PATH_MAX], path[PATH_MAX];
    if (!own_directory(here)) return;
    bool environment = exists_in(here, "../pyvenv.cfg", path) || exists_in(here, "../conda-meta", path);
    for (int i = 0; environment && i < 2; i++)
        if (exists_in(here, pythons[i], path)) try_python(path, module, tail);
    char *const as_module[] = {(char *)module, NULL};
    if (exists_in(here, "hpcprov-py", path)) try_program(path, as_module, tail);
    for (int i = 0; !environment && i < 2; i++)
        if (exists_in(here, pythons[i], path)) try_python(path, module, tail);
}

static void try_all(const char *module, char *const *tail) {
    const char *given = getenv("HPCPROV_PYTHON");
    unsetenv("PYTHONHOME"); /* a module's settings for another Python would break ours */
    unsetenv("PYTHONPATH");
    if (given && *given) {
        try_python(given, module, tail);
        return; /* what the user names is not silently replaced */
    }
    try_beside(module, tail);
    if (*HPCPROV_PYTHON_PATH) try_python(HPCPROV_PYTHON_PATH, module, tail);
}

_Noreturn void handover(char **argv) {
    const char *given = getenv("HPCPROV_PYTHON");
    try_all("hpcprov", argv + 1);
    if (given && *given) say("cannot run HPCPROV_PYTHON=%s: %s", given, strerror(errno));
    else say("no Python with hpcprov was found beside this program; set HPCPROV_PYTHON to the one that it is installed for");
    exit(EXIT_NOT_FOUND);
}

void handover_agent(char *const *arguments) { try_all("hpcprov.agent", arguments); }

/* An editable install runs a compiled copy of sources that go on changing. */
#ifdef HPCPROV_EDITABLE_SOURCE
/* Says so when a source in the directory is younger than `made`. */
static bool holds_younger(const char *path, time_t made) {
    struct stat source;
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || (strcmp(dot, ".c") && strcmp(dot, ".h"))) continue;
        found = !fstatat(dirfd(directory), entry->d_name, &source, 0) && source.st_mtime > made;
        if (found) say("this launcher is older than %s/%s: run `pip install -e .` again", path, entry->d_name);
    }
    if (directory) closedir(directory);
    return found;
}
#endif

void warn_when_stale(void) {
#ifdef HPCPROV_EDITABLE_SOURCE
    static const char *const directories[] = {HPCPROV_EDITABLE_SOURCE, HPCPROV_EDITABLE_SOURCE "/observe", HPCPROV_EDITABLE_SOURCE "/notify"};
    struct stat own;
    if (stat("/proc/self/exe", &own)) return;
    for (size_t i = 0; i < sizeof directories / sizeof *directories && !holds_younger(directories[i], own.st_mtime); i++) continue;
#endif
}
