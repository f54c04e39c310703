/* The node's agent: whoever binds the log's abstract socket starts it; every launcher keeps a connection, so that end-of-file
 * tells a rank's death. Messages (SOCK_SEQPACKET, text) are described in docs/agent.md. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static socklen_t socket_name(const struct store *s, struct sockaddr_un *address) {
    char hex[65], name[64];
    sha256_hex(s->log_path, strlen(s->log_path), hex);
    snprintf(name, sizeof name, "hpcprov/%u/%.32s", (unsigned)geteuid(), hex);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path + 1, name, strlen(name)); /* the leading NUL makes it abstract: no file, gone with its owner */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static void write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, text, strlen(text)) < 0) errno = 0; /* a wish, not a need */
    close(fd);
}

/* Beside the application and never in its way: idle scheduling, any CPU of the cgroup, first for the out-of-memory killer,
 * none of the job's descriptors, signals as in a fresh process. */
static void become_bystander(int listening) {
    cpu_set_t all;
    memset(&all, 0xFF, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    write_text("/proc/self/oom_score_adj", "1000");
    int null = open("/dev/null", O_RDWR);
    int kept = fcntl(listening, F_DUPFD, 3);
    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (kept != 3) dup2(kept, 3);
    close_all_but((int[]){0, 1, 2, 3}, 4);
    for (int signo = 1; signo < NSIG; signo++) signal(signo, SIG_DFL);
    sigset_t nothing;
    sigemptyset(&nothing);
    sigprocmask(SIG_SETMASK, &nothing, NULL);
    for (int what = 0; what < RLIM_NLIMITS; what++) {
        struct rlimit limit;
        if (what != RLIMIT_CORE && what != RLIMIT_STACK && !getrlimit(what, &limit)) {
            limit.rlim_cur = limit.rlim_max;
            setrlimit(what, &limit);
        }
    }
    if (chdir("/")) errno = 0;
    static const char *const harmful[] = {"LD_PRELOAD", "LD_AUDIT", "HPCPROV_RUN", "PYTHONWARNINGS", "PYTHONMALLOC", "PYTHONEXECUTABLE", "PYTHONINSPECT",
                                          "PYTHONPLATLIBDIR", "PYTHONDEVMODE", "PYTHONTRACEMALLOC", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME"};
    for (size_t i = 0; i < sizeof harmful / sizeof *harmful; i++) unsetenv(harmful[i]);
}

static void start_agent(int listening, const struct store *s, const struct place *p) {
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork() != 0) _exit(0); /* the agent is nobody's child: neither the launcher nor its parent has to reap it */
        char *const arguments[] = {"--root", s->root, "--run", (char *)p->run_id, "--log", s->log_path, "--node", (char *)p->node, NULL};
        become_bystander(listening);
        handover_agent(arguments);
        _exit(127);
    }
    if (child > 0)
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

static int connect_to(const struct sockaddr_un *address, socklen_t size) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    int fd = fd_above_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (fd < 0) return -1;
    if (!connect(fd, (const struct sockaddr *)address, size) && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length)) {
        if (peer.uid == geteuid()) return fd;
        errno = EPERM; /* somebody else's socket: abstract ones have no owner */
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* One try at being first on this node, else at finding who was. -1: again later. */
static int bind_or_connect(const struct store *s, const struct place *p) {
    struct sockaddr_un address;
    socklen_t size = socket_name(s, &address);
    int listening = fd_above_stdio(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (listening >= 0 && !bind(listening, (struct sockaddr *)&address, size) && !listen(listening, 4096)) start_agent(listening, s, p);
    int fd = connect_to(&address, size), error = errno;
    if (listening >= 0) close(listening);
    errno = error;
    return fd;
}

/* With the event area's descriptor: the agent may be in another mount namespace. */
static bool send_with(int connection, char *text, size_t len, int descriptor) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec packet = {.iov_base = text, .iov_len = len};
    struct msghdr message = {.msg_iov = &packet, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    return descriptor >= 0 && sendmsg(connection, &message, MSG_NOSIGNAL) == (ssize_t)len;
}

static void say_hello(const struct agent *a, const struct joining *j) {
    const struct place *p = j->place;
    char hello[160];
    size_t n = (size_t)snprintf(hello, sizeof hello, "hello %lld %lld %lld %d %lld %d", (long long)p->rank, (long long)p->size,
                                (long long)p->local_size, (int)getpid(), (long long)p->ticks, (int)j->application);
    if (send_with(a->fd, hello, n, j->area)) return;
    if (send(a->fd, hello, n, MSG_NOSIGNAL) < 0) errno = 0; /* the agent then learns of this rank from the log */
}

void agent_join(struct agent *a, const struct joining *j) {
    *a = (struct agent){.fd = -1};
    for (int try = 0; try < 20 && a->fd < 0 && !a->crowded; try++) {
        if (try) nap(try < 5 ? 1000000 : 5000000); /* bound and not yet listening, or an agent that is just leaving */
        a->fd = bind_or_connect(j->store, j->place);
        a->crowded = a->fd < 0 && errno == EAGAIN; /* kernels before 5.4 queue 128; the agent is still starting */
    }
    if (a->fd >= 0) say_hello(a, j);
    else if (!a->crowded) facts_problem(j->store, j->place, "no agent on this node: its socket could be neither bound nor reached");
}

void agent_try_again(struct agent *a, const struct joining *j) {
    struct sockaddr_un address;
    socklen_t size = socket_name(j->store, &address);
    a->fd = connect_to(&address, size);
    a->crowded = a->fd < 0 && errno == EAGAIN;
    if (a->fd >= 0) say_hello(a, j);
}

bool agent_tell_exit(struct agent *a, int status) {
    char line[64];
    int n = snprintf(line, sizeof line, "exit %d %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return a->fd >= 0 && send(a->fd, line, (size_t)n, MSG_NOSIGNAL) == n;
}
