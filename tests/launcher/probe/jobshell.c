/* jobshell REPORTS COMMANDS -- COMMAND...: the job control of a shell, on the terminal that is its stdin.
 *
 * Starts COMMAND as the terminal's foreground group and writes to descriptor REPORTS "started PID", "stopped SIGNAL",
 * "continued", "exited CODE", "killed SIGNAL". Each byte read from descriptor COMMANDS is an `fg`.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(int reports, int commands, char **command) {
    setpgid(0, 0);
    tcsetpgrp(0, getpid());
    signal(SIGTTOU, SIG_DFL);
    close(reports);
    close(commands);
    execvp(command[0], command);
    _exit(127);
}

static void report(int fd, const char *what, int value) { dprintf(fd, "%s %d\n", what, value); }

static void bring_to_foreground(int commands, pid_t job) {
    char byte;
    if (read(commands, &byte, 1) != 1) exit(1);
    tcsetpgrp(0, job);
    kill(-job, SIGCONT);
}

int main(int argc, char **argv) {
    if (argc < 5) return 86;
    int reports = atoi(argv[1]), commands = atoi(argv[2]), status;
    if (ioctl(0, TIOCSCTTY, 0)) return 85;
    signal(SIGTTOU, SIG_IGN);
    pid_t job = fork();
    if (!job) start(reports, commands, argv + 4);
    setpgid(job, job);
    tcsetpgrp(0, job);
    report(reports, "started", job);
    while (waitpid(job, &status, WUNTRACED | WCONTINUED) > 0) {
        if (WIFSTOPPED(status)) {
            report(reports, "stopped", WSTOPSIG(status));
            tcsetpgrp(0, getpid());
            bring_to_foreground(commands, job);
        } else if (WIFCONTINUED(status)) {
            report(reports, "continued", 0);
        } else {
            return report(reports, WIFEXITED(status) ? "exited" : "killed",
                          WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status)), 0;
        }
    }
    return 84;
}
