/* A child of our own is watched before the application is: whether the kernel has all of it (Linux 5.9), whether a security module or an outer
 * supervisor forbids it, and whether another process's memory may be read. Half a millisecond.
 */
#define _GNU_SOURCE
#include "../launcher.h"
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 2000, NO_FILTER = 100 };
static const char opened[] = "/proc/self/stat";

static _Noreturn void be_watched(int socket, pid_t launcher) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != launcher) _exit(1);
    int listener = filter_install();
    if (listener < 0) _exit(errno == EBUSY ? NO_FILTER + 1 : NO_FILTER);
    if (!send_listener(socket, listener)) _exit(2);
    close(listener);
    _exit(openat(AT_FDCWD, opened, O_RDONLY | O_CLOEXEC) < 0 ? 3 : 0);
}

static bool readable(const struct seccomp_notif *request) {
    char name[PATH_MAX], link[PATH_MAX];
    if (filter_call(&request->data) != OPENAT) return true;
    return caller_string((pid_t)request->pid, request->data.args[1], name) && !strcmp(name, opened) && caller_link((pid_t)request->pid, "exe", link, sizeof link);
}

/* Answers the child's questions until it has ended. Its end must show, or a keeper would never leave. */
static const char *watch(int listener) {
    const char *wrong = NULL;
    for (;;) {
        struct pollfd fd = {.fd = listener, .events = POLLIN};
        unsigned char room[REQUEST_ROOM] = {0};
        struct seccomp_notif *request = (struct seccomp_notif *)(void *)room;
        if (poll(&fd, 1, PATIENCE_MS) <= 0) return wrong ? wrong : "this kernel's seccomp notification is too old";
        if (!(fd.revents & POLLIN)) return wrong;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, request)) {
            if (errno != EINTR && errno != ENOENT) return "this kernel's seccomp notification is not usable";
            continue;
        }
        if (!readable(request)) wrong = "the memory of other processes cannot be read here";
        if (!answer(listener, request->id) && errno != ENOENT) return "this kernel's seccomp notification is too old";
    }
}

static bool room_enough(void) {
    struct seccomp_notif_sizes sizes;
    return !syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) && sizes.seccomp_notif <= REQUEST_ROOM && sizes.seccomp_notif_resp == sizeof(struct seccomp_notif_resp);
}

static const char *reason(int status) {
    if (!WIFEXITED(status)) return "a rehearsal of it failed";
    if (WEXITSTATUS(status) == NO_FILTER + 1) return "another supervisor watches already";
    return WEXITSTATUS(status) == NO_FILTER ? "seccomp filters are not allowed here" : "a rehearsal of it failed";
}

const char *rehearse(void) {
    int ends[2], status = 0;
    pid_t launcher = getpid();
    if (!room_enough()) return "this kernel has no seccomp notification";
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return "too few descriptors";
    pid_t child = fork();
    if (child == 0) be_watched(ends[1], launcher);
    close(ends[1]);
    int listener = child > 0 ? receive_listener(ends[0]) : -1;
    const char *wrong = listener >= 0 ? watch(listener) : NULL;
    close(ends[0]);
    if (wrong && child > 0) kill(child, SIGKILL);
    if (listener >= 0) close(listener);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return child < 0 ? "too few processes" : wrong ? wrong : status ? reason(status) : NULL;
}
