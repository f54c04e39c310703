/* `--observe notify`, step by step: nothing speaks against it, the rehearsal succeeds, the keeper and the threads are there; then the application takes
 * on its filter, right before it executes the command, and sends the listener. */
#define _GNU_SOURCE
#include "../launcher.h"
#include "notify.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    struct events events;
    struct desk *desk;
    int ours, theirs; /* ends of the socket that the listener comes through */
    bool started;
} notify = {.ours = -1, .theirs = -1};

static const char *set_up(const struct area *a, const struct place *p) {
    struct desk *desk = notify.desk = mmap(NULL, sizeof *desk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int ends[2];
    if (desk == MAP_FAILED || !events_map(&notify.events, a->fd)) return "too little memory";
    if (!seen_begin() || !processes_begin(&notify.events, p->rank < 0 ? 0 : (uint32_t)p->rank)) return "too little memory";
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) return "too few descriptors";
    notify.ours = fd_above_stdio(ends[0]);
    notify.theirs = fd_above_stdio(ends[1]);
    if (notify.ours < 0 || notify.theirs < 0) return "too few descriptors";
    if (!keeper_start(notify.ours, notify.desk, &notify.events) || !serve_start(notify.ours, notify.desk, &notify.events)) return "too few processes";
    return NULL;
}

const char *notify_refused(const char *command) {
    const char *wrong = refusal(command);
    return wrong ? wrong : rehearse();
}

const char *notify_start(const struct place *p, const struct area *a) {
    const char *wrong = set_up(a, p);
    notify.started = !wrong;
    if (notify.ours >= 0) close(notify.ours); /* the threads and the keeper have theirs */
    if (wrong && notify.theirs >= 0) close(notify.theirs);
    return wrong;
}

void notify_in_child(void) {
    if (!notify.started) return;
    int listener = filter_install();
    if (listener < 0) return; /* notify_end tells */
    bool sent = send_listener(notify.theirs, listener); /* to the threads or the keeper, who comes first */
    if (sent) send_listener(notify.theirs, listener);
    close(listener);
    if (!sent) syscall(SYS_exit, 127); /* exit_group would wait for an answer */
    close(notify.theirs);
}

void notify_in_parent(void) {
    if (notify.started) close(notify.theirs);
}

bool notify_end(void) {
    if (!notify.started) return true;
    if (serve_began()) processes_settle(true);
    events_lost(&notify.events, notify.desk->missed);
    return serve_began();
}
