/* No call may hang because of us. Its caller waits until somebody answers, and where nobody can any more it fails with ENOSYS. So beside the launcher's
 * threads a process of its own holds the listener: in a session of its own, holding nothing else, it answers whatever has not been answered
 * within 50 ms (the launcher was stopped, killed, has ended, or hangs in a file system), and ends with the last process that is watched.
 */
#define _GNU_SOURCE
#include "../launcher.h"
#include "notify.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 50, LOOK_MS = 1000 };

bool answer(int listener, uint64_t id) {
    struct seccomp_notif_resp response = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    return !ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

bool send_listener(int socket, int listener) {
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec byte = {(char[]){'n'}, 1};
    struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &listener, sizeof listener);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

int receive_listener(int socket) {
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    char byte;
    struct iovec into = {&byte, 1};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t n;
    int listener = -1;
    do n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    struct cmsghdr *rights = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (rights && rights->cmsg_type == SCM_RIGHTS) memcpy(&listener, CMSG_DATA(rights), sizeof listener);
    return listener;
}

/* ---- the process */

static uint64_t asked(const struct desk *desk, int worker) {
    return __atomic_load_n(&((const struct seccomp_notif *)(const void *)desk->requests[worker].bytes)->id, __ATOMIC_RELAXED);
}

static short look(int listener, int ms) {
    struct pollfd fd = {.fd = listener, .events = POLLIN};
    return poll(&fd, 1, ms) > 0 ? fd.revents : 0;
}

/* Answers what comes for as long as the launcher does not. */
static void stand_in(int listener, struct desk *desk) {
    uint64_t served = desk->served;
    for (int wait = 0; desk->served == served && look(listener, wait) == POLLIN; wait = LOOK_MS) {
        unsigned char room[REQUEST_ROOM] = {0};
        struct seccomp_notif *request = (struct seccomp_notif *)(void *)room;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, request)) continue;
        answer(listener, request->id);
        desk->missed++;
    }
}

static void keep(int listener, struct desk *desk) {
    while (!(look(listener, LOOK_MS) & (POLLHUP | POLLERR | POLLNVAL))) {
        uint64_t served = desk->served, ids[WORKERS];
        for (int i = 0; i < WORKERS; i++) ids[i] = asked(desk, i);
        nanosleep(&(struct timespec){.tv_nsec = PATIENCE_MS * 1000000}, NULL);
        for (int i = 0; i < WORKERS; i++)
            if (ids[i] && asked(desk, i) == ids[i]) answer(listener, ids[i]); /* one of them hangs, or died with it in its hands */
        if (desk->served == served) stand_in(listener, desk);
    }
}

static _Noreturn void be_keeper(int socket, struct desk *desk, const struct events *e) {
    prctl(PR_SET_NAME, "hpcprov-keeper");
    close_all_but((int[]){socket}, 1);
    munmap(e->header, e->size); /* it may outlive the run, and would keep its memory */
    if (chdir("/")) errno = 0;
    int listener = receive_listener(socket);
    close(socket);
    if (listener >= 0) keep(listener, desk);
    _exit(0);
}

bool keeper_start(int socket, struct desk *desk, const struct events *e) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t keeper = fork(); /* nobody's child, as the agent is */
        if (keeper == 0) be_keeper(socket, desk, e);
        _exit(keeper < 0);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return false;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
