/* The map of the area counts as this program's memory. Where the program limits or locks its memory the map goes, all but the header, and each
 * record maps what it needs from then on. It stays where somebody else may just be writing there: another thread, or the process whose memory a
 * child of vfork shares.
 *
 *     ulimit -v 60000   ->   setrlimit(RLIMIT_AS, ...); 64 MiB less are in use
 */
#define _GNU_SOURCE
#include "observe.h"

enum { ADDRESS_SPACE = 9 /* RLIMIT_AS */ };

static bool is_alone(void) {
    struct stat tasks; /* a directory for each thread */
    return memory_is_own() && raw_stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}

static void unmap(void) {
    if (observing() && is_alone()) writer_unmap();
}

/* `limit`: now, and at most. */
static void limited(int result, pid_t process, int which, const uint64_t *limit) {
    bool own = process == 0 || process == (pid_t)raw_getpid();
    if (result == 0 && which == ADDRESS_SPACE && own && limit && limit[0] != ~0ull) unmap();
}

/* Not as in <sys/resource.h>, whose types are the C library's own. */
typedef int set(int which, const uint64_t *limit);
typedef int set_of(pid_t process, int which, const uint64_t *limit, uint64_t *old);
set setrlimit, setrlimit64;
set_of prlimit, prlimit64;
int mlockall(int flags);
HOOK(setrlimit, (int which, const uint64_t *limit), (which, limit), limited(result, 0, which, limit))
HOOK(setrlimit64, (int which, const uint64_t *limit), (which, limit), limited(result, 0, which, limit))
HOOK(prlimit, (pid_t process, int which, const uint64_t *limit, uint64_t *old), (process, which, limit, old), limited(result, process, which, limit))
HOOK(prlimit64, (pid_t process, int which, const uint64_t *limit, uint64_t *old), (process, which, limit, old), limited(result, process, which, limit))

NEXT(mlockall)
EXPORT int mlockall(int flags) {
    __typeof__(&mlockall) next = get_mlockall();
    if (!next) return next_missing(38);
    unmap();
    return next(flags);
}
