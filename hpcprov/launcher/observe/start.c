/* When a program starts: reads where the area is from the environment, takes both variables out of it, so that the program and its `env` see
 * what they would without hpcprov, and tells of the program.
 *
 *     HPCPROV_IO=1:0:17::/dev/shm/hpcprov-1000-.../area   LD_PRELOAD=/opt/darshan.so:/.../libhpcprov-observe.so
 *     leaves LD_PRELOAD=/opt/darshan.so
 */
#define _GNU_SOURCE
#include "observe.h"

enum { ARGUMENTS = 4096, ARGUMENTS_MAX = 128 };

struct observer observer;

extern char **environ __attribute__((weak));

/* Hexadecimal digits, lower case, up to a colon. */
static const char *view_of(const char *at) {
    for (; *at && *at != ':'; at++) observer.view = observer.view << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
    return at;
}

/* The library's copy beside the area; none where that path would be too long. */
static void find_copy(void) {
    size_t slash = words_length(observer.area);
    while (slash && observer.area[slash - 1] != '/') slash--;
    if (slash + sizeof CONTAINER_LIBRARY > VARIABLE_ROOM) return;
    words_copy(observer.copy, observer.area, slash);
    words_copy(observer.copy + slash, CONTAINER_LIBRARY, sizeof CONTAINER_LIBRARY);
}

/* "1:<rank>:<parent instance>:<flags>:<path>"; flags: v, then m and whose mounts were told */
static bool understand(const char *value, uint32_t *parent) {
    const char *at = words_after(value, "1:");
    if (!at) return false;
    observer.rank = (uint32_t)words_number(&at);
    if (*at++ != ':') return false;
    *parent = (uint32_t)words_number(&at);
    if (*at++ != ':') return false;
    for (; *at && *at != ':' && *at != 'm'; at++) observer.visible |= *at == 'v';
    if (*at == 'm') at = view_of(at + 1);
    if (*at++ != ':' || *at != '/' || words_length(at) >= VARIABLE_ROOM) return false;
    words_copy(observer.area, at, words_length(at) + 1);
    return true;
}

static bool separates(char c) { return c == ':' || c == ' ' || !c; }

/* Takes this library out of a list, with the separator before it; gives false when nothing else was in it. */
static bool leave_list(char *list) {
    size_t size = words_length(observer.library);
    for (char *at = list; *at; at++) {
        bool starts = at == list || separates(at[-1]);
        if (!starts || !words_equal(at, observer.library, size) || !separates(at[size])) continue;
        char *rest = at + size;
        if (at == list && !*rest) return false;
        if (at > list) at--;
        else rest++;
        while ((*at++ = *rest++)) {}
        break;
    }
    return true;
}

void start_hide(char **environment) {
    char **to = environment, *list;
    for (char **from = environment; *from; from++) {
        bool ours = words_after(*from, AREA_VARIABLE "=") != NULL;
        if ((list = (char *)words_after(*from, "LD_PRELOAD="))) ours = !leave_list(list);
        if (!ours) *to++ = *from;
    }
    *to = NULL;
}

static const char *value_of(char *const *environment, const char *prefix) {
    const char *value = NULL;
    for (; *environment && !value; environment++) value = words_after(*environment, prefix);
    return value;
}

/* musl hands constructors no arguments. */
static char **arguments_from_proc(char text[ARGUMENTS], char *arguments[ARGUMENTS_MAX]) {
    long fd = raw_openat(AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC), size = 0;
    int count = 0;
    if (fd >= 0) {
        size = raw_pread((int)fd, text, ARGUMENTS - 1, 0);
        raw_close((int)fd);
    }
    for (long at = 0; at < size && count < ARGUMENTS_MAX - 1; at += (long)words_length(text + at) + 1) arguments[count++] = text + at;
    if (size > 0) text[size] = 0;
    arguments[count] = NULL;
    return arguments;
}

/* Both strings one after the other: a page less to touch. */
static void tell_self(uint32_t parent, char *const *argv) {
    char path[2 * PATH_ROOM];
    long size = raw_readlink("/proc/self/exe", path, PATH_ROOM - 1);
    char *cwd = path + (size > 0 ? size : 0) + 1;
    cwd[-1] = 0;
    if (raw_getcwd(cwd, PATH_ROOM) < 0 || cwd[0] != '/') cwd[0] = 0;
    tell_program(observer.instance, parent, SEEN, path, cwd, argv);
}

static void tell_self_from_proc(uint32_t parent) {
    char text[ARGUMENTS], *arguments[ARGUMENTS_MAX];
    tell_self(parent, arguments_from_proc(text, arguments));
}

/* A program that keeps no `environ` hands the variables on only when they stay where they are. Its children are not like that. */
static bool stays_visible(void) {
    struct target self;
    return observer.visible && target_inspect("/proc/self/exe", &self) == BLIND_GO;
}

__attribute__((constructor)) static void start(int argc, char **argv, char **envp) {
    char **environment = &environ && environ ? environ : envp; /* glibc's own may be set later than this; musl gives no envp */
    uint32_t parent = 0;
    const char *value = value_of(environment, AREA_VARIABLE "=");
    if (!value || !understand(value, &parent)) return;
    next_own_path(observer.library);
    find_copy();
    observer.visible = stays_visible();
    if (!observer.visible) start_hide(environment);
    if (environment_off(environment) || !writer_attach(observer.area)) return;
    observer.pid = (uint32_t)raw_getpid();
    cwd_owned(observer.pid);
    observer.instance = observer.visible && parent ? parent : writer_instance(); /* who started it has told of it */
    if (observer.instance == parent) return;
    tell_view(); /* first: where this program lies is said in its terms */
    if (argc > 0 && environment == argv + argc + 1) tell_self(parent, argv);
    else tell_self_from_proc(parent);
}
