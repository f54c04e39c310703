/* Where .hpcprov is, and the node's log in it. Python's twin is hpcprov/record/layout.py. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static char *joined(const char *a, const char *b, const char *c, const char *d) {
    char *path;
    return asprintf(&path, "%s%s%s%s", a, b, c, d) < 0 ? NULL : path;
}

static bool trusted(const struct stat *st) {
    const char *trust = getenv("HPCPROV_TRUST_STORE");
    return st->st_uid == geteuid() || (trust && *trust && strcmp(trust, "0") != 0);
}

/* A store of ours, behind a link of ours: somebody else's link could lead our records anywhere. */
static bool ours(const char *path) {
    struct stat link, st;
    return !lstat(path, &link) && !stat(path, &st) && S_ISDIR(st.st_mode) && trusted(&link) && trusted(&st);
}

/* The nearest directory upwards of `from` that holds a .hpcprov of ours, as DIR/.hpcprov; NULL when there is none. */
static char *nearest_store(const char *from) {
    char *dir = strdup(from);
    while (dir) {
        char *candidate = joined(strcmp(dir, "/") ? dir : "", "/.hpcprov", "", "");
        if (candidate && ours(candidate)) {
            free(dir);
            return candidate;
        }
        free(candidate);
        char *slash = strrchr(dir, '/');
        if (!slash || !strcmp(dir, "/")) break;
        slash[slash == dir] = 0;
    }
    free(dir);
    return NULL;
}

/* Where the store is to be; `found` tells a store of ours that is there from a place where there may be none yet, or another's. */
static char *find_root(bool *found) {
    const char *given = getenv("HPCPROV_DIR"), *submit = getenv("SLURM_SUBMIT_DIR");
    char cwd[PATH_MAX];
    bool have_cwd = getcwd(cwd, sizeof cwd) && cwd[0] == '/';
    *found = given && *given; /* whoever names a store trusts it */
    if (*found) return *given == '/' ? strdup(given) : have_cwd ? joined(cwd, "/", given, "") : NULL;
    const char *from = submit && *submit == '/' ? submit : have_cwd ? cwd : NULL;
    if (!from) return NULL;
    char *nearest = nearest_store(from);
    *found = nearest != NULL;
    return nearest ? nearest : joined(have_cwd ? cwd : from, "/.hpcprov", "", "");
}

/* Makes path and the parents that are missing. Most often all but the last exist. */
static bool make_directories(char *path) {
    if (!mkdir(path, 0777) || errno == EEXIST) return true;
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash) return false;
    *slash = 0;
    bool made = make_directories(path);
    *slash = '/';
    return made && (!mkdir(path, 0777) || errno == EEXIST);
}

static bool likely_local(int fd) {
    static const uint32_t kinds[] = {0x01021994 /* tmpfs */, 0xEF53 /* ext */, 0x58465342 /* xfs */, 0x9123683E /* btrfs */, 0x794C7630 /* overlay */};
    struct statfs fs;
    for (size_t i = 0; !fstatfs(fd, &fs) && i < sizeof kinds / sizeof *kinds; i++)
        if ((uint32_t)fs.f_type == kinds[i]) return true;
    return false;
}

static int open_log(const char *path) {
    return fd_above_stdio(open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666));
}

bool store_open(struct store *s, const struct place *p, bool want_out) {
    char launch[96];
    bool found;
    *s = (struct store){.log = -1, .out = -1};
    s->root = find_root(&found);
    if (!s->root) {
        say("nothing is recorded: the working directory has no name (removed, or too deep) and HPCPROV_DIR is not set");
        return false;
    }
    struct stat st;
    if (!found && !stat(s->root, &st) && S_ISDIR(st.st_mode) && !ours(s->root)) {
        say("nothing is recorded: %s belongs to another user (HPCPROV_TRUST_STORE=1 uses it all the same)", s->root);
        return false;
    }
    char *run_dir = joined(s->root, "/runs/", p->run_id, "");
    snprintf(launch, sizeof launch, ".%s.%d", p->launch, p->n);
    char *stem = run_dir ? joined(run_dir, "/", p->node, launch) : NULL;
    if (stem) {
        s->log_path = joined(stem, ".log", "", "");
        s->out_path = joined(stem, ".out", "", "");
    }
    bool made = s->log_path && s->out_path && make_directories(run_dir);
    /* A merger may move the directory between mkdir and open: a second try makes it anew, and the log joins its record as a late one. */
    if (made && (s->log = open_log(s->log_path)) < 0 && errno == ENOENT && make_directories(run_dir)) s->log = open_log(s->log_path);
    if (s->log >= 0 && want_out) s->out = open_log(s->out_path);
    if (s->log < 0) say("nothing is recorded: %s: %s", s->root, strerror(errno));
    else s->local_only = p->nodes != 1 && p->size > 1 && likely_local(s->log);
    free(stem);
    free(run_dir);
    return s->log >= 0;
}
