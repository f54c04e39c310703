/* state [FILE]: everything that a program inherits, as one line of JSON on stdout or in FILE.
 *
 * Bytes are written as the code points U+0000-U+00FF (latin-1), so that nothing is lost. The descriptors are looked at
 * first, with fcntl and readlink only, so that looking opens none.
 *
 *     $ state
 *     {"argv":["state"],"env":["PATH=/bin"],"fds":[{"fd":0,"fdflags":0,...}],"files":{...},"numbers":{...}}
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;
enum { HIGHEST = 1100, PATH_BYTES = 1 << 16 };
struct seen { int fd, fdflags, flags; long long offset; char path[256]; mode_t mode; };
static struct seen fds[HIGHEST];
static char text[PATH_BYTES];

static void put_text(FILE *out, const char *bytes, size_t length) {
    fputc('"', out);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < 32 || c > 126 || c == '"' || c == '\\') fprintf(out, "\\u%04x", c);
        else fputc(c, out);
    }
    fputc('"', out);
}

static void put_list(FILE *out, const char *key, char **list) {
    fprintf(out, "\"%s\":[", key);
    for (char **item = list; *item; item++) {
        if (item != list) fputc(',', out);
        put_text(out, *item, strlen(*item));
    }
    fputs("],", out);
}

static int look_at_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < HIGHEST; fd++) {
        struct seen *one = &fds[count];
        struct stat status;
        char name[64];
        if ((one->fdflags = fcntl(fd, F_GETFD)) < 0) continue;
        one->fd = fd;
        one->flags = fcntl(fd, F_GETFL);
        one->offset = lseek(fd, 0, SEEK_CUR);
        one->mode = fstat(fd, &status) ? 0 : status.st_mode;
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(name, one->path, sizeof one->path - 1);
        one->path[length < 0 ? 0 : length] = 0;
        count++;
    }
    return count;
}

static void put_descriptors(FILE *out, int count) {
    fputs("\"fds\":[", out);
    for (int i = 0; i < count; i++) {
        fprintf(out, "%s{\"fd\":%d,\"fdflags\":%d,\"flags\":%d,\"offset\":%lld,\"mode\":%u,\"path\":", i ? "," : "", fds[i].fd,
                fds[i].fdflags, fds[i].flags, fds[i].offset, fds[i].mode);
        put_text(out, fds[i].path, strlen(fds[i].path));
        fputc('}', out);
    }
    fputs("],", out);
}

static void put_files(FILE *out) {
    static const char *const names[] = {"status", "limits", "oom_score_adj", "timerslack_ns", "coredump_filter", "cgroup",
                                        "loginuid", "sessionid", "personality", "uid_map", "mountinfo", NULL};
    fputs("\"files\":{", out);
    for (int i = 0; names[i]; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text);
        if (fd >= 0) close(fd);
        fprintf(out, "%s\"%s\":", i ? "," : "", names[i]);
        put_text(out, text, length < 0 ? 0 : (size_t)length);
    }
    fputs("},", out);
}

static void put_numbers(FILE *out) {
    struct { const char *key; long long value; } const numbers[] = {
        {"pid", getpid()}, {"ppid", getppid()}, {"pgid", getpgid(0)}, {"sid", getsid(0)}, {"nice", getpriority(PRIO_PROCESS, 0)},
        {"scheduler", sched_getscheduler(0)}, {"ioprio", syscall(SYS_ioprio_get, 1, 0)}, {"terminal0", isatty(0)},
        {"foreground0", tcgetpgrp(0)}, {"dumpable", prctl(PR_GET_DUMPABLE)}, {"keepcaps", prctl(PR_GET_KEEPCAPS)},
        {"personality", personality(0xffffffff)}, {"securebits", prctl(PR_GET_SECUREBITS)},
    };
    fputs("\"numbers\":{", out);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fprintf(out, "%s\"%s\":%lld", i ? "," : "", numbers[i].key, numbers[i].value);
    int subreaper = -1;
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    fprintf(out, ",\"subreaper\":%d},", subreaper);
}

int main(int argc, char **argv) {
    int count = look_at_descriptors();
    FILE *out = argc > 1 && argv[1][0] == '/' ? fopen(argv[1], "we") : stdout;
    if (!out) return 99;
    fputc('{', out);
    put_list(out, "argv", argv);
    put_list(out, "env", environ);
    put_descriptors(out, count);
    put_files(out);
    put_numbers(out);
    ssize_t length = readlink("/proc/self/cwd", text, sizeof text);
    fputs("\"cwd\":", out);
    put_text(out, text, length < 0 ? 0 : (size_t)length);
    fputs("}\n", out);
    return fclose(out) ? 98 : 0;
}
