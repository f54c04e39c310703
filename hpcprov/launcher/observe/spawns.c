/* Programs that are started beside this one, with an environment that is given.
 *
 *     posix_spawn(&pid, "/bin/cp", NULL, NULL, argv, environ)   ->   cp is observed
 */
#define _GNU_SOURCE
#include "observe.h"

#include <spawn.h>

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
#define AS_IT_IS(path) (actions ? actions_path(actions, path, __builtin_alloca(PATH_ROOM)) : path)
#define SEARCHED(path) program_search(path, __builtin_alloca(PATH_ROOM))
typedef int spawn(int *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, char *const[], char *const[]);
spawn pidfd_spawn, pidfd_spawnp; /* glibc 2.39 */
SPAWN(posix_spawn, AS_IT_IS)
SPAWN(posix_spawnp, SEARCHED)
SPAWN(pidfd_spawn, AS_IT_IS)
SPAWN(pidfd_spawnp, SEARCHED)
