/* The launcher's threads that are asked. They have a descriptor table of their own, so that what the launcher closes and what the
 * application closes does not matter here. Several, because one may hang in a file system whose server is itself part of the run.
 * They allocate nothing once they run: the launcher forks beside them.
 */
#define _GNU_SOURCE
#include "../launcher.h"
#include "notify.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { STACK = 512 * 1024, SETTLE_MS = 50 };

static struct {
    struct desk *desk;
    struct events *events;
    int socket;
    _Atomic int listener;    /* -1: not yet, or never */
    sem_t begun, ready, begin, executed;
    _Atomic bool expected;   /* `executed` has been raised and nobody has looked yet */
    bool failed;
} service = {.listener = -1};

/* ---- one question after the other */

static void serve_one(struct seccomp_notif *request) {
    enum what what = filter_call(&request->data);
    if (events_wanted(service.events)) calls_record(service.events, service.listener, request, what);
    answer(service.listener, request->id);
    service.desk->served++;
    if ((what == EXECVE || what == EXECVEAT) && !atomic_exchange(&service.expected, true)) sem_post(&service.executed);
}

static bool nobody_left(void) {
    struct pollfd fd = {.fd = service.listener};
    return poll(&fd, 1, 0) > 0 && fd.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static void wait_for(sem_t *sem) {
    while (sem_wait(sem) && errno == EINTR) continue;
}

static void *work(void *which) {
    struct seccomp_notif *request = (struct seccomp_notif *)(void *)service.desk->requests[(size_t)which].bytes;
    sem_post(&service.ready);
    wait_for(&service.begin);
    while (service.listener >= 0) {
        memset(request, 0, REQUEST_ROOM); /* or the kernel refuses it; it also tells the keeper that nothing is in hand */
        if (!ioctl(service.listener, SECCOMP_IOCTL_NOTIF_RECV, request)) serve_one(request);
        else if ((errno != EINTR && errno != ENOENT) || nobody_left()) break;
    }
    return NULL;
}

/* Programs that were started and then never called: they are seen at their end, unless they are killed. */
static void *settle(void *unused) {
    sem_post(&service.ready);
    for (;;) {
        wait_for(&service.executed);
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000}, NULL);
        service.expected = false;
        processes_settle(false);
    }
    return unused;
}

/* ---- */

static bool start_thread(void *(*run)(void *), size_t which) {
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes)) return false;
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    bool started = !pthread_create(&thread, &attributes, run, (void *)which); /* NOLINT: a number */
    pthread_attr_destroy(&attributes);
    if (started) wait_for(&service.ready);
    return started;
}

/* The first thread: what the others share is made here. */
static void *lead(void *unused) {
    service.failed = unshare(CLONE_FILES) != 0;
    if (!service.failed) close_all_but((int[]){service.socket, service.events->fd}, 2);
    for (size_t i = 1; i < WORKERS && !service.failed; i++) service.failed = !start_thread(work, i);
    if (!service.failed) service.failed = !start_thread(settle, 0);
    bool failed = service.failed;
    sem_post(&service.begun);
    if (failed) return unused;
    int listener = receive_listener(service.socket);
    close(service.socket);
    if (listener >= 0) ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    service.listener = listener;
    for (int i = 0; i < WORKERS; i++) sem_post(&service.begin);
    return work(NULL);
}

bool serve_start(int socket, struct desk *desk, struct events *e) {
    pthread_t thread;
    service.desk = desk;
    service.events = e;
    service.socket = socket;
    if (sem_init(&service.begun, 0, 0) || sem_init(&service.ready, 0, 0) || sem_init(&service.begin, 0, 0) || sem_init(&service.executed, 0, 0)) return false;
    if (pthread_create(&thread, NULL, lead, NULL)) return false;
    pthread_detach(thread);
    wait_for(&service.begun);
    return !service.failed;
}

bool serve_began(void) { return service.listener >= 0; }
