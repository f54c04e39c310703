/* The observer library in the application's environment: HPCPROV_IO says where its events go, and the library stands last in LD_PRELOAD, so that
 * what the user preloads (Darshan, libasan) comes first.
 *
 *   HPCPROV_IO=1:3:0::/dev/shm/hpcprov-1000-5f70.../area      version, rank, parent program, flags, area (area.h)
 *
 * The library takes both out of the application's environment when it starts. A program that does not load it (static, Go, set-id) gets
 * the flag `v`: it hands them on to its children by itself.
 */
#define _GNU_SOURCE
#include "launcher.h"
#include "area.h"
#include "containers.h"
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifndef HPCPROV_OBSERVE_BUILT
#define HPCPROV_OBSERVE_BUILT "" /* where an editable install's build has it: its data files are not installed */
#endif

static const char PRELOAD[] = "LD_PRELOAD", BETWEEN[] = ": "; /* of ld.so(8): no way to quote either */

static bool is_library(const char *word, size_t len) {
    size_t own = strlen(LIBRARY_NAME);
    return len > own && word[len - own - 1] == '/' && !memcmp(word + len - own, LIBRARY_NAME, own);
}

/* The inherited LD_PRELOAD without an outer run's library, which `took` then holds. */
static char *without_library(const char *value, char **took) {
    char *rest = calloc(1, strlen(value) + 1), *end = rest;
    for (const char *at = value; rest && *at;) {
        size_t gap = strspn(at, BETWEEN), len = strcspn(at + gap, BETWEEN);
        if (is_library(at + gap, len)) {
            free(*took);
            *took = strndup(at + gap, len);
        } else end = mempcpy(end, at, gap + len);
        at += gap + len;
    }
    return rest;
}

void preload_take(struct area *a) {
    const char *io = getenv(AREA_VARIABLE), *preload = getenv(PRELOAD);
    if (!io) return;
    a->outer = strdup(io);
    unsetenv(AREA_VARIABLE);
    char *rest = preload ? without_library(preload, &a->outer_library) : NULL;
    if (rest && (!*rest || setenv(PRELOAD, rest, 1))) unsetenv(PRELOAD);
    free(rest);
}

static bool can_be_named(const char *path) { return *path == '/' && !strpbrk(path, ": $\t\n"); }

static bool copied(const char *old, const char *new) {
    struct stat st;
    int from = open(old, O_RDONLY | O_CLOEXEC), to = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool whole = from >= 0 && to >= 0 && !fstat(from, &st);
    for (off_t left = whole ? st.st_size : 0; whole && left > 0;) {
        ssize_t n = sendfile(to, from, NULL, (size_t)left);
        whole = n > 0;
        left -= whole ? n : 0;
    }
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    return whole;
}

/* ld.so splits its list at blanks and colons: a library whose path holds one is copied to where none is. */
static char *copy_of(const struct area *a, const char *library) {
    char *path, new[PATH_MAX];
    struct statvfs fs;
    if (asprintf(&path, "%s/%s", a->spool, LIBRARY_NAME) < 0) return NULL;
    snprintf(new, sizeof new, "%s/.%d", a->spool, (int)getpid());
    bool made = !access(path, R_OK) || (copied(library, new) && !rename(new, path));
    if (made && can_be_named(path) && !statvfs(path, &fs) && !(fs.f_flag & ST_NOEXEC)) return path;
    unlink(new);
    free(path);
    return NULL;
}

bool preload_find(struct area *a) {
    const char *given = getenv("HPCPROV_OBSERVE_LIBRARY");
    char here[PATH_MAX], beside[PATH_MAX] = "";
    if (own_prefix(here) && snprintf(beside, sizeof beside, "%s/lib/hpcprov/%s", here, LIBRARY_NAME) >= (int)sizeof beside) *beside = 0;
    const char *const places[] = {given && *given ? given : beside, HPCPROV_OBSERVE_BUILT};
    for (size_t i = 0; !a->library && i < sizeof places / sizeof *places; i++) {
        if (!*places[i] || access(places[i], R_OK)) continue;
        char *copy = copy_of(a, places[i]); /* containers see the spool, and rarely where we are installed */
        a->library = can_be_named(places[i]) ? strdup(places[i]) : copy;
        if (a->library != copy) free(copy);
    }
    return a->library != NULL;
}

static void add_library(const char *library) {
    const char *preload = getenv(PRELOAD);
    char *both;
    if (!library) return;
    if (!preload) setenv(PRELOAD, library, 1);
    else if (asprintf(&both, "%s:%s", preload, library) >= 0) setenv(PRELOAD, both, 1);
}

/* The value of an outer run's HPCPROV_IO with other flags: `1:rank:parent:` and `:area` stay. */
static char *with_flags(const char *outer, const char *flags) {
    const char *at = outer;
    char *value;
    for (int colon = 0; at && colon < 3; colon++) at = (at = strchr(at, ':')) ? at + 1 : NULL;
    const char *area = at ? strchr(at, ':') : NULL;
    return area && asprintf(&value, "%.*s%s%s", (int)(at - outer), outer, flags, area) >= 0 ? value : NULL;
}

/* Up to the area: "1:<rank>:<parent>:<flags>:". */
static void put_head(char head[80], const struct place *p, uint32_t parent, const char *flags) {
    snprintf(head, 80, "1:%lld:%u:%s:", (long long)p->rank, parent, flags);
}

/* Loaded into these, the library would have their loader complain, or end them. */
static bool must_stay_out(enum area_blind blind) { return blind == BLIND_OTHER_ABI || blind == BLIND_SANITIZER; }

/* Into a container's environment, by the runtime's own way. Nothing for the runtime itself. */
static void enter_container(const struct area *a, const struct place *p, struct container_run run, struct container_words *words, bool carried) {
    char head[80];
    put_head(head, p, program_tell(a, p, run.path, run.argv, carried ? SEEN : BLIND_CONTAINER), "");
    run.before = head;
    if (carried && container_words(&run, words) == CONTAINER_CARRIED)
        for (size_t i = 0; i < words->count; i++) putenv(strdup(words->add[i]));
}

void preload_in_child(const struct area *a, const struct place *p, const char *program, char *const *argv) {
    bool own = a->fd >= 0;
    struct target target;
    struct container_words words;
    struct container_run run = {program, argv, environ, "1:0:0::", own ? a->spool : ""};
    char head[80], *value;
    if (!own && !a->outer) return;
    const char *word = getenv(OBSERVE_VARIABLE);
    if (own && word && !strcmp(word, "off")) unsetenv(OBSERVE_VARIABLE); /* the option overrules it, for what is started as well */
    enum container_way way = program ? container_words(&run, &words) : CONTAINER_NONE;
    if (way != CONTAINER_NONE && own) enter_container(a, p, run, &words, way == CONTAINER_CARRIED);
    if (way != CONTAINER_NONE) return;
    enum area_blind blind = program ? target_inspect(program, &target) : SEEN;
    const char *flags = blind == BLIND_GO ? "v" : "";
    put_head(head, p, own && blind != SEEN ? program_tell(a, p, program, argv, blind) : 0, flags);
    if (blind == BLIND_SET_ID) return; /* the loader keeps what is preloaded from it and all that it starts */
    if (own ? asprintf(&value, "%s%s/area", head, a->spool) < 0 : !(value = with_flags(a->outer, flags))) return;
    if (setenv(AREA_VARIABLE, value, 1) || must_stay_out(blind)) return;
    add_library(own ? a->library : a->outer_library);
}
