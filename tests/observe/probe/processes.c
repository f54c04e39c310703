/* Every way of the C library to start and end programs: `processes WAY`; most of them run `cat in`, some write to `out`. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *const CAT[] = {"cat", "in", NULL};
static char *const NOTHING[] = {NULL};

static int put(const char *name) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    return fd < 0 || write(fd, "put\n", 4) != 4 || close(fd);
}
static int get(const char *name) { char text[64]; int fd = open(name, O_RDONLY); return fd < 0 || read(fd, text, sizeof text) < 0 || close(fd); }
static int reaped(pid_t child, int expected) { int status; return child < 0 || waitpid(child, &status, 0) != child || status != expected; }

static int way_fork(void) { pid_t child = fork(); if (!child) _exit(put("out")); return reaped(child, 0) || get("in"); }
static int way_double_fork(void) {
    pid_t child = fork();
    if (!child) { setsid(); _exit(fork() ? 0 : put("out") || get("in")); }
    if (reaped(child, 0)) return 1;
    for (int tries = 0; tries < 500 && access("out", F_OK); tries++) usleep(10000);
    return usleep(50000);
}
static int way_execv(void) { pid_t child = fork(); if (!child) { execv("/bin/cat", CAT); _exit(1); } return reaped(child, 0); }
static int way_execve(void) { pid_t child = fork(); if (!child) { execve("/bin/cat", CAT, environ); _exit(1); } return reaped(child, 0); }
static int way_execl(void) { return execl("/bin/cat", "cat", "in", "in2", (char *)0); }
static int way_execle(void) { return execle("/bin/cat", "cat", "in", (char *)0, environ); }
static int way_execlp(void) { return execlp("cat", "cat", "in", "in", "in2", "in", "in", "in", "in", (char *)0); }
static int way_execvp(void) { return execvp("cat", CAT); }
static int way_execvpe(void) { return execvpe("cat", CAT, environ); }
static int way_fexecve(void) { return fexecve(open("/bin/cat", O_RDONLY | O_CLOEXEC), CAT, environ); }
static int way_execveat(void) { int dir = open("/bin", O_PATH | O_CLOEXEC); return execveat(dir, "cat", CAT, environ, 0); }
static int way_exec_fails(void) { execv("./none", CAT); execv("./in", CAT); execlp("no-such-program", "x", (char *)0); return put("out") || execvp("cat", CAT); }
static int way_exec_script(void) { char *const words[] = {"script", NULL}; return execv("./script", words); }
static int way_exec_many(void) {
    static char *words[2002];
    for (int at = 0; at < 2000; at++) words[at] = "a-word-of-some-length-that-is-repeated";
    words[0] = "true";
    pid_t child = fork();
    if (!child) { execv("/bin/true", words); _exit(1); }
    return reaped(child, 0) || get("in");
}
static int way_vfork(void) { pid_t child = vfork(); if (!child) { execv("/bin/cat", CAT); _exit(1); } return reaped(child, 0) || put("out"); }
static int way_vfork_opens(void) { pid_t child = vfork(); if (!child) { int fd = open("out", O_CREAT | O_WRONLY, 0600); _exit(fd < 0); } return reaped(child, 0) || get("in"); }
static int way_empty_environment(void) { pid_t child = fork(); if (!child) { execve("/bin/cat", CAT, NOTHING); _exit(1); } return reaped(child, 0); }
static int way_clearenv(void) { clearenv(); return execv("/bin/cat", CAT); }
static int way_no_environ(void) { environ = NULL; return put("out") || execv("/bin/cat", CAT); }
static int way_own_preload(void) { setenv("LD_PRELOAD", "", 1); return execv("/bin/cat", CAT); }
static int way_unset(void) { unsetenv("LD_PRELOAD"); unsetenv("HPCPROV_IO"); return system("cat in > out"); }
static int way_off(void) { setenv("HPCPROV_OBSERVE", "off", 1); return put("out") || system("cat in"); }
static int way_spawn(void) { pid_t child; return posix_spawn(&child, "/bin/cat", NULL, NULL, CAT, environ) || reaped(child, 0) || posix_spawnp(&child, "cat", NULL, NULL, CAT, NOTHING) || reaped(child, 0); }
static int way_spawn_actions(void) {
    pid_t child;
    posix_spawn_file_actions_t actions;
    char *const words[] = {"cat", NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, "dir");
    posix_spawn_file_actions_addopen(&actions, 0, "in", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT, 0644);
    int bad = posix_spawnp(&child, "cat", &actions, NULL, words, environ) || reaped(child, 0);
    return posix_spawn_file_actions_destroy(&actions) || bad || get("in2");
}
static int way_system(void) { return system("cat in > out; exit 3") != 3 << 8; }
static int way_popen(void) {
    FILE *from = popen("cat in", "r"), *to;
    char text[64];
    if (!from || !fgets(text, sizeof text, from) || pclose(from)) return 1;
    return !(to = popen("cat > out", "w")) || fputs(text, to) < 0 || pclose(to);
}
static int way_exit_at_once(void) { put("out"); get("in"); _exit(7); }
static int way_abort(void) { put("out"); get("in"); abort(); }
static int way_killed(void) { put("out"); get("in"); return raise(SIGKILL); }
static int way_child_killed(void) { pid_t child = fork(); if (!child) { put("out"); pause(); } while (access("out", F_OK)) usleep(1000); usleep(20000); kill(child, SIGKILL); return reaped(child, SIGKILL) || get("in"); }
static int way_close_all(void) { close_range(0, ~0u, 0); return put("out") || get("in") || execv("/bin/cat", CAT); }
static int way_close_each(void) { for (int fd = 3; fd < 4096; fd++) close(fd); closefrom(3); return put("out") || get("in"); }
static int way_few_descriptors(void) { struct rlimit few = {4, 4}; return setrlimit(RLIMIT_NOFILE, &few) || put("out") || get("in"); }
static int way_handler(void) { struct sigaction action = {.sa_handler = SIG_IGN}; return sigaction(SIGCHLD, &action, NULL) || fork() ? put("out") || usleep(50000) : get("in"); }

static void *opens(void *name) { for (int times = 0; times < 200; times++) if (put(name) || get(name)) return name; return NULL; }
static int joined(void *(*run)(void *)) {
    static char names[8][8];
    pthread_t threads[8];
    void *bad = NULL, *one;
    for (int at = 0; at < 8; at++) {
        snprintf(names[at], sizeof names[at], "out%d", at);
        if (pthread_create(&threads[at], NULL, run, names[at])) return 1;
    }
    for (int at = 0; at < 8; at++) { pthread_join(threads[at], &one); bad = one ? one : bad; }
    return bad != NULL;
}
static int way_threads(void) { return joined(opens); }
static void *spawns(void *name) {
    char *const words[] = {"cp", "in", name, NULL};
    for (int times = 0; times < 3; times++) {
        pid_t child;
        if (posix_spawnp(&child, "cp", NULL, NULL, words, times % 2 ? NOTHING : environ) || reaped(child, 0)) return name;
    }
    return NULL;
}
static int way_threads_spawn(void) { return joined(spawns); }
static void *execs(void *none) { execv("/bin/cat", CAT); return none; }
static int way_thread_execs(void) { pthread_t thread; return put("out") || pthread_create(&thread, NULL, execs, NULL) || pause(); }
/* A thread with a working directory of its own. */
static void *elsewhere(void *name) { return unshare(CLONE_FS) || chdir("dir") || put("out") || get("in") ? name : NULL; }
static int way_thread_elsewhere(void) { pthread_t thread; void *bad; return pthread_create(&thread, NULL, elsewhere, "x") || pthread_join(thread, &bad) || bad || put("out") || get("in"); }
static int way_fork_chdir(void) { pid_t child = fork(); if (!child) _exit(chdir("dir") || put("out")); return reaped(child, 0) || put("out"); }
static int way_cwd_renamed(void) { return chdir("dir") || put("first") || rename("../dir", "../moved") || put("out"); }
static int way_cwd_removed(void) { return mkdir("gone", 0700) || chdir("gone") || rmdir("../gone") || open("out", O_CREAT, 0600) >= 0 || get("../in") || chdir("/"); }
static int way_many_forks(void) {
    for (int at = 0; at < 200; at++) { pid_t child = fork(); if (!child) _exit(at == 150 ? put("out") : 0); if (reaped(child, 0)) return 1; }
    return get("in");
}
static int way_fork_storm(void) {
    for (int at = 0; at < 10000; at++) { pid_t child = fork(); if (!child) _exit(at == 9999 ? put("out") : 0); if (reaped(child, 0)) return 1; }
    return get("in");
}
static int way_exec_storm(void) {
    for (int at = 0; at < 2000; at++) { pid_t child = vfork(); if (!child) { execl("/bin/true", "true", (char *)0); _exit(1); } if (reaped(child, 0)) return 1; }
    return 0;
}
static int way_sessions(void) { pid_t child = fork(); if (!child) { setsid(); umask(077); _exit(put("out")); } return reaped(child, 0) || nice(1) < 0 || get("in"); }

static const struct { const char *name; int (*run)(void); } ways[] = {
#define WAY(name) {#name, way_##name}
    WAY(fork), WAY(double_fork), WAY(execv), WAY(execve), WAY(execl), WAY(execle), WAY(execlp), WAY(execvp), WAY(execvpe), WAY(fexecve), WAY(execveat),
    WAY(exec_fails), WAY(exec_script), WAY(exec_many), WAY(vfork), WAY(vfork_opens), WAY(empty_environment), WAY(clearenv), WAY(no_environ), WAY(own_preload), WAY(unset),
    WAY(off), WAY(spawn), WAY(spawn_actions), WAY(system), WAY(popen), WAY(exit_at_once), WAY(abort), WAY(killed), WAY(child_killed), WAY(close_all),
    WAY(close_each), WAY(few_descriptors), WAY(handler), WAY(threads), WAY(threads_spawn), WAY(thread_execs), WAY(thread_elsewhere), WAY(fork_chdir), WAY(cwd_renamed),
    WAY(cwd_removed), WAY(many_forks), WAY(sessions), WAY(fork_storm), WAY(exec_storm),
};

int main(int argc, char **argv) {
    for (size_t at = 0; argc == 2 && at < sizeof ways / sizeof *ways; at++)
        if (!strcmp(argv[1], ways[at].name)) return ways[at].run();
    return 99;
}
