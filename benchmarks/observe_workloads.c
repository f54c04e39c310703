/* What bench_observe.py runs in C:
 *
 *     workloads timed OUT COMMAND...        runs it and appends to OUT the nanoseconds it took, and those on processors
 *     workloads open READS WRITES           opens, reads and closes in/0 ... in/<READS - 1>, then creates out/0 ... out/<WRITES - 1>
 *     workloads threads N READS WRITES      the same, by N threads that share the files
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static long reads, writes;
static int threads = 1;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void one_file(const char *directory, long number, int flags) {
    char name[64], bytes[4096] = {0};
    snprintf(name, sizeof name, "%s/%ld", directory, number);
    int fd = open(name, flags, 0600);
    if (fd < 0) fail(name);
    ssize_t n = flags & O_CREAT ? write(fd, bytes, sizeof bytes) : read(fd, bytes, sizeof bytes);
    if (n < 0 || close(fd)) fail(name);
}

static void *share(void *number) {
    for (long i = (long)(intptr_t)number; i < reads; i += threads) one_file("in", i, O_RDONLY);
    for (long i = (long)(intptr_t)number; i < writes; i += threads) one_file("out", i, O_WRONLY | O_CREAT | O_TRUNC);
    return NULL;
}

static void open_all(void) {
    pthread_t ids[64];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, share, (void *)(intptr_t)i)) fail("pthread_create");
    for (int i = 0; i < threads; i++) pthread_join(ids[i], NULL);
}

static int timed(const char *out, char **command) {
    struct timespec from, to;
    pid_t pid;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &from);
    struct rusage use; /* of all that the command waited for, too */
    if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) || wait4(pid, &status, 0, &use) != pid) fail(command[0]);
    clock_gettime(CLOCK_MONOTONIC, &to);
    FILE *file = fopen(out, "a");
    if (!file) fail(out);
    long long processors = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000LL + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000LL;
    fprintf(file, "%lld %lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec, processors);
    fclose(file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "timed")) return timed(argv[2], argv + 3);
    int at = 2;
    if (argc == 5 && !strcmp(argv[1], "threads")) threads = atoi(argv[at++]);
    else if (argc != 4 || strcmp(argv[1], "open")) return 2;
    reads = atol(argv[at]);
    writes = atol(argv[at + 1]);
    if (threads < 1 || threads > 64) return 2;
    if (threads == 1) share((void *)0);
    else open_all();
    return 0;
}
