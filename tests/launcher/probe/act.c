/* act MODE [ARGUMENT]: an application that does one thing.
 *
 *     exit N        leaves with N               die N        dies by signal N
 *     take N        reads N bytes of stdin      spew N       writes N bytes to stdout and N others to stderr
 *     pid           prints its pid              core DIR     aborts in DIR
 *     signals FILE  logs every signal to FILE ("NUMBER CODE PID VALUE"), after "ready PID"; ends with stdin
 *     wait FILE N   blocks signal N, says "ready PID", and logs it to FILE when it comes
 *     orphan FILE GO  leaves a child behind that writes "orphan PPID" to FILE when there is a file GO; leaves with 5
 *     inside FILE   the same after 0.3 s, but waits, and says whether the dead orphan was reaped ("reaped" or "zombie")
 *     abandon CMD.. starts CMD and dies before it
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int log_fd;

static void nap(int milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    while (nanosleep(&left, &left) && errno == EINTR) continue;
}

static void say(const char *line) {
    if (write(log_fd, line, strlen(line)) < 0) _exit(95);
}

static void open_log(const char *path) {
    if ((log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0) exit(94);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    char line[128];
    (void)context;
    snprintf(line, sizeof line, "%d %d %d %d\n", number, info->si_code, info->si_pid, info->si_value.sival_int);
    say(line);
}

static void say_ready(void) {
    char line[64];
    snprintf(line, sizeof line, "ready %d\n", getpid());
    say(line);
}

static int log_signals(const char *path) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART, .sa_sigaction = on_signal};
    char byte;
    open_log(path);
    sigfillset(&action.sa_mask);
    for (int i = 1; i <= 64; i++) sigaction(i, &action, NULL);
    say_ready();
    if (isatty(0)) return nap(20000), 0; /* a terminal that hangs up ends before it is told */
    while (read(0, &byte, 1) > 0 || errno == EINTR) errno = 0;
    return 0;
}

static int wait_for(const char *path, int number) {
    sigset_t set;
    siginfo_t info;
    struct timespec most = {10, 0};
    open_log(path);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    say_ready();
    if (sigtimedwait(&set, &info, &most) != number) return 1;
    on_signal(number, &info, NULL);
    return 0;
}

static int die(int number) {
    sigset_t all;
    signal(number, SIG_DFL);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    raise(number);
    return 93;
}

static int take(int count) {
    char bytes[4096];
    ssize_t got = read(0, bytes, (size_t)count);
    return write(1, bytes, (size_t)got) == got ? 0 : 92;
}

static int put_all(int fd, const char *bytes, size_t length) {
    for (ssize_t done; length; bytes += done, length -= (size_t)done)
        if ((done = write(fd, bytes, length)) < 0) return -1;
    return 0;
}

static int spew(long count) {
    static char block[2][1000];
    unsigned seed = 1;
    for (long left = count; left > 0; left -= (long)sizeof block[0]) {
        for (size_t i = 0; i < sizeof block[0]; i++) {
            seed = seed * 1664525u + 1013904223u;
            block[0][i] = (char)(seed >> 24);
            block[1][i] = (char)(seed >> 16);
        }
        size_t length = left < (long)sizeof block[0] ? (size_t)left : sizeof block[0];
        if (put_all(1, block[0], length) || put_all(2, block[1], length)) return 91;
    }
    return 0;
}

/* The orphan speaks when there is a file `go`, or without one after 0.3 s. */
static pid_t leave_orphan(const char *go) {
    int ends[2];
    pid_t pid, orphan = 0;
    if (pipe(ends)) exit(90);
    if (!(pid = fork())) {
        if ((orphan = fork())) _exit(write(ends[1], &orphan, sizeof orphan) < 0);
        char line[64];
        nap(go ? 0 : 300);
        for (int left = 6000; go && access(go, F_OK) && left; left--) nap(10);
        snprintf(line, sizeof line, "orphan %d\n", getppid());
        say(line);
        _exit(0);
    }
    if (read(ends[0], &orphan, sizeof orphan) < 0) exit(90);
    waitpid(pid, NULL, 0);
    return orphan;
}

static int check_reaped(void) {
    pid_t orphan = leave_orphan(NULL);
    int left = 3000;
    while (left-- && !kill(orphan, 0)) nap(10);
    say(left >= 0 ? "reaped\n" : "zombie\n");
    return 0;
}

static int abandon(char **command) {
    if (fork()) return nap(100), 0;
    nap(200);
    execvp(command[0], command);
    return 89;
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    const char *value = argc > 2 ? argv[2] : "";
    int number = atoi(value);
    if (!strcmp(mode, "exit")) return number;
    if (!strcmp(mode, "die")) return die(number);
    if (!strcmp(mode, "take")) return take(number);
    if (!strcmp(mode, "spew")) return spew(atol(value));
    if (!strcmp(mode, "pid")) return printf("%d\n", getpid()) < 0;
    if (!strcmp(mode, "core")) return chdir(value) ? 88 : die(SIGABRT);
    if (!strcmp(mode, "signals")) return log_signals(value);
    if (!strcmp(mode, "wait")) return wait_for(value, atoi(argv[3]));
    if (!strcmp(mode, "orphan")) return open_log(value), leave_orphan(argv[3]), 5;
    if (!strcmp(mode, "inside")) return open_log(value), check_reaped();
    if (!strcmp(mode, "abandon")) return abandon(argv + 2);
    return 87;
}
