/* setup WORD[=VALUE]... -- COMMAND...: puts the process into a state, word by word, then becomes COMMAND (execvp).
 *
 *     $ setup umask=0027 ignore=13 close=0 pipe=37 -- state
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

extern char **environ;
static char *odd_environment[] = {"B=1", "A=2", "A=3", "NO_EQUALS_SIGN", "=empty name", "BYTES=\xff\xfe\n\x01", "EMPTY=",
                                  "PATH=/usr/bin:/bin", NULL};

static int fail(const char *word) {
    fprintf(stderr, "setup: %s: %s\n", word, strerror(errno));
    exit(97);
}

static int set_signal(int number, void (*action)(int)) { return signal(number, action) == SIG_ERR ? -1 : 0; }

static int block(int number) {
    sigset_t set;
    if (number) sigemptyset(&set), sigaddset(&set, number);
    else sigfillset(&set);
    return sigprocmask(SIG_BLOCK, &set, NULL);
}

static int use_cpu(int number) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

/* A pipe with "hello" in it, whose reading end has the number. */
static int make_pipe(int number) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) || write(ends[1], "hello", 5) != 5) return -1;
    return dup2(ends[0], number) < 0 || fcntl(number, F_SETFL, O_NONBLOCK);
}

/* NUMBER:PATH, opened for appending; the offset is moved to 3. */
static int open_as(char *value) {
    char *path = strchr(value, ':');
    int fd = path ? open(path + 1, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, 8) || lseek(fd, 3, SEEK_SET) < 0) return -1;
    return dup2(fd, atoi(value)) < 0;
}

/* RESOURCE:SOFT:HARD, numbers. */
static int limit(char *value) {
    struct rlimit new = {0, 0};
    char *end;
    int resource = (int)strtol(value, &end, 10);
    new.rlim_cur = strtoul(end + 1, &end, 10);
    new.rlim_max = strtoul(end + 1, &end, 10);
    return setrlimit((__rlimit_resource_t)resource, &new);
}

static int put_in(const char *path, const char *value) {
    FILE *file = fopen(path, "we");
    return file && fputs(value, file) >= 0 && !fclose(file) ? 0 : -1;
}

static int alarm_in(int milliseconds) {
    struct itimerval timer = {{0, 0}, {milliseconds / 1000, milliseconds % 1000 * 1000}};
    return setitimer(ITIMER_REAL, &timer, NULL);
}

static int delete_cwd(const char *name) {
    char from_inside[300];
    snprintf(from_inside, sizeof from_inside, "../%s", name);
    return mkdir(name, 0700) || chdir(name) || rmdir(from_inside);
}

static int deep_cwd(int levels) {
    static const char name[] = "a-long-name-of-a-directory-that-makes-the-path-exceed-its-limit";
    for (int i = 0; i < levels; i++)
        if ((mkdir(name, 0700) && errno != EEXIST) || chdir(name)) return -1;
    return 0;
}

static int apply(const char *word, char *value) {
    int number = atoi(value);
    if (!strcmp(word, "ignore")) return set_signal(number, SIG_IGN);
    if (!strcmp(word, "default")) return set_signal(number, SIG_DFL);
    if (!strcmp(word, "block")) return block(number);
    if (!strcmp(word, "close")) return close(number);
    if (!strcmp(word, "pipe")) return make_pipe(number);
    if (!strcmp(word, "open")) return open_as(value);
    if (!strcmp(word, "umask")) return umask((mode_t)strtol(value, NULL, 8)), 0;
    if (!strcmp(word, "nice")) return setpriority(PRIO_PROCESS, 0, number);
    if (!strcmp(word, "cpu")) return use_cpu(number);
    if (!strcmp(word, "oom")) return put_in("/proc/self/oom_score_adj", value);
    if (!strcmp(word, "rlimit")) return limit(value);
    if (!strcmp(word, "group")) return setpgid(0, 0);
    if (!strcmp(word, "session")) return setsid() < 0;
    if (!strcmp(word, "odd-environment")) return environ = odd_environment, 0;
    if (!strcmp(word, "slack")) return prctl(PR_SET_TIMERSLACK, number, 0, 0, 0);
    if (!strcmp(word, "subreaper")) return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (!strcmp(word, "no-new-privileges")) return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!strcmp(word, "alarm")) return alarm_in(number);
    if (!strcmp(word, "chdir")) return chdir(value);
    if (!strcmp(word, "delete-cwd")) return delete_cwd(value);
    if (!strcmp(word, "deep-cwd")) return deep_cwd(number);
    if (!strcmp(word, "user")) return setgid((gid_t)number) || setuid((uid_t)number);
    errno = EINVAL;
    return -1;
}

int main(int argc, char **argv) {
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--"); i++) {
        char *value = strchr(argv[i], '=');
        if (value) *value++ = 0;
        if (apply(argv[i], value ? value : argv[i] + strlen(argv[i]))) fail(argv[i]);
    }
    if (i + 1 >= argc) return 96;
    execvp(argv[i + 1], argv + i + 1);
    int error = errno;
    perror(argv[i + 1]);
    return error == ENOENT ? 127 : 126;
}
