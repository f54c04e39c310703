/* Who got a signal? One that was sent to this process only must be passed on; one that was sent to the whole process group or job must not be,
 * or the application gets it twice. siginfo does not tell them apart. A sentinel does: an idle child in the same group, session, tree and
 * cgroup, which takes every signal and writes down when. What it got as well, the application got as well.
 *
 * Signals of one number that come close together merge, and need not merge in both processes alike. So within BURST of one that was sent
 * to all, another counts as sent to all. Stop signals and SIGCONT cancel each other while they are pending, so they speak for each other.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIGNALS = 65 };
static const int64_t BURST = 20 * 1000000, STALE = 1000000000; /* ns */

struct seen { /* shared with the sentinel */
    _Atomic uint32_t taken[SIGNALS];
    _Atomic int64_t last[SIGNALS]; /* CLOCK_MONOTONIC, ns */
};

static _Noreturn void be_sentinel(struct seen *seen, pid_t launcher) {
    sigset_t all;
    sigfillset(&all);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(0);
    prctl(PR_SET_NAME, "hpcprov-sentry");
    close_all_but(NULL, 0);
    for (;;) {
        int signo = sigwaitinfo(&all, NULL);
        if (signo <= 0 || signo >= SIGNALS) continue;
        seen->last[signo] = clock_ns(CLOCK_MONOTONIC);
        seen->taken[signo]++;
    }
}

bool sentinel_start(struct sentinel *s) {
    struct seen *seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t launcher = getpid();
    *s = (struct sentinel){.pid = -1};
    if (seen == MAP_FAILED) return false;
    s->seen = seen;
    s->pid = fork();
    if (s->pid == 0) be_sentinel(seen, launcher);
    return s->pid > 0;
}

void sentinel_end(const struct sentinel *s) {
    if (s->pid <= 0) return;
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static bool pending(const struct sentinel *s, int signo) {
    static const char *const lines[] = {"\nSigPnd:", "\nShdPnd:"};
    char path[40], status[4096];
    uint64_t bits = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)s->pid);
    if (!read_small_file(path, status, sizeof status)) return false;
    for (int i = 0; i < 2; i++) {
        char *at = strstr(status, lines[i]);
        if (at) bits |= strtoull(at + strlen(lines[i]), NULL, 16);
    }
    return bits >> (signo - 1) & 1;
}

/* Whether the sentinel has taken a signal that this process has not yet accounted for, and accounts for it. */
static bool account(struct sentinel *s, int signo) {
    uint32_t taken = s->seen->taken[signo];
    int64_t last = s->seen->last[signo], now = clock_ns(CLOCK_MONOTONIC);
    bool queued = signo >= SIGRTMIN; /* real-time signals do not merge: each is accounted for by itself */
    if (taken == s->accounted[signo]) return !queued && taken && now - last < BURST;
    if (last < (s->stopped_at ? s->stopped_at : now - STALE)) { /* our own copy was cancelled, or came to the sentinel alone */
        s->accounted[signo] = taken;
        return false;
    }
    s->accounted[signo] = queued ? s->accounted[signo] + 1 : taken;
    return true;
}

static bool got(struct sentinel *s, int signo) {
    if (account(s, signo)) return true;
    if (!pending(s, signo)) return account(s, signo); /* taken between the two looks */
    for (int i = 0; i < 500 && !account(s, signo); i++) nap(200000); /* it is there, and the sentinel will run soon */
    return true;
}

static bool opposite_got(struct sentinel *s, int signo) {
    static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU};
    int64_t now = clock_ns(CLOCK_MONOTONIC);
    bool stop = false, found = false;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        stop |= signo == stops[i];
        found |= signo == SIGCONT && (now - s->seen->last[stops[i]] < BURST || pending(s, stops[i]));
    }
    return found || (stop && (now - s->seen->last[SIGCONT] < BURST || pending(s, SIGCONT)));
}

bool sentinel_got(struct sentinel *s, int signo) {
    static const int64_t waits[] = {0, 1000000, 4000000, 10000000}; /* a sender that walks over processes may not be there yet */
    if (signo <= 0 || signo >= SIGNALS) return false;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        if (waits[i]) nap(waits[i]);
        if (got(s, signo) || opposite_got(s, signo)) return true;
    }
    return false;
}
