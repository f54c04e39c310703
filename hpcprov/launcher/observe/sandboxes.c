/* Programs that forbid themselves system calls, and may be killed at one of ours: from then on nothing is told of them and of what they start, and
 * that counts as lost.
 *
 *     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)   ->   not observed any more
 */
#define _GNU_SOURCE
#include "observe.h"

enum { SET_SECCOMP = 22 /* PR_SET_SECCOMP */ };

static void forbidden(int result) {
    if (result || !observing()) return;
    writer_lost();
    observer.instance = 0;
}

int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d); /* the C library's takes what is given, and passes all on */
int seccomp_load(void *filter); /* of libseccomp, which makes the system call itself */
HOOK(prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d), (option, a, b, c, d),
     forbidden(option == SET_SECCOMP ? result : -1))
HOOK(seccomp_load, (void *filter), (filter), forbidden(result))
