/* The application has stopped: so does the launcher, by the same signal, so that a shell sees its job stopped.
 *
 * Who continues only the application (`pkill -CONT solver`), or kills it, does not wake the launcher. A process of ours does, the waker: it looks
 * every 50 ms whether the application is still stopped, and ends with the stop.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const long LOOK_NS = 50 * 1000000;

/* The third word of /proc/<pid>/stat, after a name that may hold anything: T and t are stopped. */
static bool is_stopped(pid_t pid) {
    char path[40], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *name_end = strrchr(text, ')');
    return name_end && (name_end[2] == 'T' || name_end[2] == 't');
}

static _Noreturn void be_waker(pid_t launcher, pid_t application) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(0);
    prctl(PR_SET_NAME, "hpcprov-waker");
    close_all_but(NULL, 0);
    while (is_stopped(application)) nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
    while (!is_stopped(launcher)) nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL); /* until it is, or ends us */
    kill(launcher, SIGCONT);
    _exit(0);
}

static void stop_by(int signo) {
    sigset_t one;
    struct sigaction before, standard = {.sa_handler = SIG_DFL};
    if (signo == SIGSTOP) {
        raise(SIGSTOP);
        return;
    }
    sigemptyset(&one);
    sigaddset(&one, signo);
    sigaction(signo, &standard, &before);
    raise(signo);
    sigprocmask(SIG_UNBLOCK, &one, NULL); /* stops here */
    sigprocmask(SIG_BLOCK, &one, NULL);
    sigaction(signo, &before, NULL);
}

/* All signals are blocked here. Returns the waker, which may have sent SIGCONT: that is none to pass on. */
pid_t stop_too(int signo, pid_t application) {
    sigset_t pending;
    if (!sigpending(&pending) && sigismember(&pending, SIGCONT)) return -1;
    pid_t launcher = getpid(), waker = fork();
    if (waker == 0) be_waker(launcher, application);
    stop_by(signo);
    if (waker > 0) {
        kill(waker, SIGKILL);
        waitpid(waker, NULL, 0);
    }
    return waker;
}
