/* How the programs that this one started ended. A call that only looks, or tells of a stop, is not told.
 *
 *     waitpid(4711, &status, 0)   ->   END 4711 status
 */
#define _GNU_SOURCE
#include "observe.h"

#include <sys/resource.h>
#include <sys/wait.h>

static void ended(pid_t child, int status) {
    if (child > 0 && observing() && (WIFEXITED(status) || WIFSIGNALED(status))) tell_end((uint32_t)child, status);
}

/* The caller may not want to know the status; we do. */
#define WAIT(name, parameters, arguments) \
    NEXT(name) \
    EXPORT pid_t name parameters { \
        int own = 0, *at = status ? status : &own; \
        __typeof__(&name) next = get_##name(); \
        pid_t child = next ? next arguments : next_missing(38); \
        if (child > 0) ended(child, *at); \
        return child; \
    }
WAIT(wait, (int *status), (at))
WAIT(waitpid, (pid_t pid, int *status, int options), (pid, at, options))
WAIT(wait3, (int *status, int options, struct rusage *usage), (at, options, usage))
WAIT(wait4, (pid_t pid, int *status, int options, struct rusage *usage), (pid, at, options, usage))

NEXT(waitid)
EXPORT int waitid(idtype_t kind, id_t id, siginfo_t *info, int options) {
    siginfo_t own = {0}, *at = info ? info : &own;
    __typeof__(&waitid) next = get_waitid();
    int result = next ? next(kind, id, at, options) : next_missing(38);
    if (result || options & WNOWAIT) return result;
    if (at->si_code == CLD_EXITED) ended(at->si_pid, (at->si_status & 0xff) << 8);
    else if (at->si_code == CLD_KILLED || at->si_code == CLD_DUMPED) ended(at->si_pid, (at->si_status & 0x7f) | (at->si_code == CLD_DUMPED ? 0x80 : 0));
    return result;
}
