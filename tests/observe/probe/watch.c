/* Watches a command by the kernel with the launcher's own code, and nothing else of the launcher: no store, no agent.
 *
 *     watch AREA COMMAND [ARGUMENT]...     AREA: an event area made by area_tool.py
 *     watch --possible                     whether it can be done here
 *
 * Ends as the command ended; 120 when it cannot be watched, for the reason on stderr. With WATCH=kill, the launcher's part is killed 0.1 s after
 * the start, and with WATCH=stop it is stopped: the command must go on.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { IMPOSSIBLE = 120 };

void say(const char *format, ...) { (void)format; }

static int refuse(const char *why) {
    fprintf(stderr, "watch: %s\n", why);
    return IMPOSSIBLE;
}

int main(int argc, char **argv) {
    static struct place place = {.rank = 0};
    struct area area = {.fd = argc > 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1};
    const char *how = getenv("WATCH"), *wrong;
    int status;
    if (argc == 2 && !strcmp(argv[1], "--possible")) return (wrong = notify_refused("true")) ? refuse(wrong) : 0;
    if (area.fd < 0) return refuse("usage: watch AREA COMMAND...");
    if ((wrong = notify_refused(argv[2])) || (wrong = notify_start(&place, &area))) return refuse(wrong);
    pid_t child = fork();
    if (child == 0) {
        unsetenv("WATCH");
        notify_in_child();
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    notify_in_parent();
    if (how) {
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        kill(getpid(), !strcmp(how, "kill") ? SIGKILL : SIGSTOP);
    }
    while (waitpid(child, &status, 0) < 0) continue;
    if (!notify_end()) return refuse("no filter");
    if (WIFSIGNALED(status)) raise(WTERMSIG(status));
    return WEXITSTATUS(status);
}
