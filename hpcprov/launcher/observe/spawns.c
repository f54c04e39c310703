/* Programs that are started beside this one. posix_spawn is given an environment; system and popen take `environ` from inside the C library, so for
 * the time of the call `environ` is a list that has both variables.
 *
 *     system("cp a b")   ->   the shell and cp are observed
 */
#define _GNU_SOURCE
#include "observe.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

extern char **environ __attribute__((weak));

#define SPAWN(name, search) \
    NEXT(name) \
    EXPORT int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, \
                    char *const argv[], char *const environment[]) { \
        __typeof__(&name) next = get_##name(); \
        if (!next) return 38; \
        if (!observing()) return next(pid, path, actions, attributes, argv, environment); \
        struct program program = program_prepare(search(path), argv, environment); \
        ENVIRONMENT(put, environment, program); \
        int result = next(pid, path, actions, attributes, argv, environment_with(environment, &program, put.at)); \
        environment_done(&put); \
        if (result) program_failed(&program); \
        return result; \
    }
#define AS_IT_IS(path) actions_path(actions, path, __builtin_alloca(PATH_ROOM))
#define SEARCHED(path) program_search(path, __builtin_alloca(PATH_ROOM))
SPAWN(posix_spawn, AS_IT_IS)
SPAWN(posix_spawnp, SEARCHED)

/* The list that `environ` is while a call needs it. One at a time: who comes second finds the variables there already. */
static uint32_t borrowing;
static char **borrowed, **original;
static size_t borrowed_size;

static bool borrow(void) {
    if (!observing() || !&environ || __atomic_exchange_n(&borrowing, 1, __ATOMIC_ACQUIRE)) return false;
    struct program shell = program_prepare("/bin/sh", NULL, environ);
    borrowed_size = environment_room(environ, &shell);
    long room = shell.off ? -1 : raw_mmap(borrowed_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw_failed(room)) {
        __atomic_store_n(&borrowing, 0, __ATOMIC_RELEASE);
        return false;
    }
    original = environ;
    environ = borrowed = environment_with(original, &shell, (void *)room);
    return true;
}

/* Somebody may have called setenv meanwhile: then the list is a copy, and ours must stay where it is, for it points into it. */
static void give_back(bool did) {
    if (!did) return;
    if (environ == borrowed) {
        environ = original;
        raw_munmap(borrowed, borrowed_size);
    } else start_hide(environ);
    __atomic_store_n(&borrowing, 0, __ATOMIC_RELEASE);
}

NEXT(system)
EXPORT int system(const char *command) {
    __typeof__(&system) next = get_system();
    if (!next) return next_missing(38);
    bool did = borrow();
    int result = next(command);
    give_back(did);
    return result;
}

NEXT(popen)
EXPORT FILE *popen(const char *command, const char *mode) {
    __typeof__(&popen) next = get_popen();
    if (!next) return next_missing(38), NULL;
    bool did = borrow();
    FILE *stream = next(command, mode);
    give_back(did);
    return stream;
}
