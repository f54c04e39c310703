/* Programs that take this one's place. All go to the next execve (execvpe where the C library searches PATH), with the environment put right.
 *
 *     execl("/bin/ls", "ls", "-l", NULL)   ->   execve("/bin/ls", {"ls", "-l"}, environ and both variables)
 */
#define _GNU_SOURCE
#include "observe.h"

#include <stdarg.h>
#include <unistd.h>

extern char **environ __attribute__((weak));

NEXT(execve)
NEXT(execvpe)
NEXT(fexecve)

/* The program `file` in this one's place, by a call that hands on HANDED_ON. In the caller's own frame: its stack holds the environment. */
#define HANDED_ON environment_with(environment, &program, put.at)
#define REPLACE(file, call) \
    struct program program = program_prepare(file, argv, environment); \
    ENVIRONMENT(put, environment, program); \
    int result = call; \
    environment_done(&put); \
    program_failed(&program); \
    return result;

static char **own_environment(void) { return &environ ? environ : NULL; }

static int run(const char *path, char *const *argv, char *const *environment) {
    __typeof__(&execve) next = get_execve();
    if (!next) return next_missing(38);
    if (!observing()) return next(path, argv, environment);
    REPLACE(path, next(path, argv, HANDED_ON))
}

static int search_and_run(const char *file, char *const *argv, char *const *environment) {
    __typeof__(&execvpe) next = get_execvpe();
    char room[PATH_ROOM];
    if (!next) return next_missing(38);
    if (!observing()) return next(file, argv, environment);
    REPLACE(program_search(file, room), next(file, argv, HANDED_ON))
}

EXPORT int execve(const char *path, char *const argv[], char *const environment[]) { return run(path, argv, environment); }
EXPORT int execv(const char *path, char *const argv[]) { return run(path, argv, own_environment()); }
EXPORT int execvp(const char *file, char *const argv[]) { return search_and_run(file, argv, own_environment()); }
EXPORT int execvpe(const char *file, char *const argv[], char *const environment[]) { return search_and_run(file, argv, environment); }

EXPORT int fexecve(int fd, char *const argv[], char *const environment[]) {
    __typeof__(&fexecve) next = get_fexecve();
    char path[40] = "/proc/self/fd/";
    if (!next) return next_missing(38);
    if (!observing() || fd < 0) return next(fd, argv, environment);
    *words_put_number(path + 14, (uint64_t)fd) = 0;
    REPLACE(path, next(fd, argv, HANDED_ON))
}

int execveat(int dirfd, const char *path, char *const argv[], char *const environment[], int flags);
NEXT(execveat)
EXPORT int execveat(int dirfd, const char *path, char *const argv[], char *const environment[], int flags) {
    __typeof__(&execveat) next = get_execveat();
    char room[PATH_ROOM];
    struct name name;
    if (!next) return next_missing(38); /* glibc before 2.34 */
    if (!observing() || !path || !name_at(&name, dirfd, path, room)) return next(dirfd, path, argv, environment, flags);
    if (name.base.at != room) name.base = (struct piece){room, 0};
    if (name.base.size + name.rest.size + 2 > PATH_ROOM) return next(dirfd, path, argv, environment, flags);
    room[name.base.size] = '/';
    words_copy(room + name.base.size + 1, name.rest.at, name.rest.size + 1);
    if (!*path) room[name.base.size] = 0;
    REPLACE(room, next(dirfd, path, argv, HANDED_ON, flags))
}

/* ---- arguments one by one, ended by NULL; in execle the environment follows */
static size_t count_arguments(va_list more) {
    size_t count = 1;
    while (va_arg(more, char *)) count++;
    return count;
}

#define LISTED(name, last, call) \
    EXPORT int name(const char *path, const char *first, ...) { \
        va_list more; \
        va_start(more, first); \
        size_t count = first ? count_arguments(more) : 0; \
        va_end(more); \
        char **argv = __builtin_alloca((count + 1) * sizeof(char *)), **environment = own_environment(); \
        argv[0] = (char *)first; \
        va_start(more, first); \
        for (size_t i = 1; i <= count; i++) argv[i] = va_arg(more, char *); \
        last; \
        va_end(more); \
        return call(path, argv, environment); \
    }
LISTED(execl, (void)0, run)
LISTED(execlp, (void)0, search_and_run)
LISTED(execle, environment = va_arg(more, char **), run)
